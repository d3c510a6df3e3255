"""Outlines of brows and nose as photographs' label maps have them, in face coordinates."""

import numpy as np

from fpliif_jax.data_builders.synthetic_faces.curves import closed_curve, mirrored, open_curve
from fpliif_jax.data_builders.synthetic_faces.photographic.person import PhotographicPerson


def brow_line(person: PhotographicPerson, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Centre line [N, 2] from the inner to the outer end, and the brow's width [N] along it."""
    y = person.brow_y - person.brow_height[0 if side > 0 else 1] + person.eye_height_shift
    start, end = person.brow_ends
    span, arch = end - start, person.brow_arch
    line = open_curve(
        [
            (side * start, y + 0.02),
            (side * (start + 0.33 * span), y - 0.4 * arch),
            (side * (start + 0.68 * span), y - arch),
            (side * end, y + 0.02 + person.brow_fall),
        ]
    )
    widths = np.interp(
        np.linspace(0, 1, len(line)), (0, 0.10, 0.5, 0.75, 1), (0.75, 1.0, 0.95, 0.70, 0.2)
    )
    return line, widths * person.brow_width


def nose_outline(person: PhotographicPerson) -> tuple[np.ndarray, np.ndarray]:
    """The nose's region in face coordinates [N, 2] from its root clockwise, and its lift [N]."""
    w, k = person.nose_width, person.nose_length
    half = np.array(
        [
            (0.0, -0.21, 0.25),
            (0.105, -0.19, 0.20),
            (0.120, -0.06, 0.20),
            (0.50 * w, 0.06, 0.25),
            (0.66 * w, 0.16, 0.28),
            (0.92 * w, 0.27, 0.25),
            (1.00 * w, 0.34, 0.22),
            (0.90 * w, 0.43, 0.25),
            (0.45 * w, 0.475, 0.45),
            (0.0, 0.505, 0.55),
        ]
    )
    half[:, 1] *= k
    points = closed_curve(mirrored(half), 5)
    return points[:, :2], points[:, 2] * person.nose_height
