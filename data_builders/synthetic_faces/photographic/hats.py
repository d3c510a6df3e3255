"""Hats of many kinds, with the shadow of a brim on the face."""

from dataclasses import dataclass

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas, Patch
from fpliif_jax.data_builders.synthetic_faces.curves import (
    ellipse,
    open_curve,
    ribbon,
)
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.photographic.fabric import (
    Fabric,
    paint_fabric,
    sample_fabric,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.odds import chosen
from fpliif_jax.data_builders.synthetic_faces.photographic.person import PhotographicPerson

_KINDS = {"cap": 0.26, "flat cap": 0.10, "beanie": 0.20, "fedora": 0.16, "sun hat": 0.08, "cowboy": 0.06,
          "bandana": 0.08, "headband": 0.06}  # fmt: skip
_PATTERNS = {
    "beanie": {"knit": 5, "plain": 1, "stripes": 1},
    "flat cap": {"checks": 3, "plain": 4, "print": 1},
    "bandana": {"print": 4, "plain": 1},
}
_ANY = {"plain": 7, "checks": 0.6, "print": 0.7}
_BRIMS = {"fedora": (1.50, 1.45), "sun hat": (2.25, 1.75), "cowboy": (1.95, 1.55)}  # half axes


@dataclass(frozen=True)
class Hat:
    """`kind`: one of `_KINDS`. Lengths in units."""

    kind: str
    fabric: Fabric
    brow: float  # y of its front edge
    height: float  # of the crown, as a factor
    curl: float  # of a brim's sides upwards
    tilt: float  # of a brim's front downwards
    arch: float  # how much lower the sides of a visor are than its middle
    band: np.ndarray  # colour
    has_mark: bool  # a badge on the front, or a bobble on a beanie


def sample_hat(rng: np.random.Generator) -> Hat:
    """A hat for who wears one."""
    kind = chosen(rng, _KINDS)
    fabric = sample_fabric(rng, _PATTERNS.get(kind, _ANY), (0.05, 0.18))
    low = kind in ("beanie", "bandana", "headband")
    return Hat(
        kind,
        fabric,
        brow=float(rng.uniform(-1.02, -0.66) if low else rng.uniform(-1.0, -0.74)),
        height=float(rng.uniform(0.88, 1.15)),
        curl=float(rng.uniform(0.25, 0.55) if kind == "cowboy" else rng.uniform(-0.08, 0.14)),
        tilt=float(rng.uniform(-0.10, 0.50)),
        arch=float(rng.uniform(0.0, 0.22)),
        band=np.clip(rng.uniform(0.02, 0.9) + rng.normal(0, 0.1, 3), 0.02, 0.95),
        has_mark=bool(rng.random() < 0.5),
    )


class _Shapes:
    """Outlines of one hat in pixels."""

    def __init__(self, pose: HeadPose, hat: Hat) -> None:
        self.pose, self.hat = pose, hat
        r, y = 1.22 if hat.kind == "headband" else 1.12, hat.brow
        self.front = open_curve([(-r, y + 0.02, -0.05), (-0.98, y + 0.05, 0.40), (-0.6, y + 0.07, 0.72),
                                 (0, y + 0.08, 0.92), (0.6, y + 0.07, 0.72), (0.98, y + 0.05, 0.40),
                                 (r, y + 0.02, -0.05)])  # fmt: skip
        self.front_line = pose.at(self.front)

    def crown(self, profile: list[tuple[float, float]]) -> np.ndarray:
        """The front line, closed by `profile`: x, and height above the brow, of the right half from below."""
        up = self.hat.height
        right = np.array([(x, self.hat.brow - up * h) for x, h in profile])
        left = (right * (-1, 1))[::-1]
        ends = np.array([(1.12, self.hat.brow + 0.02)])
        over = open_curve(np.concatenate([ends, right, left, ends * (-1, 1)]), 6)
        return np.concatenate([self.front_line, self.pose.on_plane(over, -0.05)])

    def raised(self, by: float) -> np.ndarray:
        return self.pose.at(self.front - np.array([0, by, 0]))

    def brim(self, radii: tuple[float, float], low: float, high: float) -> np.ndarray:
        """Its outer edge between two angles; 0 points to the viewer, and plus to the right."""
        angle = np.linspace(low, high, 41)
        x, z = radii[0] * np.sin(angle), radii[1] * np.cos(angle)
        y = (
            self.hat.brow
            + 0.05
            - self.hat.curl * np.sin(angle) ** 2
            + self.hat.tilt * np.cos(angle)
        )
        return self.pose.at(np.stack([x, y, z], -1))


_ROUND = [(1.13, 0.28), (1.00, 0.66), (0.64, 0.95), (0.0, 1.07)]
_SLOUCHED = [(1.15, 0.34), (1.05, 0.80), (0.66, 1.13), (0.0, 1.24)]
_FLAT = [(1.34, 0.18), (1.22, 0.52), (0.75, 0.80), (0.0, 0.88)]
_TALL = [(1.08, 0.30), (1.00, 0.85), (0.72, 1.12), (0.30, 1.18), (0.0, 1.06)]
_PROFILES = {"flat cap": _FLAT, "beanie": _SLOUCHED, "cap": _ROUND, "bandana": _ROUND}


def draw_hat(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    hat: Hat,
    rng: np.random.Generator,
) -> None:
    """Draws a hat over hair and forehead."""
    shapes = _Shapes(pose, hat)
    if hat.kind == "headband":
        ring = np.concatenate([shapes.front_line, shapes.raised(0.30)[::-1]])
        _piece(canvas, pose, person, hat, ring, rng, shadow=0.06)
        return
    crown = shapes.crown(_PROFILES.get(hat.kind, _TALL))
    if hat.kind in _BRIMS:
        _draw_brimmed(canvas, pose, person, hat, shapes, crown, rng)
        return
    visor = _visor(shapes) if hat.kind in ("cap", "flat cap") else None
    if visor is not None:
        _cast(canvas, pose, person, visor, 0.34)
    dome = _piece(canvas, pose, person, hat, crown, rng, shadow=0.07)
    _round_off(canvas, pose, person, dome)
    if hat.kind == "beanie":
        _finish_beanie(canvas, pose, person, hat, shapes, dome, rng)
    elif hat.kind == "cap":
        _finish_cap(canvas, pose, hat, dome)
    elif hat.kind == "bandana":
        knot = ribbon(shapes.raised(0.10), 0.05 * pose.unit)
        canvas.tint(canvas.coverage(knot, blur=0.02 * pose.unit, inside=dome), 0.7)
    if visor is not None:
        light = 0.55 if _seen_from_below(visor, shapes.front_line) else 0.92
        shade = _piece(canvas, pose, person, hat, visor, rng, shadow=0.0, light=light)
        rim = canvas.coverage(ribbon(visor, 0.035 * pose.unit), blur=0.01 * pose.unit, inside=shade)
        canvas.tint(rim, 0.7)


def _piece(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    hat: Hat,
    outline: np.ndarray,
    rng: np.random.Generator,
    shadow: float,
    light: float = 1.0,
) -> Patch:
    if shadow:
        soft = canvas.coverage(outline + np.array([0, shadow]) * pose.unit, blur=0.05 * pose.unit)
        canvas.tint(soft.scaled(0.6), (0.60, 0.54, 0.52))
    piece = canvas.coverage(outline)
    paint_fabric(canvas, piece, pose, person, hat.fabric, rng.spawn(1)[0], light)
    canvas.mark(piece, classes.HAT)
    return piece


def _cast(
    canvas: Canvas, pose: HeadPose, person: PhotographicPerson, brim: np.ndarray, drop: float
) -> None:
    """The shadow of a brim on forehead and eyes, away from the lamp."""
    steep = drop * (0.6 + 1.2 * max(-person.light[1], 0))
    away = np.array([-0.30 * person.light[0], steep]) * pose.unit
    swept = [brim + share * away for share in (0.2, 0.4, 0.6, 0.8, 1.0)]
    depth = 0.25 + 0.50 * (1 - person.ambient)
    soft = canvas.coverage(swept, blur=0.06 * pose.unit)
    canvas.tint(soft, (1 - 0.85 * depth, 1 - depth, 1 - depth))


def _round_off(canvas: Canvas, pose: HeadPose, person: PhotographicPerson, dome: Patch) -> None:
    """Light on the side of the lamp and shade on the other."""
    unit, side = pose.unit, np.sign(person.light[0] or 1.0)
    lamp = pose.on_plane([(0.45 * side, -1.30)], 0.3)[0]
    canvas.paint(canvas.glow(lamp, (0.45 * unit, 0.35 * unit)).within(dome), (1, 1, 1), 0.10)
    for x, depth in ((-1.05 * side, 0.55), (1.12 * side, 0.75)):
        away = pose.on_plane([(x, -1.15)], 0.0)[0]
        canvas.tint(canvas.glow(away, (0.30 * unit, 0.7 * unit), pose.roll).within(dome), depth)


def _visor(shapes: _Shapes) -> np.ndarray:
    hat = shapes.hat
    reach = 0.85 if hat.kind == "cap" else 0.30
    angle = np.linspace(-1.25, 1.25, 31)
    steep = (0.3 + 0.7 * reach) * hat.tilt
    droop = 0.08 + steep * np.cos(angle) + hat.arch * np.sin(angle) ** 2
    far = np.stack([0.93 * np.sin(angle) / np.sin(1.25), hat.brow + droop,
                    0.35 + (0.5 + reach) * np.cos(angle)], -1)  # fmt: skip
    near = shapes.front[np.abs(shapes.front[:, 0]) < 0.94][::-1]
    return shapes.pose.at(np.concatenate([far, near]))


def _seen_from_below(edge: np.ndarray, front_line: np.ndarray) -> bool:
    return bool(edge[len(edge) // 4, 1] < front_line[len(front_line) // 2, 1])


def _finish_cap(canvas: Canvas, pose: HeadPose, hat: Hat, dome: Patch) -> None:
    unit, y = pose.unit, hat.brow
    top = y - 1.12 * hat.height
    for x in (-0.75, 0.0, 0.75):
        seam = open_curve([(x, y, 0.8), (0.85 * x, (y + top) / 2 - 0.1, 0.6), (0.0, top, 0.1)])
        line = canvas.coverage(ribbon(pose.at(seam), 0.025 * unit), blur=0.006 * unit)
        canvas.tint(line.within(dome), 0.72)
    button = canvas.coverage(
        ellipse(pose.at([(0.0, top + 0.02, 0.1)])[0], (0.07 * unit, 0.04 * unit))
    )
    canvas.tint(button.within(dome), 0.8)
    if hat.has_mark:
        across = np.linspace(-0.34, 0.34, 6)
        letters = [pose.at([(x - 0.045, y - 0.34, 0.86), (x + 0.045, y - 0.34, 0.86),
                            (x + 0.04, y - 0.34 - 0.10 - 0.08 * (k % 2), 0.82),
                            (x - 0.04, y - 0.46, 0.82)]) for k, x in enumerate(across)]  # fmt: skip
        canvas.paint(canvas.coverage(letters).within(dome), hat.band, 0.95)


def _finish_beanie(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    hat: Hat,
    shapes: _Shapes,
    dome: Patch,
    rng: np.random.Generator,
) -> None:
    """A turned-up edge, ribs that meet at the top, and perhaps a bobble."""
    unit = pose.unit
    top = hat.brow - 1.25 * hat.height
    ribs = [
        open_curve(
            [(x, hat.brow, 0.5), (0.95 * x, (hat.brow + top) / 2, 0.45), (0.35 * x, top, 0.1)]
        )
        for x in np.linspace(-1.05, 1.05, 17)
    ]
    lines = [ribbon(pose.at(rib), 0.035 * unit) for rib in ribs]
    canvas.tint(canvas.coverage(lines, blur=0.012 * unit, inside=dome), 0.74)
    if hat.tilt > 0.05:
        cuff = np.concatenate([shapes.raised(-0.02), shapes.raised(0.36)[::-1]])
        edge = canvas.coverage(ribbon(shapes.raised(0.38), 0.09 * unit), blur=0.03 * unit)
        canvas.tint(edge.within(dome), 0.55)
        turned = _piece(canvas, pose, person, hat, cuff, rng, shadow=0.0, light=1.04)
        short = [ribbon(pose.at([(x, hat.brow + 0.1, 0.86 - 0.6 * x * x), (x, hat.brow - 0.4, 0.80 - 0.6 * x * x)]),
                        0.035 * unit) for x in np.linspace(-1.0, 1.0, 17)]  # fmt: skip
        canvas.tint(canvas.coverage(short, blur=0.012 * unit, inside=turned), 0.72)
    if hat.has_mark:
        ball = ellipse(pose.at([(0.0, top - 0.18, 0.0)])[0], (0.30 * unit, 0.27 * unit))
        rough = ball + rng.spawn(1)[0].normal(0, 0.022, ball.shape) * unit
        bobble = _piece(canvas, pose, person, hat, rough, rng, shadow=0.0)
        under = canvas.glow(ball.mean(0) + (0, 0.22 * unit), (0.28 * unit, 0.12 * unit))
        canvas.tint(under.within(bobble), 0.55)


def _draw_brimmed(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    hat: Hat,
    shapes: _Shapes,
    crown: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """The brim behind the crown, the crown with its band, the brim before it."""
    unit, radii = pose.unit, _BRIMS[hat.kind]
    whole, before = shapes.brim(radii, -np.pi, np.pi), shapes.brim(radii, -1.75, 1.75)
    _cast(canvas, pose, person, whole, 0.30)
    below = _seen_from_below(before[10:31], shapes.front_line)
    _piece(canvas, pose, person, hat, whole, rng, shadow=0.05, light=0.50 if below else 0.72)
    dome = _piece(canvas, pose, person, hat, crown, rng, shadow=0.0)
    _round_off(canvas, pose, person, dome)
    crease = pose.at(
        [(0.0, hat.brow - 1.1 * hat.height, 0.3), (0.0, hat.brow - 0.55 * hat.height, 0.7)]
    )
    canvas.tint(canvas.coverage(ribbon(crease, 0.16 * unit), blur=0.05 * unit, inside=dome), 0.72)
    band = canvas.coverage(
        np.concatenate([shapes.raised(-0.02), shapes.raised(0.26)[::-1]]), inside=dome
    )
    canvas.paint(band, hat.band * (0.45 + 0.4 * person.ambient))
    front = np.concatenate([before, shapes.raised(-0.01)[::-1]])
    piece = _piece(canvas, pose, person, hat, front, rng, shadow=0.0, light=0.55 if below else 0.95)
    rim = canvas.coverage(ribbon(before, 0.04 * unit), blur=0.012 * unit, inside=piece)
    canvas.tint(rim, 0.75 if below else 1.15)
    if hat.kind == "sun hat":  # woven rings
        rings = [ribbon(shapes.raised(-0.01) * (1 - s) + before[np.linspace(0, 40, len(shapes.front)).astype(int)] * s,
                        0.03 * unit) for s in (0.2, 0.4, 0.6, 0.8)]  # fmt: skip
        canvas.tint(canvas.coverage(rings, blur=0.01 * unit, inside=piece), 0.85)
