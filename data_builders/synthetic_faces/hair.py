"""Hair: its regions for each style, and a colour field of strands or curls."""

import numpy as np
from PIL import Image

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas
from fpliif_jax.data_builders.synthetic_faces.curves import ellipse, open_curve
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose, surface_depth
from fpliif_jax.data_builders.synthetic_faces.person import LONG_STYLES, Person

# Volume beyond the skull at the sides and on top, in units.
_VOLUME = {
    "buzz": (0.03, 0.04),
    "short": (0.09, 0.17),
    "quiff": (0.06, 0.27),
    "fringe": (0.13, 0.18),
    "bob": (0.20, 0.20),
    "long": (0.17, 0.18),
    "wavy": (0.24, 0.22),
    "afro": (0.45, 0.42),
    "bun": (0.04, 0.09),
}


def hair_colours(person: Person, pose: HeadPose, size: int, rng: np.random.Generator) -> np.ndarray:
    """Lit strands or curls: float32 [size, size, 3], meaningful where there is hair."""
    x, y = pose.unplaced_grid(size)
    # Strands fan out from a point above the visible hair, on the side of the parting.
    root = pose.turned([(0.8 * person.hair_part, -1.95, 0.2)])[0].astype(np.float32)
    dx, dy = x - root[0], y - root[1]
    distance = np.sqrt(dx * dx + dy * dy)
    if person.hair_style in ("afro", "buzz"):
        cells = int(rng.integers(26, 40)) if person.hair_style == "afro" else 90
        coarse = rng.normal(0, 1, (cells, cells)).astype(np.float32)
        plane = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
        strands = np.asarray(plane) * np.float32(0.24 if person.hair_style == "afro" else 0.10)
    else:
        angle = np.arctan2(dx, dy)
        wave = rng.uniform(0.0, 0.05) + (0.13 if person.hair_style == "wavy" else 0.0)
        pitch = rng.uniform(3.0, 6.5)
        angle += np.float32(wave) * np.sin(np.float32(pitch) * distance + 2 * angle)
        table = rng.normal(0, 1, 4096).astype(np.float32)
        fine = table[(angle * 55 + distance * 2.0).astype(np.int32) & 4095]
        middle = rng.normal(0, 1, 4096).astype(np.float32)
        middle = np.convolve(middle, (0.1, 0.2, 0.4, 0.2, 0.1), "same").astype(np.float32)
        broad = middle[(angle * 28 + 100).astype(np.int32) & 4095]
        strands = 0.09 * fine + 0.26 * broad
    # Shade as on a ball a little larger than the skull.
    u, v = x / np.float32(1.45), (y + np.float32(0.35)) / np.float32(1.75)
    c, s = np.cos(pose.roll), np.sin(pose.roll)
    lx, ly, lz = person.light
    lx, ly = np.float32(c * lx + s * ly), np.float32(c * ly - s * lx)
    nz = np.sqrt(np.maximum(np.float32(0.12), 1 - u * u - v * v))
    facing = np.maximum(u * lx + v * ly + nz * np.float32(lz), np.float32(0.0))
    lit = np.float32(person.ambient * 0.85) + np.float32(1.05 - person.ambient * 0.85) * facing
    band = np.exp(-(((distance - np.float32(0.70)) / np.float32(0.22)) ** 2))
    lit *= 1 + strands
    shine = band * np.maximum(0.55 + 1.6 * strands, 0) * np.float32(0.35 * person.hair_shine)
    field = person.hair.astype(np.float32) * lit[..., None]
    field += (shine * facing)[..., None] * (0.35 + 0.65 * person.hair).astype(np.float32)
    return np.clip(field, 0.01, 1, out=field)


def hair_outline(person: Person, reach: float) -> np.ndarray:
    """Outer edge of the hair over the skull: [N, 2] from the right ear (x > 0) over the top to
    the left; `reach` is the angle from the top at which it ends (radians)."""
    side, top = (person.hair_volume * v for v in _VOLUME[person.hair_style])
    t = np.linspace(reach, -reach, 49)
    ripple = np.zeros_like(t)
    if person.hair_style == "afro":
        ripple = 0.035 * np.abs(np.sin(9 * t + 1.3)) + 0.02 * np.sin(17 * t)
    elif person.hair_style == "quiff":
        ripple = 0.10 * np.exp(-(((t - 0.8 * person.hair_part) / 0.5) ** 2))
    elif person.hair_style != "buzz":
        ripple = 0.012 * np.sin(13 * t + 5 * person.hair_part)
    # The ends round off towards the skull.
    volume = (
        np.minimum((reach - np.abs(t)) / (0.5 if person.hair_style == "afro" else 0.3), 1) ** 0.6
    )
    x = (0.97 + (0.03 + side + ripple) * volume) * np.sin(t)
    y = -0.25 - (1.35 + top + ripple * volume) * np.cos(t)
    return np.stack([x, y], -1)


