"""Finding and reading photos as they come from people: any format, mode, orientation or damage."""

import collections
import contextlib
import io
import os
import pathlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from fpliif_jax.data_builders.errors import UserError, counted
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, open_regular
from fpliif_jax.data_builders.raw.orientation import upright
from fpliif_jax.data_builders.raw.raw_tree import MACOS_LEFTOVERS
from fpliif_jax.predict import videos

# What Pillow decodes by itself; others it knows it hands to programs (EPS to Ghostscript).
_FORMATS = (
    *("JPEG", "PNG", "WEBP", "AVIF", "JPEG2000", "BMP", "DIB", "TIFF", "GIF", "PPM", "TGA"),
)
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".avif", ".jp2", ".j2k"),
    *(".bmp", ".dib", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".pnm", ".tga"),
)
_MOST_SUFFIXES = 5  # that are named of what is passed over
_HEIC = (".heic", ".heif")
RESULT_MARK = "fpliif_jax.predict"  # in every picture that `predict` writes
MAX_PIXELS = 179_000_000  # more is taken for a decompression bomb; phones reach 108 million
MAX_BYTES = 512 * MEBIBYTE  # 108 million pixels are 309 MiB where nothing is compressed
_BAND = 8_000_000  # pixels converted at once, so that a large photo is not there several times


# Pillow decodes a picture that is open when its pixels are first asked for, and two threads at once spoil it.
_open_pictures = threading.Lock()

# A file, the content of one, pixels, or a picture that Pillow has open.
Photo = str | os.PathLike[str] | bytes | np.ndarray | Image.Image


class PhotoError(UserError):
    """A photo cannot be used; the message says why, without the path."""


class PhotoFiles(NamedTuple):
    """The files that arguments stand for.

    Attributes:
      photos: pairs of a photo's path and its path relative to the folder argument that it lies in; for a
        file argument, its name.
      others: the files of the folders that are no photos.
      unread: why folders, or folders in them, cannot be searched.
    """

    photos: list[tuple[pathlib.Path, pathlib.Path]]
    others: list[pathlib.Path]
    unread: list[OSError]


def find(arguments: Sequence[str | pathlib.Path], leave_out: pathlib.Path) -> PhotoFiles:
    """Expands files and folders into photos.

    A folder stands for all files below it, at any depth, whose suffix is one of `SUFFIXES`, sorted;
    hidden ones, links to folders and what macOS adds to archives count as neither. A file named
    twice is taken once.

    Args:
      arguments: files (whatever their suffix, existing or not) and folders.
      leave_out: a folder that is not entered: where the results go.
    """
    photos: dict[str, tuple[pathlib.Path, pathlib.Path]] = {}
    others: dict[str, pathlib.Path] = {}
    unread: list[OSError] = []
    for argument in map(pathlib.Path, arguments):
        if not argument.is_dir():
            photos.setdefault(os.path.abspath(argument), (argument, pathlib.Path(argument.name)))
            continue
        for path in sorted(_files_below(argument, leave_out, unread)):
            if path.name.lower().endswith(SUFFIXES):
                photos.setdefault(os.path.abspath(path), (path, path.relative_to(argument)))
            else:
                others.setdefault(os.path.abspath(path), path)
    no_photos = [path for key, path in others.items() if key not in photos]
    return PhotoFiles(list(photos.values()), no_photos, unread)


def passed_over(others: Sequence[pathlib.Path]) -> str:
    """A line about files that are no photos, counted by suffix; there is at least one."""
    suffixes = [path.suffix.lower() or "no suffix" for path in others]
    counts = collections.Counter(suffixes).most_common(_MOST_SUFFIXES)
    line = f"passed over {counted(len(others), 'file that is no photo', 'files that are no photos')} Pillow can read: "
    line += ", ".join(f"{count} {suffix}" for suffix, count in counts)
    if len(set(suffixes)) > len(counts):
        line += ", …"
    if any(suffix in _HEIC for suffix in suffixes):
        line += "; HEIC photos have to be saved as JPEG first"
    if any(suffix in videos.SUFFIXES for suffix in suffixes):
        line += "; videos are labelled where they are named"
    return line


def is_result(path: pathlib.Path) -> bool:
    """Whether a picture was written by `predict`; False where its file cannot be read."""
    try:
        with open_regular(path, MAX_BYTES) as file, _open(file) as picture:
            marks = (picture.info.get("Software"), picture.info.get("comment"))
            return RESULT_MARK in marks or RESULT_MARK.encode() in marks
    except Exception:  # decoders raise nearly anything when a file is damaged
        return False


