"""The skin of the head: folds, one lamp with cast shadows and a shine, blotches, freckles, stubble."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas, Patch, colour_field
from fpliif_jax.data_builders.synthetic_faces.curves import closed_curve, mirrored, open_curve
from fpliif_jax.data_builders.synthetic_faces.features import EYE_Y
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.photographic.noise import enlarged, fractal_noise
from fpliif_jax.data_builders.synthetic_faces.photographic.person import PhotographicPerson
from fpliif_jax.data_builders.synthetic_faces.shading import (
    CELLS_PER_UNIT,
    light_before_roll,
    on_canvas,
    relief,
    relief_axes,
    relief_slopes,
)


def _folds(person: PhotographicPerson) -> list[tuple[np.ndarray, float]]:
    """Creases of the skin: polylines in face coordinates and their depth, 0 … 1."""
    age, smile = person.age, max(person.smile, 0)
    mouth = person.mouth_y
    reach = person.mouth_width * (1 + 0.8 * smile) + 0.07
    lines = []
    for s in (-1, 1):
        lines.append(
            (
                open_curve(
                    [
                        (s * 0.26, 0.36),
                        (s * 0.40, 0.52),
                        (s * reach, mouth - 0.02),
                        (s * (reach + 0.01), mouth + 0.14),
                    ]
                ),
                min(0.10 + 0.5 * age + 3.2 * smile, 1),
            )
        )
        lines.append(
            (  # below the eye
                open_curve(
                    [(s * 0.27, EYE_Y + 0.09), (s * 0.42, EYE_Y + 0.155), (s * 0.57, EYE_Y + 0.13)]
                ),
                0.20 + 0.6 * age + smile,
            )
        )
        if age > 0.4:
            for k in (-0.05, 0.03, 0.10):
                lines.append(
                    (np.array([(s * 0.66, EYE_Y + 0.5 * k), (s * 0.80, EYE_Y + k)]), 0.5 * age)
                )
            lines.append((np.array([(s * 0.06, -0.42), (s * 0.05, -0.28)]), 0.7 * age))
    if age > 0.5:
        for y in (-0.60, -0.72, -0.84):
            lines.append(
                (
                    open_curve(
                        [(-0.5, y + 0.02), (-0.2, y - 0.03), (0.2, y - 0.03), (0.5, y + 0.02)]
                    ),
                    0.6 * age,
                )
            )
    lines.append((np.array([(-0.13, mouth + 0.26), (0.13, mouth + 0.26)]), 0.5))
    return lines


def _creased(height: np.ndarray, person: PhotographicPerson, pose: HeadPose) -> np.ndarray:
    x, y = relief_axes()
    image = Image.new("L", (len(x), len(y)))
    draw = ImageDraw.Draw(image)
    for line, depth in _folds(person):
        cells = (pose.turned_on_face(line) - (x[0], y[0])) * CELLS_PER_UNIT
        draw.line(cells.ravel().tolist(), fill=int(255 * min(depth, 1)), width=2)
    creases = np.asarray(image.filter(ImageFilter.GaussianBlur(1.1)), np.float32) / 255
    return height - 0.030 * person.skin_grain * creases


def _cast_shadow(height: np.ndarray, light: np.ndarray) -> np.ndarray:
    """How far each cell lies in the shadow of what stands between it and the light, 0 … 1."""
    lx, ly, lz = light
    level = np.hypot(lx, ly)
    if level < 0.15:
        return np.zeros_like(height)
    blocked = np.zeros_like(height)
    for cells in (3, 6, 10, 15, 21, 28):
        dx, dy = round(cells * lx / level), round(cells * ly / level)
        rise = cells / CELLS_PER_UNIT * lz / level
        moved = np.roll(height, (-dy, -dx), (0, 1))
        np.maximum(blocked, moved - height - rise, out=blocked)
    shadow = np.clip(blocked / 0.05, 0, 1)
    image = Image.fromarray(shadow.astype(np.float32))
    half = (image.width // 2, image.height // 2)
    small = image.resize(half, Image.Resampling.BOX)
    return np.asarray(small.resize(image.size, Image.Resampling.BILINEAR))


def skin_colours(
    person: PhotographicPerson,
    pose: HeadPose,
    size: int,
    outline: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """The lit skin of the head: float32 [height, width, 3], meaningful where the head is.

    The field begins in the canvas's upper left corner and ends with the head, whose `outline` it is.
    """
    height = _creased(relief(person, pose).astype(np.float32), person, pose)
    slope_x, slope_y, normal_z = relief_slopes(height)
    light = lx, ly, lz = np.array(light_before_roll(person, pose), np.float32)
    facing = np.maximum(normal_z * (lz - slope_x * lx - slope_y * ly), 0) / 0.85
    facing *= 1 - 0.75 * _cast_shadow(height, light)
    half_way = light + np.array([0, 0, 1], np.float32)
    half_way /= np.linalg.norm(half_way)
    mirror = np.maximum(normal_z * (half_way[2] - slope_x * half_way[0] - slope_y * half_way[1]), 0)
    broad = mirror**16
    sheen = 0.5 * broad + 0.8 * broad**4
    edge = np.clip(1 - 1.6 * normal_z, 0, 1) ** 2 * np.maximum(
        np.sign(person.rim) * slope_x * -1, 0
    )
    rim = np.minimum(np.float32(abs(person.rim)) * edge, np.float32(0.5))
    direct = np.float32(1 - person.ambient) * facing
    around = np.float32(person.ambient) * (np.float32(0.72) + np.float32(0.28) * normal_z)
    key, fill, skin = (c.astype(np.float32) for c in (person.key, person.fill, person.skin))
    shine = np.float32(person.shine * (1 - 0.5 * person.ambient))

    mottle = _mottle(person, pose, height.shape, rng)
    right, bottom = np.clip(np.ceil(outline.max(0)).astype(int) + 1, 1, size).tolist()
    pores = enlarged(rng.standard_normal((160, 160), np.float32), size)[:bottom, :right]
    field = colour_field((bottom, right))
    # Blood and melanin show in green and blue more than in red, and keep shadows red.
    for channel, (depth, share) in enumerate(((0.80, 0.45), (1.05, 1.0), (1.15, 1.0))):
        lit = np.maximum(direct * key[channel] + around * fill[channel], np.float32(0.03))
        plane = skin[channel] * lit ** np.float32(depth) * (1 + np.float32(share) * mottle)
        plane += shine * key[channel] * sheen
        field[..., channel] = on_canvas(plane + rim, pose, (right, bottom))
    field *= (1 + np.float32(0.016 * person.skin_grain) * pores)[..., None]
    return np.clip(field, 0, 1, out=field)


def _mottle(
    person: PhotographicPerson, pose: HeadPose, shape: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Relative brightness of the skin about 0: blotches, freckles and the redness of cheeks and nose."""
    x, y = (axis.astype(np.float32) for axis in relief_axes())
    blotches = fractal_noise(rng, max(shape), 8, 32, 0.7)[: shape[0], : shape[1]]
    mottle = np.float32(person.blotches) * blotches
    if person.freckles:
        spots = fractal_noise(rng, max(shape), 96, 96, 1.0)[: shape[0], : shape[1]]
        middle = np.exp(-0.5 * ((x[None] / 0.7) ** 2 + ((y[:, None] - 0.15) / 0.35) ** 2))
        mottle -= np.float32(0.5 * person.freckles) * middle * np.clip(spots - 1.2, 0, 1)
    blush = 0.03 + 0.09 * person.makeup + 0.05 * person.age
    for at, spread in (((-0.58, 0.25), 0.22), ((0.58, 0.25), 0.22), ((0.0, 0.30), 0.12)):
        cx, cy = pose.turned_on_face([at])[0]
        across, down = (np.exp(-0.5 * ((axis - c) / spread) ** 2) for axis, c in ((x, cx), (y, cy)))
        mottle -= (blush * down[:, None] * across[None]).astype(np.float32)
    return mottle


