"""The interlinked CNN of STN-iCNN (§2.2, Fig. 2): four rows at scales 1, 1/2, 1/4 and 1/8.

Every row sees its scale of the image pyramid. In each of three interlinked layers a row joins its
own features with those of the finer row, pooled, and of the coarser row, upsampled. Then the rows
are integrated from coarse to fine, and a head of three convolutions makes logits.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from fpliif_jax.nn.grid_sampling import sides
from fpliif_jax.nn.layers import BatchNorm, convolution
from fpliif_jax.nn.max_pool import max_pool

Array = jax.Array

_ACTIVATIONS = {"relu": nn.relu, "tanh": jnp.tanh, "none": lambda features: features}


class ConvBlock(nn.Module):
    """Convolution, batch norm (unless `norm` is False), activation ('relu', 'tanh' or 'none')."""

    features: int
    kernel_size: int
    activation: str
    initializer: str
    epsilon: float
    dtype: Any
    axis_name: str | None
    norm: bool = True

    @nn.compact
    def __call__(
        self, features: Array, train: bool = False, example_weights: Array | None = None
    ) -> Array:
        """[B, H, W, c] -> [B, H, W, self.features]; `train` and weights as for `BatchNorm`."""
        x = convolution(
            features.shape[-1],
            self.features,
            kernel_size=self.kernel_size,
            initializer=self.initializer,
            dtype=self.dtype,
            name="conv",
        )(features)
        if self.norm:
            norm = BatchNorm(self.epsilon, True, self.dtype, self.axis_name, name="norm")
            x = norm(x, train, example_weights)
        return _ACTIVATIONS[self.activation](x)


class ICNN(nn.Module):
    """Labels an image or a part of one.

    Attributes:
      num_labels: L.
      row_features: channels of the rows, from fine to coarse.
      interlinked_layers: how many.
      kernel_size: of all convolutions but the last; odd.
      last_kernel_size: of the last convolution; odd.
      pool_size: 2, or 3 with a padding of 1; the stride is 2.
      input_activation, integration_activation, head_activation: 'relu' or 'tanh'.
      interlink_convs: convolutions of an interlinked layer, 1 or 2.
      head_norms: how many of the head's first two convolutions have a norm and an activation.
      initializer, epsilon, dtype, axis_name: as for the layers.
    """

    num_labels: int
    row_features: tuple[int, ...]
    interlinked_layers: int
    kernel_size: int
    last_kernel_size: int
    pool_size: int
    input_activation: str
    interlink_convs: int
    integration_activation: str
    head_activation: str
    head_norms: int
    initializer: str
    epsilon: float
    dtype: Any
    axis_name: str | None

    @nn.compact
    def __call__(
        self, images: Array, train: bool = False, example_weights: Array | None = None
    ) -> Array:
        """Labels images.

        Args:
          images: [B, H, W, 3] in [0, 1]; any size of at least 8.
          train: use and update the statistics of the batch.
          example_weights: float32 [B], 0 for padding.

        Returns:
          float32 logits [B, H, W, L].
        """

        def block(
            features: Array,
            count: int,
            activation: str,
            name: str,
            kernel_size: int = self.kernel_size,
            norm: bool = True,
        ) -> Array:
            layer = ConvBlock(
                count,
                kernel_size,
                activation=activation,
                initializer=self.initializer,
                epsilon=self.epsilon,
                dtype=self.dtype,
                axis_name=self.axis_name,
                norm=norm,
                name=name,
            )
            return layer(features, train, example_weights)

        pyramid = [images.astype(self.dtype)]
        for _ in self.row_features[1:]:
            pyramid.append(max_pool(pyramid[-1], self.pool_size))
        rows = [
            block(image, count, self.input_activation, f"input_{row}")
            for row, (image, count) in enumerate(zip(pyramid, self.row_features, strict=True))
        ]
        for layer in range(self.interlinked_layers):
            rows = [
                self._interlink(block, rows, row, f"interlink_{layer}_{row}")
                for row in range(len(rows))
            ]
        features = rows[-1]
        for row in reversed(range(len(rows) - 1)):
            joined = jnp.concatenate([rows[row], upsample(features, sides(rows[row]))], -1)
            features = block(
                joined, self.row_features[row], self.integration_activation, f"integration_{row}"
            )
        for index, count in enumerate((2 * self.num_labels + 8, self.num_labels)):
            normed = index < self.head_norms
            activation = self.head_activation if normed else "none"
            features = block(features, count, activation, f"head_{index}", norm=normed)
        logits = block(
            features,
            self.num_labels,
            "none",
            "head_2",
            kernel_size=self.last_kernel_size,
            norm=False,
        )
        return logits.astype(jnp.float32)

    def _interlink(self, block: Any, rows: list[Array], row: int, name: str) -> Array:
        """One row of an interlinked layer: the finer row, its own features, the coarser row."""
        joined = [rows[row]]
        if row > 0:
            joined.insert(0, max_pool(rows[row - 1], self.pool_size))
        if row + 1 < len(rows):
            joined.append(upsample(rows[row + 1], sides(rows[row])))
        features = jnp.concatenate(joined, axis=-1)
        for index in range(self.interlink_convs):
            features = block(features, self.row_features[row], "relu", f"{name}_{index}")
        return features


def upsample(features: Array, size: tuple[int, int]) -> Array:
    """Nearest neighbour, [B, h, w, c] -> [B, *size, c]: output i shows input floor(i · h / H)."""
    for axis, new in zip((1, 2), size, strict=True):
        old = features.shape[axis]
        indices = np.arange(new) * old // new
        if np.array_equal(indices, np.arange(new) // 2):
            # The same, and its gradient is a sum and not a scatter.
            features = jax.lax.slice_in_dim(jnp.repeat(features, 2, axis), 0, new, axis=axis)
        else:
            features = jnp.take(features, indices, axis=axis)
    return features
