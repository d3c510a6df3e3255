"""Photos of one's own: every format and form whose pixels are 8-bit colours or greys, and nothing that would
have to be guessed."""

import pathlib

import numpy as np
from PIL import ExifTags, Image

from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.raw import raw_images
from fpliif_jax.data_builders.raw.orientation import UPRIGHT, orientation, upright

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
WHY_NOT = dict.fromkeys((".heic", ".heif"), "Pillow does not read HEIC")
_OF_JPEG = (
    "JPEG",
    "MPO",
)  # a JPEG file with further pictures behind the photo, as phones write, is of the latter
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")


def check_photograph(content: bytes, path: pathlib.Path, remedy: str) -> raw_images.Photograph:
    """Decodes a photo in full and gives what to store of it.

    Upright JPEG files in RGB are stored as they are, all others as RGB PNG files of the same pixels.

    Raises:
        DataError: another format, truncated, too large, several pictures, or pixels that are not 8-bit RGB or grey.
    """
    with raw_images.naming_damage(path, remedy):
        image = raw_images.decode(content, path, _FORMATS, remedy)
        stated = orientation(image)
        if image.format in _OF_JPEG:
            if image.mode == "RGB" and stated == UPRIGHT:
                return raw_images.Photograph(content, (image.height, image.width), stated)
        elif (pictures := getattr(image, "n_frames", 1)) > 1:
            raise DataError(f"{path}: there are {pictures} pictures in this file. {remedy}")
        bits = _bits(image, content, path, remedy)
        if bits > 8:
            raise DataError(
                f"{path}: the photo has {bits} bits a sample; it has to have 8. {remedy}"
            )
        pixels = _rgb(upright(image), path, remedy)
        return raw_images.Photograph(raw_images.encode_png(pixels), pixels.shape[:2], stated)


def _bits(image: Image.Image, content: bytes, path: pathlib.Path, remedy: str) -> int:
    """The most bits that a sample has in the file: Pillow gives 16-bit colours as 8-bit ones."""
    if image.format == "PNG":
        return raw_images.png_header(content, path, remedy)[1]
    if image.format == "TIFF":
        # pyrefly: ignore[missing-attribute] - which TIFF files have
        return max(image.tag_v2.get(ExifTags.Base.BitsPerSample, (1,)))
    return 8


def _rgb(image: Image.Image, path: pathlib.Path, remedy: str) -> np.ndarray:
    """uint8 [H, W, 3]."""
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
        raise DataError(
            f"{path}: the photo is saved as {image.mode}; it has to be 8-bit RGB or greyscale. {remedy}"
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getextrema()[-1] != (255, 255):
            raise DataError(f"{path}: parts of the photo are transparent. {remedy}")
    return np.asarray(image.convert("RGB"))
