"""Tests of fpliif_jax/predict/photos.py: what people hand in, and what hostile files try."""

import os
import pathlib
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from fpliif_jax.predict import photos


def gradient(height: int, width: int) -> np.ndarray:
    """uint8 [height, width, 3] that looks different in every orientation."""
    y, x = np.mgrid[:height, :width]
    return np.stack([255 * y / height, 255 * x / width, 128 + 0 * x], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda stored: stored),
        (2, np.fliplr),
        (3, lambda stored: np.rot90(stored, 2)),
        (4, np.flipud),
        (5, lambda stored: stored.transpose(1, 0, 2)),
        (6, lambda stored: np.rot90(stored, -1)),
        (7, lambda stored: np.rot90(stored, 2).transpose(1, 0, 2)),
        (8, np.rot90),
    ],
)
def test_photos_are_turned_upright(
    tmp_path: pathlib.Path, orientation: int, upright: Callable[[np.ndarray], np.ndarray]
) -> None:
    stored = gradient(20, 30)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "photo.png", exif=exif)
    np.testing.assert_array_equal(photos.read(tmp_path / "photo.png"), upright(stored))


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "YCbCr"])
def test_every_mode_becomes_rgb(tmp_path: pathlib.Path, mode: str) -> None:
    colour = np.zeros((8, 9, 3), np.uint8)
    colour[:, 4:] = 255
    path = tmp_path / ("photo.tif" if mode in ("CMYK", "YCbCr") else "photo.png")
    Image.fromarray(colour).convert(mode).save(path)
    photo = photos.read(path)
    assert photo.dtype == np.uint8
    np.testing.assert_allclose(photo.astype(int), colour, atol=2)  # YCbCr rounds


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path: pathlib.Path, suffix: str) -> None:
    values = np.array([[0, 257, 32896, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / f"photo.{suffix}")
    photo = photos.read(tmp_path / f"photo.{suffix}")
    np.testing.assert_array_equal(photo, np.repeat([[[0], [1], [128], [255]]], 3, axis=2))


def test_sixteen_bits_with_the_big_end_first_are_read(tmp_path: pathlib.Path) -> None:
    values = np.array([[0, 257, 32896, 65535]], ">u2")
    Image.frombytes("I;16B", (4, 1), values.tobytes()).save(tmp_path / "photo.tif")
    photo = photos.read(tmp_path / "photo.tif")
    np.testing.assert_array_equal(photo, np.repeat([[[0], [1], [128], [255]]], 3, axis=2))


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_transparency_is_laid_on_white(tmp_path: pathlib.Path, mode: str) -> None:
    picture = Image.new("RGBA", (4, 4), (200, 0, 0, 0))
    picture.putpixel((1, 1), (0, 0, 200, 255))
    picture.convert(mode).save(tmp_path / "photo.png")
    photo = photos.read(tmp_path / "photo.png")
    assert tuple(photo[0, 0]) == (255, 255, 255)
    assert photo[1, 1, 2] > 150 > photo[1, 1, 0]


def test_a_transparent_grey_of_sixteen_bits_is_white(tmp_path: pathlib.Path) -> None:
    values = np.array([[0, 16384, 16385, 32896]], np.uint16)
    Image.fromarray(values).save(tmp_path / "photo.png", transparency=16384)
    photo = photos.read(tmp_path / "photo.png")
    np.testing.assert_array_equal(photo, np.repeat([[[0], [255], [64], [128]]], 3, axis=2))


@pytest.mark.parametrize("colour", [(16384, 0, 0), (0, 0, 0)])
def test_a_transparent_colour_of_sixteen_bits_is_refused(colour: tuple[int, int, int]) -> None:
    content = png((1, 1), 16, (b"tRNS", struct.pack(">HHH", *colour)), (b"IDAT", b"\0" * 7))
    with pytest.raises(photos.PhotoError, match="a transparent colour of 16 bits a channel"):
        photos.read(content)


def test_a_transparent_colour_of_eight_bits_is_white() -> None:
    pixels = bytes([0, 0, 0, 0, 1, 2, 3])  # the first is the line's filter
    colour = struct.pack(">HHH", 0, 0, 0)
    photo = photos.read(png((2, 1), 8, (b"tRNS", colour), (b"IDAT", pixels)))
    np.testing.assert_array_equal(photo, [[[255, 255, 255], [1, 2, 3]]])


def png(size: tuple[int, int], bits: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG in colour; the pixels are compressed here."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        data = zlib.compress(data) if kind == b"IDAT" else data
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", *size, bits, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in ((b"IHDR", header), *chunks))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims to be of that size and has next to nothing in it."""
    return png((width, height), 8, (b"IDAT", b""))


def truncated_jpeg(path: pathlib.Path) -> None:
    Image.fromarray(gradient(200, 200)).save(path, quality=95)
    path.write_bytes(path.read_bytes()[:-2000])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_text("I am a picture"), "not a picture"),
        (lambda path: path.write_bytes(b""), "not a picture"),
        (lambda path: path.write_bytes(b"\xff\xd8\xff\xe0" + b"\0" * 40), "."),
        (truncated_jpeg, "truncated"),
        (lambda path: path.write_bytes(png_header(60000, 60000)), "too many"),
        (lambda path: path.write_bytes(png_header(13000, 13800)), "too many"),
        (lambda path: path.write_bytes(png_header(8, 8)), "."),
        (lambda path: None, "no such file"),
        (lambda path: path.symlink_to(path.parent / "gone.jpg"), "no such file"),
        (lambda path: path.mkdir(), "not a file"),
        (os.mkfifo, "not a file"),
        (lambda path: Image.new("F", (4, 4)).save(path, "TIFF"), "floating-point"),
        (
            lambda path: Image.fromarray(np.full((2, 2), 70000, np.int32)).save(path, "TIFF"),
            "16 bits",
        ),
        (  # scaled as 16 bits it would be black
            lambda path: Image.fromarray(np.full((2, 2), 255, np.int32)).save(path, "TIFF"),
            "8-bit values in pixels of 16 or 32 bits",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_cannot_be_used_is_refused_in_words(
    tmp_path: pathlib.Path, make: Callable[..., object], message: str
) -> None:
    path = tmp_path / "photo.jpg"
    make(path)
    with pytest.raises(photos.PhotoError, match=message) as caught:
        photos.read(path)
    assert str(caught.value).strip()


def test_folders_are_searched_sorted_and_files_taken_once(tmp_path: pathlib.Path) -> None:
    for name in ("b.JPG", "a.png", "sub/a.png", "sub/deep/c.webp", "notes.txt", ".hidden.jpg",
                 "sub/.cache/d.jpg", "results/a_overlay.jpg"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.png")
    found, others, unread = photos.find(
        [tmp_path, tmp_path / "sub" / ".." / "a.png", tmp_path / "notes.txt"],
        leave_out=tmp_path / "results",
    )
    assert [str(relative) for _, relative in found] == [
        "a.png", "b.JPG", "link.jpg", "sub/a.png", "sub/deep/c.webp", "notes.txt",
    ]  # fmt: skip
    assert [path.resolve() for path, _ in found[:2]] == [tmp_path / "a.png", tmp_path / "b.JPG"]
    assert others == unread == []  # notes.txt is asked for by its name


def test_files_of_folders_that_are_no_photos_are_listed_once(tmp_path: pathlib.Path) -> None:
    for name in ("a.png", "f.heic", "sub/notes", ".hidden.txt", "results/log.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found, others, _ = photos.find([tmp_path, tmp_path / "sub"], leave_out=tmp_path / "results")
    assert [path for path, _ in found] == [tmp_path / "a.png"]
    assert others == [tmp_path / "f.heic", tmp_path / "sub" / "notes"]
    assert photos.passed_over(others) == (
        "passed over 2 files that are no photos Pillow can read: 1 .heic, 1 no suffix; "
        "HEIC photos have to be saved as JPEG first"
    )


@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA", "I;16", "CMYK"])
def test_a_large_photo_is_converted_in_bands(
    tmp_path: pathlib.Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ("photo.tif" if mode in ("CMYK", "I;16") else "photo.png")
    picture = Image.fromarray(gradient(20, 30))
    if mode == "I;16":
        picture = Image.fromarray(gradient(20, 30)[..., 0].astype(np.uint16) * 200)
    elif mode == "RGBA":
        picture.putalpha(Image.fromarray(gradient(20, 30)[..., 1]))
    else:
        picture = picture.convert(mode)
    picture.save(path)
    whole = photos.read(path)
    monkeypatch.setattr(photos, "_BAND", 7 * 30)
    np.testing.assert_array_equal(photos.read(str(path)), whole)


def test_pictures_that_pillow_hands_to_programs_are_not_read(tmp_path: pathlib.Path) -> None:
    Image.fromarray(gradient(20, 30)).save(tmp_path / "photo.eps")
    with pytest.raises(photos.PhotoError, match="not a picture that Pillow can read"):
        photos.read(tmp_path / "photo.eps")
