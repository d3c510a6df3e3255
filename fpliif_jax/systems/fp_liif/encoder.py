"""FP-LIIF's encoder: an image as a latent grid (§3.2, Fig. 2 and 5)."""

from typing import Any

import flax.linen as nn
import jax

from fpliif_jax.nn import layers

Array = jax.Array
Latent = dict[str, Any]  # what a decoder's `select` keeps of the groups


class ResBlock(nn.Module):
    """Residual block with a norm after both convolutions (§3.2, Fig. 5)."""

    features: int
    initializer: str
    dtype: Any
    normalisation: Any

    def setup(self) -> None:
        def convolution() -> nn.Conv:
            return layers.convolution(
                self.features, self.features, initializer=self.initializer, dtype=self.dtype
            )

        self.conv1, self.norm1 = convolution(), self.normalisation()
        self.conv2, self.norm2 = convolution(), self.normalisation()

    def __call__(self, features: Array, train: bool, example_weights: Array | None) -> Array:
        hidden = nn.relu(self.norm1(self.conv1(features), train, example_weights))
        return features + self.norm2(self.conv2(hidden), train, example_weights)


class ResBlockGroup(nn.Module):
    """Residual blocks, and for the last group a convolution, with the group's input added (§3.2).

    The text does not mention the tail convolution. It is EDSR's, and without it neither the number
    of parameters nor the operations of Table 6 come out.
    """

    num_blocks: int
    tail_convolution: bool
    features: int
    initializer: str
    dtype: Any
    normalisation: Any

    def setup(self) -> None:
        self.blocks = [
            ResBlock(self.features, self.initializer, self.dtype, self.normalisation)
            for _ in range(self.num_blocks)
        ]
        if self.tail_convolution:
            self.tail = layers.convolution(
                self.features, self.features, initializer=self.initializer, dtype=self.dtype
            )

    def __call__(self, features: Array, train: bool, example_weights: Array | None) -> Array:
        hidden = features
        for block in self.blocks:
            hidden = block(hidden, train, example_weights)
        if self.tail_convolution:
            hidden = self.tail(hidden)
        return features + hidden


class Encoder(nn.Module):
    """Image to latent grid: groups of residual blocks, strided convolutions between them (§3.2).

    Attributes:
      features: channels, of the latent grid, too.
      group_blocks: residual blocks of each group.
      initializer: 'pytorch' or 'lecun_normal'.
      dtype: of the activations.
      normalisation: factory of norm layers, see `layers.normalisation`.
    """

    features: int
    group_blocks: tuple[int, ...]
    initializer: str
    dtype: Any
    normalisation: Any

    def setup(self) -> None:
        def convolution(in_features: int, stride: int) -> nn.Conv:
            return layers.convolution(
                in_features,
                self.features,
                initializer=self.initializer,
                dtype=self.dtype,
                stride=stride,
            )

        last = len(self.group_blocks) - 1
        self.head = convolution(3, 1)
        self.groups = [
            ResBlockGroup(
                blocks, index == last, self.features, self.initializer, self.dtype,
                self.normalisation,
            )
            for index, blocks in enumerate(self.group_blocks)
        ]  # fmt: skip
        self.downs = [convolution(self.features, 2) for _ in range(last)]

    def __call__(
        self, images: Array, train: bool, example_weights: Array | None
    ) -> tuple[Array, ...]:
        """[B, H, W, 3] -> the outputs of all groups, at full, half, quarter … size (rounded up)."""
        hidden = self.head(images.astype(self.dtype))
        outputs = []
        for index, group in enumerate(self.groups):
            hidden = group(hidden, train, example_weights)
            outputs.append(hidden)
            if index < len(self.downs):
                hidden = self.downs[index](hidden)
        return tuple(outputs)
