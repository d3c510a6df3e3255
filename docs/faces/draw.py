"""Draws faces.jpg: two drawn faces, and what the weights of the package make of them.

python -m docs.faces.draw
"""

import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fpliif_jax import FaceParser, systems, weights
from fpliif_jax.data.canvas import place_on_canvas
from fpliif_jax.data.facial_parts import PART_LABELS
from fpliif_jax.data_builders.synthetic_faces import draw_face
from fpliif_jax.pictures.colours import INK, PAPER, class_colours
from fpliif_jax.pictures.label_maps import overlay, palette_image, save_image

_HERE = pathlib.Path(__file__).parent
_SEEDS = (1, 10)  # of drawings that no training has seen
_TILE, _GAP, _HEAD = 232, 10, 30


class Windows:
    """STN-iCNN with the windows that it looked into."""

    def __init__(self) -> None:
        trained = weights.load("drawn_stn_icnn")
        self._side = trained.config.data.image_size
        self._names = trained.class_names
        self._network = (
            systems.of(trained.config).inference.make_network_functions(trained)["model"].call
        )

    def draw(self, photo: np.ndarray) -> Image.Image:
        """The windows over a square photo, each in the colour of its part."""
        canvas, size = place_on_canvas(photo, self._side)
        _, windows = self._network(canvas, np.array(size, np.int32))
        picture = _resized(Image.fromarray(photo))
        draw = ImageDraw.Draw(picture)
        colours = class_colours(self._names)
        for (top, left, bottom, right), part in zip(np.asarray(windows), PART_LABELS, strict=True):
            box = [round(_TILE * float(edge)) for edge in (left, top, right, bottom)]
            draw.rectangle(box, outline=tuple(colours[part[0]].tolist()), width=2)
        return picture


def _resized(picture: Image.Image, how: Image.Resampling = Image.Resampling.LANCZOS) -> Image.Image:
    return picture.resize((_TILE, _TILE), how)


def tiles(photo: np.ndarray, fp_liif: FaceParser, stn_icnn: FaceParser, windows: Windows) -> dict:
    """A row of pictures by their titles."""
    coarse = fp_liif(photo, size=32)
    parts = stn_icnn(photo)
    return {
        "a drawn face": _resized(Image.fromarray(photo)),
        "FP-LIIF at 32 x 32": _resized(
            palette_image(coarse.labels, coarse.class_names).convert("RGB"),
            Image.Resampling.NEAREST,
        ),
        "the same weights at 512 x 512": _resized(fp_liif(photo, size=512).overlay()),
        "STN-iCNN, where it looks": windows.draw(photo),
        "and what it labels": _resized(
            Image.fromarray(overlay(photo, parts.labels, parts.class_names))
        ),
    }


def draw() -> Image.Image:
    """The whole picture."""
    models = (FaceParser.from_pretrained("drawn"), FaceParser.from_pretrained("drawn_stn_icnn"))
    windows = Windows()
    rows = [tiles(draw_face(seed, 512, "photographic").image, *models, windows) for seed in _SEEDS]
    step = _TILE + _GAP
    size = (len(rows[0]) * step + _GAP, len(rows) * step + _HEAD)
    picture = Image.new("RGB", size, PAPER)
    writer, font = ImageDraw.Draw(picture), ImageFont.load_default(size=16)
    for column, title in enumerate(rows[0]):
        writer.text((_GAP + column * step, 6), title, INK, font)
        for row, row_tiles in enumerate(rows):
            picture.paste(row_tiles[title], (_GAP + column * step, _HEAD + row * step))
    return picture


if __name__ == "__main__":
    save_image(draw(), _HERE / "faces.jpg")
