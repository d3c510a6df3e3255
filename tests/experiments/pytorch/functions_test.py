"""Augmentation, loss and metrics of experiments/pytorch beside those of fpliif_jax, on the same draws."""

import itertools

import jax
import numpy as np
import pytest
from needs_torch import torch

from fpliif_jax.configs import fp_liif
from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.pytorch import augment as torch_augment
from fpliif_jax.experiments.pytorch import losses as torch_losses
from fpliif_jax.experiments.pytorch import protocols as torch_protocols
from fpliif_jax.experiments.pytorch.color_jitter import color_jitter
from fpliif_jax.experiments.pytorch.step import normalise, to_images
from fpliif_jax.systems.fp_liif import augment, inputs, losses, protocols
from fpliif_jax.systems.fp_liif.color_jitter import color_jitter as jax_color_jitter
from fpliif_jax.systems.labeller import NO_LABEL
from fpliif_jax.systems.protocol import IGNORE_LABEL

CLASSES = 11
FLIP = (0, 1, 3, 2, 5, 4, 6, 7, 8, 9, 10)
SIZE, EXAMPLES = 64, 24


def faces() -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [B, S, S, 3] of smooth colours, and label maps int32 [B, S, S] of blocks, some ignored."""
    random = np.random.default_rng(0)
    coarse = torch.from_numpy(random.random((EXAMPLES, 3, 9, 9), dtype=np.float32))
    smooth = torch.nn.functional.interpolate(coarse, (SIZE, SIZE), mode="bicubic").clamp(0, 1)
    images = (255 * smooth).permute(0, 2, 3, 1).round().byte().numpy()
    labels = random.integers(0, CLASSES + 1, (EXAMPLES, 8, 8)).repeat(8, 1).repeat(8, 2)
    return images, np.where(labels == CLASSES, IGNORE_LABEL, labels).astype(np.int32)


@pytest.mark.parametrize(
    "changes",
    [{}, {"horizontal_flip": True, "fill": "ignore", "crop": "centred"}],
    ids=["default", "flip, ignore, centred"],
)
def test_the_same_draws_make_the_same_of_an_example(changes: dict[str, object]) -> None:
    """JAX's source positions are fixed-point numbers, up to 0.002 pixels from PyTorch's at 64²."""
    config = fp_liif.get_config().augment
    config.update(changes)
    images, labels = faces()
    epochs, ids = np.full(EXAMPLES, 3, np.int32), np.arange(EXAMPLES, dtype=np.int32)
    options = {"ignore_label": IGNORE_LABEL, "flip_classes": FLIP}
    batch = {"seed": np.full(EXAMPLES, 7, np.int32), "epoch": epochs, "example_ids": ids}
    wanted, wanted_labels = jax.jit(
        lambda images, labels: augment.augment_batch(batch, images, labels, config, **options)
    )(np.float32(images) / 255, labels)
    draws = torch_augment.make_sampler(7, SIZE, config)(epochs, ids)
    assert (draws.geometry.flip > 0).any() == config.horizontal_flip
    found, found_labels = torch_augment.augment(
        draws,
        to_images(images, torch.device("cpu")),
        torch.from_numpy(labels).long(),
        config,
        FLIP,
    )
    assert found.dtype == torch.float32 and found_labels.dtype == torch.int64
    difference = np.abs(found.permute(0, 2, 3, 1).numpy() - np.asarray(wanted))
    # 0.002 pixels times 0.1, the most that neighbours differ by, is doubled by contrast. At the border of the
    # picture neighbours differ by up to 1: a few pixels of it.
    assert np.mean(difference > 1e-3) < 1e-3
    assert difference.max() < 0.02
    # A label may be another one only where a position ties: 0.002 pixels of each, in y and in x.
    assert np.mean(found_labels.numpy() != np.asarray(wanted_labels)) < 0.008
    assert set(np.unique(found_labels)) <= {*range(CLASSES), IGNORE_LABEL}


def test_colours_are_adjusted_as_by_jax_in_every_order() -> None:
    """All 24 orders; grey pixels and pure colours among the random ones."""
    random = np.random.default_rng(1)
    orders = np.array(list(itertools.permutations(range(4))), np.int32)
    images = random.random((24, 3, 16, 16), dtype=np.float32)
    images[:, :, 0] = images[:, :1, 0]
    images[:, :, 1] = images[:, :, 1].round()
    low, high = np.array([[0.5, 0.0, 0.5, -0.3], [1.5, 2.0, 1.5, 0.3]], np.float32)
    factors = low + (high - low) * random.random((24, 4), dtype=np.float32)
    wanted = jax.jit(jax.vmap(jax_color_jitter))(images, factors, orders)
    found = color_jitter(*map(torch.from_numpy, (images, factors, orders)))
    # Some 20 float32 operations on values up to 6 (sixths of a turn), doubled by contrast.
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("width", [1, 2, 4])
def test_edges_are_the_same_pixels(width: int) -> None:
    random = np.random.default_rng(width)
    labels = np.where(random.random((5, 40, 33)) < 0.02, random.integers(1, 4, (5, 40, 33)), 0)
    labels[random.random(labels.shape) < 0.01] = IGNORE_LABEL
    found = torch_losses.edge_map(torch.from_numpy(labels), width)
    assert 0.05 < found.float().mean() < 0.95
    np.testing.assert_array_equal(found, losses.edge_map(labels, width))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"temperature_mode": "multiply", "edge_width": 2},
        {"temperature_mode": "none", "edge_reduction": "all_pixels", "edge_weight": 10.0},
    ],
)
def test_losses_and_their_gradients_are_the_same(changes: dict[str, object]) -> None:
    config = fp_liif.get_config().loss
    config.update(changes)
    _, labels = faces()
    labels, weights = labels[:4], np.array([1, 1, 0.25, 0], np.float32)
    logits = np.random.default_rng(2).normal(size=(4, SIZE, SIZE, CLASSES)).astype(np.float32)

    def loss(logits: jax.Array) -> tuple[jax.Array, dict]:
        counts = losses.loss_normalisers(labels, weights, config)
        sums = losses.loss_sums(logits, labels, weights, config)
        return losses.total_loss(sums, counts, config)

    (wanted, parts), gradient = jax.value_and_grad(loss, has_aux=True)(logits)
    planar = torch.from_numpy(logits).permute(0, 3, 1, 2).requires_grad_()
    targets = torch.from_numpy(labels).long(), torch.from_numpy(weights)
    counts = torch_losses.pixel_counts(*targets, config)
    found = torch_losses.loss_terms(planar, *targets, counts, config)
    found["loss"].backward()
    # Sums of 16,000 float32 numbers in another order.
    for name, value in {"loss": wanted, **parts}.items():
        assert found[name].item() == pytest.approx(float(value), rel=1e-5)
    np.testing.assert_allclose(
        planar.grad.permute(0, 2, 3, 1), gradient, rtol=1e-5, atol=1e-6 * np.abs(gradient).max()
    )


def test_without_pixels_or_edges_a_term_is_zero() -> None:
    config = fp_liif.get_config().loss
    logits, weights = torch.randn(2, 3, 8, 8, requires_grad=True), torch.ones(2)
    for label, number in ((IGNORE_LABEL, 2), (1, 1)):
        labels = torch.full((2, 8, 8), label)
        counts = torch_losses.pixel_counts(labels, weights, config)
        found = torch_losses.loss_terms(logits, labels, weights, counts, config)
        found["loss"].backward()
        assert sum(value.item() == 0 for value in found.values()) == number + (number == 2)
    assert logits.grad.isfinite().all()


def test_confusion_matrices_are_those_of_jax() -> None:
    random = np.random.default_rng(3)
    truth, labels = random.integers(0, CLASSES, (2, 6, 30, 30)).astype(np.int32)
    truth[random.random(truth.shape) < 0.1] = IGNORE_LABEL
    found = torch_protocols.confusion_matrices(truth, labels, CLASSES)
    wanted = metrics.confusion_matrices(truth, labels, CLASSES)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("upsampling", ["logits", "labels"])
@pytest.mark.parametrize("size", [4, 8])
def test_images_of_values_that_are_no_numbers_are_marked(upsampling: str, size: int) -> None:
    logits = torch.zeros(2, CLASSES, 4, 4)
    logits[1, 3, 2, 2] = torch.nan
    labels = torch_protocols.predict_labels(logits, size, upsampling).numpy()
    of_jax = protocols.predict_labels(logits.movedim(1, -1).numpy(), (size, size), upsampling)
    for found in (labels, of_jax):
        np.testing.assert_array_equal((found == NO_LABEL).any(axis=(1, 2)), [False, True])
    matrices = torch_protocols.confusion_matrices(np.zeros_like(labels), labels, CLASSES)
    assert matrices[0].sum() == size**2 and (matrices[1] == -1).all()


@pytest.mark.parametrize("upsampling", ["logits", "labels"])
@pytest.mark.parametrize(("size", "scored_at"), [(24, 32), (8, 32), (32, 32), (32, 24)])
def test_label_maps_are_resized_as_by_jax(upsampling: str, size: int, scored_at: int) -> None:
    logits = np.random.default_rng(4).normal(size=(2, size, size, 5)).astype(np.float32)
    wanted = protocols.predict_labels(logits, (scored_at, scored_at), upsampling)
    planar = torch.from_numpy(logits).permute(0, 3, 1, 2)
    found = torch_protocols.predict_labels(planar, scored_at, upsampling)
    # Two interpolated logits may tie but for rounding.
    assert np.mean(found.numpy() != np.asarray(wanted)) < 1e-3


@pytest.mark.parametrize("scaling", ["half", "imagenet", "unit"])
def test_images_are_scaled_as_by_jax(scaling: str) -> None:
    images, _ = faces()
    wanted = inputs.normalise(np.float32(images) / 255, scaling)
    found = normalise(to_images(images, torch.device("cpu")), scaling)
    np.testing.assert_allclose(found.permute(0, 2, 3, 1), wanted, rtol=0, atol=1e-6)
