"""Canvases with faces at random places, for `docs.faces.find`: drawn faces and photographs of CelebAMask-HQ."""

import pathlib
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from PIL import Image

from fpliif_jax.data import renamed_labels
from fpliif_jax.data_builders.class_names import CELEBAMASK_HQ
from fpliif_jax.data_builders.synthetic_faces import draw_face
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas
from fpliif_jax.data_builders.synthetic_faces.photographic.backdrop import draw_background
from fpliif_jax.evaluation import metrics

SIDE = 256  # of the label maps
# Height and width of the canvas and the sides of the faces on it, in pixels.
SIZES = {
    **{f"{share} %": (640, 640, (640 * share // 100,)) for share in (15, 30, 60, 70, 80, 100)},
    "two": (500, 700, (180, 150)),
    "three": (480, 720, (240, 120, 90)),
}
# Of a side in pixels: a photo of a face, and its label map.
Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


# Compiled once: without, every call compiles, and keeps what it compiled.
_confusion_matrices = jax.jit(metrics.confusion_matrices, static_argnums=2)


class Pasted(NamedTuple):
    """Faces on a canvas: uint8 [H, W, 3], class ids uint8 [H, W], and (top, left, side) of each."""

    photo: np.ndarray
    labels: np.ndarray
    places: list[tuple[int, int, int]]

    def counts(self, predicted: np.ndarray, num_classes: int) -> np.ndarray:
        """The confusion matrix of a label map [SIDE, SIDE]: int64 [C, C], rows the truth."""
        labels = Image.fromarray(self.labels)
        truth = np.asarray(labels.resize((SIDE, SIDE), Image.Resampling.NEAREST))
        counts = _confusion_matrices(truth[None], predicted[None], num_classes)
        return np.asarray(counts[0], np.int64)


def paste(
    rng: np.random.Generator, size: tuple[int, int], sides: tuple[int, ...], draw: Draw
) -> Pasted:
    """Faces of these sides at random places where they do not overlap."""
    height, width = size
    backdrop = Canvas(max(size))
    draw_background(backdrop, rng)
    photo = (255 * np.clip(backdrop.colour[:height, :width], 0, 1)).astype(np.uint8)
    labels, taken = np.zeros(size, np.uint8), np.zeros(size, bool)
    places: list[tuple[int, int, int]] = []
    while len(places) < len(sides):
        side = sides[len(places)]
        top, left = (int(rng.integers(length - side + 1)) for length in size)
        here = slice(top, top + side), slice(left, left + side)
        if not taken[here].any():
            photo[here], labels[here] = draw(rng, side)
            taken[here] = True
            places.append((top, left, side))
    return Pasted(photo, labels, places)


def new_face(rng: np.random.Generator, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A drawn face."""
    face = draw_face(rng.spawn(1)[0], side, "photographic")
    return face.image, face.lapa_label_map


def draw_photographs(folder: pathlib.Path, names: list[str]) -> Draw:
    """One photograph after the other, resized."""
    remaining = iter(names)
    table = renamed_labels.class_table("lapa", CELEBAMASK_HQ)

    def draw(_: np.random.Generator, side: int) -> tuple[np.ndarray, np.ndarray]:
        name = next(remaining)
        photo = Image.open(folder / "images" / f"{name}.jpg").convert("RGB")
        labels = Image.open(folder / "labels" / f"{name}.png")
        small = labels.resize((side, side), Image.Resampling.NEAREST)
        return np.asarray(photo.resize((side, side), Image.Resampling.LANCZOS)), table[small]

    return draw
