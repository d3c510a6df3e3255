"""Half-length pictures: a smaller face above shoulders, arms and clothes to the waist or the hips."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas
from fpliif_jax.data_builders.synthetic_faces.curves import ellipse, open_curve, ribbon
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.occluders import RaisedArm
from fpliif_jax.data_builders.synthetic_faces.photographic.arms import (
    RAISED,
    SLEEVE,
    Arm,
    Posture,
    draw_arm,
    posed_arms,
    sample_posture,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.body import (
    cloth_outline,
    draw_hem_and_collar,
    draw_neck,
    lit_skin,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.fabric import (
    Fabric,
    paint_fabric,
    sample_fabric,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.neckwear import Neckwear
from fpliif_jax.data_builders.synthetic_faces.photographic.person import PhotographicPerson

_SHARE = 1 / 3  # of all faces
_FACES = (0.15, 0.30)  # how much of the picture's width they take
_LOWEST = 7.6  # y of the body at the picture's lower edge, at most
_YOKE = [(1.25, 0.34), (1.5, 0.62), (1.3, 1.6), (0.9, 2.4)]  # bare shoulders, beneath clothes
_TOPS = {"plain": 6, "knit": 1, "stripes": 1, "checks": 1, "print": 1.5}
_BOTTOMS = {"plain": 6, "checks": 0.5, "print": 0.5}


@dataclass(frozen=True)
class HalfLength:
    """`unit` and `centre`, of the face, are shares of the picture's side, `belt` is in units."""

    unit: float
    centre: tuple[float, float]
    posture: Posture
    top: Fabric
    bottom: Fabric  # trousers or a skirt
    belt: float  # y of the body
    build: float  # standard deviations from the mean width of shoulders


def sample_half_length(rng: np.random.Generator) -> HalfLength | None:
    """How a picture is framed, and what it then shows, if it is half-length."""
    is_one = rng.random() < _SHARE
    unit = float(0.5 * np.exp(rng.uniform(*np.log(_FACES))))
    highest = max(2.0 * unit, 1 - unit * (_LOWEST + 1.6))
    half = HalfLength(
        unit,
        (
            float(0.5 + np.clip(rng.normal(0, 0.05), -0.12, 0.12)),
            float(highest + rng.uniform(0.0, 0.08)),
        ),
        sample_posture(rng),
        top=sample_fabric(rng, _TOPS, (0.04, 0.12)),
        bottom=sample_fabric(rng, _BOTTOMS, (0.04, 0.12)),
        belt=float(rng.uniform(5.6, 6.8)),
        build=float(rng.normal()),
    )
    return half if is_one else None


def dressed(
    person: PhotographicPerson, half: HalfLength, worn: Neckwear | None
) -> tuple[PhotographicPerson, HalfLength, Neckwear | None]:
    """The person further away, and what clothes become. They keep their colour and end above the chest; a roll neck or
    a raised collar is that of what the body wears."""
    x, y = half.centre
    top = dataclasses.replace(half.top, colour=person.cloth_colour)
    changes: dict[str, Any] = {"neckline": min(person.neckline, 0.75)}
    if worn and worn.kind != "scarf":
        top, worn = worn.fabric, dataclasses.replace(worn, has_body=False)
        changes = {"neckline": -0.12, "cloth_style": "crew"}
    centre = (x - 0.55 * half.unit * float(np.sin(person.yaw)), y)
    person = dataclasses.replace(person, unit=half.unit, centre=centre, **changes)
    return person, dataclasses.replace(half, top=top), worn


def _width(person: PhotographicPerson, half: HalfLength) -> float:
    return (0.98 if person.feminine else 1.12) + 0.04 * float(np.clip(half.build, -2, 2))


def _side(person: PhotographicPerson, half: HalfLength) -> list[tuple[float, float]]:
    """The right side of the trunk from the shoulder down: body coordinates."""
    waist, hip = (1.62, 2.0) if person.feminine else (1.82, 1.9)
    side = [(1.5, 0.50), (2.05, 0.74), (2.5, 1.12), (2.3, 1.9), (1.98, 3.0), (1.9, 3.8), (waist, 5.6), (hip, 7.8),
            (hip + 0.1, 12.0)]  # fmt: skip
    return [(x * _width(person, half), y) for x, y in side]


def arms_of(pose: HeadPose, person: PhotographicPerson, half: HalfLength) -> list[Arm]:
    """Both arms, the one behind first."""
    return posed_arms(pose, person, half.posture, _width(person, half))


