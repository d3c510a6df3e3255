"""Sampling on grids of cells.

Arrays are laid out [batch, height, width, channels]; of two spatial axes y comes before x.

Coordinates run from -1 to 1 between the outer borders of a grid; cell i of n has its centre at
(i + 0.5) / n * 2 - 1 (`align_corners=False`). Beyond the outer centres the border cell goes on.
The functions of coordinates take NumPy arrays (then the result is a constant of the compiled
program, computed in float64) or JAX arrays (float32).
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array

# LIIF moves every query by this much, so that a query on the border of two cells is never decided
# by a rounding error, and keeps it as far inside the image.
_QUERY_SHIFT = 1e-6


def cell_centres(cells: int) -> np.ndarray:
    """Coordinates of the centres of a row of cells: float64 [cells] in (-1, 1)."""
    return (np.arange(cells) + 0.5) / cells * 2 - 1


def shifted(coordinates: Any, shift: float) -> Any:
    """Coordinates moved by `shift` and LIIF's 1e-6, and kept inside (-1, 1)."""
    limit = 1 - _QUERY_SHIFT
    return (coordinates + (shift + _QUERY_SHIFT)).clip(-limit, limit)


def cell_position(coordinates: Any, cells: int) -> Any:
    """Coordinates in units of cells, 0 at the first centre, clamped to [0, cells - 1]."""
    return (((coordinates + 1) * cells - 1) / 2).clip(0, cells - 1)


def nearest_centre(coordinates: Any, cells: int) -> Any:
    """Coordinates of the nearest centres."""
    return (cell_position(coordinates, cells).round() + 0.5) / cells * 2 - 1


def interpolation_matrix(coordinates: Any, cells: int, sampling: str) -> Any:
    """The matrix that samples a row of cells at coordinates.

    Args:
      coordinates: [..., q].
      cells: number of cells of the row.
      sampling: 'bilinear' or 'nearest'.

    Returns:
      float32 [..., q, cells]; every row sums to one.
    """
    arrays = coordinates.__array_namespace__()
    position = cell_position(coordinates, cells)
    if sampling == "nearest":
        position = position.round()
    every_cell = arrays.arange(cells, dtype=position.dtype)
    distance = abs(position[..., None] - every_cell.reshape((1,) * position.ndim + (-1,)))
    return arrays.maximum(1 - distance, 0).astype(np.float32)


def sample_at(grid: Array, y: Array, x: Array, sampling: str) -> Array:
    """Samples a grid at scattered coordinates, as `torch.nn.functional.grid_sample` with border
    padding and `align_corners=False`.

    Args:
      grid: [B, n_h, n_w, f].
      y: float32 [B, Q].
      x: float32 [B, Q].
      sampling: 'bilinear' or 'nearest'.

    Returns:
      [B, Q, f] in the dtype of `grid`.
    """
    batch, height, width, features = grid.shape
    flat = grid.reshape(batch, height * width, features)

    def cells(row: Array, column: Array) -> Array:
        index = (row * width + column).astype(jnp.int32)
        return jnp.take_along_axis(flat, index[..., None], axis=1, mode="clip")

    row, column = cell_position(y, height), cell_position(x, width)
    if sampling == "nearest":
        return cells(row.round().astype(jnp.int32), column.round().astype(jnp.int32))
    top, left = jnp.floor(row).astype(jnp.int32), jnp.floor(column).astype(jnp.int32)
    bottom, right = jnp.minimum(top + 1, height - 1), jnp.minimum(left + 1, width - 1)
    down = (row - top.astype(jnp.float32))[..., None].astype(grid.dtype)
    across = (column - left.astype(jnp.float32))[..., None].astype(grid.dtype)
    upper = cells(top, left) * (1 - across) + cells(top, right) * across
    lower = cells(bottom, left) * (1 - across) + cells(bottom, right) * across
    return upper * (1 - down) + lower * down


def sides(grid: Array) -> tuple[int, int]:
    """(h, w) of a grid [B, h, w, c]."""
    _, height, width, _ = grid.shape
    return height, width


def resize_bilinear(grid: Array, size: tuple[int, int]) -> Array:
    """Resizes [B, h, w, f] to [B, *size, f] as `torch.nn.functional.interpolate` does
    (bilinear, `align_corners=False`, no antialiasing)."""
    if grid.shape[1:3] == tuple(size):
        return grid
    return sample_on_axes(grid, cell_centres(size[0]), cell_centres(size[1]))


def sample_on_axes(grid: Array, y: Any, x: Any) -> Array:
    """Samples a grid [B, n_h, n_w, f] bilinearly where coordinates y [h] and x [w] cross: [B, h, w, f]."""
    _, height, width, _ = grid.shape
    rows = interpolation_matrix(y, height, "bilinear").astype(grid.dtype)
    columns = interpolation_matrix(x, width, "bilinear").astype(grid.dtype)
    grid = jnp.einsum("yi,bijf->byjf", rows, grid, precision="highest")
    return jnp.einsum("xj,byjf->byxf", columns, grid, precision="highest")
