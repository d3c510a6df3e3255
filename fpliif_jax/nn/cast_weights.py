"""Weights of convolutions cast to the type of the activations once, not in every call.

A convolution casts its kernel and bias where it is called: some sixty small kernels of a GPU's program, again in every
microbatch and every image. The values are the same wherever they are cast. So are the gradients, since a convolution is
called once: the gradient of its kernel is one array of the activations' type, cast to float32. The decoder's matrices
are used many times in a call and are cast at every use, so that the gradients of all uses are summed in float32.
"""

from typing import Any

import jax
import jax.numpy as jnp

PyTree = Any


def cast_convolutions(params: PyTree, dtype: Any) -> PyTree:
    """Parameters with kernels and biases of all convolutions in that type.

    Args:
      params: nested dicts of arrays, of a model that calls each of its convolutions once.
      dtype: of the activations.
    """
    if not isinstance(params, dict):
        return params
    if jnp.ndim(params.get("kernel", 0)) == 4:  # [height, width, in, out]
        return {name: leaf.astype(dtype) for name, leaf in params.items()}
    return {name: cast_convolutions(subtree, dtype) for name, subtree in params.items()}


def with_gradients_of(params: PyTree, cast: PyTree) -> PyTree:
    """The values `cast`, whose gradients are those of `params`, in their types."""
    return jax.tree.map(_value_of, params, cast)


@jax.custom_vjp
def _value_of(parameter: jax.Array, cast: jax.Array) -> jax.Array:
    return cast


def _forward(parameter: jax.Array, cast: jax.Array) -> tuple[jax.Array, None]:
    return cast, None


def _backward(_: None, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    return gradient.astype(jnp.float32), jnp.zeros_like(gradient)


_value_of.defvjp(_forward, _backward)
