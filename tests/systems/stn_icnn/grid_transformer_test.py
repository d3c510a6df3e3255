"""Crops and their inverse against slices, PyTorch and hand-made cases."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import literal_stn_icnn as literal
import numpy as np
import pytest
from needs_torch import torch

from fpliif_jax.data.facial_parts import PART_LABELS
from fpliif_jax.systems.stn_icnn import grid_transformer, theta_forms
from fpliif_jax.systems.stn_icnn.grid_transformer import part_targets

functional = torch.nn.functional


def compiled(function: Callable[..., Any], *settings: str) -> Callable[..., Any]:
    """As in the model, where it is a part of one program: op by op each shape takes dozens."""
    return jax.jit(function, static_argnames=settings)


crop_images = compiled(grid_transformer.crop_images, "size", "form")
crop_labels = compiled(grid_transformer.crop_labels, "size", "form")
map_back = compiled(grid_transformer.map_back, "side", "form")
theta_of_centres = compiled(theta_forms.theta_of_centres, "size", "side", "form")
# A position p on a canvas is rounded to p · 6e-8: to 4e-6 pixels at 64², 6e-5 at 1024², and there is
# one on each axis. Neighbouring pixels differ by 1 at most.
TOLERANCE = 1e-4
FORMS = ("align_corners", "eq21_half_pixel")


def slices(canvas: np.ndarray, centres: np.ndarray, size: int) -> np.ndarray:
    """Windows [B, N, size, size, …] of a canvas that goes on in zeros."""
    margin = 2 * max(canvas.shape[1:3])
    padded = np.pad(
        canvas, [(0, 0), (margin, margin), (margin, margin)] + [(0, 0)] * (canvas.ndim - 3)
    )
    half = size // 2
    return np.stack(
        [
            [
                image[y - half + margin :, x - half + margin :][:size, :size]
                for y, x in example.astype(int)
            ]
            for image, example in zip(padded, centres, strict=True)
        ]
    )


def random_centres(rng: np.random.Generator, batch: int, side: int) -> np.ndarray:
    """Six whole pixels of each image; windows around the first two stick out, at opposite corners."""
    centres = rng.integers(0, side, (batch, 6, 2)).astype(np.float32)
    centres[:, 0], centres[:, 1] = (0, 3), (side - 1, side - 4)
    return centres


def random_theta(seed: int, batch: int, largest_scale: float = 1.2) -> np.ndarray:
    """Some windows are larger than the canvas, mirrored, or partly outside."""
    rng = np.random.default_rng(seed)
    theta = np.zeros((batch, 6, 2, 3), np.float32)
    signs = rng.choice([-1, 1, 1], (2, batch, 6))
    theta[..., 0, 0], theta[..., 1, 1] = rng.uniform(0.05, largest_scale, (2, batch, 6)) * signs
    theta[..., 2] = rng.uniform(-1.1, 1.1, (batch, 6, 2))
    return theta


def window(scale: float, y: float, x: float) -> np.ndarray:
    return np.array([[scale, 0, x], [0, scale, y]], np.float32)


# ----------------------------------------------------------------------------------------- crops


@pytest.mark.parametrize(("side", "size"), [(64, 21), (50, 63), (1024, 81)])
def test_an_odd_crop_around_a_whole_pixel_is_a_slice(side: int, size: int) -> None:
    rng = np.random.default_rng(0)
    # Where positions are rounded to 6e-5 pixels on two axes, neighbours half the range apart at most.
    largest = 256 if side < 1000 else 128
    pixels = rng.integers(0, largest, (2, side, side, 3), dtype=np.uint8)
    centres = random_centres(rng, 2, side)
    theta = theta_of_centres(jnp.asarray(centres), size, side)
    expected = slices(pixels, centres, size)
    assert (expected == 0).mean() > 0.1  # what sticks out
    crops = np.asarray(crop_images(jnp.asarray(pixels / np.float32(255)), theta, size))
    np.testing.assert_allclose(crops, expected / 255.0, rtol=0, atol=TOLERANCE)
    np.testing.assert_array_equal(np.round(crops * 255), expected)

    labels = rng.integers(0, 9, (2, side, side), dtype=np.int32)
    cropped = crop_labels(jnp.asarray(labels), theta, size)
    assert cropped.dtype == jnp.int32
    np.testing.assert_array_equal(cropped, slices(labels, centres, size))


def test_an_even_crop_and_the_printed_formula_are_not_slices() -> None:
    rng = np.random.default_rng(1)
    canvas = rng.random((1, 64, 64, 3), np.float32)
    centres = jnp.asarray(random_centres(rng, 1, 64))
    for size, form in ((20, "align_corners"), (21, "eq21")):
        crops = crop_images(jnp.asarray(canvas), theta_of_centres(centres, size, 64, form), size)
        for centre in (centres, centres + 1):  # whichever of the two middle pixels counts
            difference = np.abs(crops - slices(canvas, np.asarray(centre), size))
            assert difference.mean() > 0.1


@pytest.mark.parametrize(
    ("side", "size"), [(1024, 81), (1024, 255), (512, 127), (512, 255), (64, 21)]
)
def test_equation_21_with_pixels_centred_at_a_half_gives_slices_bit_for_bit(
    side: int, size: int
) -> None:
    """§3.3, Fig. 7 and 8: the difference "is all zero" for odd crops; even ones are interpolated."""
    rng = np.random.default_rng(20)
    canvas = rng.random((2, side, side, 1), np.float32)
    centres = random_centres(rng, 2, side)
    form = "eq21_half_pixel"
    theta = theta_of_centres(jnp.asarray(centres), size, side, form)
    # Eq. 21 as printed, for x = c + ½.
    np.testing.assert_array_equal(theta[..., 0, 0], np.float32(size / side))
    np.testing.assert_array_equal(theta[..., 1, 2], -1 + 2 * (centres[..., 0] + 0.5) / side)
    expected = slices(canvas, centres, size)
    assert (expected == 0).any()  # some windows stick out
    np.testing.assert_array_equal(crop_images(canvas, theta, size, form), expected)
    images, by_torch = literal.channels_first(canvas), torch.tensor(np.asarray(theta))
    sampled = literal.crop(images, by_torch, size, align_corners=False)
    np.testing.assert_array_equal(literal.channels_last(sampled), expected)
    labels = rng.integers(1, 9, (2, side, side), dtype=np.int32)
    cropped = crop_labels(jnp.asarray(labels), theta, size, form)
    np.testing.assert_array_equal(cropped, slices(labels, centres, size))

    even = size - 1
    theta = theta_of_centres(jnp.asarray(centres), even, side, form)
    crops = np.asarray(crop_images(canvas, theta, even, form))
    sampled = literal.crop(images, torch.tensor(np.asarray(theta)), even, align_corners=False)
    # Half way between pixels, but for the rounding of positions.
    np.testing.assert_allclose(crops, literal.channels_last(sampled), rtol=0, atol=TOLERANCE)
    for moved in (centres, centres + 1):
        assert np.abs(crops - slices(canvas, moved, even)).mean() > 0.1


def test_the_other_readings_of_equation_21_are_other_crops() -> None:
    """Sampled with aligned corners it is no slice, and with pixels centred at whole numbers the even are."""
    rng = np.random.default_rng(21)
    canvas = rng.random((1, 512, 512, 1), np.float32)
    centres = rng.integers(130, 380, (1, 6, 2)).astype(np.float32)
    for size in (126, 127):
        theta = theta_of_centres(jnp.asarray(centres), size, 512, "eq21")
        aligned = np.asarray(crop_images(jnp.asarray(canvas), theta, size, "eq21"))
        same = np.asarray(crop_images(jnp.asarray(canvas), theta, size, "align_corners"))
        np.testing.assert_array_equal(aligned, same)
        half = np.asarray(crop_images(jnp.asarray(canvas), theta, size, "eq21_half_pixel"))
        difference = np.abs(half - slices(canvas, centres, size))
        assert np.abs(aligned - slices(canvas, centres, size)).max() > 0.5
        assert (difference.max() == 0) == (size == 126)


def test_an_unknown_form_is_refused() -> None:
    canvas, theta = jnp.ones((1, 8, 8, 1)), jnp.asarray(random_theta(0, 1))
    with pytest.raises(ValueError, match="eq21, eq21_half_pixel"):
        crop_images(canvas, theta, 5, "half_pixel")
    with pytest.raises(ValueError, match="eq21, eq21_half_pixel"):
        theta_of_centres(jnp.zeros((1, 6, 2)), 5, 8, "half_pixel")


def test_parts_of_several_sizes_are_each_their_own_crop() -> None:
    rng = np.random.default_rng(22)
    canvas = jnp.asarray(rng.random((2, 64, 64, 3), np.float32))
    centres = random_centres(rng, 2, 64)
    sizes = (9, 9, 9, 9, 9, 21)
    for form in FORMS:
        theta = theta_of_centres(jnp.asarray(centres), sizes, 64, form)
        crops = grid_transformer.crop_parts(crop_images, canvas, theta, sizes, form)
        for part, (size, crop) in enumerate(zip(sizes, crops, strict=True)):
            expected = slices(np.asarray(canvas), centres[:, part : part + 1], size)[:, 0]
            np.testing.assert_allclose(crop, expected, rtol=0, atol=TOLERANCE)


def test_crops_look_where_affine_grid_does() -> None:
    """A canvas whose values are its positions shows them, also of a window that is not square."""
    height, width, size = 40, 56, 17
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    theta = random_theta(2, 3, largest_scale=0.3)
    theta[..., 2] *= 0.5
    canvas = np.broadcast_to(np.stack([rows, columns], -1), (3, height, width, 2))
    crops = crop_images(jnp.asarray(canvas), jnp.asarray(theta), size)
    for part in range(6):
        grid = functional.affine_grid(
            torch.from_numpy(theta[:, part]), [3, 1, size, size], align_corners=True
        ).numpy()
        expected = (grid[..., ::-1] + 1) / 2 * (height - 1, width - 1)
        np.testing.assert_allclose(crops[:, part], expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(("seed", "form"), [(3, FORMS[0]), (4, FORMS[0]), (3, FORMS[1])])
def test_crops_are_those_of_grid_sample(seed: int, form: str) -> None:
    align_corners = form == "align_corners"
    rng = np.random.default_rng(seed)
    canvas = rng.random((3, 44, 57, 3), np.float32)
    labels = rng.integers(1, 9, (3, 44, 57), dtype=np.int32)
    theta = random_theta(seed, 3)
    expected = literal.crop(
        literal.channels_first(canvas), torch.from_numpy(theta), 20, "bilinear", align_corners
    )
    crops = crop_images(jnp.asarray(canvas), jnp.asarray(theta), 20, form)
    np.testing.assert_allclose(crops, literal.channels_last(expected), rtol=0, atol=TOLERANCE)

    images = torch.from_numpy(labels[:, None].astype(np.float32))
    nearest = literal.crop(images, torch.from_numpy(theta), 20, "nearest", align_corners)
    nearest = nearest[:, :, 0].numpy()
    assert (nearest == 0).mean() > 0.1
    found = crop_labels(jnp.asarray(labels), jnp.asarray(theta), 20, form)
    # A position half way between two pixels, within its rounding, may go to either.
    decided = literal.is_decided(theta, 20, (44, 57), TOLERANCE, align_corners)
    assert decided.mean() > 0.99
    np.testing.assert_array_equal(np.asarray(found)[decided], nearest[decided])


def test_halves_go_to_even_pixels_as_in_grid_sample() -> None:
    """A crop of 9 over a canvas of 5 looks at every half pixel."""
    labels = np.arange(1, 26, dtype=np.int32).reshape(1, 5, 5)
    theta = np.broadcast_to(window(1, 0, 0), (1, 1, 2, 3))
    images = torch.from_numpy(labels[:, None].astype(np.float32))
    expected = literal.crop(images, torch.tensor(theta), 9, "nearest")[:, :, 0].numpy()
    found = np.asarray(crop_labels(jnp.asarray(labels), jnp.asarray(theta), 9))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found[0, 0, 0], [1, 1, 2, 3, 3, 3, 4, 5, 5])


def test_windows_outside_the_canvas_are_empty() -> None:
    canvas, labels = jnp.ones((1, 16, 16, 3)), jnp.ones((1, 16, 16), jnp.int32)
    far = [(0.2, 3, 0), (0.2, 0, -3), (0.2, 1e30, 0), (0.2, 0, -np.inf), (1e-3, -1.5, 1.5)]
    theta = jnp.asarray(np.stack([window(*values) for values in far])[None])
    assert not crop_images(canvas, theta, 9).any()
    assert not crop_labels(labels, theta, 9).any()
    one_pixel = jnp.asarray(window(0, 0.2, 0.2)[None, None])
    np.testing.assert_allclose(crop_images(canvas, one_pixel, 9), 1, rtol=1e-6)
    assert (crop_labels(labels, one_pixel, 9) == 1).all()


def test_the_gradient_with_respect_to_theta_is_that_of_grid_sample() -> None:
    rng = np.random.default_rng(5)
    canvas = rng.random((2, 30, 34, 3), np.float32)
    weights = rng.normal(size=(2, 6, 11, 11, 3)).astype(np.float32)
    theta = random_theta(5, 2)
    gradient = jax.grad(
        lambda theta: jnp.sum(crop_images(jnp.asarray(canvas), theta, 11) * weights)
    )(jnp.asarray(theta))
    leaf = torch.tensor(theta, requires_grad=True)
    crops = literal.crop(literal.channels_first(canvas), leaf, 11).movedim(2, -1)
    (crops * torch.from_numpy(weights)).sum().backward()
    used = np.array([[1, 0, 1], [0, 1, 1]])
    expected = leaf.grad.numpy() * used
    # Sums of 400 terms of up to 17 (half the pixels of a side).
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=2e-4 * np.abs(expected).max())


# ------------------------------------------------------------------------------------- map-back


def random_probabilities(seed: int, batch: int, size: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    logits = [rng.normal(size=(batch, size, size, 1 + len(own))) for own in PART_LABELS]
    return tuple(np.asarray(jax.nn.softmax(2 * x, axis=-1), np.float32) for x in logits)


@pytest.mark.parametrize("form", FORMS)
def test_map_back_after_a_crop_is_the_identity_inside_the_window_and_background_outside(
    form: str,
) -> None:
    side, sizes = 61, (15, 15, 15, 15, 15, 25)
    centres = np.array([[[0, 0], [30, 30], [60, 55], [12, 40], [40, 12], [7, 53]]], np.float32)
    theta = theta_of_centres(jnp.asarray(centres), sizes, side, form)
    rng = np.random.default_rng(6)
    labels = rng.integers(0, 9, (1, side, side), dtype=np.int32)
    targets = part_targets(
        grid_transformer.crop_parts(crop_labels, jnp.asarray(labels), theta, sizes, form)
    )
    one_hot = tuple(
        jax.nn.one_hot(target, 1 + len(own))
        for target, own in zip(targets, PART_LABELS, strict=True)
    )
    mapped = np.asarray(map_back(one_hot, theta, side, form))
    assert (mapped.shape, mapped.dtype) == ((1, side, side, 9), np.float32)
    expected = np.zeros((1, side, side, 9), np.float32)
    for (y, x), own, size in zip(centres[0].astype(int), PART_LABELS, sizes, strict=True):
        inside, half = np.zeros((side, side), bool), size // 2
        inside[max(y - half, 0) : y + half + 1, max(x - half, 0) : x + half + 1] = True
        for label in own:
            expected[0, ..., label] = inside & (labels[0] == label)
    expected[..., 0] = 1 - expected[..., 1:].sum(axis=-1)
    np.testing.assert_array_equal(mapped, expected)


@pytest.mark.parametrize(("seed", "form"), [(7, FORMS[0]), (8, FORMS[0]), (7, FORMS[1])])
def test_map_back_is_that_of_the_inverse_matrix(seed: int, form: str) -> None:
    """Windows here overlap, are mirrored, and leave the canvas."""
    probabilities, theta = random_probabilities(seed, 2, 21), random_theta(seed, 2)
    found = map_back(tuple(map(jnp.asarray, probabilities)), jnp.asarray(theta), 70, form)
    maps = [literal.channels_first(values) for values in probabilities]
    is_aligned = form == "align_corners"
    mapped = literal.map_back(maps, torch.from_numpy(theta), 70, is_aligned)
    expected = literal.channels_last(mapped)
    # As for crops, a position half way between two pixels may go to either. Positions on the smallest windows are
    # differences of numbers around 400 pixels.
    decided = literal.is_decided_back(theta, 21, 70, 10 * TOLERANCE, is_aligned)
    assert decided.mean() > 0.9
    np.testing.assert_allclose(np.asarray(found)[decided], expected[decided], rtol=0, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_edges_of_windows_are_those_of_the_pixels_that_map_back_covers(form: str) -> None:
    theta = np.stack([window(scale, x, y) for scale, x, y in (
        (0.2, -0.5, 0.1), (0.31, 0.7, -0.6), (-0.2, 0.3, 0.3), (0.1, 0, 0), (0.4, 0.1, 0.2), (0.15, -0.3, -0.7),
    )])[None]  # fmt: skip
    sizes, side = (9, 9, 9, 9, 9, 13), 64
    ones = [
        jnp.ones((1, size, size, 1 + len(own)))
        for size, own in zip(sizes, PART_LABELS, strict=True)
    ]
    mapped = np.asarray(map_back(tuple(ones), jnp.asarray(theta), side, form))[0]
    edges = np.asarray(theta_forms.edges_of_theta(jnp.asarray(theta), sizes, side, form))[0]
    centres = np.arange(side) + 0.5
    for (top, left, bottom, right), own in zip(edges, PART_LABELS, strict=True):
        rows, columns = (
            (centres > first) & (centres < last) for first, last in ((top, bottom), (left, right))
        )
        np.testing.assert_array_equal(mapped[..., own[0]], rows[:, None] & columns)


def test_overlapping_windows_multiply_their_backgrounds() -> None:
    probabilities = tuple(
        jnp.broadcast_to(jnp.asarray([0.5, *[0.5 / len(own)] * len(own)]), (1, 9, 9, 1 + len(own)))
        for own in PART_LABELS
    )
    nose = window(0.5, 0, 0.5)
    theta = np.stack([window(0.1, -0.8, -0.8)] * 4 + [nose, window(0.5, 0, 0)])
    mapped = np.asarray(map_back(probabilities, jnp.asarray(theta[None]), 41))[0]
    mouth_only, both, none = mapped[20, 12], mapped[20, 25], mapped[20, 2]
    np.testing.assert_allclose(mouth_only, [0.5, 0, 0, 0, 0, 0, *[0.5 / 3] * 3], rtol=1e-6)
    np.testing.assert_allclose(both, [0.25, 0, 0, 0, 0, 0.5, *[0.5 / 3] * 3], rtol=1e-6)
    np.testing.assert_array_equal(none, [1, 0, 0, 0, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("value", [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40])
def test_a_theta_without_an_inverse_covers_no_pixel(value: float) -> None:
    probabilities = tuple(map(jnp.asarray, random_probabilities(9, 1, 9)))
    usable = np.stack([window(0.5, 0, 0)] * 6)[None]
    whole = np.asarray(map_back(probabilities, jnp.asarray(usable), 21))
    entries = [(0, 0), (1, 1)] if abs(value) < 1 else [(0, 0), (1, 1), (0, 2), (1, 2)]
    for row, column in entries:
        theta = usable.copy()
        theta[0, 4, row, column] = value
        mapped = np.asarray(map_back(probabilities, jnp.asarray(theta), 21))
        assert not mapped[..., 5].any()
        others = [1, 2, 3, 4, 6, 7, 8]
        np.testing.assert_array_equal(mapped[..., others], whole[..., others])
        assert np.isfinite(mapped).all()
    outside = np.stack([window(0.3, 0, 2)] * 6)[None]
    mapped = np.asarray(map_back(probabilities, jnp.asarray(outside), 21))
    assert (mapped[..., 0] == 1).all() and not mapped[..., 1:].any()


def test_targets_of_the_parts() -> None:
    """Of all labels, each part has its own."""
    labels = jnp.broadcast_to(jnp.arange(9)[:, None], (1, 9, 9))
    targets = part_targets([labels] * 6)
    expected = np.zeros((6, 9), int)
    for part in range(5):
        expected[part, part + 1] = 1
    expected[5, 6:] = (1, 2, 3)
    assert len(targets) == 6
    for target, column in zip(targets, expected, strict=True):
        assert target.dtype == jnp.int32
        np.testing.assert_array_equal(target, np.broadcast_to(column[:, None], (1, 9, 9)))


def test_theta_outside_its_four_entries_is_not_read() -> None:
    theta = random_theta(12, 1)
    changed = theta.copy()
    changed[..., 0, 1], changed[..., 1, 0] = 0.7, np.nan
    canvas = jnp.asarray(np.random.default_rng(12).random((1, 20, 20, 3), np.float32))
    for function in (
        lambda theta: crop_images(canvas, theta, 9),
        lambda theta: map_back(tuple(map(jnp.asarray, random_probabilities(1, 1, 9))), theta, 20),
        lambda theta: theta_forms.centres_of_theta(theta, 20),
    ):
        np.testing.assert_array_equal(function(jnp.asarray(theta)), function(jnp.asarray(changed)))
