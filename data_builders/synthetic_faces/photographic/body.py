"""Neck and shoulders in the light of the face, and clothes whose folds and prints vary."""

from collections.abc import Sequence

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas, Patch
from fpliif_jax.data_builders.synthetic_faces.curves import closed_curve, open_curve, ribbon
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.person import vivid_colour
from fpliif_jax.data_builders.synthetic_faces.photographic.noise import fractal_noise
from fpliif_jax.data_builders.synthetic_faces.photographic.person import PhotographicPerson

_SHOULDERS = [(1.25, 0.34), (1.9, 0.62), (2.4, 1.2), (2.6, 4.0)]


def lit_skin(person: PhotographicPerson) -> np.ndarray:
    """The colour of the body's skin in the light of the face: [3]."""
    lit = person.fill * person.ambient * 0.85 + person.key * (1 - person.ambient) * (
        0.55 + 0.4 * person.light[2]
    )
    return person.skin * lit ** np.array([0.9, 1.05, 1.1])


def draw_neck(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    outline: np.ndarray,
    shoulders: Sequence[tuple[float, float]] = _SHOULDERS,
) -> None:
    """Neck, and `shoulders` by default down to the picture's edge, shadowed by the chin."""
    unit, width = pose.unit, person.neck_width
    top = pose.on_plane([(-width, 0.55), (width, 0.55)], -0.35)
    half = [(width, -0.25), (width + 0.03, -0.02), (width + 0.28, 0.16), *shoulders]
    right = pose.on_body(half)
    left = pose.on_body([(-x, y) for x, y in half[::-1]])
    neck = canvas.coverage(closed_curve(np.concatenate([top[1:], right, left, top[:1]]), 6))
    if neck.empty:
        return
    canvas.paint(neck, lit_skin(person))
    canvas.mark(neck, classes.NECK)
    away = -np.sign(person.light[0] or 1.0)
    hard = (1 - person.ambient) * min(abs(person.light[0]) * 2, 1)
    for side, strength in ((away, 0.15 + 0.4 * hard), (-away, 0.12)):
        line = pose.on_body([(side * (width + 0.02), y) for y in (-0.9, -0.4, 0.1)])
        edge = canvas.coverage(ribbon(line, 0.6 * unit), blur=0.13 * unit, inside=neck)
        canvas.tint(edge, (1 - 0.8 * strength, 1 - strength, 1 - strength))
    cast = outline + np.array([away * 0.12 * hard, 0.16 + 0.2 * hard]) * unit
    shadow = canvas.coverage(cast, blur=0.08 * unit, inside=neck)
    depth = 0.18 + 0.42 * (1 - person.ambient)
    canvas.tint(shadow, (1 - 0.8 * depth, 1 - depth, 1 - depth))
    for side in (-1, 1):  # tendons and collar bones
        tendon = pose.on_body([(side * 0.42, -0.6), (side * 0.26, -0.1), (side * 0.10, 0.28)])
        bone = pose.on_body([(side * 0.12, 0.34), (side * 0.6, 0.36), (side * 1.1, 0.22)])
        lines = [ribbon(open_curve(line), 0.06 * unit) for line in (tendon, bone)]
        canvas.tint(canvas.coverage(lines, blur=0.035 * unit, inside=neck), (0.90, 0.87, 0.87))


def neckline(person: PhotographicPerson) -> np.ndarray:
    """The right half of the edge of what is worn, from the shoulder to the middle: body coordinates [N, 2]."""
    width, depth = person.neck_width, person.neckline
    collar = [
        (width + 0.16 + 0.5 * max(depth, 0), 0.08 + 0.3 * depth),
        (0.55 * width + 0.3 * max(depth, 0), 0.25 + 0.8 * depth),
    ]
    if person.cloth_style == "vee":
        return np.array([*collar[:1], (0.0, 0.55 + 1.2 * depth)])
    return open_curve([*collar, (0.0, 0.38 + depth)], 6)


def cloth_outline(
    person: PhotographicPerson, shoulders: Sequence[tuple[float, float]] = _SHOULDERS
) -> np.ndarray:
    """Clothes from the neckline over `shoulders`: body coordinates [N, 2]."""
    half = neckline(person)
    first = (half[0, 0] + 0.25, 0.06 + 0.3 * person.neckline)
    shoulder = open_curve([first, *shoulders], 5) + (0, -0.04)
    side = np.concatenate([shoulder[::-1], half])
    return np.concatenate([side, side[::-1] * (-1, 1)])


def draw_clothes(
    canvas: Canvas, pose: HeadPose, person: PhotographicPerson, rng: np.random.Generator
) -> None:
    """Shoulders below a neckline; bare ones where it lies beneath the picture."""
    own = rng.spawn(1)[
        0
    ]  # what is in the picture depends on its size, and must not shift later draws
    cloth = canvas.coverage(pose.on_body(cloth_outline(person)))
    if cloth.empty:
        return
    canvas.paint(cloth, person.cloth_colour * (0.45 + 0.5 * person.ambient))
    canvas.mark(cloth, classes.CLOTH)
    draw_hem_and_collar(canvas, pose, person, cloth)
    texture_cloth(canvas, pose, person, own)


def draw_hem_and_collar(
    canvas: Canvas, pose: HeadPose, person: PhotographicPerson, cloth: Patch
) -> None:
    """The neckline's edge within `cloth`, and a shirt's collar."""
    width, depth = person.neck_width, person.neckline
    hem = ribbon(pose.on_body(neckline(person) + np.array([0, 0.03])), 0.08 * pose.unit)
    canvas.tint(canvas.coverage([hem], blur=0.02 * pose.unit, inside=cloth), 0.78)
    if person.cloth_style == "shirt":
        light = 0.45 + 0.5 * person.ambient
        for s in (-1, 1):
            flap = [(s * (width + 0.08), -0.20 + 0.2 * depth), (s * (width + 0.30), 0.12 + 0.4 * depth),
                    (s * 0.45, 0.72 + depth), (s * 0.02, 0.46 + depth)]  # fmt: skip
            lapel = canvas.coverage(pose.on_body(flap))
            canvas.paint(lapel, np.minimum(person.collar_colour, 1) * light)
            canvas.mark(lapel, classes.CLOTH)
            rim = canvas.coverage(
                ribbon(pose.on_body(flap[1:]), 0.04 * pose.unit), blur=0.01 * pose.unit
            )
            canvas.tint(rim.within(lapel), 0.65)


def texture_cloth(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    rng: np.random.Generator,
    label: int = classes.CLOTH,
) -> None:
    """Shades and prints all that bears `label`."""
    where = canvas.label_map == label
    colour, pitch, turn = vivid_colour(rng), rng.uniform(8, 30), rng.uniform(-0.6, 0.6)
    if not where.any():
        return
    folds = fractal_noise(rng, canvas.size, 6, 48, 0.6)[where]
    cloth = canvas.colour[where]
    if person.cloth_pattern == "print":
        prints = fractal_noise(rng, canvas.size, 24, 48, 0.8)[where]
        share = np.clip(2 * prints - 0.5, 0, 1)[:, None]
    elif person.cloth_pattern == "stripes":
        x, y = pose.unplaced_grid(canvas.size)
        phase = (x + np.float32(turn) * y)[where] * np.float32(pitch)
        share = (np.sin(phase) > 0.3)[:, None] * np.float32(0.8)
    else:
        share = np.float32(0)
    cloth += (colour.astype(np.float32) - cloth) * share
    cloth *= np.clip(1 + 0.25 * folds, 0.35, 1.7)[:, None]
    canvas.colour[where] = cloth
