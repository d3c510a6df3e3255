"""The local ensemble of FP-LIIF's decoder, along one axis: where its members sample, and what they weigh.

Members are shifted by half a latent cell along each axis, so that all of this is a matter of one axis at a time: the
weight of a member is the product of what its two shifts weigh. `LIIFDecoder` says what the settings mean.
"""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from fpliif_jax.nn import grid_sampling


class Axis(NamedTuple):
    """One coordinate of queries of any shape […], for the S shifts of the ensemble."""

    shifted: Any  # [S, …]
    position: Any  # [S, …], input of the MLP
    weight: Any  # [S, …]


class GridAxis(NamedTuple):
    """Rows or columns of queries, for the S shifts of the ensemble: constants of NumPy, or arrays of JAX."""

    matrix: Any  # [S, queries, cells], samples the latent grid
    position: Any  # [S, queries], input of the MLP
    weight: Any  # [S, queries]


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """Its settings, those of `LIIFDecoder`.

    Attributes:
      kind: 'average', 'area' or 'none', the decoder's `ensemble`.
      sampling: 'bilinear' or 'nearest'.
      position: 'absolute' or 'relative'.
    """

    kind: str
    sampling: str
    position: str

    def axis(self, coordinates: Any, cells: int) -> Axis:
        """One axis of queries at coordinates […] in [-1, 1], on a latent grid that has so many cells along it."""
        arrays = coordinates.__array_namespace__()
        shifted = arrays.stack(
            [grid_sampling.shifted(coordinates, by) for by in self._shifts(cells)]
        )
        offset = (coordinates[None] - grid_sampling.nearest_centre(shifted, cells)) * cells
        absolute = arrays.broadcast_to(coordinates, shifted.shape)
        position = absolute if self.position == "absolute" else offset
        return Axis(shifted=shifted, position=position, weight=self._weights(offset))

    def grid_axis(self, coordinates: Any, cells: int, dtype: Any) -> GridAxis:
        """The same of the rows or the columns of a grid of queries, coordinates [queries]; dtype: of the matrix."""
        shifted, position, weight = self.axis(coordinates, cells)
        matrix = grid_sampling.interpolation_matrix(shifted, cells, self.sampling).astype(dtype)
        return GridAxis(matrix, position.astype(np.float32), weight.astype(np.float32))

    def _shifts(self, cells: int) -> tuple[float, ...]:
        return (0.0,) if self.kind == "none" else (-1 / cells, 1 / cells)

    def _weights(self, offset: Any) -> Any:
        """What one axis contributes to the weights of the ensemble members.

        LIIF weighs a member with the area |offset_y · offset_x| of the rectangle opposite to it,
        divided by the sum of the four areas. That is a product of one factor for each axis. LIIF
        adds 1e-9 to every area against 0 / 0, which comes up where both shifts end in one cell at
        the border and the query is at its centre; there the result depends on rounding errors. Added
        to each factor instead it is the limit, and elsewhere makes no difference.
        """
        if self.kind != "area":
            arrays = offset.__array_namespace__()
            return arrays.full_like(offset, 1 / len(offset), dtype=np.float32)
        length = abs(offset) + 1e-9
        opposite = length.__array_namespace__().flip(length, axis=0)
        return opposite / length.sum(axis=0, keepdims=True)
