"""Losses against PyTorch's cross-entropy, edge maps against SciPy's filters."""

import functools

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest
from needs_torch import torch
from scipy import ndimage

from fpliif_jax.fields import config_fields
from fpliif_jax.systems.fp_liif import losses
from fpliif_jax.systems.protocol import IGNORE_LABEL

# float32 sums of a few thousand terms in another order than PyTorch's.
RTOL = 2e-6
# softmax − one-hot loses its small entries to float32's 6e-8 of the largest.
CANCELLATION = 1e-6


def loss_config(**changes: object) -> ml_collections.FrozenConfigDict:
    config = {
        "temperature": 0.5,
        "temperature_mode": "divide",
        "edge_weight": 40.0,
        "edge_width": 1,
        "edge_reduction": "edge_pixels",
    }
    return ml_collections.FrozenConfigDict({**config, **changes})


def blobs(
    seed: int, batch: int, height: int, width: int, classes: int, smoothness: float = 2
) -> np.ndarray:
    """Label maps with regions rather than noise, and some ignored pixels."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(
        rng.normal(size=(batch, height, width, classes)), (0, smoothness, smoothness, 0)
    )
    labels = smooth.argmax(-1).astype(np.int32)
    labels[rng.random(labels.shape) < 0.05] = IGNORE_LABEL
    return labels


def example(seed: int = 0, batch: int = 4, classes: int = 5) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(batch, 12, 17, classes)).astype(np.float32) * 3
    weights = rng.integers(1, 4, batch).astype(np.float32)
    return logits, blobs(seed, batch, 12, 17, classes), weights


def scipy_edges(labels: np.ndarray, width: int) -> np.ndarray:
    """Edges of one label map [H, W] by comparing the extremes of labelled neighbours."""
    labelled = labels != IGNORE_LABEL
    highest = ndimage.maximum_filter(np.where(labelled, labels, -1), 3, mode="constant", cval=-1)
    lowest = ndimage.minimum_filter(np.where(labelled, labels, 999), 3, mode="constant", cval=999)
    edges = labelled & (highest != lowest)
    if width > 1:
        edges = ndimage.binary_dilation(edges, np.ones((3, 3)), iterations=width - 1)
    return edges & labelled


@functools.partial(jax.jit, static_argnums=3)
def whole_loss(
    logits: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    config: ml_collections.FrozenConfigDict,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    sums = losses.loss_sums(logits, labels, weights, config)
    counts = losses.loss_normalisers(labels, weights, config)
    return losses.total_loss(sums, counts, config)


loss_and_gradient = jax.jit(jax.value_and_grad(whole_loss, has_aux=True), static_argnums=3)
normalisers = jax.jit(losses.loss_normalisers, static_argnums=2)
edge_map = jax.jit(losses.edge_map, static_argnums=1)


def torch_loss(
    logits: torch.Tensor,
    labels: np.ndarray,
    weights: np.ndarray,
    config: ml_collections.ConfigDict,
) -> torch.Tensor:
    scale = {"divide": 1 / config.temperature, "multiply": config.temperature, "none": 1.0}
    cross_entropy = torch.nn.functional.cross_entropy(
        (logits * scale[config.temperature_mode]).permute(0, 3, 1, 2),
        torch.from_numpy(labels.astype(np.int64)),
        ignore_index=IGNORE_LABEL,
        reduction="none",
    )
    weight = torch.from_numpy(weights)[:, None, None]
    labelled = torch.from_numpy(labels != IGNORE_LABEL) * weight
    edges = np.stack([scipy_edges(one, config.edge_width) for one in labels])
    edges = torch.from_numpy(edges) * weight
    divisor = edges if config.edge_reduction == "edge_pixels" else labelled
    mean = (cross_entropy * labelled).sum() / labelled.sum()
    return mean + config.edge_weight * (cross_entropy * edges).sum() / divisor.sum()


def test_edges_of_a_hand_made_label_map() -> None:
    labels = np.zeros((1, 5, 6), np.int32)
    labels[0, 2, 2] = 7
    expected = np.zeros((5, 6), bool)
    expected[1:4, 1:4] = True
    np.testing.assert_array_equal(edge_map(labels, 1)[0], expected)
    expected[0:5, 0:5] = True
    np.testing.assert_array_equal(edge_map(labels, 2)[0], expected)


def test_the_border_of_the_image_is_no_edge() -> None:
    assert not np.asarray(edge_map(np.full((1, 4, 4), 3, np.int32), 3)).any()


def test_an_ignored_pixel_is_no_edge_and_makes_none() -> None:
    labels = np.full((1, 5, 5), 2, np.int32)
    labels[0, 2, 2] = IGNORE_LABEL
    assert not np.asarray(edge_map(labels, 1)).any()
    labels[0, 2, 3] = 4
    edges = np.asarray(edge_map(labels, 2))[0]
    assert edges[2, 3] and edges[1, 1] and not edges[2, 2]


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("dtype", [np.int32, np.uint8])
def test_edges_match_scipy(width: int, dtype: type) -> None:
    labels = blobs(seed=width, batch=3, height=60, width=71, classes=6, smoothness=5)
    expected = np.stack([scipy_edges(one, width) for one in labels])
    assert 0.05 < expected.mean() < 0.95
    np.testing.assert_array_equal(edge_map(labels.astype(dtype), width), expected)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"temperature_mode": "multiply"},
        {"temperature_mode": "none"},
        {"edge_width": 3, "edge_weight": 10.0},
        {"edge_reduction": "all_pixels"},
        {"edge_weight": 0.0},
    ],
)
def test_loss_and_gradient_match_pytorch(changes: dict[str, object]) -> None:
    logits, labels, weights = example()
    config = loss_config(**changes)
    (loss, _), gradient = loss_and_gradient(logits, labels, weights, config)
    reference = torch.from_numpy(logits).requires_grad_()
    expected = torch_loss(reference, labels, weights, config)
    expected.backward()
    np.testing.assert_allclose(loss, expected.detach().numpy(), rtol=RTOL)
    expected_gradient = reference.grad.numpy()
    atol = CANCELLATION * np.abs(expected_gradient).max()
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-5, atol=atol)


def test_parts_of_the_loss_add_up() -> None:
    logits, labels, weights = example()
    config = loss_config(edge_weight=7.0)
    loss, parts = whole_loss(logits, labels, weights, config)
    assert set(parts) == {"cross_entropy", "edge_cross_entropy"}
    expected = parts["cross_entropy"] + 7.0 * parts["edge_cross_entropy"]
    np.testing.assert_allclose(loss, expected, rtol=1e-7)


def test_parts_of_a_batch_add_up_to_the_batch() -> None:
    logits, labels, weights = example(batch=5)
    config = loss_config()
    (whole, _), whole_gradient = loss_and_gradient(logits, labels, weights, config)
    pieces = [slice(0, 1), slice(1, 3), slice(3, 5)]
    counts = [normalisers(labels[p], weights[p], config) for p in pieces]
    counts = jax.tree.map(lambda *parts: np.sum(parts), *counts)

    @jax.jit
    @jax.value_and_grad
    def part_loss(x: jax.Array, labels: jax.Array, weights: jax.Array) -> jax.Array:
        return losses.total_loss(losses.loss_sums(x, labels, weights, config), counts, config)[0]

    parts = [part_loss(logits[p], labels[p], weights[p]) for p in pieces]
    np.testing.assert_allclose(sum(value for value, _ in parts), whole, rtol=RTOL)
    gradients = np.concatenate([gradient for _, gradient in parts])
    largest = np.abs(whole_gradient).max()
    np.testing.assert_allclose(gradients, whole_gradient, rtol=1e-5, atol=CANCELLATION * largest)


@pytest.mark.parametrize("padding", [3.0, np.nan, np.inf])
def test_padding_changes_neither_loss_nor_gradient(padding: float) -> None:
    logits, labels, weights = example()
    config = loss_config()
    expected = whole_loss(logits, labels, weights, config)[0]
    logits = np.concatenate([logits, np.full_like(logits[:2], padding)])
    labels = np.concatenate([labels, labels[:2][:, ::-1]])
    weights = np.concatenate([weights, [0, 0]]).astype(np.float32)
    (loss, _), gradient = loss_and_gradient(logits, labels, weights, config)
    np.testing.assert_allclose(loss, expected, rtol=RTOL)
    np.testing.assert_array_equal(gradient[4:], 0.0)
    assert np.isfinite(gradient).all() and np.abs(gradient[:4]).max() > 0


@pytest.mark.parametrize("reduction", config_fields.FIELDS["loss.edge_reduction"].rule.values)
@pytest.mark.parametrize("case", ["no edges", "nothing labelled", "only padding"])
def test_a_term_without_pixels_is_zero(case: str, reduction: str) -> None:
    logits, labels, weights = example()
    if case == "no edges":
        labels = np.full_like(labels, 2)
    elif case == "nothing labelled":
        labels = np.full_like(labels, IGNORE_LABEL)
    else:
        weights = np.zeros_like(weights)
    config = loss_config(edge_reduction=reduction)
    (loss, parts), gradient = loss_and_gradient(logits, labels, weights, config)
    assert parts["edge_cross_entropy"] == 0.0
    assert np.isfinite(gradient).all()
    if case == "no edges":
        assert loss == parts["cross_entropy"] > 0
    else:
        assert loss == 0.0
        np.testing.assert_array_equal(gradient, 0.0)


def test_the_gradient_of_a_term_without_pixels_is_zero_in_its_sum() -> None:
    zero = jnp.float32(0)
    sums = {"cross_entropy": zero, "edge_cross_entropy": zero}
    counts = {"pixels": zero, "edge_pixels": zero}
    gradient = jax.jit(jax.grad(lambda s: losses.total_loss(s, counts, loss_config())[0]))(sums)
    assert gradient == sums


def test_counts_are_weighted_and_depend_on_labels_only() -> None:
    labels = np.zeros((3, 4, 4), np.int32)
    labels[:, 0, 0], labels[:, 3, 3] = IGNORE_LABEL, 1
    counts = normalisers(labels, np.array([1, 0.5, 0], np.float32), loss_config())
    assert counts["pixels"] == 1.5 * 15
    assert counts["edge_pixels"] == 1.5 * 4
    assert counts["pixels"].dtype == counts["edge_pixels"].dtype == jnp.float32


def test_half_precision_logits_are_reduced_in_float32() -> None:
    logits, labels, weights = example()
    config = loss_config()
    half = jnp.asarray(logits).astype(jnp.bfloat16)
    loss, parts = whole_loss(half, labels, weights, config)
    expected, _ = whole_loss(half.astype(jnp.float32), labels, weights, config)
    assert loss.dtype == parts["cross_entropy"].dtype == jnp.float32
    np.testing.assert_allclose(loss, expected, rtol=RTOL)


def test_huge_logits_stay_finite() -> None:
    _, labels, weights = example()
    logits = np.zeros((*labels.shape, 5), np.float32)
    logits[..., 0] = 1e4
    (loss, _), gradient = loss_and_gradient(logits, labels, weights, loss_config())
    assert np.isfinite(loss) and np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature_mode": "times"}, r"loss\.temperature_mode is 'times'.*divide, multiply"),
        ({"edge_reduction": "sum"}, r"loss\.edge_reduction is 'sum'.*edge_pixels, all_pixels"),
        ({"temperature": 0.0}, r"loss\.temperature is 0\.0"),
        ({"edge_width": 0}, r"loss\.edge_width is 0"),
        ({"edge_width": 101}, r"loss\.edge_width is 101; it must be at most 100"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        whole_loss(*example(), loss_config(**changes))
