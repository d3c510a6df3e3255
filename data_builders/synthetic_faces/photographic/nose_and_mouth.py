"""Nose and mouth: the relief's light shapes them; here are nostrils, creases, lips and teeth."""

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas, Patch
from fpliif_jax.data_builders.synthetic_faces.curves import ellipse, open_curve, ribbon
from fpliif_jax.data_builders.synthetic_faces.features import (
    LIPS_RAISED,
    between_lips,
    mouth_curves,
)
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.photographic.person import PhotographicPerson
from fpliif_jax.data_builders.synthetic_faces.photographic.shapes import nose_outline

_T = np.linspace(-1, 1, 21)


def draw_nose(canvas: Canvas, pose: HeadPose, person: PhotographicPerson) -> None:
    """The nose: a region of the skin, with nostrils, wings and the shadow beneath."""
    unit, k, w = pose.unit, person.nose_length, person.nose_width
    points, lift = nose_outline(person)
    canvas.mark(canvas.coverage(pose.on_face(points, lift)), classes.NOSE)
    high = 0.5 * person.nose_height
    under = open_curve([(-0.85 * w, 0.44 * k), (0, 0.50 * k), (0.85 * w, 0.44 * k)])
    shadow = canvas.coverage(
        ribbon(pose.on_face(under, 0.6 * high), 0.06 * unit), blur=0.025 * unit
    )
    depth = 0.10 + 0.25 * max(-person.light[1], 0) + 0.10 * (1 - person.ambient)
    canvas.tint(shadow, (1 - 0.85 * depth, 1 - depth, 1 - depth))
    creases = []
    nostrils = []
    for side in (-1, 1):
        wing = open_curve(
            [(side * 0.70 * w, 0.25 * k), (side * 0.97 * w, 0.34 * k), (side * 0.84 * w, 0.43 * k)]
        )
        creases.append(
            ribbon(pose.on_face(wing, 0.5 * high), np.linspace(0.01, 0.03, len(wing)) * unit)
        )
        spot = ellipse((side * 0.46 * w, 0.435 * k), (0.25 * w, 0.026), side * -0.3, 14)
        nostrils.append(pose.on_face(spot, high))
    canvas.tint(canvas.coverage(creases, blur=0.014 * unit), (0.70, 0.60, 0.58))
    canvas.tint(canvas.coverage(nostrils, blur=0.008 * unit), (0.32, 0.22, 0.21))


def draw_mouth(
    canvas: Canvas, pose: HeadPose, person: PhotographicPerson, rng: np.random.Generator
) -> None:
    """Lips lit as the skin, and what an open mouth shows."""
    unit = pose.unit
    top, parting, low, bottom = mouth_curves(person)
    ratio = np.minimum(person.lips / person.skin, 1.1)
    upper, lower = (
        canvas.coverage(between_lips(pose, top, parting)),
        canvas.coverage(between_lips(pose, low, bottom)),
    )
    canvas.mark(lower, classes.L_LIP)
    canvas.mark(upper, classes.U_LIP)
    soft = canvas.coverage(between_lips(pose, top, bottom), blur=0.010 * unit)
    canvas.tint(soft, ratio)
    canvas.tint(upper, 0.88)
    grain = rng.standard_normal(24)
    stripes = np.interp(_T, np.linspace(-1, 1, 24), grain)
    gloss = pose.on_face([(person.light[0] * 0.1, low[10, 1] * 0.5 + bottom[10, 1] * 0.5)], 0.05)[0]
    shine = canvas.glow(gloss, (0.15 * unit, 0.035 * unit), pose.roll).within(lower)
    canvas.paint(shine, (1, 0.95, 0.94), 0.03 + (0.15 + 0.4 * person.makeup) * person.shine)
    lower_edge = ribbon(pose.on_face(bottom[2:-2] + np.array([0, 0.02]), 0.04), 0.06 * unit)
    canvas.tint(canvas.coverage(lower_edge, blur=0.02 * unit), (0.84, 0.78, 0.77))
    if person.mouth_opening:
        inside = canvas.coverage(between_lips(pose, parting, low))
        canvas.mark(inside, classes.MOUTH)
        canvas.paint(inside, person.lips * 0.22)
        if person.mouth_opening > 0.12:
            tongue = pose.on_face([(0, low[10, 1] - 0.01)])[0]
            glow = canvas.glow(tongue, (0.16 * unit, 0.05 * unit), pose.roll).within(inside)
            canvas.paint(glow, person.lips * (0.85, 0.7, 0.7), 0.8)
        if person.teeth:
            _draw_teeth(canvas, pose, person, inside, parting, low)
        shade = ribbon(pose.on_face(parting, 0.05), 0.03 * unit)
        canvas.tint(canvas.coverage(shade, blur=0.012 * unit, inside=inside), 0.6)
    else:
        widths = np.interp(_T, (-1, 0, 1), (0.014, 0.024, 0.014)) * (1 + 0.2 * stripes)
        seam = canvas.coverage(
            ribbon(pose.on_face(parting, LIPS_RAISED), widths * unit), blur=0.005 * unit
        )
        canvas.tint(seam, (0.38, 0.26, 0.26))
    for x, y in (parting[0], parting[-1]):
        corner = pose.on_face([(x, y)])[0]
        canvas.tint(canvas.glow(corner, (0.035 * unit, 0.03 * unit)), (0.66, 0.56, 0.55))


def _draw_teeth(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    inside: Patch,
    parting: np.ndarray,
    low: np.ndarray,
) -> None:
    unit = pose.unit
    gape = low - parting
    depth = np.minimum(gape[:, 1] * 0.95, 0.13 * (1 - 0.75 * _T**2))
    edge = parting + np.stack([np.zeros(21), depth], -1)
    teeth = canvas.coverage(between_lips(pose, parting, edge), inside=inside)
    white = 0.62 + 0.28 * person.ambient
    canvas.paint(teeth, np.array([white, white * 0.97, white * 0.90]) * person.key, 0.97)
    if person.mouth_opening > 0.15 and person.age > 0.2:
        rise = np.minimum(0.4 * gape[:, 1], 0.07)
        lower = between_lips(pose, low - np.stack([np.zeros(21), rise], -1), low)
        canvas.paint(canvas.coverage(lower, inside=inside), np.array([0.75, 0.70, 0.62]) * white)
    y = parting[10, 1]
    xs = (-0.28, -0.21, -0.14, -0.07, 0.0, 0.07, 0.14, 0.21, 0.28)
    gaps = [ribbon(pose.on_face([(x, y - 0.08), (x, y + 0.16)], 0.05), 0.008 * unit) for x in xs]
    canvas.tint(canvas.coverage(gaps, inside=teeth), 0.84)
    for end in (parting[1], parting[-2]):  # dark corners
        corner = pose.on_face([end])[0]
        canvas.tint(canvas.glow(corner, (0.10 * unit, 0.08 * unit)).within(inside), 0.45)
