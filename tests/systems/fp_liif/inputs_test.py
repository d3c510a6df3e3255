"""Tests of fpliif_jax.systems.fp_liif.inputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from needs_torch import torch

from fpliif_jax.systems.fp_liif import inputs


def test_normalise_scales_as_named_and_keeps_the_dtype() -> None:
    images = np.random.default_rng(0).random((2, 4, 5, 3)).astype(np.float32)
    half = inputs.normalise(jnp.asarray(images), "half")
    assert isinstance(half, jax.Array) and half.dtype == jnp.float32
    np.testing.assert_allclose(half, images * 2 - 1, atol=1e-6)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = (torch.from_numpy(images) - mean) / deviation
    # A few float32 roundings of numbers of at most 3.
    np.testing.assert_allclose(inputs.normalise(images, "imagenet"), expected, atol=1e-6)
    np.testing.assert_array_equal(inputs.normalise(images, "unit"), images)
    jitted = jax.jit(inputs.normalise, static_argnums=1)
    assert jitted(jnp.zeros((1, 1, 3), jnp.bfloat16), "imagenet").dtype == jnp.bfloat16


def test_pixels_are_divided_by_255_and_scaled() -> None:
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    scaled = inputs.network_images(jnp.asarray(pixels), "half")
    assert scaled.dtype == jnp.float32
    # XLA may multiply by the rounded reciprocal.
    np.testing.assert_allclose(scaled, pixels / 127.5 - 1, rtol=0, atol=3e-7)


@pytest.mark.parametrize(
    ("images", "scaling", "message"),
    [
        (np.zeros((2, 2, 3)), "None", "input_scaling is 'None'"),
        (np.zeros((2, 2, 3), np.uint8), "half", "floating point"),
        (np.zeros((3, 2, 2)), "imagenet", r"\[\.\.\., 3\]"),
    ],
)
def test_other_inputs_are_refused(images: np.ndarray, scaling: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        inputs.normalise(images, scaling)
