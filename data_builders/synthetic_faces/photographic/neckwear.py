"""Scarves, and collars that stand high on the neck: cloth in the 19 classes, background in the 11."""

from dataclasses import dataclass

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas, Patch
from fpliif_jax.data_builders.synthetic_faces.curves import open_curve, ribbon
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.photographic.fabric import (
    Fabric,
    paint_fabric,
    sample_fabric,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.odds import chosen
from fpliif_jax.data_builders.synthetic_faces.photographic.person import PhotographicPerson

_SHARE = 0.10  # of all faces
_KINDS = {"scarf": 0.45, "roll neck": 0.33, "raised collar": 0.22}
_SCARVES = {"plain": 4, "knit": 3, "stripes": 1.5, "checks": 2, "print": 2}
_SWEATERS = {"plain": 3, "knit": 4, "stripes": 1}
_COATS = {"plain": 5, "checks": 1}


@dataclass(frozen=True)
class Neckwear:
    """`kind`: scarf, roll neck or raised collar. Lengths in units."""

    kind: str
    fabric: Fabric
    before_chin: bool  # whether it hides the chin, or the chin hides it
    rise: float  # how far its upper edge lies above the neck's base
    width: float  # beside the neck
    drop: float  # of the lower edge
    end: float  # x of the loose end; 0 where it shows none
    has_body: bool = True  # whether the sweater or coat below a collar is drawn with it


def sample_neckwear(rng: np.random.Generator) -> Neckwear | None:
    """Samples what a face wears around the neck; None if nothing."""
    wears = rng.random() < _SHARE
    kind = chosen(rng, _KINDS)
    patterns = {"scarf": _SCARVES, "roll neck": _SWEATERS, "raised collar": _COATS}[kind]
    worn = Neckwear(
        kind,
        fabric=sample_fabric(rng, patterns, (0.10, 0.30) if kind == "scarf" else (0.05, 0.18)),
        before_chin=kind == "raised collar" or (kind == "scarf" and rng.random() < 0.4),
        rise=float(np.clip(rng.normal(0.10, 0.13), -0.2, 0.5)),
        width=float(rng.uniform(0.10, 0.42)),
        drop=float(rng.uniform(0.35, 0.85)),
        end=float(rng.choice([-1, 1]) * rng.uniform(0.2, 0.6)) if rng.random() < 0.6 else 0.0,
    )
    return worn if wears else None


def draw_neckwear(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    worn: Neckwear,
    rng: np.random.Generator,
) -> None:
    """Draws neckwear over neck and clothes, and over the chin where the face is drawn already."""
    draw = {"scarf": _draw_scarf, "roll neck": _draw_roll_neck, "raised collar": _draw_collar}
    draw[worn.kind](canvas, pose, person, worn, rng)


def _cloth(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    fabric: Fabric,
    shape: np.ndarray,
    rng: np.random.Generator,
    light: float = 1.0,
) -> Patch:
    """A piece of cloth with `shape`, body coordinates [N, 2], and its soft shadow on what is beneath."""
    outline = pose.on_body(shape)
    shadow = canvas.coverage(outline + np.array([0, 0.05]) * pose.unit, blur=0.05 * pose.unit)
    canvas.tint(shadow.scaled(0.6), (0.55, 0.50, 0.48))
    piece = canvas.coverage(outline)
    paint_fabric(canvas, piece, pose, person, fabric, rng, light)
    canvas.mark(piece, classes.CLOTH)
    return piece


def _shade_line(
    canvas: Canvas, pose: HeadPose, line: np.ndarray, width: float, piece: Patch, depth: float
) -> None:
    stroke = canvas.coverage(
        ribbon(pose.on_body(line), width * pose.unit), blur=0.35 * width * pose.unit, inside=piece
    )
    canvas.tint(stroke, depth)


def _draw_scarf(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    worn: Neckwear,
    rng: np.random.Generator,
) -> None:
    """Two turns around the neck with folds, and perhaps a loose end."""
    noise, bends = rng.spawn(1)[0], rng.normal(0, 0.04, 12)
    side = person.neck_width + worn.width
    top = open_curve([(-side + 0.06, -0.50 - worn.rise), (-0.62 * side, -0.16 - 0.7 * worn.rise + bends[0]),
                      (bends[1], -0.06 - worn.rise), (0.62 * side, -0.16 - 0.7 * worn.rise + bends[2]),
                      (side - 0.06, -0.50 - worn.rise)])  # fmt: skip
    low = open_curve([(-side - 0.12, -0.05 + bends[3]), (-0.7 * side, worn.drop * 0.65 + bends[4]),
                      (bends[5], worn.drop), (0.7 * side, worn.drop * 0.65 + bends[6]),
                      (side + 0.12, -0.05 + bends[7])])  # fmt: skip
    if worn.end:
        tip = np.array([(worn.end - 0.26, 0.1), (worn.end + 0.22, 0.1), (worn.end + 0.34, 2.6),
                        (worn.end - 0.20, 2.6)])  # fmt: skip
        piece = _cloth(canvas, pose, person, worn.fabric, tip, noise, 0.92)
        for offset in (-0.08, 0.1):
            line = np.array([(worn.end + offset, 0.1), (worn.end + 1.4 * offset, 2.6)])
            _shade_line(canvas, pose, line, 0.09, piece, 0.72)
    between = 0.5 * (top + low) + np.array([0.0, 0.1]) * bends[8]
    for upper, lower, light in ((top, low, 0.88), (between - (0, 0.12), low, 1.0)):
        piece = _cloth(
            canvas, pose, person, worn.fabric, np.concatenate([upper, lower[::-1]]), noise, light
        )
        for share in (0.25, 0.5, 0.78):
            sway = np.sin(np.linspace(0, 3 * np.pi, len(top)) + 40 * bends[9] + 5 * share)
            line = upper + (lower - upper) * share + np.stack([0 * sway, 0.03 * sway], -1)
            _shade_line(canvas, pose, line, 0.10, piece, 0.66)
            _shade_line(canvas, pose, line - (0, 0.07), 0.05, piece, 1.14)


def _draw_roll_neck(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    worn: Neckwear,
    rng: np.random.Generator,
) -> None:
    """A sweater up to below the chin."""
    noise = rng.spawn(1)[0]
    width = person.neck_width
    half = [(width + 0.10, -0.10), (width + 0.26, 0.10), (1.25, 0.30), (1.9, 0.58), (2.4, 1.16),
            (2.6, 4.0)]  # fmt: skip
    right = open_curve(half, 5)
    if worn.has_body:
        sweater = np.concatenate([right, right[::-1] * (-1, 1)])
        _cloth(canvas, pose, person, worn.fabric, sweater, noise)
    up = -0.30 - 0.8 * max(worn.rise, -0.1)
    rim = [(-width - 0.03, up - 0.12), (0.0, up + 0.10), (width + 0.03, up - 0.12)]
    foot = [(width + 0.12, 0.06), (0.0, 0.30), (-width - 0.12, 0.06)]
    tube = np.concatenate([open_curve(rim), open_curve(foot)])
    piece = _cloth(canvas, pose, person, worn.fabric, tube, noise, 0.95)
    for side, depth in ((-1, 0.72), (1, 0.72)):
        edge = np.array([(side * (width + 0.05), up), (side * (width + 0.12), 0.1)])
        _shade_line(canvas, pose, edge, 0.30, piece, depth)
    _shade_line(canvas, pose, open_curve(foot), 0.08, piece, 0.6)
    fold = open_curve([(-width - 0.08, up + 0.24), (0.0, up + 0.44), (width + 0.08, up + 0.24)])
    _shade_line(canvas, pose, fold, 0.06, piece, 0.68)


def _draw_collar(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    worn: Neckwear,
    rng: np.random.Generator,
) -> None:
    """A coat with its collar up at both sides of the neck."""
    noise = rng.spawn(1)[0]
    width, up = person.neck_width, 0.45 + 0.6 * worn.rise
    for side in (-1, 1):
        coat = np.array([(width - 0.05, 0.0), (1.25, 0.24), (1.9, 0.52), (2.45, 1.1), (2.7, 4.0),
                         (0.10, 4.0), (0.22, 1.0 + worn.drop)]) * (side, 1)  # fmt: skip
        if worn.has_body:
            _cloth(canvas, pose, person, worn.fabric, coat, noise, 0.95)
        flap = open_curve([(width - 0.02, -up), (width + 0.24, -up - 0.06), (width + 0.42, 0.05), (1.12, 0.55),
                           (0.62, 0.95 + 0.3 * worn.drop), (0.26, 1.0 + worn.drop), (width - 0.28, 0.30),
                           (width - 0.06, -0.1)], 5) * (side, 1)  # fmt: skip
        piece = _cloth(canvas, pose, person, worn.fabric, flap, noise, 1.05)
        _shade_line(canvas, pose, flap, 0.07, piece, 0.72)
