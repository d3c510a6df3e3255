"""Pixels as networks take them."""

import jax
import jax.numpy as jnp


def to_unit_range(pixels: jax.Array) -> jax.Array:
    """uint8 of any shape -> float32 in [0, 1]."""
    return pixels.astype(jnp.float32) / jnp.float32(255)