def read(photo: Photo) -> np.ndarray:
    """Reads a photo upright and in colour.

    It is turned as its EXIF orientation says, by the rule for training data; grey, palette, CMYK and
    16-bit pictures are converted; transparency is laid on white; of an animation the first frame is
    taken.

    Args:
      photo: path of a file; content of a file; uint8 [H, W, 3], [H, W, 4] with opacity, or [H, W], grey; or a
        picture of Pillow's, which stays open.

    Returns:
      uint8 [H, W, 3], the caller's own.

    Raises:
      PhotoError: missing, no file, no picture, damaged, or of more than `MAX_PIXELS` or `MAX_BYTES`.
      TypeError: an object of another type.
    """
    if isinstance(photo, np.ndarray):
        photo = _picture_of_array(photo)
    try:
        with _opened(photo) as picture:
            width, height = picture.size
            if not width * height:
                raise PhotoError("it has no pixels")
            if width * height > MAX_PIXELS:
                raise PhotoError(f"{width}x{height} pixels are too many (most: {MAX_PIXELS})")
            _refuse_wide_transparent_colour(picture)
            picture.load()
            return _to_rgb(upright(picture))
    except (PhotoError, TypeError):
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


def held(photo: Any) -> Any:
    """The pixels of an array or a picture, as `read` gives them, and anything else as it is.

    Whoever gives one after the other may have the next one in the place of the last: as a camera's buffer, or the
    frames of an animation, which are one picture of Pillow's.

    Raises:
      PhotoError: as `read`.
    """
    return read(photo) if isinstance(photo, np.ndarray | Image.Image) else photo


def _picture_of_array(pixels: np.ndarray) -> Image.Image:
    is_photo = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if pixels.dtype != np.uint8 or not is_photo or not pixels.size:
        raise PhotoError(
            f"an array of {pixels.dtype} {list(pixels.shape)}; a photo is uint8 [H, W, 3], [H, W, 4] or [H, W], "
            "several are a list"
        )
    return Image.fromarray(np.ascontiguousarray(pixels))


@contextlib.contextmanager
def _opened(photo: str | os.PathLike[str] | bytes | Image.Image) -> Iterator[Image.Image]:
    if isinstance(photo, Image.Image):
        with _open_pictures:
            yield photo
    elif isinstance(photo, bytes):
        if len(photo) > MAX_BYTES:
            raise PhotoError(f"larger than the {MAX_BYTES / MEBIBYTE:g} MiB that are read")
        with io.BytesIO(photo) as file, _open(file) as picture:
            yield picture
    elif isinstance(photo, str | os.PathLike):
        # A file that is there is meant as it is called, also by one that goes through a folder.
        path = photo if os.path.lexists(photo) else os.path.expanduser(photo)
        with open_regular(path, MAX_BYTES) as file, _open(file) as picture:
            yield picture
    else:
        raise TypeError(
            f"a photo is a path, bytes, a NumPy array or a Pillow image, not {type(photo).__name__}"
        )


def _open(file: BinaryIO) -> Image.Image:
    return Image.open(file, formats=_FORMATS)


def _files_below(
    folder: pathlib.Path, leave_out: pathlib.Path, unread: list[OSError]
) -> Iterator[pathlib.Path]:
    for directory, folders, files in os.walk(folder, onerror=unread.append):
        folders[:] = [
            name
            for name in folders
            if not name.startswith((".", MACOS_LEFTOVERS))
            and os.path.realpath(os.path.join(directory, name)) != os.path.realpath(leave_out)
        ]
        yield from (pathlib.Path(directory, name) for name in files if not name.startswith("."))


def _refuse_wide_transparent_colour(picture: Image.Image) -> None:
    """One of 16 bits a channel: of the pixels Pillow keeps 8, and cannot tell it from its neighbours."""
    colour = picture.info.get("transparency")
    undecoded = getattr(picture, "tile", ())  # of a file; the last entry is how it has the pixels
    is_wide = any(tile[3] == "RGB;16B" for tile in undecoded)
    if isinstance(colour, tuple) and (is_wide or max(colour) > 255):
        raise PhotoError("a transparent colour of 16 bits a channel; save it with 8")


def _to_rgb(picture: Image.Image) -> np.ndarray:
    """uint8 [H, W, 3], filled in bands of rows."""
    width, height = picture.size
    rows = max(1, _BAND // width)
    if picture.mode == "I;16B":  # of a TIFF file, big end first: Pillow does not give its extrema
        picture = picture.convert("I")
    if picture.mode.startswith("I"):
        extrema: Any = picture.getextrema()  # two numbers, of one channel
        lowest, highest = extrema
        if lowest < 0 or highest > 65535:
            raise PhotoError("more than 16 bits a channel; save it with 8 or 16")
        if 0 < highest <= 255:  # scaled, it would be black
            raise PhotoError(
                "8-bit values in pixels of 16 or 32 bits; save it with 8 bits a channel"
            )
    if picture.mode == "F":
        raise PhotoError("floating-point pixels; save it with 8 or 16 bits a channel")
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        pixels[top:bottom] = _band_to_rgb(picture.crop((0, top, width, bottom)))
    return pixels


def _band_to_rgb(picture: Image.Image) -> np.ndarray:
    if picture.mode.startswith("I"):  # Pillow's convert would clip 16 bits at 255, not scale them
        values = np.asarray(picture).astype(np.int64)
        values[values == picture.info.get("transparency")] = 65535  # white, as below
        picture = Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return np.asarray(picture.convert("RGB"))
