"""Decode the photographs, label maps and masks of a raw download, and refuse what is not one.

Every function takes the bytes of a file together with its path, which is used in messages only.
"""

import contextlib
import io
import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops

from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.raw.orientation import UPRIGHT, orientation, upright
from fpliif_jax.data_builders.raw.raw_tree import RESTORE

Size = tuple[int, int]  # height, width

_BLACK, _WHITE = 0, 255
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_COLOUR_TYPES = {
    0: "greyscale",
    2: "RGB",
    3: "palette",
    4: "greyscale with alpha",
    6: "RGB with alpha",
}


def decode(
    content: bytes, path: pathlib.Path, formats: list[str] | tuple[str, ...], remedy: str = RESTORE
) -> Image.Image:
    """Decodes all pixels of a file that has to be of one of the given formats, as Pillow names them.

    Raises:
        DataError: empty, another kind of file, damaged, or of more pixels than Pillow's limit.
    """
    if not content:
        raise DataError(f"{path}: the file is empty. {remedy}")
    names = " or ".join(formats)
    try:
        image = Image.open(io.BytesIO(content), formats=formats)
        # Pillow itself only warns up to twice the limit.
        limit = Image.MAX_IMAGE_PIXELS
        if limit is not None and image.width * image.height > limit:
            raise Image.DecompressionBombError(f"{image.width} x {image.height} pixels")
    except Image.DecompressionBombError as error:
        raise DataError(
            f"{path}: the image claims to have more pixels than the {Image.MAX_IMAGE_PIXELS:,} "
            f"that are decoded ({error}). {remedy}"
        ) from error
    except Exception as error:  # decoders raise nearly anything when a file is damaged
        raise DataError(f"{path}: this is not a {names} image. {remedy}") from error
    try:
        image.load()
    except Exception as error:
        raise DataError(
            f"{path}: the {image.format} image is damaged or truncated ({error}). {remedy}"
        ) from error
    return image


