"""Photos are turned by their EXIF orientation, by one rule in the builders and in prediction."""

import io
import json
import pathlib
import struct
import zlib
from fractions import Fraction

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image, ImageOps

from fpliif_jax.data_builders import synthetic_faces
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.face_parsing_builder import FaceParsingBuilder
from fpliif_jax.data_builders.prepare import metadata, prepare
from fpliif_jax.data_builders.raw import fingerprint, orientation, raw_images
from fpliif_jax.predict import photos

ORIENTATION, MAKE, X_RESOLUTION = 0x0112, 0x010F, 0x011A
LAYOUTS = ("lapa", "celebamask_hq", "helen")
# The transposition that undoes the turn of each tag.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def gradient(height: int = 16, width: int = 24) -> Image.Image:
    """Looks different in every orientation."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([255 * y / height, 255 * x / width, 128 + 0 * x], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def exif_of(tag: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = tag
    return exif


def store_turned(path: pathlib.Path, tag: int) -> None:
    """Saves a photo anew so that it looks the same, with its pixels turned and a tag."""
    with Image.open(path) as photo:
        photo.load()
    turned = photo if STORED[tag] is None else photo.transpose(STORED[tag])
    turned.save(path, format="JPEG", quality=95, exif=exif_of(tag))


def exif_block(*entries: tuple[int, int, int, bytes]) -> bytes:
    """A little-endian block of entries (tag, type, count, value of 4 bytes)."""
    ifd = struct.pack("<H", len(entries))
    for tag, kind, count, value in entries:
        ifd += struct.pack("<HHI", tag, kind, count) + value
    return b"Exif\0\0" + b"II*\0" + struct.pack("<I", 8) + ifd + b"\0" * 4


def draw(layout: str, folder: pathlib.Path) -> list[pathlib.Path]:
    """A raw download of three faces; its photos."""
    synthetic_faces.write_dataset(
        layout, folder, num_train=1, num_val=1, num_test=1, image_size=40, num_workers=1
    )
    return sorted(folder.rglob("*.jpg"))


def stored_images(builder: FaceParsingBuilder) -> dict[str, bytes]:
    """The bytes of the stored photos by their names in the raw tree."""
    return {
        example["file_name"].decode(): example["image"]
        for split in builder.info.splits
        for example in builder.encoded_examples(split)
    }


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("tag", STORED)
def test_all_orientations_are_those_of_pillow(file_format: str, tag: int) -> None:
    stream = io.BytesIO()
    gradient().save(stream, format=file_format, exif=exif_of(tag))
    turned, expected = (Image.open(io.BytesIO(stream.getvalue())) for _ in range(2))
    turned.load()
    np.testing.assert_array_equal(
        orientation.upright(turned), ImageOps.exif_transpose(expected), strict=True
    )


@pytest.mark.parametrize("tag", [0, 9, 65535])
def test_a_tag_that_means_nothing_turns_nothing(tag: int) -> None:
    stream = io.BytesIO()
    gradient().save(stream, format="JPEG", exif=exif_of(tag))
    picture = Image.open(stream)
    assert orientation.upright(picture) is picture
    assert orientation.orientation_of_file(stream.getvalue()) == 1


SIX = (ORIENTATION, 3, 1, struct.pack("<HH", 6, 0))
DAMAGED = {
    # Rationals are beyond the block, of no denominator or cut off; the block ends in an entry.
    "rational out of the block": (exif_block(SIX, (X_RESOLUTION, 5, 1, b"\xff\xff\0\0")), 6),
    "rational that is text": (exif_block(SIX, (X_RESOLUTION, 2, 4, b"abc\0")), 6),
    "text without an end": (exif_block((MAKE, 2, 2**31, b"\x08\0\0\0"), SIX), 6),
    "unknown type": (exif_block((MAKE, 99, 1, b"\0\0\0\0"), SIX), 6),
    "sub-block out of the block": (exif_block(SIX, (0x8769, 4, 1, b"\xff\xff\xff\x7f")), 6),
    "cut off behind the tag": (exif_block(SIX, (X_RESOLUTION, 5, 1, b"\0" * 4))[:-14], 6),
    "orientation as text": (exif_block((ORIENTATION, 2, 2, b"6\0\0\0")), 1),
    "two orientations": (exif_block((ORIENTATION, 3, 2, struct.pack("<HH", 6, 3))), 6),
    "header of nothing": (b"Exif\0\0" + b"\xff" * 40, 1),
    "empty": (b"Exif\0\0", 1),
    "cut off in the tag": (exif_block(SIX)[:-10], 1),
}


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # the program's own filter, unset by pytest
@pytest.mark.parametrize(("block", "tag"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_block_does_not_make_a_photo_unreadable(
    tmp_path: pathlib.Path, block: bytes, tag: int
) -> None:
    path = tmp_path / "photo.jpg"
    gradient().save(path, exif=block)
    size = (16, 24) if tag == 1 else (24, 16)
    assert photos.read(path).shape[:2] == size
    photograph = raw_images.check_photograph(path.read_bytes(), path)
    assert (photograph.size, photograph.orientation) == (size, tag)
    assert orientation.orientation_of_file(path.read_bytes()) == tag


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("rational", [(0, 0), (1, 0), (2**32 - 1, 2**32 - 1)])
def test_a_wrong_rational_is_of_no_consequence(
    tmp_path: pathlib.Path, file_format: str, rational: tuple[int, int]
) -> None:
    exif = exif_of(6)
    exif[X_RESOLUTION] = Fraction(0x01234567, 0x089ABCDF)
    stream = io.BytesIO()
    gradient().save(stream, format=file_format, exif=exif)
    content = bytearray(stream.getvalue())
    for order in "<>":
        old = struct.pack(f"{order}II", 0x01234567, 0x089ABCDF)
        content = content.replace(old, struct.pack(f"{order}II", *rational))
    if file_format == "PNG":
        start = content.index(b"eXIf")
        (length,) = struct.unpack(">I", content[start - 4 : start])
        check = zlib.crc32(content[start : start + 4 + length])
        content[start + 4 + length : start + 8 + length] = struct.pack(">I", check)
    assert content != stream.getvalue()
    path = tmp_path / "photo"
    path.write_bytes(content)
    assert photos.read(path).shape == (24, 16, 3)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_training_evaluation_and_prediction_see_the_same_photo(
    tmp_path: pathlib.Path, layout: str, caplog: pytest.LogCaptureFixture
) -> None:
    paths = draw(layout, tmp_path / "raw")
    for path, tag in zip(paths, (6, 1, 3), strict=True):
        store_turned(path, tag)
    builder = prepare(layout, manual_dir=str(tmp_path / "raw"), data_dir=str(tmp_path / "data"))
    stored = stored_images(builder)
    root = next((tmp_path / "raw").glob("[!.]*"))
    assert {str(path.relative_to(root)) for path in paths} == stored.keys()
    for path in paths:
        content = stored[str(path.relative_to(root))]
        with Image.open(io.BytesIO(content)) as image:
            np.testing.assert_array_equal(image, photos.read(path))
            assert orientation.orientation(image) == 1
    # Only what is turned is encoded anew, without loss.
    kept = paths[1]
    assert stored[str(kept.relative_to(root))] == kept.read_bytes()
    (message,) = [r.getMessage() for r in caplog.records if "EXIF" in r.getMessage()]
    assert "2 photos, the first " in message
    # As TFDS decodes them, too.
    for split in builder.info.splits:
        for example in tfds.data_source(layout, split=split, data_dir=str(tmp_path / "data")):
            path = root / example["file_name"].decode()
            difference = example["image"].astype(int) - photos.read(path)
            assert abs(difference).max() <= 2  # it may decode JPEG with another library


def test_the_fingerprint_is_another_only_where_photos_are_turned(tmp_path: pathlib.Path) -> None:
    (path, *_) = draw("lapa", tmp_path / "raw")
    files, contents = ("a.jpg", "a.png"), [path.read_bytes(), b"label"]
    assert fingerprint.upright_digest(files, contents) == fingerprint.content_digest(
        files, contents
    )
    store_turned(path, 6)
    contents = [path.read_bytes(), b"label"]
    assert fingerprint.upright_digest(files, contents) != fingerprint.content_digest(
        files, contents
    )
    before = prepare("lapa", manual_dir=str(tmp_path / "raw"), data_dir=str(tmp_path / "data"))
    # Another place and other times: it is hashed again, and is the same.
    (tmp_path / "raw").rename(tmp_path / "moved")
    again = prepare("lapa", manual_dir=str(tmp_path / "moved"), data_dir=str(tmp_path / "data"))
    assert metadata(before) == metadata(again)


@pytest.mark.parametrize("turned", [False, True])
def test_sets_prepared_before_photos_were_turned(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, turned: bool
) -> None:
    (path, *_) = draw("lapa", tmp_path / "raw")
    raw, data = str(tmp_path / "raw"), str(tmp_path / "data")
    if turned:
        store_turned(path, 6)
    with monkeypatch.context() as old:
        old.setattr(raw_images, "orientation", lambda image: 1)
        old.setattr(raw_images, "upright", lambda image: image)
        old.setattr(fingerprint, "upright_digest", fingerprint.content_digest)
        folder = pathlib.Path(prepare("lapa", manual_dir=raw, data_dir=data).data_dir)
    note = json.loads((folder / "raw_tree.json").read_text())
    (folder / "raw_tree.json").write_text(
        json.dumps({k: v for k, v in note.items() if k not in ("remarks", "sha256")})
    )
    if not turned:
        assert metadata(prepare("lapa", data_dir=data)).fingerprint == note["fingerprint"]
        assert json.loads((folder / "raw_tree.json").read_text())["remarks"] == []
        return
    for manual_dir in (None, raw):
        with pytest.raises(DataError, match=r"lie turned \(.*jpg\).*--rebuild"):
            prepare("lapa", manual_dir=manual_dir, data_dir=data)
    rebuilt = prepare("lapa", manual_dir=raw, data_dir=data, rebuild=True)
    assert metadata(rebuilt).fingerprint != note["fingerprint"]


def test_a_label_that_fits_only_the_stored_photo_is_refused(tmp_path: pathlib.Path) -> None:
    gradient().save(tmp_path / "photo.jpg", exif=exif_of(6))
    photograph = raw_images.check_photograph((tmp_path / "photo.jpg").read_bytes(), tmp_path)
    photo, label = pathlib.Path("photo.jpg"), pathlib.Path("label.png")
    for fitting in ((24, 16), (12, 8)):
        raw_images.check_same_shape(photograph, photo, fitting, label)
    with pytest.raises(DataError, match=r"photo\.jpg.*label\.png.*EXIF orientation 6 turns it"):
        raw_images.check_same_shape(photograph, photo, (16, 24), label)
    with pytest.raises(DataError, match="another aspect ratio"):
        raw_images.check_same_shape(photograph, photo, (16, 16), label)


def test_a_label_with_an_orientation_is_refused(tmp_path: pathlib.Path) -> None:
    draw("lapa", tmp_path / "raw")
    path = next((tmp_path / "raw").rglob("test/labels/*.png"))
    labels = Image.open(path)
    labels.load()
    labels.save(path, exif=exif_of(1))
    prepare("lapa", manual_dir=str(tmp_path / "raw"), data_dir=str(tmp_path / "data"))
    labels.save(path, exif=exif_of(6))
    with pytest.raises(DataError, match=f"{path.name}.*EXIF orientation 6"):
        prepare("lapa", manual_dir=str(tmp_path / "raw"), data_dir=str(tmp_path / "other"))
