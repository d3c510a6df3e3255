"""Colours for classes beyond those that have one of their own: each as unlike all others as can be."""

import functools
from collections.abc import Sequence

import numpy as np

Colour = tuple[int, int, int]
_LEVELS = np.arange(0, 256, 15)  # of each channel: 18³ colours to choose from
_TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)  # linear sRGB, D65


@functools.cache
def more_colours(known: tuple[Colour, ...], count: int) -> tuple[Colour, ...]:
    """The `count` next colours after the known ones, the same on every machine.

    Each is the one whose nearest neighbour among all before it is farthest in CIE L*a*b*.
    """
    candidates = np.stack(np.meshgrid(_LEVELS, _LEVELS, _LEVELS, indexing="ij"), -1).reshape(-1, 3)
    lab = _cielab(candidates)
    nearest = np.min([np.linalg.norm(lab - one, axis=1) for one in _cielab(known)], axis=0)
    chosen = []
    for _ in range(count):
        # Rounded, so that the last bits of a processor's cube roots decide nothing.
        best = int(np.argmax(np.round(nearest, 6)))
        chosen.append(tuple(candidates[best].tolist()))
        nearest = np.minimum(nearest, np.linalg.norm(lab - lab[best], axis=1))
    return tuple(chosen)


def _cielab(colours: Sequence[Colour] | np.ndarray) -> np.ndarray:
    """sRGB of 0 … 255, [N, 3], to CIE L*a*b* under D65."""
    srgb = np.asarray(colours) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _TO_XYZ.sum(axis=1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
