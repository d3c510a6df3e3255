"""Things drawn in front of the face; their label is background."""

from typing import NamedTuple

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas
from fpliif_jax.data_builders.synthetic_faces.curves import (
    Points,
    closed_curve,
    ellipse,
    open_curve,
    ribbon,
)
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.person import Person, vivid_colour


class RaisedArm(NamedTuple):
    """`elbow`: pixels [2]. `skin`: its colour [3]."""

    elbow: np.ndarray
    skin: np.ndarray


def draw_occluder(
    canvas: Canvas,
    pose: HeadPose,
    person: Person,
    rng: np.random.Generator,
    arm: RaisedArm | None = None,
) -> np.ndarray | None:
    """The person's own hand, a plain object or a microphone over part of the face.

    `arm`: the one that holds it up; None leaves its side and direction to `rng`, which gives as many numbers either
    way. Returns where that arm begins at the hand, in pixels [2]; None where none holds it.
    """
    if person.occluder == "hand":
        return _draw_hand(canvas, pose, person, rng, arm)
    if person.occluder == "microphone":
        return _draw_microphone(canvas, pose, person, rng, arm)
    return _draw_blob(canvas, pose, person, rng)


def _side(pose: HeadPose, rng: np.random.Generator, arm: RaisedArm | None) -> int:
    """Side of the picture that the thing comes from, the arm's if there is one: 1 is right, −1 left."""
    side = int(rng.choice([-1, 1]))
    return side if arm is None else 1 if arm.elbow[0] > pose.centre[0] else -1


def _draw_hand(
    canvas: Canvas,
    pose: HeadPose,
    person: Person,
    rng: np.random.Generator,
    arm: RaisedArm | None,
) -> np.ndarray:
    unit = pose.unit
    side = _side(pose, rng, arm)
    reach = rng.uniform(0.35, 0.75)
    origin = pose.on_plane([(side * reach, rng.uniform(0.95, 1.35))], 0.9)[0]
    lean = pose.roll * 0.5 - side * rng.uniform(0.1, 0.7)
    end = 4.0
    colour = person.skin * (0.98, 0.93, 0.92) * (0.78 + 0.2 * person.ambient)
    if arm is not None:
        colour = arm.skin
        x, y = arm.elbow - origin
        lean, end = np.arctan2(-x, y), np.hypot(x, y) / unit
    c, s = np.cos(lean), np.sin(lean)

    def placed(points: Points) -> np.ndarray:
        local = np.asarray(points, float) * (-side, 1)
        return origin + unit * local @ np.array([[c, s], [-s, c]])

    palm_and_arm = [(-0.34, -0.02), (0.30, -0.05), (0.40, 0.45), (0.30, 0.95),
                    (0.36, end), (-0.30, end), (-0.26, 0.95), (-0.40, 0.45)]  # fmt: skip
    shapes = [placed(closed_curve(palm_and_arm, 6))]
    lengths = (0.52, 0.66, 0.62, 0.45)
    fingers = []
    for k, length in enumerate(lengths):
        x = -0.27 + 0.18 * k
        bend = rng.uniform(-0.06, 0.06)
        line = open_curve(placed([(x, 0.15), (x * 1.08 + bend * 0.4, -0.45 * length),
                                  (x * 1.15 + bend, -length)]), 6)  # fmt: skip
        fingers.append(line)
        shapes.append(ribbon(line, 0.19 * unit))
        shapes.append(ellipse(line[-1], (0.095 * unit,) * 2, samples=16))
    thumb = open_curve(placed([(0.30, 0.55), (0.52, 0.25), (0.56, -0.05)]), 6)
    shapes += [ribbon(thumb, 0.20 * unit), ellipse(thumb[-1], (0.10 * unit,) * 2, samples=16)]

    shadow = canvas.coverage([p + np.array([0.05, 0.08]) * unit for p in shapes], blur=0.06 * unit)
    canvas.tint(shadow.scaled(0.6), (0.6, 0.54, 0.52))
    hand = canvas.coverage(shapes)
    canvas.paint(hand, colour)
    for line in (*fingers, thumb):
        for across in (-0.09, 0.09):
            edge = ribbon(line + np.array([across * c, across * s]) * unit, 0.035 * unit)
            canvas.tint(canvas.coverage(edge, blur=0.012 * unit, inside=hand), (0.78, 0.70, 0.68))
        nail = canvas.coverage(ellipse(line[-1], (0.055 * unit, 0.07 * unit), lean, 16))
        canvas.paint(nail.within(hand), np.minimum(person.skin * (1.1, 0.98, 0.98), 1), 0.8)
        knuckle = canvas.glow(line[len(line) // 2], (0.08 * unit, 0.025 * unit), lean)
        canvas.tint(knuckle.within(hand), (0.86, 0.80, 0.79))
    canvas.mark(hand, classes.BACKGROUND)
    return placed([(0.0, 1.0)])[0]


def _draw_blob(canvas: Canvas, pose: HeadPose, person: Person, rng: np.random.Generator) -> None:
    unit = pose.unit
    angle = rng.uniform(0, 2 * np.pi)
    centre = pose.centre + unit * np.array([0.95 * np.cos(angle), 0.25 + 1.1 * np.sin(angle)])
    radius = rng.uniform(0.30, 0.62)
    count = int(rng.integers(4, 9))
    spokes = np.arange(count) * (2 * np.pi / count) + rng.uniform(0, 1)
    lengths = unit * radius * rng.uniform(0.7, 1.25, count)
    corners = centre + lengths[:, None] * np.stack([np.cos(spokes), np.sin(spokes)], -1)
    outline = closed_curve(corners) if rng.random() < 0.7 else corners
    shadow = canvas.coverage(outline + np.array([0.05, 0.08]) * unit, blur=0.06 * unit)
    canvas.tint(shadow.scaled(0.6), 0.55)
    blob = canvas.coverage(outline)
    canvas.paint(blob, vivid_colour(rng))
    lamp = centre + unit * radius * np.array([0.4 * np.sign(person.light[0] or 1), -0.4])
    canvas.paint(canvas.glow(lamp, (0.4 * radius * unit,) * 2).within(blob), (1, 1, 1), 0.25)
    canvas.mark(blob, classes.BACKGROUND)


def _draw_microphone(
    canvas: Canvas,
    pose: HeadPose,
    person: Person,
    rng: np.random.Generator,
    arm: RaisedArm | None,
) -> np.ndarray:
    unit = pose.unit
    side = _side(pose, rng, arm)
    head = pose.on_plane([(side * rng.uniform(0.15, 0.5), rng.uniform(1.05, 1.3))], 1.0)[0]
    foot = head + unit * np.array([side * rng.uniform(0.4, 1.4), 3.0])
    handle = canvas.coverage(ribbon(np.stack([head, foot]), np.array([0.26, 0.20]) * unit))
    canvas.paint(handle, (0.12, 0.12, 0.13))
    canvas.mark(handle, classes.BACKGROUND)
    ball = canvas.coverage(ellipse(head, (0.28 * unit, 0.30 * unit)))
    canvas.paint(ball, np.full(3, rng.uniform(0.2, 0.5)))
    lamp = head + unit * np.array([0.1 * np.sign(person.light[0] or 1), -0.1])
    canvas.paint(canvas.glow(lamp, (0.10 * unit,) * 2).within(ball), (1, 1, 1), 0.45)
    canvas.mark(ball, classes.BACKGROUND)
    return head + 0.4 * (foot - head)
