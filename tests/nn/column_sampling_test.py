"""Columns from two cells each are those of the matrix product, and so is their gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fpliif_jax.nn import column_sampling, grid_sampling


def example(cells: int, queries: int, sampling: str = "bilinear") -> tuple[jax.Array, np.ndarray]:
    shifted = grid_sampling.shifted(grid_sampling.cell_centres(queries), -1 / cells)
    matrix = grid_sampling.interpolation_matrix(shifted, cells, sampling)
    rows = np.random.default_rng(cells).normal(size=(3, 2, cells, 5)).astype(np.float32)
    return jnp.asarray(rows), matrix


@pytest.mark.parametrize("sampling", ["bilinear", "nearest"])
@pytest.mark.parametrize(
    ("cells", "queries"), [(1, 1), (1, 4), (2, 5), (16, 64), (5, 64), (64, 64), (64, 7)]
)
def test_two_cells_are_the_product(cells: int, queries: int, sampling: str) -> None:
    rows, matrix = example(cells, queries, sampling)
    expected = np.einsum("xj,ybjf->xybf", matrix.astype(np.float64), np.asarray(rows))
    for formulation in (column_sampling.by_two_cells, column_sampling.by_matrix):
        found = formulation(rows, matrix)
        assert found.dtype == jnp.float32
        # Two products and their sum, each rounded; values of size 3.
        np.testing.assert_allclose(found, expected, rtol=0, atol=6e-7)


def test_bfloat16_keeps_the_weights_of_the_product() -> None:
    rows, matrix = example(16, 64)
    rows, matrix = rows.astype(jnp.bfloat16), matrix.astype(jnp.bfloat16)
    expected = np.einsum("xj,ybjf->xybf", matrix.astype(np.float64), np.asarray(rows, np.float64))
    found = column_sampling.by_two_cells(rows, matrix)
    np.testing.assert_allclose(found, expected, rtol=0, atol=6e-7)  # not rounded to bfloat16
    found = column_sampling.by_matrix(rows, matrix)
    np.testing.assert_allclose(found, expected, rtol=2**-8, atol=1e-6)  # rounded once


def test_gradients_are_those_of_the_product() -> None:
    rows, matrix = example(16, 64)
    weights = np.random.default_rng(1).normal(size=(64, 3, 2, 5)).astype(np.float32)
    expected = np.einsum("xj,xybf->ybjf", matrix.astype(np.float64), weights)

    def gradient(formulation: object) -> jax.Array:
        return jax.grad(lambda rows: jnp.sum(formulation(rows, matrix) * weights))(rows)

    scale = np.abs(expected).max()
    for formulation in (column_sampling.sample_columns, column_sampling.by_two_cells):
        # Sums of eight terms of size one, float32.
        apart = np.abs(gradient(formulation) - expected).max() / scale
        assert apart <= 1e-6, formulation


@pytest.mark.parametrize(("platform", "gathers"), [("cuda", True), ("tpu", True), ("cpu", False)])
def test_only_the_forward_pass_gathers_and_not_on_cpus(platform: str, gathers: bool) -> None:
    rows, matrix = example(16, 64)

    def text(function: object) -> str:
        lowered = jax.jit(function).trace(rows).lower(lowering_platforms=(platform,))
        return lowered.as_text()

    forward = text(lambda rows: column_sampling.sample_columns(rows, matrix))
    assert ("gather" in forward) == gathers
    assert ("dot_general" in forward) != gathers

    def loss(rows: jax.Array) -> jax.Array:
        return jnp.sum(jnp.sin(column_sampling.sample_columns(rows, matrix)))

    both = text(jax.grad(loss))
    assert "scatter" not in both
    assert "dot_general" in both
