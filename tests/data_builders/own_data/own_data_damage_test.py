"""Photos and label maps of one's own that Pillow stumbles over, or reads in part: one line that names the file."""

import io
import pathlib
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from fpliif_jax.data_builders.class_list import ClassList
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.raw.label_maps import read_label_map
from fpliif_jax.data_builders.raw.photos import check_photograph

WIDTH, HEIGHT = 16, 12
PATH = pathlib.Path("images/c")
REMEDY = "Save it anew."
SIGNATURE = b"\x89PNG\r\n\x1a\n"
BLACK_AND_RED = ClassList(("background", "skin"), ((0, 0, 0), (204, 0, 0)))


def chunk(name: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(colour_type: int, bits: int, *before_pixels: bytes, first: bytes = b"") -> bytes:
    """A PNG file of zeros, with chunks before its pixels and before its header."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    row = bytes(1 + WIDTH * samples * bits // 8)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, colour_type, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(row * HEIGHT))
    return SIGNATURE + first + header + b"".join(before_pixels) + pixels + chunk(b"IEND")


def saved(picture: Image.Image, file_format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format=file_format, **options)
    return stream.getvalue()


def tiff(next_directory: int = 0) -> bytes:
    """A TIFF file that says where its next picture is, 0 where there is none."""
    content = bytearray(saved(Image.new("RGB", (WIDTH, HEIGHT)), "TIFF"))
    (directory,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, directory)
    struct.pack_into("<I", content, directory + 2 + 12 * entries, next_directory)
    return bytes(content)


def tiff_of_16_bits() -> bytes:
    """Twice as many samples of 8 bits, called half as many of 16."""
    content = saved(Image.new("RGB", (2 * WIDTH, HEIGHT)), "TIFF")
    for old, new in (
        (struct.pack("<HHII", 256, 4, 1, 2 * WIDTH), struct.pack("<HHII", 256, 4, 1, WIDTH)),
        (struct.pack("<HHH", 8, 8, 8), struct.pack("<HHH", 16, 16, 16)),
    ):
        assert content.count(old) == 1
        content = content.replace(old, new)
    return content


NO_PALETTE = png(3, 8)
LONG_TRANSPARENCY = png(3, 8, chunk(b"PLTE", bytes(3)), chunk(b"tRNS", b"\xff" * 257))
FIRST_IS_ANOTHER = png(0, 8, first=chunk(b"CgBI", bytes(4)))
ANIMATION = saved(
    Image.new("L", (WIDTH, HEIGHT)),
    "PNG",
    save_all=True,
    append_images=[Image.new("L", (WIDTH, HEIGHT), 1)],
)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (tiff(next_directory=9), "damaged"),
        (NO_PALETTE, "damaged"),
        (LONG_TRANSPARENCY, "damaged"),
        (png(2, 16, first=chunk(b"CgBI", bytes(4))), "header"),
        (png(2, 16), "16 bits a sample"),
        (png(4, 16), "16 bits a sample"),
        (png(6, 16), "16 bits a sample"),
        (tiff_of_16_bits(), "16 bits a sample"),
    ],
    ids=[
        "tiff-next",
        "no-palette",
        "long-trns",
        "png-first-chunk",
        "png-rgb16",
        "png-la16",
        "png-rgba16",
        "tiff-rgb16",
    ],
)
def test_photos_that_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=f"^images/c: .*{reason}.*{REMEDY}$"):
        check_photograph(content, PATH, REMEDY)


@pytest.mark.parametrize("content", [tiff(), png(2, 8), png(0, 1), png(0, 4)])
def test_the_same_files_undamaged_are_photos(content: bytes) -> None:
    assert check_photograph(content, PATH, REMEDY).size == (HEIGHT, WIDTH)


@pytest.mark.parametrize("classes", [ClassList(("background", "skin")), BLACK_AND_RED])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (FIRST_IS_ANOTHER, "header"),
        (ANIMATION, "2 pictures"),
    ],
    ids=["first-chunk", "animation"],
)
def test_label_maps_that_are_refused(classes: ClassList, content: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=f"^images/c: .*{reason}.*{REMEDY}$"):
        read_label_map(content, PATH, classes, REMEDY)


@pytest.mark.parametrize(
    "content", [NO_PALETTE, LONG_TRANSPARENCY], ids=["no-palette", "long-trns"]
)
def test_coloured_label_maps_with_a_damaged_palette(content: bytes) -> None:
    with pytest.raises(DataError, match=f"^images/c: .*damaged.*{REMEDY}$"):
        read_label_map(content, PATH, BLACK_AND_RED, REMEDY)


def test_the_same_file_undamaged_is_a_label_map() -> None:
    _, ids = read_label_map(png(0, 8), PATH, BLACK_AND_RED, REMEDY)
    np.testing.assert_array_equal(ids, np.zeros((HEIGHT, WIDTH), np.uint8))
