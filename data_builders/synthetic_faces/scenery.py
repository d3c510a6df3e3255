"""What surrounds the face: background, and the camera that takes the picture."""

import numpy as np
from PIL import Image, ImageFilter

from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas
from fpliif_jax.data_builders.synthetic_faces.curves import ellipse
from fpliif_jax.data_builders.synthetic_faces.person import vivid_colour


def _enlarged(field: np.ndarray, size: int) -> np.ndarray:
    """Small colour field [h, w, 3] -> smooth float32 [size, size, 3]."""
    planes = [
        np.asarray(
            Image.fromarray(field[..., i].astype(np.float32)).resize(
                (size, size), Image.Resampling.BICUBIC
            )
        )
        for i in range(3)
    ]
    return np.stack(planes, -1)


def draw_background(canvas: Canvas, rng: np.random.Generator) -> None:
    """Gradients, blurred blobs, shapes; all of the canvas, label background."""
    size = canvas.size
    style = int(rng.integers(4))
    first, second = vivid_colour(rng), vivid_colour(rng)
    angle = rng.uniform(0, 2 * np.pi)
    axis = np.linspace(-1, 1, 24)
    ramp = np.clip(0.5 + 0.45 * (np.cos(angle) * axis[None] + np.sin(angle) * axis[:, None]), 0, 1)
    if style == 1:
        ramp = np.clip((axis[None] ** 2 + axis[:, None] ** 2) / 1.8, 0, 1)
    field = first + (second - first) * ramp[..., None]
    if style >= 2:
        blotches = rng.normal(0, rng.uniform(0.05, 0.22), (6, 6, 3))
        blotches = 0.6 * blotches.mean(-1, keepdims=True) + 0.4 * blotches
        field = field + _enlarged(blotches, 24)
    canvas.colour[:] = _enlarged(field, size)
    shapes = int(rng.integers(0, 7)) if style >= 1 else 0
    for _ in range(shapes):
        centre = rng.uniform(-0.05, 1.05, 2) * size
        radii = rng.uniform(0.04, 0.28, 2) * size
        turn = rng.uniform(0, np.pi)
        corners = int(rng.choice([4, 4, 40]))
        outline = ellipse(centre, radii, turn, corners)
        blur = rng.uniform(0.0, 0.02) * size
        canvas.paint(canvas.coverage(outline, blur=blur), vivid_colour(rng), rng.uniform(0.2, 0.7))
    np.clip(canvas.colour, 0.02, 0.98, out=canvas.colour)


def photograph(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Exposure, colour cast, vignette, slight blur and sensor noise: uint8 [size, size, 3]."""
    size = canvas.size
    warmth = rng.normal(0.0, 0.03)
    gain = rng.uniform(0.85, 1.10) * np.array([1 + warmth, 1.0, 1 - warmth])
    contrast = rng.uniform(0.9, 1.12)
    noise = rng.uniform(0.004, 0.018)
    blur = rng.uniform(0.0, 0.8) * size / 256
    vignette = rng.uniform(0.0, 0.25)
    picture = canvas.colour * np.float32(contrast) + np.float32(0.5 * (1 - contrast))
    axis = np.linspace(-1, 1, size, dtype=np.float32) ** 2
    fall_off = 1 - np.float32(vignette / 2) * (axis[None, :] + axis[:, None])
    grain = rng.standard_normal((size, size), np.float32) * np.float32(noise * 255)
    picture *= fall_off[..., None]
    picture *= (gain * 255).astype(np.float32)
    if blur > 0.3:
        quantised = np.clip(picture, 0, 255).astype(np.uint8)
        blurred = Image.fromarray(quantised).filter(ImageFilter.GaussianBlur(blur))
        picture = np.asarray(blurred).astype(np.float32)
    picture += grain[..., None] + np.float32(0.5)
    return np.clip(picture, 0, 255, out=picture).astype(np.uint8)
