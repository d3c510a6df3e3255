"""FP-LIIF's decoder: a latent grid as class logits at any coordinates (§3.1, §3.3).

The method as LIIF writes it, one query of one ensemble member after the other, is on one screen in
`experiments/pytorch/fp_liif.py`, `LIIFDecoder`; tests hold the two together.

The decoder here computes what §3.3 describes in an order that costs less. All of it is exact algebra:

- Unfolding followed by a dense layer on the same grid is a 3×3 convolution.
- The first layer of the MLP is linear, so it is applied to the latent grid before sampling instead
  of to every sample; the share of the global feature in it is one vector an image, that of the
  position the sum of a vector a row and a vector a column of the output.
- The last layer of the MLP is linear, so it is applied once to the (weighted) mean of the hidden
  activations of the four ensemble members.
- What is the same all along a row of the output is added before the columns are interpolated: the rows
  of an interpolation matrix sum to one. So its gradient is a sum over latent cells, not over queries.
- A regular output grid is sampled separably, rows then columns, by small dense interpolation
  matrices: their gradient is a matrix product too, where that of a gather is a scatter-add, whose
  order of summation on a GPU is not reproducible. On GPUs and TPUs columns are gathered all the same,
  with the gradient of the product (`column_sampling`).
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from fpliif_jax.nn import column_sampling, grid_sampling, layers
from fpliif_jax.systems.fp_liif import query_plan
from fpliif_jax.systems.fp_liif.encoder import Latent
from fpliif_jax.systems.fp_liif.ensemble import Ensemble, GridAxis

Array = jax.Array


class LIIFDecoder(nn.Module):
    """Latent grid to logits at any coordinates (§3.1, §3.3; LIIF is arXiv:2012.09161).

    Attributes:
      num_classes: C.
      latent_features: channels of the latent grid.
      rcmlp_features: widths of the reduce-channel MLP; empty to leave it out.
      mlp_features: widths of the hidden layers of the MLP.
      unfold: whether the 3×3 neighbourhood of every latent vector is concatenated to it.
      global_feature: whether the mean latent vector is an input of the MLP.
      ensemble: 'average' or 'area' weights of four members, shifted by half a latent cell each;
        'none' for a single sample, not shifted.
      sampling: 'bilinear' or 'nearest' cell of the (shifted) query.
      position: 'absolute' query coordinates, or 'relative' (query - v*) times the number of latent
        cells, with v* the centre nearest to the shifted and clamped query whatever the sampling.
      initializer: 'pytorch' or 'lecun_normal'.
      queries: the most decoded at once, counted over all images of a call (but never less than one
        query of every image, or one row of a regular grid); or (JAX's backend, bytes of one device or
        None), for which `query_plan.plan_queries` decides.
      remat: compute the activations of a chunk again for the gradient rather than keep them; saves
        memory where there is more than one chunk.
      dtype: of the activations.
    """

    num_classes: int
    latent_features: int
    rcmlp_features: tuple[int, ...]
    mlp_features: tuple[int, ...]
    unfold: bool
    global_feature: bool
    ensemble: str
    sampling: str
    position: str
    initializer: str
    queries: int | tuple[str, int | None]
    remat: bool
    dtype: Any

    def setup(self) -> None:
        self.members = Ensemble(self.ensemble, self.sampling, self.position)
        width = self.latent_features * (9 if self.unfold else 1)
        self.rcmlp = self._dense_layers((width, *self.rcmlp_features))
        self.sampled_features = self.rcmlp_features[-1] if self.rcmlp_features else width
        inputs = self.sampled_features + 2
        if self.global_feature:
            inputs += self.latent_features
        self.mlp = self._dense_layers((inputs, *self.mlp_features, self.num_classes))

    def _dense_layers(self, widths: tuple[int, ...]) -> dict[str, layers.DenseParameters]:
        # Numbered as in torch.nn.Sequential, where the activations between them count.
        pairs = zip(widths[:-1], widths[1:], strict=True)
        return {
            str(2 * index): layers.DenseParameters(inputs, outputs, self.initializer)
            for index, (inputs, outputs) in enumerate(pairs)
        }

    def select(self, groups: tuple[Array, ...]) -> Latent:
        """The outputs of the encoder's groups that are decoded: the last, 'latent_grid'."""
        return {"latent_grid": groups[-1]}

    def __call__(
        self,
        latent: Latent,
        output_size: tuple[int, int],
        train: bool = False,
        example_weights: Array | None = None,
    ) -> Array:
        """Logits on a regular grid.

        Args:
          latent: 'latent_grid' [B, n_h, n_w, latent_features].
          output_size: (h, w).
          train: whether a gradient is taken; decides about memory and time alone.
          example_weights: of no matter: nothing here is normalised over examples.

        Returns:
          float32 [B, h, w, C]; pixel (i, j) is the query at the centre of cell (i, j) of h × w.
        """
        latent_grid = latent["latent_grid"]
        batch, grid_height, grid_width, _ = latent_grid.shape
        height, width = output_size
        y = self.members.grid_axis(grid_sampling.cell_centres(height), grid_height, self.dtype)
        x = self.members.grid_axis(grid_sampling.cell_centres(width), grid_width, self.dtype)
        decode_rows = self._decoder_of_rows(latent_grid, x)
        plan = self._plan(batch, output_size, train)
        if plan.remat:
            decode_rows = jax.checkpoint(decode_rows)
        # Rather chunks of equal size than a last one that is mostly padding.
        chunks = -(-height // max(1, plan.queries // (batch * width)))
        if chunks == 1:
            return decode_rows(y)
        rows = -(-height // chunks)
        padding = chunks * rows - height

        def split(values: np.ndarray) -> np.ndarray:
            values = np.pad(values, [(0, 0), (0, padding)] + [(0, 0)] * (values.ndim - 2))
            shape = (values.shape[0], chunks, rows, *values.shape[2:])
            return values.reshape(shape).swapaxes(0, 1)

        logits = jax.lax.map(decode_rows, jax.tree.map(split, y))
        logits = logits.swapaxes(0, 1).reshape(batch, chunks * rows, width, self.num_classes)
        return logits[:, :height]

    def on_axes(self, latent: Latent, y: Array, x: Array) -> Array:
        """Logits where rows and columns of coordinates cross: `query` of all pairs, as `__call__` computes it.

        Numbers of rows and columns may be symbolic (`jax.export`); all are decoded at once.

        Args:
          latent: as for `__call__`.
          y: float32 [h], coordinates of the rows in [-1, 1].
          x: float32 [w], coordinates of the columns in [-1, 1].

        Returns:
          float32 [B, h, w, C].
        """
        latent_grid = latent["latent_grid"]
        _, grid_height, grid_width, _ = latent_grid.shape
        columns = self.members.grid_axis(x, grid_width, self.dtype)
        decode_rows = self._decoder_of_rows(latent_grid, columns)
        return decode_rows(self.members.grid_axis(y, grid_height, self.dtype))

    def query(
        self,
        latent: Latent,
        coordinates: Array,
        train: bool = False,
        example_weights: Array | None = None,
    ) -> Array:
        """Logits at arbitrary coordinates.

        Args:
          latent: as for `__call__`.
          coordinates: float32 [B, Q, 2], (y, x) in [-1, 1].
          train, example_weights: as for `__call__`.

        Returns:
          float32 [B, Q, C].
        """
        latent_grid = latent["latent_grid"]
        batch, grid_height, grid_width, _ = latent_grid.shape
        num_queries = coordinates.shape[1]
        projected, per_image = self._first_layer_on_grid(latent_grid)
        position_kernel, layers_after_first = self._rest_of_parameters()

        def decode_queries(coordinates: Array) -> Array:
            x = self.members.axis(coordinates[..., 1], grid_width)
            mean = jnp.zeros((), jnp.float32)
            for y_shifted, y_position, y_weight in zip(
                *self.members.axis(coordinates[..., 0], grid_height), strict=True
            ):
                y_share = (
                    y_position[..., None] * position_kernel[0, None, None] + per_image[:, None]
                )
                for x_shifted, x_position, x_weight in zip(*x, strict=True):
                    sampled = grid_sampling.sample_at(
                        projected, y_shifted, x_shifted, self.sampling
                    )
                    x_share = x_position[..., None] * position_kernel[1, None, None]
                    first = sampled.astype(jnp.float32) + (y_share + x_share)
                    weight = (y_weight * x_weight)[..., None]
                    mean += self._hidden(first, layers_after_first) * weight
            return self._last_layer(mean, layers_after_first)

        plan = self._plan(batch, (num_queries, 1), train)
        if plan.remat:
            decode_queries = jax.checkpoint(decode_queries)
        chunks = max(1, -(-num_queries // max(1, plan.queries // batch)))
        if chunks == 1:
            return decode_queries(coordinates)
        queries = -(-num_queries // chunks)
        padding = chunks * queries - num_queries
        coordinates = jnp.pad(coordinates, ((0, 0), (0, padding), (0, 0)))
        coordinates = coordinates.reshape(batch, chunks, queries, 2).swapaxes(0, 1)
        logits = jax.lax.map(decode_queries, coordinates)
        logits = logits.swapaxes(0, 1).reshape(batch, chunks * queries, self.num_classes)
        return logits[:, :num_queries]

    def _decoder_of_rows(self, latent_grid: Array, x: GridAxis) -> Callable[[GridAxis], Array]:
        """A function from rows of queries to their logits at all columns, float32 [B, rows, columns, C]."""
        projected, per_image = self._first_layer_on_grid(latent_grid)
        position_kernel, layers_after_first = self._rest_of_parameters()

        # Axes: b images; y, x queries; i, j latent cells; f features. In the order xybf the samples
        # are a product of two matrices that needs no transposing. One ensemble member after the
        # other takes less time and memory than all at once. Interpolating in less than float32
        # would amount to moving the queries.
        def decode_rows(rows: GridAxis) -> Array:
            mean = jnp.zeros((), jnp.float32)
            for y_matrix, y_position, y_weight in zip(*rows, strict=True):
                row = jnp.einsum("yi,bijf->ybjf", y_matrix, projected, precision="highest")
                row_share = y_position[:, None, None] * position_kernel[0, None, None]
                row_share += per_image[None]
                row += row_share[:, :, None].astype(self.dtype)
                for x_matrix, x_position, x_weight in zip(*x, strict=True):
                    sampled = column_sampling.sample_columns(row, x_matrix)
                    x_share = x_position[:, None] * position_kernel[1, None]
                    first = sampled + x_share[:, None, None]
                    weight = (x_weight[:, None] * y_weight[None])[..., None, None]
                    mean += self._hidden(first, layers_after_first) * weight
            return self._last_layer(mean, layers_after_first).transpose(2, 1, 0, 3)

        return decode_rows

    def _plan(self, batch: int, output_size: tuple[int, int], train: bool) -> query_plan.QueryPlan:
        if isinstance(self.queries, int):
            return query_plan.QueryPlan(self.queries, self.remat)
        backend, memory = self.queries
        return query_plan.plan_queries(backend, memory, batch, output_size, self, is_training=train)

    def _first_layer_on_grid(self, latent_grid: Array) -> tuple[Array, Array]:
        """The first layer of the MLP, before its activation and without the position's share.

        Returns:
          The latent grid's share [B, n_h, n_w, mlp_features[0]], and what is the same all over an
          image, the global feature's share and the bias, float32 [B, mlp_features[0]].
        """
        kernel, bias = self.mlp["0"]()
        stack: list[tuple[Array, Array | None]] = [layer() for layer in self.rcmlp.values()]
        stack.append((kernel[: self.sampled_features], None))
        hidden = latent_grid
        for index, (layer_kernel, layer_bias) in enumerate(stack):
            transform = layers.apply_to_unfolded if self.unfold and index == 0 else jnp.matmul
            hidden = transform(hidden, layer_kernel.astype(self.dtype))
            if layer_bias is not None:
                hidden += layers.by_channel(layer_bias.astype(self.dtype), hidden)
            if index + 1 < len(self.rcmlp):
                hidden = nn.relu(hidden)
        per_image = jnp.broadcast_to(bias, (latent_grid.shape[0], bias.size))
        if self.global_feature:
            mean = jnp.mean(latent_grid, axis=(1, 2), dtype=jnp.float32)
            per_image += jnp.matmul(mean, kernel[self.sampled_features : -2], precision="highest")
        return hidden, per_image

    def _rest_of_parameters(self) -> tuple[Array, list[tuple[Array, Array]]]:
        """The position's rows [2, mlp_features[0]] (y, x) of the first kernel of the MLP, and the
        kernels and biases of its other layers."""
        first, *rest = [layer() for layer in self.mlp.values()]
        return first[0][-2:], rest

    def _hidden(self, first: Array, layers_after_first: list[tuple[Array, Array]]) -> Array:
        """The last hidden activations, float32 [..., f], from the first layer, float32 [..., f]."""
        hidden = nn.relu(first).astype(self.dtype)
        for kernel, bias in layers_after_first[:-1]:
            # The cast is in here so that the gradients of chunks are summed in float32.
            hidden = jnp.matmul(hidden, kernel.astype(self.dtype))
            hidden = nn.relu(hidden + layers.by_channel(bias.astype(self.dtype), hidden))
        return hidden.astype(jnp.float32)

    def _last_layer(self, mean: Array, layers_after_first: list[tuple[Array, Array]]) -> Array:
        """Logits, float32 [..., C], from the mean of the members' hidden activations."""
        kernel, bias = layers_after_first[-1]
        return jnp.matmul(mean, kernel) + layers.by_channel(bias, mean)
