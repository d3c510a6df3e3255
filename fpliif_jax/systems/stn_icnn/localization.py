"""The localisation network of STN-iCNN (§2.3, Fig. 3): from a coarse labelling to θ."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.nn.layers import BatchNorm, bias_initializer, convolution, kernel_initializer
from fpliif_jax.systems.stn_icnn.icnn import ConvBlock

Array = jax.Array

PARTS = 6
VGG9_SMALLEST = 31  # four poolings leave one pixel
CONV15_SIDES = (113, 128)  # inputs for which five halvings leave 4×4


class LocalizationNet(nn.Module):
    """Predicts the windows of the six parts.

    Attributes:
      kind: 'vgg9', the paper's nine layers; 'resnet18', with which the authors' published results
        were made (arXiv:1512.03385); 'conv15', the other network of their code, whose tanh keeps θ
        within (−1, 1).
      vgg9_features: channels of the four pairs of convolutions of 'vgg9'.
      initializer, epsilon, dtype, axis_name: as for the layers.
    """

    kind: str
    vgg9_features: tuple[int, ...]
    initializer: str
    epsilon: float
    dtype: Any
    axis_name: str | None

    @nn.compact
    def __call__(
        self, probabilities: Array, train: bool = False, example_weights: Array | None = None
    ) -> Array:
        """Localises the parts (eq. 2, 15).

        Args:
          probabilities: float [B, H, W, 9], softmax of the coarse logits.
          train: use and update the statistics of the batch.
          example_weights: float32 [B], 0 for padding.

        Returns:
          θ, float32 [B, 6, 2, 3]; entries (0, 1) and (1, 0) are zero.
        """
        x = probabilities.astype(self.dtype)
        network = {"vgg9": self._vgg9, "resnet18": self._resnet18, "conv15": self._conv15}
        theta = network[self.kind](x, train, example_weights)
        return theta * jnp.array([[[[1, 0, 1], [0, 1, 1]]]], jnp.float32)

    def _vgg9(self, x: Array, train: bool, example_weights: Array | None) -> Array:
        """Eight convolutions, a 3×3 average pool of stride 2 after every two, one dense layer."""
        if min(x.shape[1:3]) < VGG9_SMALLEST:
            raise SettingsError(
                f"the 'vgg9' localisation network takes inputs of {VGG9_SMALLEST}² or more, not "
                f"{x.shape[1]}x{x.shape[2]}; set config.model.coarse_size"
            )
        for index, features in enumerate(self.vgg9_features):
            for half in range(2):
                layer = ConvBlock(
                    features,
                    3,
                    "relu",
                    self.initializer,
                    self.epsilon,
                    self.dtype,
                    self.axis_name,
                    name=f"conv_{2 * index + half}",
                )
                x = layer(x, train, example_weights)
            # Flax divides by an int64 of NumPy.
            with jax.numpy_dtype_promotion("standard"):
                x = nn.avg_pool(x, (3, 3), strides=(2, 2))
        return self._dense(x.reshape(len(x), -1))

    def _resnet18(self, x: Array, train: bool, example_weights: Array | None) -> Array:
        def conv(x: Array, features: int, size: int, stride: int, initializer: str, name: str):  # noqa: ANN202
            return convolution(
                x.shape[-1],
                features,
                kernel_size=size,
                stride=stride,
                use_bias=False,
                initializer=initializer,
                dtype=self.dtype,
                name=name,
            )(x)

        def norm(x: Array, name: str) -> Array:
            layer = BatchNorm(self.epsilon, True, self.dtype, self.axis_name, name=name)
            return layer(x, train, example_weights)

        inner = "kaiming_normal" if self.initializer == "pytorch" else self.initializer
        # The authors replaced the first convolution, which so has the initialisation of any other.
        x = nn.relu(norm(conv(x, 64, 7, 2, self.initializer, "conv1"), "bn1"))
        x = nn.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        for group in range(4):
            for block in range(2):
                name, features = f"layer{group + 1}_{block}", 64 * 2**group
                stride = 2 if group > 0 and block == 0 else 1
                y = nn.relu(
                    norm(conv(x, features, 3, stride, inner, f"{name}_conv1"), f"{name}_bn1")
                )
                y = norm(conv(y, features, 3, 1, inner, f"{name}_conv2"), f"{name}_bn2")
                if stride == 2:
                    x = conv(x, features, 1, 2, inner, f"{name}_downsample_conv")
                    x = norm(x, f"{name}_downsample_bn")
                x = nn.relu(x + y)
        return self._dense(jnp.mean(x.astype(jnp.float32), axis=(1, 2)))

    def _dense(self, features: Array) -> Array:
        # No activation: with Fig. 3's ReLU no window could be left of or above the centre.
        count = features.shape[-1]
        layer = nn.Dense(
            PARTS * 2 * 3,
            dtype=jnp.float32,
            kernel_init=kernel_initializer(self.initializer),
            bias_init=bias_initializer(self.initializer, count),
            name="dense",
        )
        return layer(features.astype(jnp.float32)).reshape(-1, PARTS, 2, 3)

    def _conv15(self, x: Array, train: bool, example_weights: Array | None) -> Array:
        low, high = CONV15_SIDES
        if not all(low <= side <= high for side in x.shape[1:3]):
            raise SettingsError(
                f"the 'conv15' localisation network takes inputs of {low}² to {high}², not "
                f"{x.shape[1]}x{x.shape[2]}; choose another or set config.model.coarse_size"
            )

        def norm(x: Array, index: int) -> Array:
            layer = BatchNorm(self.epsilon, True, self.dtype, self.axis_name, name=f"norm_{index}")
            return layer(x, train, example_weights)

        for index in range(10):
            x = convolution(
                x.shape[-1],
                6,
                stride=2 - index % 2,
                initializer=self.initializer,
                dtype=self.dtype,
                name=f"conv_{index}",
            )(x)
            x = norm(x, index)
            if index < 9:  # the authors' tenth has none
                x = nn.relu(x)
        # From 4×4 to the 2×3 of θ, one channel a part. Padded beforehand: XLA (jaxlib 0.10) aborts when it
        # compiles the gradient of this very convolution with its padding.
        x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        x = nn.Conv(
            6,
            (3, 2),
            strides=2,
            padding="VALID",
            dtype=self.dtype,
            kernel_init=kernel_initializer(self.initializer),
            bias_init=bias_initializer(self.initializer, 6 * 6),
            name="conv_10",
        )(x)
        x = nn.relu(norm(x, 10))
        for index in range(11, 15):
            x = convolution(
                6, 6, initializer=self.initializer, dtype=self.dtype, name=f"conv_{index}"
            )(x)
            if index < 14:
                x = nn.relu(norm(x, index))
        return jnp.tanh(x.astype(jnp.float32)).transpose(0, 3, 1, 2)
