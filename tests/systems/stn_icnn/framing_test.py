"""Tests of fpliif_jax.systems.stn_icnn.framing, against PyTorch and Pillow."""

import jax
import numpy as np
import pytest
from needs_torch import torch
from PIL import Image

from fpliif_jax.systems.stn_icnn import framing

coarse_images = jax.jit(framing.coarse_images, static_argnums=(2, 3, 4))
coarse_labels = jax.jit(framing.coarse_labels, static_argnums=(2, 3))

SIDE = 40
SIZES = ((40, 40), (31, 22), (24, 37), (7, 40))


def _canvases() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    canvas = np.zeros((len(SIZES), SIDE, SIDE, 3), np.float32)
    labels = np.zeros((len(SIZES), SIDE, SIDE), np.int32)
    for index, (height, width) in enumerate(SIZES):
        top, left = (SIDE - height) // 2, (SIDE - width) // 2
        window = index, slice(top, top + height), slice(left, left + width)
        canvas[window] = random.random((height, width, 3))
        labels[window] = random.integers(0, 9, (height, width))
    return canvas, labels, np.array(SIZES, np.int32)


def _image(canvas: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    top, left = ((SIDE - length) // 2 for length in size)
    return canvas[top : top + size[0], left : left + size[1]]


@pytest.mark.parametrize("alignment", ["half_pixel", "corners"])
@pytest.mark.parametrize("size", [16, 40, 64])
def test_images_are_squeezed_as_by_pytorch(alignment: str, size: int) -> None:
    canvas, _, sizes = _canvases()
    found = coarse_images(canvas, sizes, size, alignment, "image")
    for index, image_size in enumerate(SIZES):
        image = torch.from_numpy(_image(canvas[index], image_size)).permute(2, 0, 1)[None]
        wanted = torch.nn.functional.interpolate(
            image, (size, size), mode="bilinear", align_corners=alignment == "corners"
        )
        # Positions of up to 40 pixels in float32: 4e-6 of a pixel.
        np.testing.assert_allclose(found[index], wanted[0].permute(1, 2, 0), atol=2e-5)


def test_the_canvas_can_be_squeezed_with_its_padding() -> None:
    canvas, labels, sizes = _canvases()
    found = coarse_images(canvas, sizes, 40, "corners", "canvas")
    np.testing.assert_allclose(found, canvas, atol=2e-5)
    found = coarse_labels(labels, sizes, 40, "canvas")
    np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize("size", [16, 40, 64])
def test_labels_are_squeezed_as_by_pillow(size: int) -> None:
    _, labels, sizes = _canvases()
    found = coarse_labels(labels, sizes, size, "image")
    for index, image_size in enumerate(SIZES):
        image = Image.fromarray(_image(labels[index], image_size).astype(np.uint8))
        wanted = image.resize((size, size), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(found[index], np.asarray(wanted))


def test_padding_examples_are_finite() -> None:
    nothing = np.zeros((1, SIDE, SIDE, 3), np.float32), np.zeros((1, 2), np.int32)
    for alignment in ("half_pixel", "corners"):
        assert not np.asarray(coarse_images(*nothing, 16, alignment, "image")).any()


def test_the_image_is_where_it_was_placed() -> None:
    canvas, _, sizes = _canvases()
    found = np.asarray(jax.jit(framing.is_image, static_argnums=1)(sizes, SIDE))
    np.testing.assert_array_equal(found.sum(axis=(1, 2)), [h * w for h, w in SIZES])
    assert (canvas[~found] == 0).all()
