"""Eyeglasses, hats, earrings and necklaces."""

from typing import NamedTuple

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas, Patch
from fpliif_jax.data_builders.synthetic_faces.curves import (
    closed_curve,
    ellipse,
    open_curve,
    resample,
    ribbon,
)
from fpliif_jax.data_builders.synthetic_faces.features import EYE_Y
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.person import Person

_EYES_AND_BROWS_19 = (classes.L_EYE, classes.R_EYE, classes.L_BROW, classes.R_BROW)
_EYES_AND_BROWS_11 = tuple(classes.LAPA_CLASS[list(_EYES_AND_BROWS_19)].tolist())


def _where(label_map: np.ndarray, patch: Patch, labels: tuple[int, ...]) -> np.ndarray:
    return np.isin(patch.of(label_map), labels)


class Eyeglasses(NamedTuple):
    """Where eyeglasses are drawn: the outline of each lens [N, 2] in pixels, and what lenses and frame cover."""

    lenses: list[np.ndarray]
    glass: Patch
    frame: Patch


def draw_eyeglasses(canvas: Canvas, pose: HeadPose, person: Person) -> Eyeglasses:
    """Frame, lenses and temples.

    19 classes: all of it is eyeglasses, but for eyes and brows seen through a clear lens.
    11 classes, which have no eyeglasses: the class beneath stays, but eyes and brows hidden by a
    dark lens become skin.
    """
    unit = pose.unit
    t = np.arange(48) * (2 * np.pi / 48)
    power = 2 / person.glasses_roundness
    frame_width = (0.045 if person.glasses == "clear" else 0.055) * unit
    lenses: list[np.ndarray] = []
    frames: list[np.ndarray] = []
    for side in (-1, 1):
        x = 0.36 * person.glasses_size * np.sign(np.cos(t)) * np.abs(np.cos(t)) ** power
        y = 0.25 * person.glasses_size * np.sign(np.sin(t)) * np.abs(np.sin(t)) ** power
        y = y * np.where(y > 0, 1.12, 0.95)
        rim = np.stack([side * 0.455 + x, EYE_Y + 0.03 + y, np.full(48, 0.86)], -1)
        rim[:, 2] -= 0.25 * (np.abs(rim[:, 0]) / 0.85) ** 2  # frames curve around the face
        lens = pose.at(rim)
        lenses.append(lens)
        frames.append(ribbon(np.concatenate([lens, lens[:2]]), frame_width))
        outer = 0.455 + 0.36 * person.glasses_size
        hinge = (side * outer, EYE_Y - 0.06, 0.62)
        temple = open_curve([hinge, (side * 0.99, EYE_Y - 0.05, 0.35), (side * 1.06, EYE_Y, -0.12)])
        frames.append(ribbon(pose.at(temple), frame_width))
    inner = 0.455 - 0.36 * person.glasses_size
    bridge = open_curve([(-inner, -0.16, 0.84), (0, -0.20, 0.90), (inner, -0.16, 0.84)])
    frames.append(ribbon(pose.at(bridge), frame_width))

    glass = canvas.coverage(lenses)
    frame = canvas.coverage(frames)
    shadow = canvas.coverage([f + np.array([0, 0.05]) * unit for f in frames], blur=0.02 * unit)
    canvas.tint(shadow.scaled(0.5), (0.7, 0.65, 0.63))
    dark = person.glasses == "dark"
    if dark:
        canvas.paint(glass, person.glasses_colour * 0.25 + 0.03, 0.97)
        lens_alpha = glass.alpha
        hide_eyes(canvas, glass)
    else:
        canvas.paint(glass, (0.90, 0.95, 1.0), 0.09)
        lens_alpha = glass.alpha * ~_where(canvas.label_map, glass, _EYES_AND_BROWS_19)
    canvas.mark_19(Patch(glass.rows, glass.columns, lens_alpha), classes.EYEGLASSES)
    for lens in lenses:
        middle, spread = lens.mean(0), np.ptp(lens, axis=0)
        slant = np.array([(-0.28, 0.5), (-0.12, 0.5), (0.22, -0.5), (0.06, -0.5)]) * spread + middle
        canvas.paint(canvas.coverage(slant, inside=glass), (1, 1, 1), 0.22 if dark else 0.13)
    canvas.paint(frame, person.glasses_colour * 0.9)
    canvas.mark_19(frame, classes.EYEGLASSES)
    glint = canvas.coverage([f + np.array([0, -0.3]) * frame_width for f in frames])
    canvas.paint(glint.within(frame), (1, 1, 1), 0.10)
    return Eyeglasses(lenses, glass, frame)


