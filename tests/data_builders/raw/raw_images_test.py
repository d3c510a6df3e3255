"""Images of raw trees as they are read: masks of two values, and pictures that are too large."""

import pathlib

import numpy as np
import pytest
from PIL import Image
from raw_sets import SIZE, Folders, random_labels, write_lapa

from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.prepare import prepare
from fpliif_jax.data_builders.raw import raw_images


@pytest.mark.parametrize("white", [1, 255])
def test_masks_of_two_values(white: int) -> None:
    expected = random_labels(0) > 5
    content = raw_images.encode_png(expected * np.uint8(white))
    found = raw_images.decode_binary_mask(content, pathlib.Path("mask.png"))
    np.testing.assert_array_equal(found, expected)
    for mask in (np.zeros(SIZE, np.uint8), np.full(SIZE, white, np.uint8)):
        found = raw_images.decode_binary_mask(raw_images.encode_png(mask), pathlib.Path("m.png"))
        np.testing.assert_array_equal(found, mask != 0)


@pytest.mark.parametrize("limit", [SIZE[0] * SIZE[1] - 1, SIZE[0] * SIZE[1] // 3])
def test_image_of_too_many_pixels(
    folders: Folders,
    monkeypatch: pytest.MonkeyPatch,
    recwarn: pytest.WarningsRecorder,
    limit: int,
) -> None:
    manual_dir, data_dir = folders
    write_lapa(manual_dir)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(DataError, match=r"1_0\.jpg.* pixels"):
        prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir)
    assert not [w for w in recwarn if w.category is Image.DecompressionBombWarning]