def draw_face_skin(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    outline: np.ndarray,
    skin: np.ndarray,
    rng: np.random.Generator,
) -> Patch:
    """Skin of the whole head, with beard and stubble; returns its coverage."""
    face = canvas.coverage(outline)
    canvas.paint(face, face.of(skin))
    canvas.mark(face, classes.SKIN)
    hairs = max(person.beard, person.stubble, person.moustache)
    if hairs:
        _draw_beard(canvas, pose, person, face, rng)
    return face


def _draw_beard(
    canvas: Canvas,
    pose: HeadPose,
    person: PhotographicPerson,
    face: Patch,
    rng: np.random.Generator,
) -> None:
    """Beard, moustache and stubble: skin, as in the data sets' labels."""
    unit, mouth = pose.unit, person.mouth_y
    drop = 0.3 * person.mouth_opening
    low = mouth + 0.72 * person.mouth_opening + person.lower_lip
    cheek = rng.uniform(0.45, 0.75)
    half = [(0.0, low + 0.05), (0.22, low + 0.03), (0.42, mouth + 0.05), (0.50, mouth - 0.10),
            (0.70, cheek), (0.90, 0.30), (1.02, 0.1), (1.05, 0.9), (0.8, 1.45 + drop),
            (0.0, 1.7 + drop)]  # fmt: skip
    beard = canvas.coverage(pose.on_face(closed_curve(mirrored(half), 5)), blur=0.07 * unit)
    top = 0.50 * person.nose_length + 0.02
    upper = mouth - person.upper_lip - 0.28 * person.mouth_opening
    half = [(0.0, top), (0.28, top + 0.04), (0.46, mouth - 0.02), (0.42, mouth + 0.06),
            (0.25, upper + 0.03), (0.0, upper + 0.02)]  # fmt: skip
    moustache = canvas.coverage(pose.on_face(closed_curve(mirrored(half), 5)), blur=0.03 * unit)
    grain = enlarged(rng.standard_normal((200, 200), np.float32), canvas.size)
    colour = np.minimum(person.brow_colour * rng.uniform(0.7, 1.2), person.skin * 0.8)
    for patch, strength in (
        (beard, max(person.beard, 0.55 * person.stubble)),
        (moustache, max(person.moustache, 0.6 * person.stubble)),
    ):
        if strength:
            patch = patch.within(face)
            texture = np.clip(1 + 0.45 * patch.of(grain), 0.2, 1.8)
            patch = Patch(
                patch.rows,
                patch.columns,
                np.minimum(patch.alpha * texture * np.float32(strength), 1),
            )
            canvas.paint(patch, colour)
