"""Layers that the models share: convolutions and normalisation.

Arrays are laid out [batch, height, width, channels]; of two spatial axes y comes before x.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from fpliif_jax.nn import convolution_gradient

Array = jax.Array
Dtype = Any
Initializer = Callable[..., Array]


# ---------------------------------------------------------------------------- initialisation


def kernel_initializer(name: str) -> Initializer:
    """Initialiser of convolution and dense kernels (input axes first, outputs last).

    'pytorch' is the default of `torch.nn.Conv2d` and `torch.nn.Linear`, U(-b, b) with
    b = 1 / sqrt(fan_in); 'lecun_normal' is Flax's default; 'kaiming_normal' is N(0, 2 / fan_out), of
    ResNets (arXiv:1512.03385).
    """
    if name == "lecun_normal":
        return nn.initializers.lecun_normal()

    def initialise(key: Array, shape: tuple[int, ...], dtype: Dtype = jnp.float32) -> Array:
        window = math.prod(shape[:-2])
        # In the result's own precision, as `nn.initializers.variance_scaling` does it.
        if name == "kaiming_normal":
            variance, draw = np.asarray(2 / (window * shape[-1]), dtype), jax.random.normal
        else:
            variance = 3 * np.asarray(1 / 3 / (window * shape[-2]), dtype)
            draw = partial(jax.random.uniform, minval=-1.0)
        return _drawn(draw, key, shape, dtype) * np.sqrt(variance)

    return initialise


def bias_initializer(name: str, fan_in: int) -> Initializer:
    """Initialiser of biases: 'pytorch' U(-b, b) with b = 1 / sqrt(fan_in), 'lecun_normal' zeros."""
    if name == "pytorch":
        bound = fan_in**-0.5
        draw = partial(jax.random.uniform, minval=-bound, maxval=bound)

        def uniform(key: Array, shape: tuple[int, ...], dtype: Dtype = jnp.float32) -> Array:
            return _drawn(draw, key, shape, dtype)

        return uniform
    return nn.initializers.zeros_init()


def _drawn(draw: Callable[..., Array], key: Array, shape: tuple[int, ...], dtype: Dtype) -> Any:
    """`draw(key, shape, dtype)`, compiled for a few sizes instead of every shape.

    Outside of a compiled function each new shape would take the compiler a quarter of a second, and
    models have a hundred. JAX draws entry i from the key and i alone, so a longer vector begins with the
    same numbers.
    """
    # pyrefly: ignore[missing-attribute] - JAX makes its options at run time
    if isinstance(key, jax.core.Tracer) or not jax.config.jax_threefry_partitionable:
        return draw(key, shape, dtype)
    count = math.prod(shape)
    longer = max(1024, 1 << (count - 1).bit_length())
    # Of numbers that there is no memory for, waiting raises an error; reading them ends the process.
    numbers = jax.block_until_ready(draw(key, (longer,), dtype))
    return np.asarray(numbers)[:count].reshape(shape)


# ------------------------------------------------------------------------ linear transformations


def convolution(
    in_features: int,
    features: int,
    *,
    initializer: str,
    dtype: Dtype,
    kernel_size: int = 3,
    stride: int = 1,
    use_bias: bool = True,
    name: str | None = None,
) -> nn.Conv:
    """A convolution padded like PyTorch's `padding=kernel_size // 2`: equally on every side.

    (Flax's 'SAME' pads a strided convolution at the bottom and right only.)
    """
    padding = kernel_size // 2
    return nn.Conv(
        features,
        (kernel_size, kernel_size),
        strides=stride,
        padding=((padding, padding), (padding, padding)),
        dtype=dtype,
        kernel_init=kernel_initializer(initializer),
        bias_init=bias_initializer(initializer, in_features * kernel_size**2),
        use_bias=use_bias,
        name=name,
        conv_general_dilated=_convolve,
    )


def _convolve(images: Array, kernel: Array, strides: Any, *_: Any, **__: Any) -> Array:
    """What `nn.Conv` calls instead of `lax.conv_general_dilated`; the rest of its arguments is implied."""
    return convolution_gradient.convolve(images, kernel, strides[0])


class DenseParameters(nn.Module):
    """The parameters of a dense layer, for a caller who applies them in an order of its own.

    Called without arguments; returns kernel [in_features, features] and bias [features], float32.
    """

    in_features: int
    features: int
    initializer: str

    @nn.compact
    def __call__(self) -> tuple[Array, Array]:
        shape = (self.in_features, self.features)
        kernel = self.param("kernel", kernel_initializer(self.initializer), shape)
        bias_init = bias_initializer(self.initializer, self.in_features)
        return kernel, self.param("bias", bias_init, (self.features,))


def apply_to_unfolded(grid: Array, kernel: Array) -> Array:
    """Dense layer (without bias) on the zero-padded 3×3 neighbourhoods of a grid.

    Unfolding followed by a dense layer on the same grid is a 3×3 convolution.

    Args:
      grid: [B, n_h, n_w, c].
      kernel: [9 c, f] in the channel-major order of `torch.nn.functional.unfold`: the value of
        channel i at offset (ky, kx) meets row i * 9 + ky * 3 + kx. Same dtype as `grid`.

    Returns:
      [B, n_h, n_w, f].
    """
    channels = grid.shape[-1]
    kernel = kernel.reshape(channels, 3, 3, -1).transpose(1, 2, 0, 3)
    return convolution_gradient.convolve(grid, kernel)


# -------------------------------------------------------------------------------- normalisation


class InstanceNorm(nn.Module):
    """Instance norm (arXiv:1607.08022): every channel of every image over its own pixels.

    Statistics are float32 whatever `dtype`, the variance biased, as `torch.nn.InstanceNorm2d`.
    """

    epsilon: float
    affine: bool
    dtype: Dtype

    @nn.compact
    def __call__(
        self, features: Array, train: bool = False, example_weights: Array | None = None
    ) -> Array:
        """Normalises [B, H, W, c]; `train` and `example_weights` make no difference here."""
        del train, example_weights
        x = features.astype(jnp.float32)
        centred = x - jnp.mean(x, axis=(1, 2), keepdims=True)
        variance = jnp.mean(jnp.square(centred), axis=(1, 2), keepdims=True)
        x = centred * jax.lax.rsqrt(variance + self.epsilon)
        return _scale_and_shift(self, x).astype(self.dtype)


class BatchNorm(nn.Module):
    """Batch norm (arXiv:1502.03167) that is exact when a batch is padded and split over devices.

    The statistics of a training step are sums over the examples of all devices of `axis_name`
    (None: one device), each counted with its weight, divided by the sum of the weights: padding
    with weight zero changes nothing, also on a device that holds only padding. Running averages as
    `torch.nn.BatchNorm2d` keeps them, in the collection 'batch_stats' ('mean', 'var'; float32):
    running <- 0.9 running + 0.1 batch, with the unbiased variance.
    """

    epsilon: float
    affine: bool
    dtype: Dtype
    axis_name: str | None = None
    momentum: float = 0.1

    @nn.compact
    def __call__(
        self, features: Array, train: bool = False, example_weights: Array | None = None
    ) -> Array:
        """Normalises features.

        Args:
          features: [B, H, W, c].
          train: normalise by the statistics of the batch and update the running ones
            ('batch_stats' must be mutable); otherwise normalise by the running ones.
          example_weights: float32 [B], not negative; None for ones.

        Returns:
          [B, H, W, c] in `dtype`.
        """
        channels = features.shape[-1]
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, (channels,), jnp.float32)
        running_var = self.variable("batch_stats", "var", jnp.ones, (channels,), jnp.float32)
        x = features.astype(jnp.float32)
        if train:
            mean, variance, count = self._batch_statistics(x, example_weights)
            if not self.is_initializing():
                unbiased = variance * (count / jnp.maximum(count - 1, 1))
                # A batch of padding alone says nothing about the data.
                momentum = jnp.where(count > 0, self.momentum, 0.0)
                running_mean.value += momentum * (mean - running_mean.value)
                running_var.value += momentum * (unbiased - running_var.value)
        else:
            mean, variance = running_mean.value, running_var.value
        x = (x - by_channel(mean, x)) * by_channel(jax.lax.rsqrt(variance + self.epsilon), x)
        return _scale_and_shift(self, x).astype(self.dtype)

    def _batch_statistics(
        self, x: Array, example_weights: Array | None
    ) -> tuple[Array, Array, Array]:
        batch, height, width, _ = x.shape
        if example_weights is None:
            example_weights = jnp.ones((batch,), jnp.float32)
        weights = example_weights.astype(jnp.float32)

        def weighted_sum(values: Array) -> Array:
            total = jnp.tensordot(weights, jnp.sum(values, axis=(1, 2)), 1, precision="highest")
            return self._sum_over_devices(total)

        count = self._sum_over_devices(jnp.sum(weights)) * (height * width)
        divisor = jnp.where(count > 0, count, 1.0)
        mean = weighted_sum(x) / divisor
        # Two passes: E[x²] - E[x]² loses all digits where the mean is large.
        variance = weighted_sum(jnp.square(x - by_channel(mean, x))) / divisor
        return mean, variance, count

    def _sum_over_devices(self, value: Array) -> Array:
        # `init` usually runs outside the mapped function, where the axis has no name yet.
        if self.axis_name is None or self.is_initializing():
            return value
        return jax.lax.psum(value, self.axis_name)


def _scale_and_shift(norm: nn.Module, x: Array) -> Array:
    if not norm.affine:
        return x
    shape = (x.shape[-1],)
    scale = norm.param("scale", nn.initializers.ones_init(), shape)
    bias = norm.param("bias", nn.initializers.zeros_init(), shape)
    return x * by_channel(scale, x) + by_channel(bias, x)


def by_channel(values: Array, features: Array) -> Array:
    """Values [c] as [1, …, 1, c], of as many axes as features [..., c]."""
    return jnp.expand_dims(values, tuple(range(features.ndim - 1)))


def normalisation(
    kind: str, *, epsilon: float, affine: bool, dtype: Dtype, axis_name: str | None
) -> Callable[[], Callable[..., Array]]:
    """A factory of norm layers: 'instance', 'batch', or 'none' (the identity).

    Every layer is called with (features [B, H, W, c], train, example_weights).
    """
    if kind == "instance":
        return partial(InstanceNorm, epsilon, affine, dtype)
    if kind == "batch":
        return partial(BatchNorm, epsilon, affine, dtype, axis_name)
    return lambda: lambda features, train=False, example_weights=None: features
