"""Light on the head: a relief of the face under one lamp and ambient light."""

import functools

import numpy as np
from PIL import Image

from fpliif_jax.data_builders.synthetic_faces.canvas import colour_field
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.person import Person

CELLS_PER_UNIT = 40
_HALF_WIDTH, _HALF_HEIGHT = 1.7, 2.1  # units covered on either side of the head's origin

# The face's relief over the ellipsoid: x, y, spread in x, spread in y, height (units).
_BUMPS = np.array(
    [
        (0.00, -0.10, 0.08, 0.16, 0.07),  # nose
        (0.00, 0.12, 0.09, 0.15, 0.12),
        (0.00, 0.33, 0.12, 0.12, 0.17),
        (-0.17, 0.42, 0.07, 0.07, 0.06),
        (0.17, 0.42, 0.07, 0.07, 0.06),
        (-0.43, -0.15, 0.21, 0.11, -0.075),  # eye sockets
        (0.43, -0.15, 0.21, 0.11, -0.075),
        (-0.45, -0.44, 0.26, 0.08, 0.035),  # brow ridge
        (0.45, -0.44, 0.26, 0.08, 0.035),
        (0.00, -0.75, 0.50, 0.25, 0.03),  # forehead
        (-0.58, 0.28, 0.24, 0.20, 0.06),  # cheeks
        (0.58, 0.28, 0.24, 0.20, 0.06),
        (0.00, 0.85, 0.34, 0.20, 0.06),  # around the mouth
        (0.00, 1.05, 0.18, 0.05, -0.035),
        (0.00, 1.26, 0.19, 0.13, 0.07),  # chin
        (0.00, 0.66, 0.04, 0.07, -0.02),  # philtrum
    ]
)


def _gaussians(axis: np.ndarray, centres: np.ndarray, spreads: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * ((axis[None, :] - centres[:, None]) / spreads[:, None]) ** 2)


def relief_axes() -> tuple[np.ndarray, np.ndarray]:
    """Centres of the relief's columns and rows, in turned units before roll."""
    x = np.arange(-_HALF_WIDTH, _HALF_WIDTH, 1 / CELLS_PER_UNIT) + 0.5 / CELLS_PER_UNIT
    y = np.arange(-_HALF_HEIGHT, _HALF_HEIGHT, 1 / CELLS_PER_UNIT) + 0.5 / CELLS_PER_UNIT
    return x, y


@functools.cache
def _ellipsoid() -> np.ndarray:
    x, y = relief_axes()
    curve = 1 - (x[None, :] / 1.12) ** 2 - ((y[:, None] + 0.05) / 1.72) ** 2
    return 0.8 * np.sqrt(np.maximum(curve, 0.05))


def relief(person: Person, pose: HeadPose) -> np.ndarray:
    """Height of the head's front towards the viewer, in units: [rows, columns] of `relief_axes`."""
    x, y = relief_axes()
    bumps = _BUMPS.copy()
    bumps[:5, 4] *= person.nose_height / 0.27
    bumps[10:12, 4] *= 1 + 3 * max(person.smile, 0)
    lift = np.where(np.arange(len(bumps)) < 5, bumps[:, 4] * 0.8, 0.0)
    centres = pose.turned_on_face(bumps[:, :2], lift)
    weights = _gaussians(y, centres[:, 1], bumps[:, 3]) * bumps[:, 4:5]
    return _ellipsoid() + np.einsum("ky,kx->yx", weights, _gaussians(x, centres[:, 0], bumps[:, 2]))


def relief_slopes(height: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slopes of a relief in x and in y, and the z of its unit normals."""
    slope_y, slope_x = np.gradient(height, 1 / CELLS_PER_UNIT)
    return slope_x, slope_y, 1 / np.sqrt(1 + slope_x**2 + slope_y**2)


def light_before_roll(person: Person, pose: HeadPose) -> tuple[float, float, float]:
    """The vector towards the light in the relief's axes."""
    c, s = np.cos(pose.roll), np.sin(pose.roll)
    lx, ly, lz = person.light
    return c * lx + s * ly, c * ly - s * lx, lz


def on_canvas(plane: np.ndarray, pose: HeadPose, size: tuple[int, int]) -> np.ndarray:
    """A plane of the relief's cells, placed and turned as the head: float32 [height, width].

    `size`: (width, height) of the part of the canvas from its upper left corner.
    """
    # Pixel centre -> cell of the relief: undo place and scale, then roll.
    k = CELLS_PER_UNIT / pose.unit
    c, s = np.cos(pose.roll), np.sin(pose.roll)
    cx, cy = pose.centre
    affine = (
        k * c,
        k * s,
        _HALF_WIDTH * CELLS_PER_UNIT - k * (c * cx + s * cy),
        -k * s,
        k * c,
        _HALF_HEIGHT * CELLS_PER_UNIT - k * (c * cy - s * cx),
    )
    image = Image.fromarray(plane.astype(np.float32))
    image = image.transform(size, Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
    return np.asarray(image)


def skin_colours(person: Person, pose: HeadPose, size: int) -> np.ndarray:
    """The lit skin of the head: float32 [size, size, 3], meaningful where the head is."""
    slope_x, slope_y, normal_z = relief_slopes(relief(person, pose))
    lx, ly, lz = light_before_roll(person, pose)
    facing = normal_z * (lz - slope_x * lx - slope_y * ly)
    lit = person.ambient + (1 - person.ambient) * np.maximum(facing, 0) / 0.80
    # Half-way vector between lamp and viewer: a soft sheen.
    hx, hy, hz = np.array([lx, ly, lz + 1]) / np.linalg.norm([lx, ly, lz + 1])
    sheen = np.maximum(normal_z * (hz - slope_x * hx - slope_y * hy), 0).astype(np.float32) ** 24

    field = colour_field((size, size))
    lit = np.maximum(lit, 0.05).astype(np.float32)
    for channel, (base, depth) in enumerate(zip(person.skin, (0.82, 1.08, 1.16), strict=True)):
        # The blood under the skin keeps shadows red: red falls off more slowly than blue.
        field[..., channel] = on_canvas(
            base * lit ** np.float32(depth) + 0.10 * sheen, pose, (size, size)
        )
    return np.clip(field, 0, 1, out=field)
