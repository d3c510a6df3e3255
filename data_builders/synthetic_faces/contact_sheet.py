"""A sheet of drawn faces beside their label maps in colour."""

import colorsys
from collections.abc import Iterable

import numpy as np
from PIL import Image

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.face import Face

_COLUMNS = 4


def _palette() -> np.ndarray:
    """uint8 [19, 3]: black for the background, hues a golden angle apart for the rest."""
    colours = [(0, 0, 0)]
    for label in range(1, classes.NUM_CLASSES):
        red, green, blue = colorsys.hsv_to_rgb(
            label * 0.618034 % 1, 0.55 if label % 2 else 0.85, 0.95 if label % 3 else 0.7
        )
        colours.append((int(255 * red), int(255 * green), int(255 * blue)))
    return np.array(colours, np.uint8)


def contact_sheet(faces: Iterable[Face]) -> Image.Image:
    """Faces of one size S in rows of `_COLUMNS` pairs: picture, then its 19-class label map."""
    palette = _palette()
    pairs = [np.concatenate([face.image, palette[face.label_map]], 1) for face in faces]
    blank = np.zeros_like(pairs[0])
    pairs += [blank] * (-len(pairs) % _COLUMNS)
    rows = [np.concatenate(pairs[i : i + _COLUMNS], 1) for i in range(0, len(pairs), _COLUMNS)]
    return Image.fromarray(np.concatenate(rows, 0))
