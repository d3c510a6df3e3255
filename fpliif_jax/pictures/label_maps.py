"""Label maps as palette PNGs and as overlays on photos."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from fpliif_jax.data_builders.host import atomic_file
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.pictures.colours import NO_CLASS_COLOUR, class_colours


def palette_image(labels: np.ndarray, class_names: Sequence[str]) -> Image.Image:
    """Label map as a palette picture: the pixel's value is the class id, its colour the class's.

    Args:
      labels: uint8 [H, W].
      class_names: names by label id.

    Returns:
      a Pillow image of mode 'P'; ids that are no class are grey.
    """
    if labels.dtype != np.uint8 or labels.ndim != 2:
        raise ValueError(f"labels must be uint8 [H, W], got {labels.dtype} {list(labels.shape)}")
    picture = Image.fromarray(labels, mode="L")
    picture.putpalette(_colours_of_all_ids(class_names).tobytes())
    return picture


def overlay(
    photo: np.ndarray, labels: np.ndarray, class_names: Sequence[str], alpha: float = 0.5
) -> np.ndarray:
    """Lays the classes' colours over a photo, with light lines between classes.

    Args:
      photo: uint8 [H, W, 3].
      labels: uint8 [H, W].
      class_names: names by label id; the class named 'background' is not coloured.
      alpha: opacity of colours and lines, 0 to 1.

    Returns:
      uint8 [H, W, 3].

    Raises:
      ValueError: photo and label map differ in size, or alpha is out of range.
    """
    if photo.shape != (*labels.shape, 3):
        raise ValueError(f"photo {list(photo.shape)} does not fit label map {list(labels.shape)}")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha = {alpha}: must be between 0 and 1")
    border = np.zeros(labels.shape, bool)
    border[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    border[1:] |= labels[1:] != labels[:-1]
    is_shown = np.ones(256, bool)
    is_shown[[i for i, name in enumerate(class_names) if name == "background"]] = False
    # In 8 bits throughout: photos can have a hundred million pixels.
    picture = Image.fromarray(photo)
    colours = palette_image(labels, class_names).convert("RGB")
    picture = Image.composite(colours, picture, _opacity(is_shown[labels], alpha))
    # Light lines, because skin over skin and brown over brown hair would not show.
    picture.paste((255, 255, 255), mask=_opacity(border, alpha))
    return np.asarray(picture)


def save_image(picture: Image.Image, path: pathlib.Path | str, mark: str | None = None) -> None:
    """Writes a picture in the format of the path's suffix; no half-written file is ever seen.

    The folder is made if need be. JPEGs are written at quality 92.

    Args:
      picture: any that the format can hold.
      path: .png or .jpg.
      mark: text that the file carries to tell what wrote it: as 'Software' of a PNG, as comment of a JPEG.
    """
    path = expanded(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    image_format = Image.registered_extensions()[path.suffix.lower()]
    options: dict[str, Any] = {"quality": 92} if image_format == "JPEG" else {}
    if mark and image_format == "JPEG":
        options["comment"] = mark
    elif mark:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Software", mark)
    with atomic_file.replacing(path) as file:
        picture.save(file, format=image_format, **options)


def _colours_of_all_ids(class_names: Sequence[str]) -> np.ndarray:
    """uint8 [256, 3]: the classes' colours, then grey."""
    colours = np.full((256, 3), NO_CLASS_COLOUR, np.uint8)
    colours[: len(class_names)] = class_colours(class_names)
    return colours


def _opacity(region: np.ndarray, alpha: float) -> Image.Image:
    """Mask for Pillow that is `alpha` where the region, bool [H, W], is true."""
    return Image.fromarray(region * np.uint8(round(alpha * 255)))
