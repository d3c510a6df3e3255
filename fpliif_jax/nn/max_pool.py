"""Max pooling of stride 2: written for training on CPUs, and named for whoever reads a traced function."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Array = jax.Array

PADDING = {2: 0, 3: 1}  # by side of the window
SIZE_OF_CALL = {f"max_pool_{size}": size for size in PADDING}


def max_pool(features: Array, size: int) -> Array:
    """Halves [B, H, W, c]: windows of 2 without padding, or of 3 with a padding of 1; stride 2.

    Of equal values the first in reading order has the gradient, as in PyTorch. Written as comparisons of
    shifted slices, for the gradient of `nn.max_pool` is slow on CPUs. In a jaxpr, under `jax.vmap` too, it is a
    call with a name of `SIZE_OF_CALL`, so that an export knows it as a pool; XLA inlines it.
    """
    return _POOLS[size](features)


def _named(name: str, size: int) -> Callable[[Array], Array]:
    """`max_pool` of a size, as a call of that name."""

    def pool(features: Array) -> Array:
        pads = (PADDING[size], PADDING[size])
        padded = jnp.pad(features, ((0, 0), pads, pads, (0, 0)), constant_values=-jnp.inf)
        for axis in (2, 1):
            count = (padded.shape[axis] - size) // 2 + 1
            shifted = [
                jax.lax.slice_in_dim(padded, start, start + 2 * count - 1, 2, axis=axis)
                for start in range(size)
            ]
            padded = shifted[0]
            for other in shifted[1:]:
                padded = jnp.where(padded >= other, padded, other)
        return padded

    pool.__name__ = name
    return jax.jit(pool)


_POOLS = {size: _named(name, size) for name, size in SIZE_OF_CALL.items()}
