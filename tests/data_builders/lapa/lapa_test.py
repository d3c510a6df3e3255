"""LaPa's builder: what it makes of a tiny raw tree, and what it refuses."""

import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from raw_sets import SIZE, Folders, examples, random_labels, save_png, write_lapa
from spoilt_sets import Spoil, check_refused, leave_only_macos_files, nest, recolour, truncate

from fpliif_jax.data_builders.prepare import prepare


def test_lapa(folders: Folders) -> None:
    manual_dir, data_dir = folders
    builder = prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir)
    for split, folder, numbers in (
        ("train", "train", (1, 2, 3)),
        ("validation", "val", (4, 5)),
        ("test", "test", (6,)),
    ):
        found = examples(builder, split)
        assert [example["id"] for example in found] == [f"{n}_0".encode() for n in numbers]
        for n, example in zip(numbers, found, strict=True):
            file_name = f"{folder}/images/{n}_0.jpg"
            assert example["file_name"].decode() == file_name
            np.testing.assert_array_equal(example["label_map"], random_labels(n)[..., None])
            pixels = np.asarray(Image.open(manual_dir / "LaPa" / file_name))
            np.testing.assert_array_equal(example["image"], pixels)
            assert example["image"].dtype == example["label_map"].dtype == np.uint8


def test_image_files_are_stored_as_they_are(folders: Folders) -> None:
    manual_dir, data_dir = folders
    builder = prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir)
    source = builder.as_data_source("test", decoders={"image": tfds.decode.SkipDecoding()})
    assert source[0]["image"] == (manual_dir / "LaPa/test/images/6_0.jpg").read_bytes()


def save_one_bit(path: pathlib.Path) -> None:
    """Saves all zero labels as a greyscale PNG of one bit a pixel."""
    Image.fromarray(np.zeros(SIZE, np.uint8)).convert("1").save(path, format="PNG")


def transpose(path: pathlib.Path) -> None:
    Image.open(path).transpose(Image.Transpose.ROTATE_90).save(path, quality=95)


BAD: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "no mask folder": (
        lambda d: shutil.rmtree(d / "LaPa/val/labels"),
        ("LaPa/val/labels", "missing"),
    ),
    "no image folder": (
        lambda d: shutil.rmtree(d / "LaPa/val/images"),
        ("LaPa/val/images", "missing"),
    ),
    "image without label": (
        lambda d: (d / "LaPa/train/labels/2_0.png").unlink(),
        ("train/images/2_0.jpg", "train/labels/2_0.png"),
    ),
    "label without image": (
        lambda d: (d / "LaPa/train/images/2_0.jpg").unlink(),
        ("train/labels/2_0.png", "train/images/2_0.jpg"),
    ),
    "label of another aspect ratio": (
        lambda d: save_png(d / "LaPa/test/labels/6_0.png", random_labels(6, (12, 12))),
        ("test/images/6_0.jpg", "test/labels/6_0.png", "16 x 12", "12 x 12", "aspect ratio"),
    ),
    "turned image": (
        lambda d: transpose(d / "LaPa/test/images/6_0.jpg"),
        ("test/images/6_0.jpg", "12 x 16", "aspect ratio"),
    ),
    "label id out of range": (
        lambda d: save_png(d / "LaPa/val/labels/4_0.png", np.full(SIZE, 11, np.uint8)),
        ("val/labels/4_0.png", "label id 11", "out of range"),
    ),
    "RGB label": (
        lambda d: recolour(d / "LaPa/val/labels/4_0.png", "RGB"),
        ("val/labels/4_0.png", "8-bit RGB", "greyscale"),
    ),
    "palette label": (
        lambda d: recolour(d / "LaPa/val/labels/4_0.png", "P"),
        ("val/labels/4_0.png", "8-bit palette", "converted"),
    ),
    "label of fewer bits": (
        lambda d: save_one_bit(d / "LaPa/val/labels/4_0.png"),
        ("val/labels/4_0.png", "1-bit greyscale"),
    ),
    "JPEG label": (
        lambda d: shutil.copy(d / "LaPa/val/images/4_0.jpg", d / "LaPa/val/labels/4_0.png"),
        ("val/labels/4_0.png", "not a PNG"),
    ),
    "truncated label": (
        lambda d: truncate(d / "LaPa/val/labels/4_0.png"),
        ("val/labels/4_0.png", "truncated"),
    ),
    "truncated image": (
        lambda d: truncate(d / "LaPa/train/images/3_0.jpg", 0.9),
        ("train/images/3_0.jpg", "truncated"),
    ),
    "empty image": (
        lambda d: truncate(d / "LaPa/train/images/3_0.jpg", 0),
        ("train/images/3_0.jpg", "empty"),
    ),
    "no image at all": (
        lambda d: (d / "LaPa/train/images/3_0.jpg").write_text("<html>404</html>"),
        ("train/images/3_0.jpg", "not a JPEG"),
    ),
    "CMYK image": (
        lambda d: Image.new("CMYK", (16, 12)).save(d / "LaPa/train/images/3_0.jpg"),
        ("train/images/3_0.jpg", "CMYK"),
    ),
    "image with another ending": (
        lambda d: (d / "LaPa/train/images/3_0.jpg").rename(d / "LaPa/train/images/3_0.JPG"),
        ("train/images/3_0.JPG", ".jpg"),
    ),
    "unpacked too deep": (lambda d: nest(d / "LaPa"), ("LaPa/LaPa", "one level too deep")),
    "unpacked into a folder": (
        lambda d: shutil.move(d / "LaPa", d / "LaPa.tar" / "LaPa"),
        ("LaPa.tar/LaPa", "one level too deep", "--manual_dir="),
    ),
    "not unpacked": (
        lambda d: (shutil.rmtree(d / "LaPa"), (d / "LaPa.tar.gz").touch()),
        ("LaPa.tar.gz", "not unpacked"),
    ),
    "one id in two splits": (
        lambda d: (
            shutil.copy(d / "LaPa/train/images/2_0.jpg", d / "LaPa/test/images/2_0.jpg"),
            shutil.copy(d / "LaPa/train/labels/2_0.png", d / "LaPa/test/labels/2_0.png"),
        ),
        ("test/images/2_0.jpg", "train/images/2_0.jpg", "another split"),
    ),
    "only what macOS leaves": (
        lambda d: leave_only_macos_files(d, "LaPa"),
        ("LaPa: there is no such folder", "https://"),
    ),
    "name that is not UTF-8": (
        lambda d: os.rename(
            d / "LaPa/val/images/4_0.jpg", os.fsencode(d) + b"/LaPa/val/images/4\xff.jpg"
        ),
        ("val/images/4\\udcff.jpg", "not UTF-8"),
    ),
    "name of two lines": (
        lambda d: (d / "LaPa/val/images/4_0.jpg").rename(d / "LaPa/val/images/4\n0.jpg"),
        ("val/images/4\\n0.jpg", "no counterpart"),
    ),
    "all splits empty": (
        lambda d: [p.unlink() for p in d.glob("LaPa/*/*/*.*")],
        ("LaPa", "empty", "https://"),
    ),
}


@pytest.mark.parametrize(("spoil", "fragments"), BAD.values(), ids=BAD)
def test_bad_input(folders: Folders, spoil: Spoil, fragments: tuple[str, ...]) -> None:
    check_refused("lapa", folders, spoil, fragments)
