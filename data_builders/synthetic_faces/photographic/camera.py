"""The camera: exposure, contrast, colour cast, blur, low resolution, noise and JPEG."""

import io

import numpy as np
from PIL import Image, ImageFilter

from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas


def as_painted(canvas: Canvas) -> np.ndarray:
    """The picture without a camera, uint8 [size, size, 3]."""
    return np.rint(255 * np.clip(canvas.colour, 0, 1)).astype(np.uint8)


def photograph(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """The picture, uint8 [size, size, 3]. The noise of each pixel is drawn last."""
    size = canvas.size
    saturation = 0.0 if rng.random() < 0.03 else rng.uniform(0.65, 1.25)
    warmth, green = rng.normal(0, 0.04), rng.normal(0, 0.015)
    gain = rng.normal(1.02, 0.13) * np.array([1 + warmth, 1 + green, 1 - warmth])
    gamma = np.exp(rng.normal(0, 0.15))
    contrast = rng.uniform(0.0, 0.55)
    vignette = rng.uniform(0.0, 0.3) * (rng.random() < 0.4)
    blur = rng.uniform(0.0, 1.0) * size / 256
    low = rng.uniform(0.25, 0.7) if rng.random() < 0.25 else 1.0
    quality = int(rng.integers(35, 95)) if rng.random() < 0.4 else 0
    noise = rng.uniform(0.0, 0.03) ** 1.3

    mix = saturation * np.eye(3) + (1 - saturation) * np.array([[0.30], [0.59], [0.11]])
    colour = np.ascontiguousarray(canvas.colour)
    picture = np.clip(colour @ (mix * gain).astype(np.float32), 0.0, 1.2)
    if vignette:
        axis = np.linspace(-1, 1, size, dtype=np.float32) ** 2
        picture *= (1 - np.float32(vignette / 2) * (axis[None, :] + axis[:, None]))[..., None]
    # A table of the tone curve: gamma, then more contrast in the middle tones.
    level = np.clip(np.linspace(0, 1.2, 1201), 0, 1) ** gamma
    curve = 255 * (level + contrast * (level**2 * (3 - 2 * level) - level))
    table = curve.astype(np.float32).astype(np.uint8)
    image = Image.fromarray(table.take((picture * 1000).astype(np.int16)))
    if blur > 0.3:
        image = image.filter(ImageFilter.GaussianBlur(blur))
    if low < 1:
        small = image.resize((max(int(low * size), 16),) * 2, Image.Resampling.BILINEAR)
        image = small.resize((size, size), Image.Resampling.BICUBIC)
    if quality:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        image = Image.open(file)
    grain = rng.standard_normal((size, size), np.float32) * np.float32(noise * 255)
    noisy = np.repeat(grain, 3, axis=1).reshape(size, size, 3)
    noisy += np.asarray(image)
    noisy += np.float32(0.5)
    return np.clip(noisy, 0, 255, out=noisy).astype(np.uint8)
