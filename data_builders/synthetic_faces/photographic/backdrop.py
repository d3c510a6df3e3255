"""Backgrounds as behind photographed people: studio walls, blurred rooms and crowds, lights, prints."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas
from fpliif_jax.data_builders.synthetic_faces.photographic.noise import enlarged, fractal_noise
from fpliif_jax.data_builders.synthetic_faces.photographic.odds import chosen

_KINDS = {"wall": 34, "blurred": 28, "room": 26, "lights": 12}


def _colour(rng: np.random.Generator, colourfulness: float) -> np.ndarray:
    """A random colour, mostly dark, grey or light, seldom saturated: [3]."""
    value = rng.choice([rng.uniform(0.02, 0.25), rng.uniform(0.2, 0.8), rng.uniform(0.8, 1.0)])
    hue = rng.uniform(0, 2 * np.pi)
    saturation = colourfulness * rng.uniform(0, 1) ** 1.5 * min(value, 1.1 - value)
    return np.clip(value + saturation * np.cos(hue - np.array([0.0, 2.0944, 4.1888])), 0, 1)


def draw_background(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paints the background over all of the canvas; label background."""
    size = canvas.size
    kind = chosen(rng, _KINDS)
    colourfulness = rng.uniform(0.1, 1.2)
    first, second = _colour(rng, colourfulness), _colour(rng, colourfulness)
    if kind == "wall":
        second = first + (second - first) * rng.uniform(0, 0.5)
    angle = rng.uniform(0, 2 * np.pi)
    axis = np.linspace(-1, 1, 16)
    ramp = 0.5 + 0.5 * (np.cos(angle) * axis[None] + np.sin(angle) * axis[:, None])
    if rng.random() < 0.3:
        ramp = (axis[None] ** 2 + axis[:, None] ** 2) / 1.8
    mix = enlarged(np.clip(ramp, 0, 1), size)
    strength = {"wall": rng.uniform(0, 0.08)}.get(kind, rng.uniform(0.05, 0.40))
    mix = mix + np.float32(strength) * fractal_noise(rng, size, 4, 32, rng.uniform(0.35, 0.65))
    tint = fractal_noise(rng, size, 3, 12, 0.6) * np.float32(0.5 * strength)
    third = _colour(rng, colourfulness)
    for channel in range(3):
        canvas.colour[..., channel] = first[channel] + (second[channel] - first[channel]) * mix
        canvas.colour[..., channel] += (third[channel] - 0.5) * tint
    if kind in ("room", "lights"):
        _draw_things(canvas, rng, kind, colourfulness)
    np.clip(canvas.colour, 0.0, 1.0, out=canvas.colour)


def _draw_things(canvas: Canvas, rng: np.random.Generator, kind: str, colourfulness: float) -> None:
    """Walls, posts, people and letters out of focus, or spots of light."""
    size = canvas.size
    image = Image.fromarray((np.clip(canvas.colour, 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)

    def fill() -> tuple[int, int, int]:
        return tuple((255 * _colour(rng, colourfulness)).astype(int).tolist())

    for _ in range(int(rng.integers(3, 14)) if kind == "room" else int(rng.integers(8, 30))):
        x, y = (float(v) for v in rng.uniform(-0.1, 1.1, 2) * size)
        w, h = (float(v) for v in rng.uniform(0.02, 0.35, 2) * size)
        shape = rng.integers(4)
        if kind == "lights":
            draw.ellipse((x, y, x + 0.25 * w, y + 0.25 * w), fill=fill())
        elif shape == 0:
            draw.rectangle((x, y, x + w, y + h), fill=fill())
        elif shape == 1:  # a post, or an edge of a wall
            draw.polygon((x, 0, x + 0.4 * w, 0, x + 0.4 * w, size, x, size), fill=fill())
        elif shape == 2:  # a head and shoulders
            colour = fill()
            draw.ellipse((x, y, x + w, y + 1.3 * w), fill=colour)
            draw.rectangle((x - 0.6 * w, min(y + 1.4 * w, size), x + 1.6 * w, size), fill=fill())
        else:  # letters on a wall
            colour, pitch = fill(), 0.22 * w
            for k in range(int(rng.integers(3, 9))):
                left = x + k * pitch
                draw.rectangle((left, y, left + 0.3 * pitch, y + 0.3 * w), fill=colour)
                if rng.random() < 0.6:
                    draw.rectangle((left, y, left + 0.7 * pitch, y + 0.06 * w), fill=colour)
    blur = rng.uniform(0, 1) ** 1.5 * 0.035 * size
    image = image.filter(ImageFilter.GaussianBlur(blur))
    canvas.colour[:] = np.asarray(image, np.float32) / 255
