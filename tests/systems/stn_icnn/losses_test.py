"""Tests of fpliif_jax.systems.stn_icnn.losses, against PyTorch in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from needs_torch import torch

from fpliif_jax.fields import config_fields
from fpliif_jax.systems.stn_icnn import losses

SUM_AND_GRADIENT = jax.jit(jax.value_and_grad(losses.segmentation_sum), static_argnums=3)


def _example(channels: int, scale: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(channels)
    logits = random.normal(scale=scale, size=(3, 5, 4, channels)).astype(np.float32)
    return logits, random.integers(0, channels, (3, 5, 4))


def _torch_sum(logits: np.ndarray, labels: np.ndarray, kind: str) -> tuple[float, np.ndarray]:
    """Sum over pixels and its gradient."""
    inputs = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    truth = torch.from_numpy(labels)
    if kind == "cross_entropy":
        loss = torch.nn.functional.cross_entropy(
            inputs.reshape(-1, logits.shape[-1]), truth.reshape(-1), reduction="sum"
        )
    else:
        one_hot = torch.nn.functional.one_hot(truth, logits.shape[-1]).double()
        loss = torch.nn.functional.binary_cross_entropy(
            inputs.softmax(-1), one_hot, reduction="sum"
        )
        loss = loss / logits.shape[-1]
    loss.backward()
    return loss.item(), inputs.grad.numpy()


@pytest.mark.parametrize("kind", config_fields.FIELDS["loss.segmentation"].rule.values)
@pytest.mark.parametrize("channels", [2, 4, 9])
def test_segmentation_losses_are_pytorchs(kind: str, channels: int) -> None:
    logits, labels = _example(channels)
    found, gradient = SUM_AND_GRADIENT(logits, labels, np.ones(3, np.float32), kind)
    wanted, wanted_gradient = _torch_sum(logits, labels, kind)
    # float32 against float64: 60 terms of rounding 6e-8.
    assert float(found) == pytest.approx(wanted, rel=1e-5)
    np.testing.assert_allclose(gradient, wanted_gradient, rtol=1e-4, atol=1e-6)


def test_binary_cross_entropy_of_a_certain_error_is_its_distance_not_infinite() -> None:
    """log(1 − p) where p rounds to 1: PyTorch's float32 would stop at −100, or at −17."""
    logits = np.array([[[[60, 0, 0]]]], np.float32)
    labels = np.array([[[1]]])
    found, gradient = SUM_AND_GRADIENT(
        logits, labels, np.ones(1, np.float32), "binary_cross_entropy"
    )
    # −log p_1 = 60; −log(1 − p_0) = 60 − log 2; the third is certain enough to cost nothing.
    assert float(found) == pytest.approx((60 + 60 - np.log(2)) / 3, rel=1e-6)
    np.testing.assert_allclose(gradient[0, 0, 0], [2 / 3, -1 / 2, -1 / 6], atol=1e-6)


@pytest.mark.parametrize("kind", config_fields.FIELDS["loss.segmentation"].rule.values)
def test_padding_counts_for_nothing(kind: str) -> None:
    logits, labels = _example(4)
    weights = np.array([1, 0, 1], np.float32)
    logits[1] = np.nan
    found, gradient = SUM_AND_GRADIENT(logits, labels, weights, kind)
    wanted, _ = _torch_sum(logits[[0, 2]], labels[[0, 2]], kind)
    assert float(found) == pytest.approx(wanted, rel=1e-5)
    np.testing.assert_array_equal(gradient[1], 0)


def test_an_unknown_loss_is_named() -> None:
    logits, labels = _example(2)
    with pytest.raises(ValueError, match="loss.segmentation is 'dice'"):
        losses.segmentation_sum(jnp.asarray(logits), jnp.asarray(labels), jnp.ones(3), "dice")


def test_smooth_l1_is_pytorchs() -> None:
    random = np.random.default_rng(0)
    theta, target = (random.normal(size=(3, 6, 2, 3)).astype(np.float32) for _ in range(2))
    found = jax.jit(losses.smooth_l1_sum)(theta, target, np.ones((3, 6), np.float32))
    wanted = torch.nn.functional.smooth_l1_loss(
        torch.from_numpy(theta), torch.from_numpy(target), reduction="sum"
    )
    assert float(found) == pytest.approx(wanted.item(), rel=1e-5)
    assert (np.abs(theta - target) > 1).any() and (np.abs(theta - target) < 1).any()


def test_absent_parts_count_for_nothing() -> None:
    theta, target = (np.full((1, 6, 2, 3), value, np.float32) for value in (0, 1))
    weights = np.array([[1, 0, 1, 1, 0, 1]], np.float32)
    assert float(jax.jit(losses.smooth_l1_sum)(theta, target, weights)) == 4 * 6 * 0.5


def test_a_mean_of_nothing_is_zero() -> None:
    mean = jax.jit(losses.mean)
    assert float(mean(np.float32(0), np.float32(0))) == 0
    assert float(mean(np.float32(3), np.float32(2))) == 1.5
