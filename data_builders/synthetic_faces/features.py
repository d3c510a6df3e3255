"""Eyes, brows, nose and mouth."""

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas
from fpliif_jax.data_builders.synthetic_faces.curves import (
    closed_curve,
    ellipse,
    mirrored,
    open_curve,
    ribbon,
)
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.person import Person

EYE_Y = -0.15
_T = np.linspace(-1, 1, 21)
_ARCH = 1 - _T**2
_UPPER_LID = (1 - np.abs(_T) ** 2.3) * (1 - 0.12 * _T)
_BOW = (1 - np.abs(_T) ** 1.7) * (1 - 0.25 * np.exp(-((_T / 0.16) ** 2)))
LIPS_RAISED = 0.05 * _ARCH  # of the mouth curves, off the face


def eyelids(person: Person, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Upper and lower lid margin of the eye at x > 0 (side 1, the person's left) or x < 0 (-1).

    Each is [21, 2] in face coordinates, from the inner to the outer corner. A closed eye keeps the
    height of its lid, so that its label is the lid over the eyeball.
    """
    openness = person.eye_openness[0 if side > 0 else 1]
    upper = person.eye_height * (openness if openness else 0.55) * 1.15
    lower = person.eye_height * 0.75
    middle = EYE_Y + person.eye_height_shift - person.eye_tilt * _T
    x = side * (person.eye_spacing + person.eye_width * _T)
    return (
        np.stack([x, middle - upper * _UPPER_LID], -1),
        np.stack([x, middle + lower * (1 - np.abs(_T) ** 2.0) * (1 + 0.10 * _T)], -1),
    )


def draw_eyes(canvas: Canvas, pose: HeadPose, person: Person) -> None:
    """Both eyes with sockets, lids and lashes."""
    for side, label in ((1, classes.L_EYE), (-1, classes.R_EYE)):
        _draw_eye(canvas, pose, person, side, label)


def _draw_eye(canvas: Canvas, pose: HeadPose, person: Person, side: int, label: int) -> None:
    unit = pose.unit
    x, y = side * person.eye_spacing, EYE_Y + person.eye_height_shift
    upper, lower = eyelids(person, side)
    is_open = person.eye_openness[0 if side > 0 else 1] > 0

    socket = pose.on_face([(x - side * 0.03, y - 0.07)])[0]
    canvas.tint(canvas.glow(socket, (0.20 * unit, 0.10 * unit), pose.roll), (0.90, 0.85, 0.85))
    below = pose.on_face([(x, y + 0.15)])[0]
    canvas.tint(canvas.glow(below, (0.17 * unit, 0.045 * unit), pose.roll), (0.95, 0.91, 0.92))
    if person.makeup > 0.5:
        lid = pose.on_face([(x + side * 0.04, y - 0.11)])[0]
        shadow = canvas.glow(lid, (0.15 * unit, 0.06 * unit), pose.roll)
        canvas.tint(shadow, 1 - 0.35 * person.makeup * (1 - person.iris * 0.6))

    outline = pose.on_face(np.concatenate([upper, lower[::-1]]))
    eye = canvas.coverage(outline)
    canvas.mark(eye, label)
    margin = upper if is_open else lower
    if is_open:
        white = 0.80 + 0.12 * person.ambient
        canvas.paint(eye, (white, white * 0.985, white * 0.97))
        corner = pose.on_face(upper[:1])[0]
        canvas.paint(canvas.glow(corner, (0.03 * unit,) * 2).within(eye), (0.80, 0.50, 0.47), 0.8)
        radius = 0.098 + 0.25 * (person.eye_width - 0.21)
        centre = (x + person.gaze[0], y + person.gaze[1] - 0.015)

        def disc(scale: float) -> np.ndarray:
            return pose.on_face(ellipse(centre, (radius * scale, radius * scale), samples=24))

        iris = canvas.coverage(disc(1.0), inside=eye)
        canvas.paint(iris, person.iris * 0.42)
        canvas.paint(canvas.coverage(disc(0.86), inside=eye), person.iris)
        glint = pose.on_face([(centre[0], centre[1] + radius * 0.45)])[0]
        bright = canvas.glow(glint, (0.6 * radius * unit, 0.35 * radius * unit)).within(iris)
        canvas.paint(bright, np.minimum(person.iris * 1.7 + 0.06, 1), 0.7)
        canvas.paint(canvas.coverage(disc(0.44), inside=eye), (0.03, 0.03, 0.04))
        shade = ribbon(pose.on_face(upper + np.array([0, 0.015])), 0.07 * unit)
        canvas.tint(canvas.coverage(shade, blur=0.015 * unit, inside=eye), 0.60)
        spot = pose.on_face([centre])[0] + np.array([person.light[0] * 0.9, -0.45]) * radius * unit
        canvas.paint(
            canvas.coverage(ellipse(spot, (0.26 * radius * unit,) * 2, samples=12), inside=eye),
            (1.0, 1.0, 1.0),
            0.95,
        )
    else:
        canvas.tint(eye, (0.93, 0.87, 0.86))

    lash_colour = np.minimum(person.brow_colour * 0.45, 0.2)
    reach = margin[-1:] + np.array([[side * 0.045, -0.035 if is_open else 0.01]])
    lash_line = open_curve(np.concatenate([margin[2::3], reach]), 4)
    thickness = 0.030 + 0.022 * person.makeup
    widths = np.interp(np.linspace(0, 1, len(lash_line)), (0, 0.55, 0.85, 1), (0.3, 1, 1.1, 0.2))
    lashes = ribbon(pose.on_face(lash_line), widths * thickness * unit)
    canvas.paint(canvas.coverage(lashes), lash_colour, 0.9)
    if is_open:
        rim = ribbon(pose.on_face(lower[2:]), 0.018 * unit)
        canvas.tint(canvas.coverage(rim), (0.72, 0.62, 0.60))
    crease = upper[1:-1] * (1, 1) + np.array([side * 0.005, -0.055 if is_open else -0.03])
    fold = ribbon(
        pose.on_face(crease), np.interp(_T[1:-1], (-1, 0, 1), (0.2, 1, 0.6)) * 0.03 * unit
    )
    canvas.tint(canvas.coverage(fold, blur=0.006 * unit), (0.70, 0.62, 0.60))


def brow_line(person: Person, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Centre line [N, 2] from the inner to the outer end, and the brow's width [N] along it."""
    y = -0.41 - person.brow_height[0 if side > 0 else 1] + person.eye_height_shift
    arch = person.brow_arch
    line = open_curve(
        [
            (side * 0.17, y + 0.03),
            (side * 0.36, y - 0.5 * arch),
            (side * 0.57, y - arch),
            (side * 0.78, y + 0.03),
        ]
    )
    widths = np.interp(np.linspace(0, 1, len(line)), (0, 0.12, 0.6, 1), (0.62, 0.95, 0.85, 0.18))
    return line, widths * person.brow_width


def draw_brows(canvas: Canvas, pose: HeadPose, person: Person, rng: np.random.Generator) -> None:
    """Tapered brows with a few hairs."""
    unit = pose.unit
    for side, label in ((1, classes.L_BROW), (-1, classes.R_BROW)):
        line, widths = brow_line(person, side)
        pixels = pose.on_face(line, 0.02)
        brow = canvas.coverage(ribbon(pixels, widths * unit))
        canvas.mark(brow, label)
        canvas.paint(brow, person.brow_colour, 0.80)
        start = rng.uniform(0.0, 0.92, 16)
        across = rng.uniform(-0.42, 0.42, 16)
        at = np.stack(
            [np.interp(start, np.linspace(0, 1, len(line)), line[:, i]) for i in (0, 1)], 1
        )
        width = np.interp(start, np.linspace(0, 1, len(line)), widths)
        root = at + np.stack([np.zeros(16), (across + 0.12) * width], 1)
        tip = root + np.stack([side * rng.uniform(0.05, 0.10, 16), -0.30 * width], 1)
        roots, tips = pose.on_face(root, 0.02), pose.on_face(tip, 0.02)
        half = np.array([0.0, 0.010 * unit])
        hairs = np.stack([roots - half, roots + half, tips], 1)
        canvas.paint(canvas.coverage(list(hairs)), person.brow_colour * 0.55, 0.7)


def nose_outline(person: Person) -> tuple[np.ndarray, np.ndarray]:
    """The nose's region in face coordinates [N, 2] from its root clockwise, and its lift [N]."""
    w, k = person.nose_width, person.nose_length
    half = np.array(
        [
            (0.0, -0.24, 0.30),
            (0.085, -0.20, 0.25),
            (0.095, 0.0, 0.40),
            (0.13, 0.20, 0.45),
            (0.80 * w, 0.32, 0.30),
            (1.0 * w, 0.42, 0.25),
            (0.92 * w, 0.50, 0.30),
            (0.10, 0.535, 0.60),
            (0.0, 0.56, 0.65),
        ]
    )
    half[:, 1] *= k
    points = closed_curve(mirrored(half), 5)
    return points[:, :2], points[:, 2] * person.nose_height


def draw_nose(canvas: Canvas, pose: HeadPose, person: Person) -> None:
    """The nose: a region of the skin, shaped by light, shadow and nostrils."""
    unit, k, w = pose.unit, person.nose_length, person.nose_width
    points, lift = nose_outline(person)
    nose = canvas.coverage(pose.on_face(points, lift))
    canvas.mark(nose, classes.NOSE)
    high = person.nose_height
    away = -np.sign(person.light[0] or 1.0)
    flank = open_curve([(away * 0.10, -0.1), (away * 0.13, 0.15), (away * 0.17, 0.35)])
    dark = canvas.coverage(
        ribbon(pose.on_face(flank, 0.3 * high), np.linspace(0.05, 0.12, len(flank)) * unit),
        blur=0.035 * unit,
    )
    canvas.tint(dark, 1 - 0.28 * (1 - person.ambient) - 0.05)
    under = open_curve([(-0.9 * w, 0.53 * k), (0, 0.60 * k), (0.9 * w, 0.53 * k)])
    cast = canvas.coverage(ribbon(pose.on_face(under, 0.1), 0.07 * unit), blur=0.03 * unit)
    canvas.tint(cast, (0.80, 0.74, 0.73))
    for side in (-1, 1):
        wing = open_curve(
            [(side * 0.74 * w, 0.33 * k), (side * 1.02 * w, 0.42 * k), (side * 0.88 * w, 0.515 * k)]
        )
        crease = ribbon(pose.on_face(wing, 0.2 * high), np.linspace(0.01, 0.03, len(wing)) * unit)
        canvas.tint(canvas.coverage(crease, blur=0.010 * unit), (0.68, 0.58, 0.56))
        nostril = pose.on_face(
            ellipse((side * 0.48 * w, 0.505 * k), (0.30 * w, 0.032), side * -0.25, 16), 0.5 * high
        )
        canvas.tint(canvas.coverage(nostril, blur=0.006 * unit), (0.33, 0.24, 0.23))
    bright = min(0.22, 0.30 * (1.15 - person.ambient))
    tip = pose.on_face([(person.light[0] * 0.05, 0.36 * k)], high)[0]
    canvas.paint(canvas.glow(tip, (0.07 * unit, 0.06 * unit)), (1, 0.97, 0.93), bright)
    bridge = pose.on_face([(person.light[0] * 0.04, 0.08)], 0.5 * high)[0]
    canvas.paint(
        canvas.glow(bridge, (0.035 * unit, 0.17 * unit), pose.roll), (1, 0.97, 0.93), 0.6 * bright
    )


def mouth_curves(person: Person) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Upper lip's top and bottom, lower lip's top and bottom: each [21, 2], x rising, in face
    coordinates. The four meet in the corners; the middle two are one where the mouth is closed."""
    smile = person.smile
    line = person.mouth_y + smile * (_ARCH - 0.6)
    parting = line - 0.28 * person.mouth_opening * _ARCH
    low = line + 0.72 * person.mouth_opening * _ARCH**0.8
    x = person.mouth_width * (1 + 0.8 * max(smile, 0) - 0.35 * person.mouth_opening) * _T
    thin = 1 - 1.2 * max(smile, 0)
    top = parting - person.upper_lip * thin * _BOW
    bottom = low + person.lower_lip * thin * _ARCH**0.75
    return (
        np.stack([x, top], -1),
        np.stack([x, parting], -1),
        np.stack([x, low], -1),
        np.stack([x, bottom], -1),
    )


def between_lips(pose: HeadPose, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Outline of what lies between two of the `mouth_curves`: [42, 2] in pixels."""
    both = np.concatenate([first, second[::-1]])
    return pose.on_face(both, np.concatenate([LIPS_RAISED, LIPS_RAISED[::-1]]))


def draw_mouth(canvas: Canvas, pose: HeadPose, person: Person) -> None:
    """Lips, and what an open mouth shows."""
    unit = pose.unit
    top, parting, low, bottom = mouth_curves(person)
    under = pose.on_face([(0, bottom[10, 1] + 0.07)])[0]
    canvas.tint(canvas.glow(under, (0.17 * unit, 0.045 * unit), pose.roll), (0.80, 0.75, 0.74))
    lit = 0.62 + 0.38 * person.ambient
    lower_lip = canvas.coverage(between_lips(pose, low, bottom))
    canvas.paint(lower_lip, person.lips * (lit + 0.16))
    canvas.mark(lower_lip, classes.L_LIP)
    upper_lip = canvas.coverage(between_lips(pose, top, parting))
    canvas.paint(upper_lip, person.lips * (lit - 0.04))
    canvas.mark(upper_lip, classes.U_LIP)
    shine = pose.on_face(
        [(person.light[0] * 0.1, (low[10, 1] * 0.55 + bottom[10, 1] * 0.45))], 0.05
    )[0]
    gloss = canvas.glow(shine, (0.13 * unit, 0.030 * unit), pose.roll).within(lower_lip)
    canvas.paint(gloss, (1, 0.95, 0.94), 0.16 + 0.22 * person.makeup)
    lower_edge = ribbon(pose.on_face(bottom[3:-3], 0.04), 0.03 * unit)
    canvas.tint(canvas.coverage(lower_edge, blur=0.012 * unit), (0.86, 0.78, 0.77))

    if person.mouth_opening:
        inside = canvas.coverage(between_lips(pose, parting, low))
        canvas.mark(inside, classes.MOUTH)
        canvas.paint(inside, (0.26, 0.07, 0.08))
        tongue = pose.on_face([(0, low[10, 1] + 0.01)])[0]
        canvas.paint(
            canvas.glow(tongue, (0.16 * unit, 0.07 * unit), pose.roll).within(inside),
            (0.72, 0.33, 0.33),
            0.75,
        )
        if person.teeth:
            depth = min(0.11, 0.62 * person.mouth_opening) * (1 - _T**2) ** 0.4
            edge = parting + np.stack([np.zeros(21), depth], -1)
            teeth = canvas.coverage(between_lips(pose, parting, edge), inside=inside)
            canvas.paint(teeth, np.array([0.95, 0.93, 0.88]) * (0.72 + 0.26 * person.ambient))
            for x in (-0.22, -0.14, -0.07, 0.0, 0.07, 0.14, 0.22):
                gap = pose.on_face([(x, parting[10, 1] - 0.05), (x, parting[10, 1] + 0.15)], 0.05)
                canvas.tint(canvas.coverage(ribbon(gap, 0.010 * unit), inside=teeth), 0.80)
            shade = ribbon(pose.on_face(parting, 0.05), 0.05 * unit)
            canvas.tint(canvas.coverage(shade, blur=0.015 * unit, inside=inside), 0.7)
    else:
        seam = ribbon(
            pose.on_face(parting, LIPS_RAISED),
            np.interp(_T, (-1, 0, 1), (0.016, 0.026, 0.016)) * unit,
        )
        canvas.tint(canvas.coverage(seam), (0.42, 0.30, 0.30))
    for x, y in (parting[0], parting[-1]):
        corner = pose.on_face([(x, y)])[0]
        canvas.tint(canvas.glow(corner, (0.035 * unit,) * 2), (0.72, 0.64, 0.63))