def hide_eyes(canvas: Canvas, patch: Patch) -> None:
    """What of eyes and brows lies beneath the patch becomes skin, in the 11-class map."""
    hidden = _where(canvas.lapa_label_map, patch, _EYES_AND_BROWS_11)
    canvas.mark_11(patch.scaled(hidden), int(classes.LAPA_CLASS[classes.SKIN]))


def draw_hat(canvas: Canvas, pose: HeadPose, person: Person) -> None:
    """A beanie, a cap or a hat with a brim, over the hair."""
    unit = pose.unit
    roomy = 1.06 + (0.05 if person.hair_style != "bald" else 0.0)
    t = np.linspace(np.pi / 2, -np.pi / 2, 25)
    crown_height = {"beanie": 1.22, "cap": 1.05, "brimmed": 1.12}[
        person.hat  # pyrefly: ignore[bad-index] - only who has one is given here
    ]
    base = -0.80
    dome = np.stack([roomy * np.sin(t), base - crown_height * np.cos(t) ** 0.8], -1)
    if person.hat == "brimmed":
        dome[:, 0] = roomy * np.sign(np.sin(t)) * np.abs(np.sin(t)) ** 0.7
    front = open_curve([(-roomy, base, 0.0), (-0.7, base + 0.10, 0.6), (0, base + 0.13, 0.85),
                        (0.7, base + 0.10, 0.6), (roomy, base, 0.0)])  # fmt: skip
    outline = np.concatenate([pose.at(front), pose.on_plane(dome, -0.05)])
    shadow = canvas.coverage(outline + np.array([0, 0.13]) * unit, blur=0.07 * unit)
    canvas.tint(shadow.scaled(0.65), (0.60, 0.56, 0.55))
    colour = person.hat_colour
    hat = canvas.coverage(outline)
    canvas.paint(hat, colour * (0.72 + 0.25 * person.ambient))
    canvas.mark(hat, classes.HAT)
    lamp = pose.on_plane([(0.55 * np.sign(person.light[0] or 1), -1.35)], 0.3)[0]
    canvas.paint(canvas.glow(lamp, (0.5 * unit, 0.4 * unit)).within(hat), (1, 1, 1), 0.16)
    away = pose.on_plane([(-0.95 * np.sign(person.light[0] or 1), -1.2)], 0.1)[0]
    canvas.tint(canvas.glow(away, (0.4 * unit, 0.7 * unit), pose.roll).within(hat), 0.62)
    if person.hat == "beanie":
        for x in np.linspace(-0.9, 0.9, 10):
            rib = open_curve([(x * roomy, base, 0.5), (x * roomy * 0.9, -1.4, 0.4),
                              (x * 0.3, -1.95, 0.1)])  # fmt: skip
            line = canvas.coverage(ribbon(pose.at(rib), 0.05 * unit), blur=0.02 * unit)
            canvas.tint(line.within(hat), 0.86)
        fold = np.concatenate([pose.at(front), pose.at(front - np.array([0, 0.30, 0]))[::-1]])
        cuff = canvas.coverage(fold)
        canvas.paint(cuff, colour * (0.85 + 0.2 * person.ambient) * 0.9)
        canvas.mark(cuff, classes.HAT)
        edge = ribbon(pose.at(front - np.array([0, 0.30, 0])), 0.04 * unit)
        canvas.tint(canvas.coverage(edge, blur=0.015 * unit, inside=hat), 0.6)
        return
    if person.hat == "cap":
        for x in (-0.5, 0.0, 0.5):
            seam = open_curve([(x, base, 0.8), (0.85 * x, -1.35, 0.6), (0.0, -1.84, 0.1)])
            line = canvas.coverage(ribbon(pose.at(seam), 0.02 * unit))
            canvas.tint(line.within(hat), 0.72)
        peak = closed_curve([(-0.80, base + 0.02, 0.55), (-0.45, base - 0.02, 0.80),
                             (0.45, base - 0.02, 0.80), (0.80, base + 0.02, 0.55),
                             (0.72, base + 0.14, 1.15), (0.30, base + 0.18, 1.45),
                             (-0.30, base + 0.18, 1.45), (-0.72, base + 0.14, 1.15)])  # fmt: skip
    else:
        band = np.concatenate([pose.at(front), pose.at(front - np.array([0, 0.22, 0]))[::-1]])
        canvas.tint(canvas.coverage(band, inside=hat), 0.45)
        ring = ellipse((0, 0), (1.85, 1.5), samples=48)
        peak = np.stack([ring[:, 0], base + 0.06 + 0.05 * ring[:, 1], ring[:, 1]], -1)
        # The brim behind the crown is hidden by it: only the front half is drawn.
        peak = np.concatenate([peak[:25], (front * (1, 1, 0.9))[::1]])
    visor = canvas.coverage(pose.at(peak))
    canvas.paint(visor, colour * (0.60 + 0.2 * person.ambient))
    canvas.mark(visor, classes.HAT)
    rim = ribbon(pose.at(peak), 0.03 * unit)
    canvas.tint(canvas.coverage(rim, inside=visor), 0.7)


