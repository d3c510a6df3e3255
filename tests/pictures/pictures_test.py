"""Tests of fpliif_jax.pictures: what a person or another program gets from the picture files."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from class_lists import CELEBAMASK_HQ, LAPA
from PIL import Image, ImageDraw

from fpliif_jax.data_builders.class_names import class_title
from fpliif_jax.pictures.colours import NO_CLASS_COLOUR, WRONG_COLOUR, class_colours
from fpliif_jax.pictures.label_maps import overlay, palette_image, save_image
from fpliif_jax.pictures.sheet import prediction_sheet


def cielab(colours: Sequence) -> np.ndarray:
    """sRGB of 0…255 to CIE L*a*b* (D65)."""
    srgb = np.asarray(colours) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = linear @ to_xyz.T / to_xyz.sum(axis=1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def colour_of(class_names: Sequence[str], name: str) -> tuple[int, ...]:
    return tuple(class_colours(class_names)[class_names.index(name)].tolist())


@pytest.mark.parametrize(
    ("class_names", "distance"),
    [  # about 2 is just noticeable side by side
        (LAPA, 20),
        (CELEBAMASK_HQ, 20),
        ([f"part{i}" for i in range(19)], 20),
        ([*CELEBAMASK_HQ, *(f"part{i}" for i in range(21))], 20),
        (["background", *(f"part{i}" for i in range(254))], 10),
    ],
)
def test_any_two_classes_can_be_told_apart(class_names: Sequence[str], distance: float) -> None:
    colours = class_colours(class_names)
    assert colours.shape == (len(class_names), 3) and colours.dtype == np.uint8
    lab = cielab([*colours, NO_CLASS_COLOUR])
    distances = np.linalg.norm(lab[:, None] - lab, axis=-1) + 1e3 * np.eye(len(lab))
    assert distances.min() >= distance
    with pytest.raises(ValueError, match="256 classes: a label map has at most 255"):
        class_colours([f"part{i}" for i in range(256)])


@pytest.mark.parametrize(
    ("lapa", "celebamask_hq"),
    [
        ("background", "background"),
        ("skin", "skin"),
        ("hair", "hair"),
        ("nose", "nose"),
        ("left_eye", "r_eye"),  # both on the left of the picture
        ("right_eye", "l_eye"),
        ("left_brow", "r_brow"),
        ("right_brow", "l_brow"),
        ("upper_lip", "u_lip"),
        ("inner_mouth", "mouth"),
        ("lower_lip", "l_lip"),
    ],
)
def test_a_part_has_one_colour_in_every_data_set(lapa: str, celebamask_hq: str) -> None:
    assert colour_of(LAPA, lapa) == colour_of(CELEBAMASK_HQ, celebamask_hq)


def test_unknown_classes_get_colours_that_are_left() -> None:
    colours = class_colours(["background", "beard", "skin", "moustache"])
    assert len(np.unique(colours, axis=0)) == 4
    assert tuple(colours[2].tolist()) == colour_of(LAPA, "skin")


def test_the_value_of_a_palette_pixel_is_the_class_and_its_colour_the_classs(
    tmp_path: pathlib.Path,
) -> None:
    labels = np.arange(20, dtype=np.uint8).reshape(4, 5)
    labels[3, 4] = 255  # ignored
    save_image(palette_image(labels, CELEBAMASK_HQ), tmp_path / "labels.png")
    with Image.open(tmp_path / "labels.png") as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(picture, labels)
        shown = np.asarray(picture.convert("RGB"))
    np.testing.assert_array_equal(shown.reshape(20, 3)[:19], class_colours(CELEBAMASK_HQ))
    assert tuple(shown[3, 4]) == NO_CLASS_COLOUR


def test_overlay_blends_leaves_background_clear_and_marks_borders() -> None:
    photo = np.full((8, 12, 3), (10, 120, 250), np.uint8)
    labels = np.zeros((8, 12), np.uint8)
    labels[2:6, 3:9] = 10
    blended = overlay(photo, labels, LAPA, alpha=0.25)
    assert blended.dtype == np.uint8 and blended.shape == photo.shape
    np.testing.assert_array_equal(blended[:2], photo[:2])
    hair = np.array(colour_of(LAPA, "hair"))
    # A quarter in 8 bits, and a rounding of the result.
    np.testing.assert_allclose(blended[4, 5], 0.75 * photo[0, 0] + 0.25 * hair, atol=1.5)
    assert blended[2:6, 3].mean() > blended[2:6, 5].mean() + 20  # the light line
    np.testing.assert_array_equal(overlay(photo, labels, LAPA, alpha=0), photo)
    with pytest.raises(ValueError, match=r"photo \[8, 12, 3\].*\[8, 11\]"):
        overlay(photo, labels[:, :-1], LAPA)
    with pytest.raises(ValueError, match="alpha = 2"):
        overlay(photo, labels, LAPA, alpha=2)


def count(path: pathlib.Path, colour: Sequence[int]) -> int:
    with Image.open(path) as picture:
        return int((np.asarray(picture.convert("RGB")) == colour).all(axis=-1).sum())


def test_sheet_shows_truth_prediction_differences_and_legend(tmp_path: pathlib.Path) -> None:
    truth = np.zeros((64, 64), np.uint8)
    truth[:, 32:] = 10
    prediction = truth.copy()
    prediction[:16] = 6  # a quarter of the pixels, all wrong
    image = np.full((128, 128, 3), 200, np.uint8)  # twice the label maps' size, as CelebAMask-HQ
    path = tmp_path / "made" / "sheet.png"
    arguments = [image], [truth], [prediction], LAPA, path
    prediction_sheet(*arguments, titles=["one"], tile_size=128)
    tile = 128 * 128
    # 1000: swatches of the legend and antialiased edges.
    assert count(path, colour_of(LAPA, "hair")) == pytest.approx(tile * (1 / 2 + 3 / 8), abs=1000)
    assert count(path, colour_of(LAPA, "nose")) == pytest.approx(tile / 4, abs=1000)
    assert count(path, WRONG_COLOUR) == pytest.approx(tile / 4, abs=300)
    for name in LAPA:
        assert count(path, colour_of(LAPA, name)) >= 100  # a swatch at least

    # What is ignored is no difference.
    prediction_sheet(*arguments[:1], [np.where(prediction == 6, 255, truth).astype("u1")],
                              *arguments[2:], tile_size=128)  # fmt: skip
    assert count(path, WRONG_COLOUR) == 0
    assert count(path, NO_CLASS_COLOUR) == pytest.approx(tile / 4, abs=1000)


@pytest.mark.parametrize(
    ("names", "ignored", "more"),
    [
        (LAPA, 10, []),
        (LAPA, 255, ["not counted"]),
        (CELEBAMASK_HQ, 18, ["left and right are the person's, not the picture's"]),
    ],
)
def test_the_legend_has_the_classes_as_they_are_read(
    names: Sequence[str],
    ignored: int,
    more: list[str],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[str] = []
    write = ImageDraw.ImageDraw.text

    def note(draw: ImageDraw.ImageDraw, place: Any, text: str, *rest: Any, **options: Any) -> None:
        written.append(text)
        write(draw, place, text, *rest, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", note)
    truth = np.full((8, 8), ignored, np.uint8)
    image = np.zeros((8, 8, 3), np.uint8)
    prediction_sheet([image], [truth], [np.zeros_like(truth)], names, tmp_path / "sheet.png")
    titles = [class_title(name) for name in names]
    assert "left brow" in titles and set(written) >= {*titles, *more}
    noted = {"not counted", "left and right are the person's, not the picture's"}
    assert noted & set(written) == set(more)


def test_sheet_keeps_proportions_and_cuts_long_titles(tmp_path: pathlib.Path) -> None:
    images = [np.zeros((40, 20, 3), np.uint8), np.zeros((10, 90, 3), np.uint8)]
    truths = [np.zeros((40, 20), np.uint8), np.zeros((10, 90), np.uint8)]
    sizes = []
    for titles in (None, ["x" * 5000, "第\n二"]):
        path = tmp_path / "sheet.png"
        prediction_sheet(images, truths, truths, LAPA, path, titles, tile_size=64)
        sizes.append(Image.open(path).size)
    assert sizes[0] == sizes[1]


def test_sheet_refuses_what_does_not_belong_together(tmp_path: pathlib.Path) -> None:
    image, labels = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8)
    path = tmp_path / "sheet.png"
    with pytest.raises(ValueError, match="1, 2, 1, 1"):
        prediction_sheet([image], [labels] * 2, [labels], LAPA, path)
    with pytest.raises(ValueError, match="at least one"):
        prediction_sheet([], [], [], LAPA, path)
    with pytest.raises(ValueError, match=r"prediction \[2, 4\].*truth's size \[4, 4\]"):
        prediction_sheet([image], [labels], [labels[:2]], LAPA, path)
    assert not path.exists()


def test_saving_replaces_at_once_or_not_at_all(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "picture.png"
    save_image(Image.new("RGB", (2, 2), "red"), path)
    before = path.read_bytes()

    def disk_full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", disk_full)
    with pytest.raises(OSError, match="no space"):
        save_image(Image.new("RGB", (2, 2), "blue"), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["picture.png"]