def draw_body(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    half: HalfLength,
    face: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Neck, clothes and arms; `face` is the outline of the head. Bare arms and hands are background, as a hand before
    the face is."""
    unit, noise = pose.unit, rng.spawn(1)[0]
    draw_neck(canvas, pose, person, face, _YOKE)
    side = _side(person, half)
    at = np.linspace(half.belt - 0.3, 12.0, 9)
    edge = np.interp(at, *np.array(side[2:]).T[::-1])
    hips = np.concatenate([np.stack([edge, at], -1), np.stack([-edge, at], -1)[::-1]])
    bottom = canvas.coverage(pose.on_body(hips))
    paint_fabric(canvas, bottom, pose, person, half.bottom, noise, 0.9)
    canvas.mark(bottom, classes.CLOTH)
    arms, sleeve = arms_of(pose, person, half), half.posture.sleeve
    hem = float(np.interp(half.belt, at, edge)) + 0.05
    side = [*[(x, y) for x, y in side if y < half.belt], (hem, half.belt)]
    trunk = pose.on_body(cloth_outline(person, side))
    sleeves = [shape for arm in arms for shape in arm.shapes(0, min(sleeve, arm.end), SLEEVE)]
    cloth = canvas.coverage([trunk, *sleeves])
    paint_fabric(canvas, cloth, pose, person, half.top, noise)
    canvas.mark(cloth, classes.CLOTH)
    _shade_trunk(canvas, pose, person, np.array(side[2:]), trunk)
    shadow = canvas.coverage(face + np.array([0, 0.55]) * unit, blur=0.25 * unit, inside=cloth)
    canvas.tint(shadow.scaled(0.6), 0.45 + 0.3 * person.ambient)
    draw_hem_and_collar(canvas, pose, person, cloth)
    for arm in arms:
        draw_arm(canvas, pose, person, arm, sleeve, cloth)


def _shade_trunk(
    canvas: Canvas, pose: HeadPose, person: PhotographicPerson, side: np.ndarray, trunk: np.ndarray
) -> None:
    """The trunk is round, and cloth pulls at armpits and waist. `side`: [N, 2] of the body; `trunk`: in pixels."""
    unit = pose.unit
    inside = canvas.coverage(trunk)
    soft = [ribbon(pose.on_body(side * (s, 1)), 0.9 * unit) for s in (-1, 1)]
    canvas.tint(canvas.coverage(soft, blur=0.25 * unit, inside=inside), 0.74)
    folds = [[(1.75, 2.5), (1.25, 3.2), (1.15, 4.0)], [(1.5, 4.9), (0.9, 5.25), (0.2, 5.3)]]
    if person.feminine:
        folds.append([(1.55, 2.9), (1.25, 3.35), (0.75, 3.4), (0.3, 3.05)])
    lines = [
        ribbon(pose.on_body(open_curve(fold) * (s, 1)), 0.22 * unit)
        for fold in folds
        for s in (-1, 1)
    ]
    canvas.tint(canvas.coverage(lines, blur=0.12 * unit, inside=inside), 0.80)
    canvas.tint(canvas.coverage(ribbon(trunk, 0.07 * unit), blur=0.02 * unit, inside=inside), 0.75)


def raised_arm(pose: HeadPose, person: PhotographicPerson, half: HalfLength) -> RaisedArm | None:
    """The arm that holds something before the face; None if none does."""
    arms = arms_of(pose, person, half)
    return next((RaisedArm(a.joints[1], lit_skin(person)) for a in arms if a.end == RAISED), None)


def draw_raised_arm(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    half: HalfLength,
    wrist: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """The forearm up to the hand that holds something before the face, `wrist` in pixels [2], over all else."""
    [arm] = (arm for arm in arms_of(pose, person, half) if arm.end == RAISED)
    arm = dataclasses.replace(arm, joints=np.stack([*arm.joints[:2], wrist]), end=2.0)
    sleeve, unit = half.posture.sleeve, pose.unit
    skin = arm.shapes(1, 1.02)  # the elbow; the rest of the arm is drawn with the hand
    if person.occluder == "microphone":
        skin = [*arm.shapes(1, 2), ellipse(wrist, (0.36 * unit, 0.40 * unit))]
    bare = canvas.coverage(skin)
    canvas.paint(bare, lit_skin(person))
    canvas.mark(bare, classes.BACKGROUND)
    if sleeve > 1:
        cloth = canvas.coverage(arm.shapes(1, min(sleeve, 1.85), SLEEVE))
        paint_fabric(canvas, cloth, pose, person, half.top, rng.spawn(1)[0])
        canvas.mark(cloth, classes.CLOTH)
