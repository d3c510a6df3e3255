"""Eyes and brows: lids, lashes, irises with a lamp's reflection; brows of single hairs."""

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas
from fpliif_jax.data_builders.synthetic_faces.curves import ellipse, open_curve, ribbon
from fpliif_jax.data_builders.synthetic_faces.features import EYE_Y, eyelids
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.photographic.person import PhotographicPerson
from fpliif_jax.data_builders.synthetic_faces.photographic.shapes import brow_line


def draw_eyes(canvas: Canvas, pose: HeadPose, person: PhotographicPerson) -> None:
    """Both eyes with sockets, lids and lashes."""
    for side, label in ((1, classes.L_EYE), (-1, classes.R_EYE)):
        _draw_eye(canvas, pose, person, side, label)


def _draw_eye(
    canvas: Canvas, pose: HeadPose, person: PhotographicPerson, side: int, label: int
) -> None:
    unit = pose.unit
    x, y = side * person.eye_spacing, EYE_Y + person.eye_height_shift
    upper, lower = eyelids(person, side)
    is_open = person.eye_openness[0 if side > 0 else 1] > 0

    socket = pose.on_face([(x - side * 0.05, y - 0.06)])[0]
    depth = 0.10 + 0.16 * (1 - person.ambient)
    canvas.tint(
        canvas.glow(socket, (0.19 * unit, 0.085 * unit), pose.roll),
        (1 - depth, 1 - 1.25 * depth, 1 - 1.2 * depth),
    )
    if person.makeup > 0.35:
        lid = pose.on_face([(x + side * 0.03, y - 0.08)])[0]
        shadow = canvas.glow(lid, (0.14 * unit, 0.055 * unit), pose.roll)
        canvas.tint(shadow, 1 - 0.55 * person.makeup * (1 - person.iris * 0.5))
    line = 0.35 + 0.65 * person.lashes
    if is_open:  # the fold above the lid
        crease = upper[1:-1] + np.array([0, -0.045 - 0.02 * (1 - person.age)])
        widths = (
            np.interp(np.linspace(-1, 1, len(crease)), (-1, 0, 1), (0.2, 1, 0.5)) * 0.035 * unit
        )
        fold = canvas.coverage(ribbon(pose.on_face(crease), widths), blur=0.010 * unit)
        canvas.tint(fold, (0.68, 0.58, 0.56))

    eye = canvas.coverage(pose.on_face(np.concatenate([upper, lower[::-1]])))
    canvas.mark(eye, label)
    if is_open:
        white = 0.66 + 0.20 * person.ambient
        canvas.paint(eye, np.array([white, white * 0.95, white * 0.92]) * person.key)
        corner = pose.on_face(upper[:1])[0]
        canvas.paint(
            canvas.glow(corner, (0.025 * unit,) * 2).within(eye),
            person.skin * (0.75, 0.5, 0.5),
            0.8,
        )
        radius = person.iris_size
        centre = (x + person.gaze[0], y + person.gaze[1] - 0.010)
        shade = 0.55 + 0.40 * person.ambient

        def disc(scale: float) -> np.ndarray:
            return pose.on_face(ellipse(centre, (radius * scale, radius * scale), samples=20))

        iris = canvas.coverage(disc(1.0), inside=eye)
        canvas.paint(iris, person.iris * 0.35 * shade)
        canvas.paint(canvas.coverage(disc(0.80), inside=eye), person.iris * shade)
        canvas.paint(canvas.coverage(disc(0.45), inside=eye), (0.02, 0.02, 0.03))
        lid_shade = ribbon(pose.on_face(upper + np.array([0, 0.012])), 0.05 * unit)
        canvas.tint(canvas.coverage(lid_shade, blur=0.010 * unit, inside=eye), 0.45)
        spot = pose.on_face([centre])[0] + np.array([person.light[0] * 0.7, -0.35]) * radius * unit
        glint = ellipse(spot, (0.24 * radius * unit, 0.24 * radius * unit), samples=10)
        canvas.paint(canvas.coverage(glint, inside=eye), (1.0, 1.0, 1.0), 0.9)
    else:
        canvas.tint(eye, (0.93, 0.86, 0.85))

    margin = upper if is_open else lower
    reach = margin[-1:] + np.array([[side * 0.03 * person.lashes, -0.02 if is_open else 0.01]])
    lash_line = open_curve(np.concatenate([margin[1::3], reach]), 3)
    widths = np.interp(np.linspace(0, 1, len(lash_line)), (0, 0.5, 0.85, 1), (0.3, 1, 1.1, 0.2))
    lashes = ribbon(pose.on_face(lash_line), widths * (0.018 + 0.016 * person.lashes) * unit)
    colour = np.minimum(person.brow_colour * 0.4, 0.16)
    canvas.paint(canvas.coverage(lashes), colour, min(line, 1))
    if is_open:
        rim = ribbon(pose.on_face(lower[2:]), 0.016 * unit)
        dark = 0.30 + 0.25 * min(person.lashes, 1)
        canvas.tint(canvas.coverage(rim, blur=0.005 * unit), (1 - 0.8 * dark, 1 - dark, 1 - dark))


_HAIRS = 36  # of each brow


def draw_brows(
    canvas: Canvas, pose: HeadPose, person: PhotographicPerson, rng: np.random.Generator
) -> None:
    """Tapered brows of many hairs over a soft shade."""
    unit = pose.unit
    for side, label in ((1, classes.L_BROW), (-1, classes.R_BROW)):
        line, widths = brow_line(person, side)
        widths = widths * (
            1
            + 0.12
            * np.interp(np.arange(len(line)), np.linspace(0, len(line), 7), rng.normal(size=7))
        )
        pixels = pose.on_face(line, 0.02)
        canvas.mark(canvas.coverage(ribbon(pixels, widths * unit)), label)
        shade = canvas.coverage(ribbon(pixels, 0.85 * widths * unit), blur=0.016 * unit)
        canvas.paint(shade, person.brow_colour, 0.8 * person.brow_opacity)
        start = rng.uniform(0.0, 0.95, _HAIRS)
        across = rng.uniform(-0.45, 0.45, _HAIRS)
        length = rng.uniform(0.05, 0.10, _HAIRS)
        at = np.stack(
            [np.interp(start, np.linspace(0, 1, len(line)), line[:, i]) for i in (0, 1)], 1
        )
        width = np.interp(start, np.linspace(0, 1, len(line)), widths)
        root = at + np.stack([np.zeros(_HAIRS), (across + 0.10) * width], 1)
        upwards = np.interp(start, (0, 0.3, 1), (0.9, 0.45, 0.0))
        tip = root + np.stack([side * length, -upwards * length], 1)
        roots, tips = pose.on_face(root, 0.02), pose.on_face(tip, 0.02)
        half = np.array([0.0, 0.009 * unit])
        hairs = np.stack([roots - half, roots + half, tips], 1)
        canvas.paint(
            canvas.coverage(list(hairs)), person.brow_colour * 0.6, 0.75 * person.brow_opacity
        )
