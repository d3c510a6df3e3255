"""Tests of fpliif_jax/data/resize.py and canvas.py: against Pillow used naively, and against PyTorch."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from needs_torch import torch
from PIL import Image

from fpliif_jax.data import resize
from fpliif_jax.data.canvas import (
    canvas_size,
    canvas_window,
    place_labels_on_canvas,
    place_on_canvas,
)
from fpliif_jax.fields import config_fields

SIZES = [  # (old, new): halved, odd, enlarged, one axis kept, mixed, one pixel wide or high
    ((64, 64), (32, 32)),
    ((51, 37), (32, 32)),
    ((20, 33), (41, 64)),
    ((48, 24), (24, 24)),
    ((24, 48), (24, 24)),
    ((19, 50), (38, 21)),
    ((40, 1), (13, 2)),
    ((1, 7), (5, 3)),
]


def noise_labels(shape: tuple[int, int], num_classes: int = 19, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, num_classes, shape).astype(np.uint8)


def block_labels(shape: tuple[int, int]) -> np.ndarray:
    """Rectangles, some thin, one at the border; most classes are absent."""
    labels = np.zeros(shape, np.uint8)
    height, width = shape
    labels[height // 4 :, width // 3 :] = 1
    labels[height // 2 : height // 2 + 2, :] = 4
    labels[:, -1] = 7
    labels[-height // 5 :, : width // 4] = 18
    return labels


def noise_image(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3)).astype(np.uint8)


def naive_class_bicubic(labels: np.ndarray, size: tuple[int, int], num_classes: int) -> np.ndarray:
    """The definition: the whole map of every class through Pillow, then the lowest argmax."""
    maps = [Image.fromarray((labels == c).astype(np.float32)) for c in range(num_classes)]
    resized = [np.asarray(m.resize(size[::-1], Image.Resampling.BICUBIC)) for m in maps]
    return np.argmax(np.stack(resized), axis=0).astype(np.uint8)


def torch_resize(array_hwc: np.ndarray, size: tuple[int, int], mode: str) -> np.ndarray:
    tensor = torch.from_numpy(array_hwc.astype(np.float64)).permute(2, 0, 1)[None]
    options = {"align_corners": False, "antialias": False} if mode == "bicubic" else {}
    resized = torch.nn.functional.interpolate(tensor, size, mode=mode, **options)
    return resized[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize(("old", "new"), SIZES)
@pytest.mark.parametrize("make", [noise_labels, block_labels])
def test_class_bicubic_is_bit_equal_to_resizing_every_class_whole(
    old: tuple[int, int], new: tuple[int, int], make: Callable[..., object]
) -> None:
    labels = make(old)
    expected = naive_class_bicubic(labels, new, 19)
    np.testing.assert_array_equal(resize.resize_label_map(labels, new, 19), expected)


def test_ties_go_to_the_lowest_class_wherever_it_lies() -> None:
    # Halving two-pixel stripes that start off the grid leaves every pixel exactly half one class.
    for left, right in [(3, 5), (5, 3)]:
        labels = np.where((np.arange(16) // 2 + 1) % 2, left, right).astype(np.uint8)
        shifted = np.tile(np.roll(labels, 1), (16, 1))
        resized = resize.resize_label_map(shifted, (8, 8), 19)
        assert (resized[:, 2:-2] == 3).all()


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_pytorch_bicubic_of_images_is_pytorchs(old: tuple[int, int], new: tuple[int, int]) -> None:
    image = noise_image(old)
    expected = torch_resize(image, new, "bicubic")
    resized = resize.resize_image(image, new, "pytorch")
    # Half a grey level is what rounding to 8 bits may cost; both sides compute in float64.
    assert np.abs(resized - np.clip(expected, 0, 255)).max() <= 0.5 + 1e-9


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_pytorch_class_bicubic_is_the_argmax_of_pytorchs_one_hot_maps(
    old: tuple[int, int], new: tuple[int, int]
) -> None:
    labels = noise_labels(old)
    maps = torch_resize(np.eye(19)[labels], new, "bicubic")
    resized = resize.resize_label_map(labels, new, 19, bicubic="pytorch")
    chosen = np.take_along_axis(maps, resized[..., None].astype(int), axis=-1)[..., 0]
    # Equal classes may be told apart by the last bit, here float32's: compare values, not ids.
    np.testing.assert_allclose(chosen, maps.max(axis=-1), atol=1e-6)
    clear = np.sort(maps, axis=-1)[..., -1] - np.sort(maps, axis=-1)[..., -2] > 1e-6
    np.testing.assert_array_equal(resized[clear], maps.argmax(axis=-1)[clear])


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_nearest_is_pytorchs_nearest_exact(old: tuple[int, int], new: tuple[int, int]) -> None:
    labels = noise_labels(old)
    expected = torch_resize(labels[..., None], new, "nearest-exact")[..., 0]
    resized = resize.resize_label_map(labels, new, 19, "nearest")
    np.testing.assert_array_equal(resized, expected)


def test_pillow_bicubic_of_images_is_pillows_and_antialiased() -> None:
    image = noise_image((60, 45))
    expected = Image.fromarray(image).resize((20, 30), Image.Resampling.BICUBIC)
    resized = resize.resize_image(image, (30, 20), "pillow")
    np.testing.assert_array_equal(resized, expected)
    # A checkerboard of single pixels is above the new sampling rate: antialiasing makes it grey.
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    board = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    inner = resize.resize_image(board, (16, 16), "pillow")[2:-2, 2:-2]
    assert np.abs(inner.astype(int) - 127).max() <= 3


@pytest.mark.parametrize("bicubic", config_fields.FIELDS["data.bicubic"].rule.values)
def test_a_constant_stays_constant_and_the_right_size_stays_untouched(bicubic: str) -> None:
    image = np.full((17, 23, 3), 201, np.uint8)
    assert (resize.resize_image(image, (30, 11), bicubic) == 201).all()
    assert resize.resize_image(image, (17, 23), bicubic) is image
    labels = np.full((17, 23), 6, np.uint8)
    resized = resize.resize_label_map(labels, (30, 11), 11, bicubic=bicubic)
    assert resized.dtype == np.uint8 and resized.shape == (30, 11) and (resized == 6).all()
    assert resize.resize_label_map(labels, (17, 23), 11, bicubic=bicubic) is labels


@pytest.mark.parametrize("method", config_fields.FIELDS["data.label_resize"].rule.values)
@pytest.mark.parametrize("bicubic", config_fields.FIELDS["data.bicubic"].rule.values)
def test_no_new_label_appears(method: str, bicubic: str) -> None:
    labels = np.where(noise_labels((40, 40), 2) == 1, 18, 2).astype(np.uint8)
    resized = resize.resize_label_map(labels, (23, 71), 19, method, bicubic)
    assert set(np.unique(resized)) <= {2, 18}


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((30, 40), 64, (30, 40)),  # never enlarged
        ((64, 64), 64, (64, 64)),
        ((1, 64), 64, (1, 64)),
        ((128, 128), 64, (64, 64)),
        ((65, 64), 64, (64, 63)),  # 63.02
        ((5, 128), 64, (3, 64)),  # 2.5: half up, not to even
        ((128, 3), 64, (64, 2)),  # 1.5
        ((3, 1000), 64, (1, 64)),  # 0.19: at least a pixel
        ((700, 1024), 512, (350, 512)),
    ],
)
def test_a_picture_larger_than_the_canvas_is_reduced_in_proportion(
    size: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    assert canvas_size(size, side) == expected


def test_a_picture_is_centred_on_black_as_it_is() -> None:
    image, labels = noise_image((5, 6)), noise_labels((5, 6), 9)
    canvas, size = place_on_canvas(image, 8)
    assert size == (5, 6)
    by_hand = np.zeros((8, 8, 3), np.uint8)
    by_hand[1:6, 1:7] = image  # margins 1 and 2, 1 and 1
    np.testing.assert_array_equal(canvas, by_hand)
    by_hand = np.zeros((8, 8), np.uint8)
    by_hand[1:6, 1:7] = labels
    np.testing.assert_array_equal(place_labels_on_canvas(labels, 8, size, 9), by_hand)
    rows, columns = canvas_window(8, size)
    assert (rows, columns) == (slice(1, 6), slice(1, 7))


@pytest.mark.parametrize("bicubic", config_fields.FIELDS["data.bicubic"].rule.values)
def test_a_reduced_picture_and_its_smaller_labels_lie_on_each_other(bicubic: str) -> None:
    image, labels = noise_image((60, 90)), noise_labels((30, 45))
    canvas, size = place_on_canvas(image, 50, bicubic)
    assert size == (33, 50)
    window = canvas_window(50, size)
    assert window == (slice(8, 41), slice(0, 50))
    np.testing.assert_array_equal(canvas[window], resize.resize_image(image, (33, 50), bicubic))
    assert canvas.sum() == canvas[window].sum(dtype=int)
    for method in config_fields.FIELDS["data.label_resize"].rule.values:
        placed = place_labels_on_canvas(labels, 50, size, 19, method, bicubic)
        np.testing.assert_array_equal(
            placed[window], resize.resize_label_map(labels, (33, 50), 19, method, bicubic)
        )
        assert placed.dtype == np.uint8 and placed.sum() == placed[window].sum(dtype=int)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: resize.resize_image(noise_image((4, 4)), (2, 2), "pil"), "bicubic is 'pil'"),
        (
            lambda: resize.resize_label_map(noise_labels((4, 4)), (2, 2), 19, "bilinear"),
            "label_resize is 'bilinear'.*class_bicubic, nearest",
        ),
        (lambda: resize.resize_image(noise_labels((4, 4)), (2, 2)), r"\[H, W, 3\]"),
        (lambda: resize.resize_image(noise_image((4, 4)), (0, 2)), "at least 1"),
        (lambda: resize.resize_label_map(np.zeros((4, 4), int), (2, 2), 19), "uint8"),
        (lambda: canvas_window(8, (9, 4)), r"9 x 4 is larger than a canvas of 8"),
        (lambda: canvas_window(8, (0, 4)), "at least 1"),
        (lambda: place_on_canvas(noise_image((4, 4)), 0), "at least 1"),
        (lambda: place_on_canvas(noise_labels((4, 4)), 8), r"\[H, W, 3\]"),
        (lambda: place_on_canvas(noise_image((4, 4)), 8, "pil"), "bicubic is 'pil'"),
        (
            lambda: resize.resize_label_map(np.full((4, 4), 255, np.uint8), (2, 2), 19),
            "label 255 is none of the 19 classes",
        ),
    ],
)
def test_bad_arguments_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_importing_it_does_not_import_jax() -> None:
    code = "import sys, fpliif_jax.data.canvas; sys.exit('jax' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