@contextlib.contextmanager
def naming_damage(path: pathlib.Path, remedy: str) -> Iterator[None]:
    """Makes a DataError of whatever Pillow raises inside: it reads some parts of a file after its pixels."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"{path}: the image is damaged ({type(error).__name__}: {error}). {remedy}"
        ) from error


class Photograph(NamedTuple):
    """A photograph that is fit to be stored.

    Attributes:
        content: the file to store.
        size: of the upright photograph.
        orientation: what the raw file stated: 1 upright, 2 … 8 turned or mirrored before storing.
    """

    content: bytes
    size: Size
    orientation: int


def check_photograph(content: bytes, path: pathlib.Path) -> Photograph:
    """Decodes a JPEG file in full and gives what to store of it.

    RGB files are stored as they are. Grey ones and those that their EXIF orientation turns (see
    `orientation`) are stored as RGB PNG files, which keeps their pixels, so that every stored image
    decodes to three channels, upright, whatever reads it.

    Raises:
        DataError: not a JPEG file, truncated, too large, or neither RGB nor greyscale.
    """
    image = decode(content, path, ["JPEG"])
    stated = orientation(image)
    image = upright(image)
    size = (image.height, image.width)
    if image.mode == "RGB" and stated == UPRIGHT:
        return Photograph(content, size, stated)
    if image.mode in ("RGB", "L"):
        return Photograph(encode_png(np.asarray(image.convert("RGB"))), size, stated)
    raise DataError(
        f"{path}: the JPEG image is saved as {image.mode}; it has to be RGB. Replace it by the "
        "official file, or convert it with an image editor."
    )


class Png(NamedTuple):
    """A decoded PNG file, with what its header says: Pillow scales the samples of a 4-bit grey file to 8 bits.

    Attributes:
        image: its pixels.
        colour: 'greyscale', 'palette', 'RGB', 'greyscale with alpha' or 'RGB with alpha'.
        bits: of a sample.
    """

    image: Image.Image
    colour: str
    bits: int


def png_header(content: bytes, path: pathlib.Path, remedy: str = RESTORE) -> tuple[str, int]:
    """Colour type in words and bits a sample of a PNG file. Raises DataError where its header is not in the front."""
    if content[12:16] != b"IHDR":
        raise DataError(f"{path}: the PNG image does not begin with its header. {remedy}")
    return _PNG_COLOUR_TYPES.get(content[25], f"colour type {content[25]}"), content[24]


def _decode_png(
    content: bytes, path: pathlib.Path, colours: Sequence[str], use: str
) -> Image.Image:
    """Decodes a PNG file of one of the given colour types and 8 bits a sample."""
    png = decode_png(content, path)
    if png.bits != 8 or png.colour not in colours:
        raise DataError(f"{path}: the PNG is saved as {png.bits}-bit {png.colour}. {use}")
    return png.image


def decode_png(content: bytes, path: pathlib.Path, remedy: str = RESTORE) -> "Png":
    """Decodes a PNG file of any kind.

    Raises:
        DataError: another kind of file, truncated, several pictures, or one that its EXIF orientation turns.
    """
    if content and not content.startswith(_PNG_SIGNATURE):
        raise DataError(f"{path}: this is not a PNG image. {remedy}")
    image = decode(content, path, ["PNG"], remedy)
    stated = orientation(image)
    if stated != UPRIGHT:
        raise DataError(
            f"{path}: the PNG states the EXIF orientation {stated}, and programs that read labels "
            "do not agree on that. Save its pixels upright, as the photo is seen, without the tag."
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise DataError(f"{path}: there are {frames} pictures in this file. {remedy}")
    return Png(image, *png_header(content, path, remedy))


def check_label_map(content: bytes, path: pathlib.Path, class_names: Sequence[str]) -> np.ndarray:
    """Checks a label map: 8-bit greyscale PNG, value = class id. Returns it, uint8 [h, w].

    Raises:
        DataError: another kind of file, truncated, or a value that is no class id.
    """
    use = (
        "A label map has to be 8-bit greyscale with pixel value = class id. Restore the official "
        "file; a palette file whose indices are the class ids can be converted with Pillow: "
        "im = Image.open(path); Image.fromarray(numpy.array(im)).save(path)."
    )
    labels = np.asarray(_decode_png(content, path, ["greyscale"], use))
    if labels.max() >= len(class_names):
        y, x = np.argwhere(labels >= len(class_names))[0]
        raise DataError(
            f"{path}: label id {labels[y, x]} at row {y}, column {x} is out of range; ids are 0 "
            f"({class_names[0]}) to {len(class_names) - 1} ({class_names[-1]}). Restore the "
            "official file."
        )
    return labels


def decode_soft_mask(content: bytes, path: pathlib.Path) -> np.ndarray:
    """Decodes an 8-bit greyscale PNG of probabilities: uint8 [H, W], 0 … 255 for 0 … 1.

    Raises:
        DataError: another kind of file, or truncated.
    """
    use = "A soft mask has to be 8-bit greyscale, 0 to 255. Restore the official file."
    return np.asarray(_decode_png(content, path, ["greyscale"], use))


def decode_binary_mask(content: bytes, path: pathlib.Path) -> np.ndarray:
    """Decodes a mask saved as RGB (three equal channels) or grey: bool [H, W], true where white.

    White is 255, or 1 where that is the only value besides 0.

    Raises:
        DataError: another kind of file, truncated, channels that differ, or values in between.
    """
    use = "A mask has to be 8-bit RGB, black or white. Restore the official file."
    image = _decode_png(content, path, ["RGB", "greyscale"], use)
    if image.mode == "RGB":
        red, green, blue = image.split()
        for channel in (green, blue):
            if ImageChops.difference(red, channel).getbbox() is not None:
                raise DataError(f"{path}: the mask has colours. {use}")
        image = red
    counts = image.histogram()
    values = [value for value, count in enumerate(counts) if count]
    if values not in ([_BLACK], [_WHITE], [_BLACK, _WHITE], [1], [_BLACK, 1]):
        between = sum(counts[_BLACK + 1 : _WHITE])
        first = next(value for value in values if value not in (_BLACK, _WHITE))
        raise DataError(
            f"{path}: the mask is neither black nor white in {between / sum(counts):.1%} of its "
            f"pixels (values such as {first}), as masks are that went through JPEG or a smooth "
            f"resize: what they marked is lost. {use}"
        )
    return np.asarray(image) != _BLACK


def check_same_sizes(sizes: Sequence[Size], paths: Sequence[pathlib.Path]) -> None:
    """Raises DataError, naming two files, unless all masks of an image have one size."""
    for size, path in zip(sizes, paths, strict=True):
        if size != sizes[0]:
            raise DataError(
                f"{path}: this mask is {size[1]} x {size[0]} pixels, but {paths[0]} of the same "
                f"image is {sizes[0][1]} x {sizes[0][0]}. Restore the official files."
            )


def check_same_shape(
    photograph: Photograph,
    image_path: pathlib.Path,
    label_size: Size,
    label_path: pathlib.Path,
    remedy: str = RESTORE,
) -> None:
    """Raises DataError unless the label map is the upright image's size or a scaled version of it.

    A side may be off by half a pixel, which is what rounding a scaled size does.
    """
    if _have_same_shape(photograph.size, label_size):
        return
    (height, width), (label_height, label_width) = photograph.size, label_size
    what = (
        f"{image_path}: the image is {width} x {height} pixels and its label {label_path} "
        f"{label_width} x {label_height}, "
    )
    if photograph.orientation != UPRIGHT and _have_same_shape((width, height), label_size):
        raise DataError(
            f"{what}which fits the image as it is stored, not as it is seen: its EXIF orientation "
            f"{photograph.orientation} turns it. Turn the label as well, or, if the image is "
            "upright as it is stored, remove that tag."
        )
    raise DataError(
        f"{what}another aspect ratio: one of the two was cropped, turned or belongs to another "
        f"image. {remedy}"
    )


def _have_same_shape(size: Size, label_size: Size) -> bool:
    (height, width), (label_height, label_width) = size, label_size
    off_in_height = abs(label_height - height * label_width / width)
    off_in_width = abs(label_width - width * label_height / height)
    return min(off_in_height, off_in_width) <= 0.5


def encode_png(pixels: np.ndarray) -> bytes:
    """Encodes uint8 [H, W] or [H, W, 3] as PNG, without loss."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()
