"""The warp against SciPy, PyTorch and hand-made cases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from needs_torch import torch
from scipy import ndimage

from fpliif_jax.nn import warp
from fpliif_jax.nn.warp import Geometry

FILL = 255

# Source positions are rounded to 2**-17 pixels after coefficients of 2**-16: below .002 pixels at
# 64², and neighbouring pixels differ by at most 1.
POSITION = 0.002


def example(seed: int = 0, size: int = 32) -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(seed)
    image = rng.random((size, size, 3), dtype=np.float32)
    labels = rng.integers(0, 11, (size, size), dtype=np.int32)
    return jnp.asarray(image), jnp.asarray(labels)


def geometry(
    rotation: float = 0.0,
    shear: float = 0.0,
    scale: float = 1.0,
    offset: tuple[float, float] = (0.0, 0.0),
    flip: float = 0.0,
) -> Geometry:
    """Degrees, and the offset (y, x) in pixels."""
    values = (np.deg2rad(rotation), np.deg2rad(shear), scale, *offset, flip)
    return Geometry(*(jnp.float32(value) for value in values))


def forward_matrix(g: Geometry, size: int) -> np.ndarray:
    """The composition as homogeneous 3×3 matrices on (x, y) in pixels from the upper left corner,
    mapping source to output."""

    def translation(x: float, y: float) -> np.ndarray:
        return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)

    rotation, shear, scale, offset_y, offset_x, flip = (float(value) for value in g)
    cos, sin = np.cos(rotation), np.sin(rotation)
    rotate = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    shear_x = np.array([[1, -np.tan(shear), 0], [0, 1, 0], [0, 0, 1]])
    window = translation(-offset_x, -offset_y)
    mirror = np.diag([1 - 2 * flip, 1, 1])
    centre = translation(size / 2, size / 2)
    resize = np.diag([scale, scale, 1])
    return centre @ window @ rotate @ resize @ shear_x @ mirror @ np.linalg.inv(centre)


WARPS = [
    geometry(rotation=17.0),
    geometry(shear=20.0),
    geometry(scale=2.3, offset=(29.12, -16.64)),
    geometry(scale=0.57, offset=(-12.7968, 8.3936)),
    geometry(rotation=-30.0, shear=12.0, scale=0.8, offset=(1.92, 5.76)),
    geometry(rotation=25.0, shear=7.0, scale=3.0, offset=(-32.0, -51.2), flip=1.0),
]


@pytest.mark.parametrize("size", [32, 33])
def test_a_right_angle_turns_clockwise(size: int) -> None:
    image, labels = example(size=size)
    planes, turned = warp.warp(geometry(rotation=90.0), image, labels, 0)
    np.testing.assert_array_equal(turned, np.rot90(labels, -1))
    np.testing.assert_array_equal(planes, np.rot90(image, -1).transpose(2, 0, 1))


def test_shear_moves_the_upper_half_to_the_right() -> None:
    labels = jnp.zeros((32, 32), jnp.int32).at[:, 16].set(1)
    _, sheared = warp.warp(geometry(shear=20.0), jnp.zeros((32, 32, 3)), labels, 0)
    columns = np.asarray(sheared).argmax(axis=1)
    assert columns[0] == 16 + round(15.5 * np.tan(np.deg2rad(20)))
    assert columns[31] == 16 - round(15.5 * np.tan(np.deg2rad(20)))


def test_doubling_repeats_the_pixels_of_a_corner() -> None:
    image, labels = example()
    _, corner = warp.warp(geometry(scale=2.0, offset=(-16.0, 16.0)), image, labels, 0)
    expected = np.repeat(np.repeat(labels[:16, 16:], 2, axis=0), 2, axis=1)
    np.testing.assert_array_equal(corner, expected)


@pytest.mark.parametrize("offset", [(-8.0, -8.0), (8.0, -8.0), (0.0, 8.0)])
def test_halving_keeps_the_whole_canvas_in_the_window(offset: tuple[float, float]) -> None:
    labels = jnp.full((32, 32), 4, jnp.int32)
    _, small = warp.warp(geometry(scale=0.5, offset=offset), jnp.ones((32, 32, 3)), labels, 9)
    rows, columns = np.nonzero(np.asarray(small) == 4)
    top, left = (round(8 - o) for o in offset)
    assert (rows.min(), rows.max() + 1) == (top, top + 16)
    assert (columns.min(), columns.max() + 1) == (left, left + 16)
    assert (np.asarray(small) == 9).sum() == 32 * 32 - 16 * 16


def test_an_offset_moves_the_picture_the_other_way_by_whole_pixels() -> None:
    image, labels = example()
    planes, moved = warp.warp(geometry(offset=(3.0, -5.0)), image, labels, FILL)
    expected = np.full((32, 32), FILL)
    expected[:-3, 5:] = labels[3:, :-5]
    np.testing.assert_array_equal(moved, expected)
    np.testing.assert_array_equal(planes[:, :-3, 5:], np.moveaxis(image[3:, :-5], -1, 0))
    assert not np.asarray(planes)[:, -3:].any() and not np.asarray(planes)[:, :, :5].any()


@pytest.mark.parametrize(
    "g",
    [
        geometry(45.0, scale=0.1, offset=(750.0, 750.0)),
        geometry(-135.0, scale=0.1, offset=(750.0, -750.0)),
    ],
)
def test_positions_near_the_largest_do_not_wrap_around(g: Geometry) -> None:
    size = 750
    y, x = (np.asarray(p) / 2**17 for p in warp.source_positions(g, size))
    inverse = np.linalg.inv(forward_matrix(g, size))
    rows, columns = np.mgrid[:size, :size] + 0.5
    expected = np.einsum("ij,jyx->iyx", inverse, np.stack([columns, rows, np.ones_like(rows)]))
    assert 0.9 * warp.LARGEST_POSITION < np.abs(expected).max() < warp.LARGEST_POSITION
    # Coefficients rounded to 2**-16, float32 coefficients and offsets of 24 bits: below .02 pixels.
    np.testing.assert_allclose(x, expected[0] - 0.5, atol=0.02)
    np.testing.assert_allclose(y, expected[1] - 0.5, atol=0.02)


@pytest.mark.parametrize("g", WARPS)
def test_positions_match_the_matrix_composition(g: Geometry) -> None:
    size = 64
    y, x = (np.asarray(p) / 2**17 for p in warp.source_positions(g, size))
    inverse = np.linalg.inv(forward_matrix(g, size))
    rows, columns = np.mgrid[:size, :size] + 0.5
    expected = np.einsum("ij,jyx->iyx", inverse, np.stack([columns, rows, np.ones_like(rows)]))
    np.testing.assert_allclose(x, expected[0] - 0.5, atol=POSITION)
    np.testing.assert_allclose(y, expected[1] - 0.5, atol=POSITION)


@pytest.mark.parametrize("g", WARPS)
def test_warps_match_pytorch_grid_sampling(g: Geometry) -> None:
    size = 64
    image, labels = example(size=size)
    planes, new_labels = warp.warp(g, image, labels, 0)
    # PyTorch's theta maps output to source, both in [-1, 1] over the pixels' outer borders.
    to_unit = np.array([[2 / size, 0, -1], [0, 2 / size, -1], [0, 0, 1]])
    theta = to_unit @ np.linalg.inv(forward_matrix(g, size)) @ np.linalg.inv(to_unit)
    theta = torch.from_numpy(theta[None, :2])
    grid = torch.nn.functional.affine_grid(theta, [1, 1, size, size], align_corners=False)

    def sample(source: np.ndarray, mode: str) -> np.ndarray:
        planar = torch.from_numpy(np.array(source, np.float64))[None]
        return torch.nn.functional.grid_sample(
            planar, grid, mode, padding_mode="zeros", align_corners=False
        )[0].numpy()

    expected = sample(np.moveaxis(image, -1, 0), "bilinear")
    # Bilinear values move by at most one unit a pixel, in y and in x.
    np.testing.assert_allclose(planes, expected, atol=2 * POSITION)
    differing = np.asarray(new_labels) != sample(np.asarray(labels)[None], "nearest")[0]
    # Only within POSITION of the middle between two pixels, in y or in x: 4 · POSITION of them.
    assert differing.mean() < 4 * POSITION


@pytest.mark.parametrize("g", WARPS)
def test_label_maps_match_scipy(g: Geometry) -> None:
    size = 64
    _, labels = example(size=size)
    _, result = warp.warp(g, jnp.zeros((size, size, 3)), labels, FILL)
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])  # SciPy's order is (row, column)
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # and its integers are pixel centres
    to_centre = np.linalg.inv(half) @ swap @ np.linalg.inv(forward_matrix(g, size)) @ swap @ half
    expected = ndimage.affine_transform(
        np.asarray(labels), to_centre, order=0, mode="grid-constant", cval=FILL
    )
    assert (np.asarray(result) != expected).mean() < 4 * POSITION


def test_the_key_does_not_depend_on_the_default_generator() -> None:
    expected = jax.random.key_data(warp.example_key(3, 1, 2))
    with jax.default_prng_impl("rbg"):
        np.testing.assert_array_equal(jax.random.key_data(warp.example_key(3, 1, 2)), expected)