def draw_earrings(canvas: Canvas, pose: HeadPose, person: Person) -> None:
    """A pair at the lobes; hidden where the head turns the ear away."""
    unit = pose.unit
    for side in (-1, 1):
        if side * pose.yaw > 0.22:
            continue
        lobe = pose.at([(side * 1.02, 0.34 * person.ear_size, -0.03)])[0]
        shapes: list[np.ndarray] = []
        holes: list[np.ndarray] = []
        if person.earrings == "stud":
            shapes.append(ellipse(lobe, (0.075 * unit,) * 2, samples=20))
        elif person.earrings == "hoop":
            middle = lobe + np.array([0, 0.20]) * unit
            shapes.append(ellipse(middle, (0.17 * unit, 0.21 * unit), samples=32))
            holes.append(ellipse(middle, (0.115 * unit, 0.155 * unit), samples=32))
        else:
            shapes.append(ellipse(lobe, (0.045 * unit,) * 2, samples=12))
            drop = [(0, 0), (0.05, 0.16), (0.10, 0.30), (0.0, 0.42), (-0.10, 0.30), (-0.05, 0.16)]
            shapes.append(lobe + unit * closed_curve(drop, 4))
        ring = canvas.coverage(shapes, holes)
        canvas.paint(ring, person.jewel_colour * (0.75 + 0.2 * person.ambient))
        canvas.mark(ring, classes.EARRING)
        shine = lobe + np.array([-0.03, 0.0 if person.earrings == "stud" else 0.22]) * unit
        canvas.paint(canvas.glow(shine, (0.04 * unit,) * 2).within(ring), (1, 1, 1), 0.8)


def draw_necklace(canvas: Canvas, pose: HeadPose, person: Person) -> None:
    """Beads or a chain around the neck's base."""
    unit = pose.unit
    sag = 0.34 if person.cloth_style == "high" else 0.24
    arc = open_curve([(-0.62, -0.18), (-0.42, 0.08), (0.0, sag), (0.42, 0.08), (0.62, -0.18)], 10)
    pixels = pose.on_body(arc)
    shadow = canvas.coverage(
        ribbon(pixels + np.array([0, 0.04]) * unit, 0.06 * unit), blur=0.02 * unit
    )
    canvas.tint(shadow, 0.75)
    if person.necklace == "beads":
        beads = [ellipse(p, (0.062 * unit,) * 2, samples=12) for p in resample(pixels, 19)]
        patch = canvas.coverage(beads)
        canvas.paint(patch, person.jewel_colour * (0.78 + 0.2 * person.ambient))
        lights = [
            ellipse(p + np.array([-0.015, -0.02]) * unit, (0.02 * unit,) * 2, samples=8)
            for p in resample(pixels, 19)
        ]
        canvas.paint(canvas.coverage(lights), (1, 1, 1), 0.8)
    else:
        pendant = pixels[len(pixels) // 2] + np.array([0, 0.08]) * unit
        patch = canvas.coverage(
            [ribbon(pixels, 0.055 * unit), ellipse(pendant, (0.075 * unit, 0.095 * unit))]
        )
        canvas.paint(patch, person.jewel_colour * (0.75 + 0.2 * person.ambient))
        canvas.paint(canvas.glow(pendant, (0.03 * unit,) * 2), (1, 1, 1), 0.7)
    canvas.mark(patch, classes.NECKLACE)
