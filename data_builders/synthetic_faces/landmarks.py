"""106 facial points in the grouping of LaPa's landmark files.

0–32 face contour, 33–41 and 42–50 brows, 51–54 bridge of the nose, 55–65 lower nose, 66–74 and
75–83 eyes, 84–95 outer lips, 96–103 inner lips, 104–105 pupils. In each pair the part on the left
of the picture (the person's right) comes first, and points run from left to right.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from fpliif_jax.data_builders.synthetic_faces.curves import resample, ribbon
from fpliif_jax.data_builders.synthetic_faces.features import (
    EYE_Y,
    brow_line,
    eyelids,
    mouth_curves,
    nose_outline,
)
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.person import Person

Drawn = TypeVar("Drawn", bound=Person)  # of the style that is drawn


def _left_to_right(line: np.ndarray) -> np.ndarray:
    return line if line[0, 0] < line[-1, 0] else line[::-1]


def landmarks(
    person: Drawn,
    pose: HeadPose,
    outline: np.ndarray,
    brow_line: Callable[[Drawn, int], tuple[np.ndarray, np.ndarray]] = brow_line,
    nose_outline: Callable[[Drawn], tuple[np.ndarray, np.ndarray]] = nose_outline,
) -> np.ndarray:
    """Points [106, 2] (x, y) in pixels, hidden ones included. `outline`: the head's, [N, 2].

    `brow_line`, `nose_outline`: as those of `features`, of the style that was drawn.
    """
    # The outline runs clockwise from the top; the contour starts and ends at the brows' height.
    count = len(outline)
    contour = resample(outline[int(0.18 * count) : int(0.82 * count) + 1][::-1], 33)
    brows, eyes = [], []
    for side in (-1, 1):
        line, widths = brow_line(person, side)
        edge = pose.on_face(ribbon(line, widths), 0.02)
        first, second = edge[: len(line)], edge[len(line) :][::-1]
        upper, lower = (
            (first, second) if first[:, 1].mean() < second[:, 1].mean() else (second, first)
        )
        brows += [resample(_left_to_right(upper), 5), resample(_left_to_right(lower), 6)[1:5]]
        top, bottom = (_left_to_right(pose.on_face(lid)) for lid in eyelids(person, side))
        eyes += [resample(top, 5), resample(bottom, 5)[1:4], ((top + bottom) / 2)[10:11]]
    points, lift = nose_outline(person)
    bridge = pose.on_face(
        np.stack([np.zeros(4), np.linspace(-0.15, 0.36, 4)], -1),
        person.nose_height * np.linspace(0.3, 1.0, 4),
    )
    nose = pose.on_face(points, lift)
    quarter = len(nose) // 4
    lower_nose = resample(nose[quarter : len(nose) - quarter + 1][::-1], 11)
    top, parting, low, bottom = (pose.on_face(line, 0.05) for line in mouth_curves(person))
    outer = [resample(top, 7), resample(bottom, 7)[1:6][::-1]]
    inner = [resample(parting, 5), resample(low, 5)[1:4][::-1]]
    pupils = pose.on_face(
        [
            (side * person.eye_spacing + person.gaze[0], EYE_Y + person.eye_height_shift)
            for side in (-1, 1)
        ]
    )
    return np.concatenate(
        [contour, *brows, bridge, lower_nose, *eyes, *outer, *inner, pupils]
    ).astype(np.float32)
