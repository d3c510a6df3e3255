"""Finding and reading photos as they come from people: any format, mode, orientation or damage."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from data_builders.orientation import upright
from data_builders.raw_tree import MACOS_LEFTOVERS
from data_builders.regular_files import MEBIBYTE, open_regular

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm")
MAX_PIXELS = 179_000_000  # more is taken for a decompression bomb; phones reach 108 million
MAX_BYTES = 512 * MEBIBYTE  # 108 million pixels are 309 MiB where nothing is compressed


class PhotoError(Exception):
    """A photo cannot be used; the message says why, without the path."""


def find(
    arguments: Sequence[str | pathlib.Path], leave_out: pathlib.Path
) -> list[tuple[pathlib.Path, pathlib.Path]]:
    """Expands files and folders into photos.

    A folder stands for all files below it, at any depth, whose suffix is one of `SUFFIXES`, sorted;
    hidden ones, links to folders and what macOS adds to archives are passed over. A file named
    twice is taken once.

    Args:
      arguments: files (whatever their suffix, existing or not) and folders.
      leave_out: a folder that is not entered: where the results go.

    Returns:
      pairs of a photo's path and its path relative to the folder argument it was found in; for a
      file argument, its name.
    """
    found: dict[str, tuple[pathlib.Path, pathlib.Path]] = {}
    for argument in map(pathlib.Path, arguments):
        if argument.is_dir():
            pairs = [(path, path.relative_to(argument)) for path in _below(argument, leave_out)]
        else:
            pairs = [(argument, pathlib.Path(argument.name))]
        for path, relative in pairs:
            found.setdefault(os.path.abspath(path), (path, relative))
    return list(found.values())


def read(path: pathlib.Path) -> np.ndarray:
    """Reads a photo upright and in colour.

    It is turned as its EXIF orientation says, by the rule for training data; grey, palette, CMYK and
    16-bit pictures are converted; transparency is laid on white; of an animation the first frame is
    taken.

    Returns:
      uint8 [H, W, 3].

    Raises:
      PhotoError: missing, no file, no picture, damaged, or of more than `MAX_PIXELS` or `MAX_BYTES`.
    """
    try:
        with open_regular(path, MAX_BYTES) as file, Image.open(file) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise PhotoError(f"{width}x{height} pixels are too many (most: {MAX_PIXELS})")
            picture.load()
            return np.asarray(_to_rgb(upright(picture)))
    except PhotoError:
        raise
    except FileNotFoundError:
        raise PhotoError("no such file or folder") from None
    except Image.DecompressionBombError:
        raise PhotoError(f"too many pixels (most: {MAX_PIXELS})") from None
    except Image.UnidentifiedImageError:
        raise PhotoError("not a picture that Pillow can read") from None
    except OSError as error:
        raise PhotoError(error.strerror or str(error)) from error
    except Exception as error:  # decoders raise nearly anything when a file is damaged
        raise PhotoError(f"damaged ({type(error).__name__}: {error})") from error


def _below(folder: pathlib.Path, leave_out: pathlib.Path) -> list[pathlib.Path]:
    paths = []
    for directory, folders, files in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith((".", MACOS_LEFTOVERS))
            and os.path.realpath(os.path.join(directory, name)) != os.path.realpath(leave_out)
        ]
        paths += [
            pathlib.Path(directory, name)
            for name in files
            if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
    return sorted(paths)


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # Pillow's convert would clip 16 bits at 255, not scale them
        values = np.asarray(picture).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise PhotoError("more than 16 bits a channel; save it with 8 or 16")
        picture = Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
    if picture.mode == "F":
        raise PhotoError("floating-point pixels; save it with 8 or 16 bits a channel")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")
