"""Neck, clothes, ears and the skin of the face."""

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas, Patch
from fpliif_jax.data_builders.synthetic_faces.curves import (
    closed_curve,
    mirrored,
    open_curve,
    ribbon,
)
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.person import Person


def face_outline(person: Person, pose: HeadPose) -> np.ndarray:
    """Outline of the head's skin, from the top of the skull clockwise, in pixels [N, 2]."""
    jaw, chin, length = person.jaw, person.chin, person.length
    drop = 0.3 * person.mouth_opening  # an open mouth lowers the chin
    half = [
        (0.0, -1.58, 0.0),
        (0.50, -1.47, 0.0),
        (0.86, -1.10, 0.0),
        (0.99, -0.60, 0.02),
        (1.0, -0.15, 0.05),
        (0.97 * (1 + jaw) / 2, 0.30, 0.05),
        (0.87 * jaw, 0.72 * length + 0.3 * drop, 0.08),
        (0.64 * jaw, 1.10 * length + 0.7 * drop, 0.18),
        (0.33 * chin, 1.36 * length + drop, 0.30),
        (0.0, 1.43 * length + drop, 0.34),
    ]
    return pose.at(closed_curve(mirrored(half)))


def draw_neck(canvas: Canvas, pose: HeadPose, person: Person, outline: np.ndarray) -> None:
    """Neck and upper chest, shadowed by the chin."""
    width = 0.52 + 0.35 * (person.jaw - 0.97)
    top = pose.on_plane([(-0.60, 0.55), (0.60, 0.55)], -0.35)
    right = pose.on_body([(width, -0.25), (width + 0.02, 0.0), (width + 0.25, 0.2), (1.3, 0.4)])
    left = pose.on_body([(-1.3, 0.4), (-width - 0.25, 0.2), (-width - 0.02, 0.0), (-width, -0.25)])
    bottom = pose.on_body([(1.3, 1.3), (0.0, 1.5), (-1.3, 1.3)])
    sides = np.concatenate([top[1:], right, bottom, left, top[:1]])
    neck = canvas.coverage(closed_curve(sides, 6))
    light = 0.80 + 0.12 * person.ambient
    canvas.paint(neck, person.skin * (light, light * 0.96, light * 0.94))
    canvas.mark(neck, classes.NECK)
    # The side away from the lamp, both edges, and the chin's cast shadow.
    away = -np.sign(person.light[0] or 1.0)
    for side, strength in ((away, 0.30), (-away, 0.10)):
        line = pose.on_body([(side * (width + 0.02), y) for y in (-0.9, -0.4, 0.1)])
        edge = ribbon(line, 0.55 * pose.unit)
        canvas.tint(canvas.coverage(edge, blur=0.13 * pose.unit, inside=neck), 1 - strength)
    cast = outline + np.array([away * 0.08, 0.24]) * pose.unit
    shadow = canvas.coverage(cast, blur=0.09 * pose.unit, inside=neck)
    canvas.tint(shadow, (0.72, 0.66, 0.64))
    for side in (-1, 1):  # the tendons that meet at the collar bone
        tendon = pose.on_body([(side * 0.42, -0.6), (side * 0.26, -0.1), (side * 0.10, 0.28)])
        line = canvas.coverage(ribbon(open_curve(tendon), 0.05 * pose.unit), blur=0.04 * pose.unit)
        canvas.tint(line.within(neck), 0.93)


def draw_clothes(canvas: Canvas, pose: HeadPose, person: Person) -> None:
    """Shoulders and collar."""
    collar = {
        "crew": [(0.60, 0.02), (0.42, 0.26), (0.0, 0.38)],
        "vee": [(0.62, 0.02), (0.36, 0.40), (0.0, 0.95)],
        "shirt": [(0.60, -0.14), (0.34, 0.22), (0.0, 0.56)],
        "high": [(0.56, -0.34), (0.30, -0.22), (0.0, -0.16)],
    }[person.cloth_style]
    neckline = open_curve(mirrored(collar), 6)
    if person.cloth_style in ("vee", "shirt"):
        neckline = np.asarray(mirrored(collar))
    shoulder = [(-0.9, 0.1), (-1.5, 0.36), (-2.1, 0.62), (-2.5, 1.2), (-2.7, 4.0)]
    left = open_curve(shoulder, 6)
    body = np.concatenate([neckline, left, left[::-1] * (-1, 1)])
    cloth = canvas.coverage(pose.on_body(body))
    if cloth.empty:
        return
    colour = person.cloth_colour
    canvas.paint(cloth, colour * (0.75 + 0.25 * person.ambient))
    canvas.mark(cloth, classes.CLOTH)
    away = -np.sign(person.light[0] or 1.0)
    shade = canvas.glow(
        pose.on_body([(away * 1.9, 1.0)])[0], (0.9 * pose.unit, 1.2 * pose.unit), pose.roll
    )
    canvas.tint(shade.within(cloth), 0.65)
    hem_width = 0.10 if person.cloth_style != "high" else 0.05
    hem = ribbon(pose.on_body(neckline + np.array([0, 0.04])), hem_width * pose.unit)
    canvas.tint(canvas.coverage(hem, inside=cloth), 0.80)
    for side in (-1, 1):
        fold = open_curve([(side * 0.9, 0.35), (side * 1.15, 0.9), (side * 1.1, 1.7)])
        crease = canvas.coverage(
            ribbon(pose.on_body(fold), 0.08 * pose.unit), blur=0.05 * pose.unit
        )
        canvas.tint(crease.within(cloth), 0.85)
        if person.cloth_style == "shirt":
            flap = pose.on_body(
                [(side * 0.60, -0.16), (side * 0.80, 0.12), (side * 0.42, 0.66), (side * 0.02, 0.5)]
            )
            lapel = canvas.coverage(flap)
            canvas.paint(lapel, np.minimum(colour * 1.12 + 0.04, 1) * (0.8 + 0.2 * person.ambient))
            canvas.mark(lapel, classes.CLOTH)
            rim = canvas.coverage(ribbon(flap[1:], 0.03 * pose.unit))
            canvas.tint(rim.within(lapel), 0.75)


