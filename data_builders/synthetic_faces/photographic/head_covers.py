"""Headscarves and hoods: cloth in the 19 classes and background in the 11, as is the hair that they cover."""

from dataclasses import dataclass

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas, Patch
from fpliif_jax.data_builders.synthetic_faces.curves import closed_curve, mirrored, ribbon
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.photographic.fabric import (
    Fabric,
    paint_fabric,
    sample_fabric,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.odds import chosen
from fpliif_jax.data_builders.synthetic_faces.photographic.person import PhotographicPerson

_SHARE = 0.03  # of all faces
_KINDS = {"closed": 0.45, "draped": 0.2, "hood": 0.35}
_SCARVES = {"plain": 6, "print": 2, "stripes": 0.7}
_HOODS = {"plain": 7, "knit": 1}


@dataclass(frozen=True)
class HeadCover:
    """`kind`: closed (a scarf around the face that shows no hair), draped (it does) or hood. Lengths in units."""

    kind: str
    fabric: Fabric
    brow: float  # y of its edge on the forehead
    bulk: float  # between skull and outline
    drop: float = 4.0  # y of the body where it ends, beneath the picture if not half-length


def sample_head_cover(rng: np.random.Generator) -> HeadCover | None:
    """Samples what covers the hair of a face; None if nothing does."""
    wears = rng.random() < _SHARE
    kind = chosen(rng, _KINDS)
    patterns = _HOODS if kind == "hood" else _SCARVES
    brow = {"closed": (-0.98, -0.66), "draped": (-1.35, -1.05), "hood": (-1.30, -0.85)}[kind]
    cover = HeadCover(
        kind,
        sample_fabric(rng, patterns, (0.10, 0.28)),
        brow=float(rng.uniform(*brow)),
        bulk=float(rng.uniform(0.10, 0.22) if kind == "closed" else rng.uniform(0.22, 0.42)),
    )
    return cover if wears else None


def draw_lining(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    cover: HeadCover,
    rng: np.random.Generator,
) -> Patch:
    """Draws the cloth behind the head; its label comes with `mark_lining`, once clothes have their print."""
    lining = canvas.coverage(_outline(pose, cover))
    paint_fabric(canvas, lining, pose, person, cover.fabric, rng.spawn(1)[0], 0.35)
    return lining


def mark_lining(canvas: Canvas, lining: Patch) -> None:
    """Labels the lining where neck and clothes leave it free."""
    is_free = lining.of(canvas.label_map) == classes.BACKGROUND
    canvas.mark_19(lining.scaled(is_free), classes.CLOTH)


def seen_hair(
    canvas: Canvas, pose: HeadPose, person: PhotographicPerson, cover: HeadCover
) -> np.ndarray:
    """How much of the hair the cloth leaves of each pixel, 0 … 1: float32 [size, size]."""
    seen = np.zeros((canvas.size, canvas.size), np.float32)
    if cover.kind != "closed":
        opening = canvas.coverage(_opening(pose, person, cover))
        opening.of(seen)[:] = opening.alpha
    return seen


def draw_head_cover(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    cover: HeadCover,
    face: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """The cloth around the face, whose outline is `face`, with its shadow on it."""
    noise = rng.spawn(1)[0]
    unit = pose.unit
    opening = _opening(pose, person, cover)
    rim = np.concatenate([opening, opening[:2]])
    reach = 0.34 if cover.kind == "hood" else 0.20
    cast = rim - np.array([0.06 * np.sign(person.light[0]), -0.06]) * unit
    shadow = canvas.coverage(ribbon(cast, reach * unit), blur=0.08 * unit)
    depth = 0.30 + 0.45 * (1 - person.ambient)
    canvas.tint(shadow, (1 - 0.85 * depth, 1 - depth, 1 - depth))
    cloth = canvas.coverage(_outline(pose, cover))
    hole = canvas.coverage(opening)
    if cover.kind == "closed":  # it lies close to the face
        hole = hole.within(canvas.coverage(face))
    left = np.ones((canvas.size, canvas.size), np.float32)
    hole.of(left)[:] -= hole.alpha
    cloth = cloth.scaled(cloth.of(left))
    paint_fabric(canvas, cloth, pose, person, cover.fabric, noise)
    canvas.mark(cloth, classes.CLOTH)
    tones = rng.uniform(0.66, 0.92, 6)
    outer = _outline(pose, cover)
    near = opening[(np.linspace(0, len(opening) - 1, len(outer))).astype(int)]
    for number, tone in enumerate(tones):  # folds that run around the face, and fall from it
        share = (number + 0.7) / 7 + 0.05 * np.sin(np.linspace(0, 7, len(outer)) + 9 * tone)
        fold = near + (outer - near) * share[:, None]
        width = (0.05 + 0.10 * (number % 2)) * unit
        canvas.tint(
            canvas.coverage(ribbon(fold, width), blur=0.4 * width, inside=cloth), float(tone)
        )
    edge = ribbon(rim, (0.16 if cover.kind == "hood" else 0.07) * unit)
    canvas.tint(canvas.coverage(edge, blur=0.02 * unit, inside=cloth), 1.12)
    seam = canvas.coverage(ribbon(rim, 0.03 * unit), blur=0.01 * unit, inside=cloth)
    canvas.tint(seam, 0.6)


def _outline(pose: HeadPose, cover: HeadCover) -> np.ndarray:
    """The cloth's outline from the top clockwise, over the head and down over the shoulders: pixels [N, 2]."""
    b = cover.bulk
    head = pose.on_plane([(0.0, -1.66 - b), (0.62 + 0.4 * b, -1.50 - b), (1.02 + b, -0.95),
                          (1.14 + b, -0.20), (1.12 + 1.2 * b, 0.60)], -0.15)  # fmt: skip
    other = pose.on_plane([(-1.12 - 1.2 * b, 0.60), (-1.14 - b, -0.20), (-1.02 - b, -0.95),
                           (-0.62 - 0.4 * b, -1.50 - b)], -0.15)  # fmt: skip
    wide = 1.5 if cover.kind == "closed" else 1.35
    body = [(1.0 + b, -0.35), (wide, 0.35), (wide + 0.6, 0.75), (wide + 0.8, cover.drop)]
    right = pose.on_body(body)
    left = pose.on_body([(-x, y) for x, y in body[::-1]])
    return closed_curve(np.concatenate([head, right, left, other]), 6)


def _opening(pose: HeadPose, person: PhotographicPerson, cover: HeadCover) -> np.ndarray:
    """Outline of the opening through which the face is seen, from the top clockwise: pixels [N, 2]."""
    drop = 0.3 * person.mouth_opening
    chin = 1.43 * person.length + drop
    if cover.kind == "closed":
        half = [(0.0, cover.brow), (0.52, cover.brow + 0.08), (0.84, -0.35), (0.88, 0.10),
                (0.80 * person.jaw, 0.66), (0.58 * person.jaw, 1.08 * person.length + 0.7 * drop),
                (0.30, chin - 0.10), (0.0, chin - 0.04)]  # fmt: skip
        return pose.on_face(closed_curve(mirrored(half), 6))
    half = [(0.0, cover.brow), (0.62, cover.brow + 0.10), (1.00, -0.50), (1.08, 0.20), (1.05, 0.80)]
    right = pose.on_plane(half, 0.25)
    left = pose.on_plane([(-x, y) for x, y in half[:0:-1]], 0.25)
    low = [(0.85, 0.10), (0.42, 0.75), (0.0, 1.05)]
    chest = pose.on_body(mirrored(low))
    return closed_curve(np.concatenate([right, chest, left]), 6)
