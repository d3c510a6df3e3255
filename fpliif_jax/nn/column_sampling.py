"""Columns of a grid sampled by an interpolation matrix, without the matrix where that is faster.

A row of a linear interpolation matrix has two entries at most. On GPUs and TPUs the samples are therefore computed
from two neighbouring cells each, which becomes part of whatever is done with them: as the product of two matrices they
would be written to memory and read again. The gradient stays a matrix product: that of a gather is a scatter-add,
whose order of summation on a GPU is not reproducible. CPUs are faster with the product in both directions.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array


def sample_columns(rows: Array, matrix: np.ndarray | Array) -> Array:
    """Rows of cells to rows of samples.

    Args:
      rows: [y, B, j, f].
      matrix: [x, j], of the dtype of `rows`; no row has more than two entries other than 0, side by side. Where they
        stand is known of a NumPy array alone, an array of JAX is multiplied with on all devices.

    Returns:
      float32 [x, y, B, f]: of a matrix product rounded to the dtype of `rows` before.
    """
    if not isinstance(matrix, np.ndarray):
        return by_matrix(rows, matrix)

    @jax.custom_vjp
    def sample(rows: Array) -> Array:
        return jax.lax.platform_dependent(
            rows,
            cpu=functools.partial(by_matrix, matrix=matrix),
            default=functools.partial(by_two_cells, matrix=matrix),
        )

    def forward(rows: Array) -> tuple[Array, None]:
        return sample(rows), None

    def backward(_: None, gradient: Array) -> tuple[Array]:
        gradient = gradient.astype(matrix.dtype)
        return (jnp.einsum("xj,xybf->ybjf", matrix, gradient, precision="highest"),)

    sample.defvjp(forward, backward)
    return sample(rows)


def by_matrix(rows: Array, matrix: np.ndarray | Array) -> Array:
    """`sample_columns` as a matrix product."""
    return jnp.einsum("xj,ybjf->xybf", matrix, rows, precision="highest").astype(jnp.float32)


def by_two_cells(rows: Array, matrix: np.ndarray) -> Array:
    """`sample_columns` from two cells a sample, with the same weights."""
    weights = matrix.astype(np.float32)
    last = weights.shape[1] - 1
    left = np.minimum((weights != 0).argmax(axis=1), max(last - 1, 0))
    right = np.minimum(left + 1, last)
    samples = np.arange(len(weights))
    share = np.where(right > left, weights[samples, right], 0).astype(np.float32)
    columns = jnp.moveaxis(rows, 2, 0)

    def cells(index: np.ndarray, weight: np.ndarray) -> Array:
        values = jnp.take(columns, index, axis=0, mode="clip")
        return values.astype(jnp.float32) * weight[:, None, None, None]

    return cells(left, weights[samples, left]) + cells(right, share)
