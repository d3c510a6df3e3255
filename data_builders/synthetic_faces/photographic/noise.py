"""Smooth random fields that look the same at any size of the picture."""

import numpy as np
from PIL import Image


def enlarged(field: np.ndarray, size: int) -> np.ndarray:
    """Small plane [h, w] -> smooth float32 [size, size]."""
    image = Image.fromarray(field.astype(np.float32))
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))


def fractal_noise(
    rng: np.random.Generator, size: int, coarsest: int, finest: int, decay: float
) -> np.ndarray:
    """Noise of cells from `coarsest` to `finest` a side, each octave `decay` times the one before, with about
    unit deviation: float32 [size, size]. Decay 1 is nearly white; 0.5 falls as the spectra of photographs do."""
    small = np.zeros((coarsest, coarsest), np.float32)
    power, strength, cells = 0.0, 1.0, coarsest
    while True:
        small = enlarged(small, cells) if cells > coarsest else small
        small = small + np.float32(strength) * rng.standard_normal((cells, cells), np.float32)
        power += strength**2
        if cells * 2 > finest:
            break
        cells, strength = cells * 2, strength * decay
    return enlarged(small, size) / np.float32(np.sqrt(power))