def hairline(person: Person) -> np.ndarray:
    """Where hair meets the forehead: [N, 2] face coordinates from x < 0 to x > 0."""
    rise, part = person.hairline, person.hair_part
    style = person.hair_style
    if style in ("short", "buzz", "quiff", "afro", "bun"):
        temple = 0.90 if style != "bun" else 0.93
        half = [
            (0.97, 0.10),
            (temple, -0.25),
            (temple - 0.04, -0.60 - rise),
            (0.66, -0.92 - rise),
            (0.30, -1.04 - rise),
        ]
        peak = [(0.0, -1.00 - rise)]
    elif style == "fringe":
        low = -0.52 - 0.6 * rise
        half = [(0.96, 0.15), (0.90, -0.2), (0.80, low + 0.08), (0.50, low), (0.22, low - 0.02)]
        peak = [(0.0, low + 0.02)]
    else:
        sideburn = (0.95, 0.30) if person.hair_over_ears else (0.98, 0.0)
        half = [sideburn, (0.93, -0.10), (0.86, -0.45), (0.68, -0.76), (0.42, -0.98)]
        peak = []
    right = np.array(half[::-1])
    left = np.array(half) * (-1, 1)
    if style in LONG_STYLES or style == "quiff":
        # The parting pulls the line up on its side.
        right[:, 0] = np.maximum(right[:, 0], part + 0.12)
        left[:, 0] = np.minimum(left[:, 0], part - 0.12)
        peak = [(part, -1.16 - rise)]
    line = open_curve(np.concatenate([left, np.array(peak), right]), 6)
    if style == "fringe":
        inside = np.abs(line[:, 0]) < 0.8
        line[inside, 1] += 0.05 * np.sin(23 * line[inside, 0] + 9 * part)
    elif style == "short":
        line[:, 1] += 0.018 * np.sin(29 * line[:, 0] + 9 * part)
    return line


def on_hairline(pose: HeadPose, line: np.ndarray) -> np.ndarray:
    """A hairline [N, 2] in pixels [N, 2]."""
    # At the temples the hair turns away along the skull, further back than the face's surface.
    x, y = line.T
    turn = np.clip((1.02 - np.abs(x)) / 0.3, 0.06, 1)
    return pose.at(np.column_stack([line, turn * surface_depth(x, y)]))


def draw_back_hair(canvas: Canvas, pose: HeadPose, person: Person, colours: np.ndarray) -> None:
    """Draws the hair behind neck and face."""
    style = person.hair_style
    if style == "bald":
        return
    outer = hair_outline(person, np.pi / 2 + (0.65 if style == "afro" else 0.25))
    if style in LONG_STYLES:
        side = 1.0 + person.hair_volume * _VOLUME[style][0]
        end = person.hair_length
        spread = 0.25 if style == "wavy" else 0.08
        t = np.linspace(0, 1, 12)
        swing = 0.06 * np.sin(9 * t + 4 * person.hair_part) if style == "wavy" else 0.0
        x = side + spread * np.sin(np.pi * 0.7 * t) - 0.12 * t**3 + swing
        y = -0.1 + (end + 0.1) * t
        right = np.stack([x, y], -1)[::-1]
        tips = np.stack([np.linspace(-0.9, 0.9, 9), np.full(9, end + 0.06)], -1)
        outer = np.concatenate([tips, right, outer[6:-6], right[::-1] * (-1, 1)])
    shape = pose.on_plane(outer, -0.25)
    patch = canvas.coverage(shape)
    canvas.paint(patch, patch.of(colours) * np.float32(0.62))
    canvas.mark(patch, classes.HAIR)
    if style == "bun":
        centre = pose.on_plane([(0.15 * np.sign(person.hair_part), -1.86)], -0.35)[0]
        bun = canvas.coverage(ellipse(centre, (0.44 * pose.unit, 0.38 * pose.unit), pose.roll))
        canvas.paint(bun, bun.of(colours) * np.float32(0.9))
        canvas.mark(bun, classes.HAIR)
        ring = centre + np.array([0.05, 0.10]) * pose.unit
        canvas.tint(canvas.glow(ring, (0.18 * pose.unit, 0.10 * pose.unit), 0.4), 0.75)


def draw_front_hair(canvas: Canvas, pose: HeadPose, person: Person, colours: np.ndarray) -> None:
    """Cap, fringe and the locks beside the face."""
    style = person.hair_style
    if style == "bald":
        return
    line = hairline(person)
    tucked = style in LONG_STYLES and not person.hair_over_ears
    cap = hair_outline(person, np.pi / 2 + (0.50 if style == "afro" else -0.15 if tucked else 0.10))
    if hair_hides_ears(person):
        side = 1.0 + person.hair_volume * _VOLUME[style][0]
        end = min(person.hair_length, 2.6)
        t = np.linspace(0, 1, 8)
        swing = 0.05 * np.sin(8 * t + 3 * person.hair_part) * t if style == "wavy" else 0.0
        inner = np.stack([0.93 + 0.14 * t + swing, 0.36 + (end - 0.36) * t], -1)
        outer = np.stack([side + 0.05 * np.sin(3 * t) + swing, 0.0 + (end - 0.1) * t], -1)
        right = np.concatenate([inner, outer[::-1]])
        left = right[::-1] * (-1, 1)
        front = np.concatenate([on_hairline(pose, line), pose.on_plane(right, -0.02)])
        back = np.concatenate([pose.on_plane(cap), pose.on_plane(left, -0.02)])
        shape = np.concatenate([front, back])
    else:
        shape = np.concatenate([on_hairline(pose, line), pose.on_plane(cap)])
    shadow = canvas.coverage(shape + np.array([0, 0.05]) * pose.unit, blur=0.05 * pose.unit)
    canvas.tint(shadow.scaled(0.6), (0.70, 0.64, 0.62))
    patch = canvas.coverage(shape)
    canvas.paint(patch, patch.of(colours), 0.92 if style == "buzz" else 1.0)
    canvas.mark(patch, classes.HAIR)


def hair_hides_ears(person: Person) -> bool:
    """Whether the style falls over both ears."""
    return person.hair_style in LONG_STYLES and person.hair_over_ears