def draw_ears(canvas: Canvas, pose: HeadPose, person: Person) -> None:
    """Both ears; the face drawn next covers what it hides."""
    for side, label in ((1, classes.L_EAR), (-1, classes.R_EAR)):
        k = person.ear_size
        rim = [
            (0.93, -0.20, 0.0),
            (1.04, -0.31, -0.10),
            (1.15, -0.29, -0.18),
            (1.20, -0.12, -0.20),
            (1.16, 0.08, -0.16),
            (1.09, 0.22, -0.10),
            (1.04, 0.33, -0.04),
            (0.97, 0.33, 0.02),
            (0.92, 0.20, 0.05),
        ]
        points = np.array(rim)
        points[:, 0] = 0.92 + (points[:, 0] - 0.92) * k
        points[:, 1] *= k
        points[:, 0] *= side
        ear = canvas.coverage(pose.at(closed_curve(points, 5)))
        if ear.empty:
            continue
        lit = 0.82 + 0.18 * np.clip(side * person.light[0] * 1.5, -1, 1) * (1 - person.ambient)
        canvas.paint(ear, person.skin * (lit, lit * 0.93, lit * 0.91))
        canvas.mark(ear, label)
        inner = np.array([(1.02, -0.16, -0.06), (1.11, -0.16, -0.14), (1.11, 0.0, -0.14),
                          (1.05, 0.12, -0.08), (0.99, 0.05, -0.04)])  # fmt: skip
        inner[:, 0] = 0.92 + (inner[:, 0] - 0.92) * k
        inner[:, 0] *= side
        hollow = canvas.coverage(pose.at(closed_curve(inner, 5)), blur=0.02 * pose.unit)
        canvas.tint(hollow.within(ear), (0.72, 0.62, 0.60))
        fold = ribbon(pose.at(closed_curve(points, 5))[4:26], 0.035 * pose.unit)
        canvas.tint(canvas.coverage(fold, blur=0.012 * pose.unit, inside=ear), 0.84)


def draw_face_skin(
    canvas: Canvas, pose: HeadPose, person: Person, outline: np.ndarray, skin: np.ndarray
) -> Patch:
    """Skin of the whole head, with blush and beard; returns its coverage."""
    face = canvas.coverage(outline)
    canvas.paint(face, face.of(skin))
    canvas.mark(face, classes.SKIN)
    unit = pose.unit
    for side in (-1, 1):
        cheek = pose.on_face([(side * 0.60, 0.32)])[0]
        blush = canvas.glow(cheek, (0.24 * unit, 0.19 * unit), pose.roll).within(face)
        strength = 0.05 + 0.07 * person.makeup
        canvas.tint(blush, (1 + 0.3 * strength, 1 - strength, 1 - 0.8 * strength))
    if person.smile > 0.05:
        for side in (-1, 1):
            fold = open_curve([(side * 0.27, 0.42), (side * 0.43, 0.60), (side * 0.53, 0.86)])
            crease = canvas.coverage(
                ribbon(pose.on_face(fold, 0.05), np.linspace(0.03, 0.06, len(fold)) * unit),
                blur=0.025 * unit,
            )
            canvas.tint(crease, 1 - 1.6 * person.smile)
    if person.beard:
        _draw_beard(canvas, pose, person, face)
    return face


def _draw_beard(canvas: Canvas, pose: HeadPose, person: Person, face: Patch) -> None:
    """Beard and moustache: shading of the skin, as in the data sets' labels."""
    unit = pose.unit
    drop = 0.3 * person.mouth_opening
    half = [
        (0.0, 1.02),
        (0.20, 1.04),
        (0.40, 0.98),
        (0.50, 0.86),
        (0.66, 0.72),
        (0.86, 0.30),
        (1.02, 0.2),
        (1.00, 0.9),
        (0.75, 1.4 + drop),
        (0.0, 1.65 + drop),
    ]
    shape = canvas.coverage(
        pose.on_face(closed_curve(mirrored(half), 5)), blur=(0.05 + 0.03 * person.jaw) * unit
    )
    colour = np.minimum(person.brow_colour * 1.05, person.skin * 0.8)
    canvas.paint(shape.within(face), colour, 0.85 * person.beard)
    if person.moustache:
        curve = open_curve([(-0.44, 0.84), (-0.25, 0.68), (0.0, 0.64), (0.25, 0.68), (0.44, 0.84)])
        widths = np.interp(
            np.linspace(0, 1, len(curve)), (0, 0.3, 0.7, 1), (0.04, 0.15, 0.15, 0.04)
        )
        stroke = ribbon(pose.on_face(curve, 0.05), widths * unit)
        canvas.paint(canvas.coverage(stroke, blur=0.025 * unit), colour, 0.85 * person.moustache)
