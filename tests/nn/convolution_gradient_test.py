"""Convolutions and their gradients, against SciPy and PyTorch."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from needs_torch import torch
from scipy import signal

from fpliif_jax.nn import convolution_gradient

# Float32 sums of up to 2**14 products of size one: rounding is about 1e-7 times the root of their number,
# 1e-5 of a sum that is itself about 2**7. A pixel or a tap left out would change it by 1.
TOLERANCE = 2e-4


def _arrays(batch: int, height: int, width: int, inputs: int, outputs: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    shapes = (
        (batch, height, width, inputs),
        (3, 3, inputs, outputs),
        (batch, height, width, outputs),
    )
    return [random.normal(size=shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(2, 5, 7), (1, 12, 4100), (1, 62, 700), (3, 64, 48)])
def test_the_gradient_in_pieces_is_the_correlation(size: tuple[int, int, int], stride: int) -> None:
    """Also where rows are longer than a piece, and where their number is a prime."""
    images, _, gradient = _arrays(*size, 2, 3)
    gradient = gradient[:, ::stride, ::stride]
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    spread = np.zeros((*images.shape[:3], 3))
    spread[:, ::stride, ::stride] = gradient  # zeros where the window does not stop
    expected = np.zeros((3, 3, 2, 3))
    for image, wanted in zip(padded.astype(float), spread, strict=True):
        for c, f in np.ndindex(2, 3):
            expected[..., c, f] += signal.correlate(image[..., c], wanted[..., f], "valid")
    found = convolution_gradient.kernel_gradient_in_pieces(stride, images, gradient)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, expected, atol=TOLERANCE * np.abs(expected).max())


@pytest.mark.parametrize(
    ("height", "width", "stride"), [(128, 128, 1), (128, 128, 2), (131, 127, 1), (131, 127, 2)]
)
def test_large_convolutions_have_the_gradients_of_pytorch(
    height: int, width: int, stride: int
) -> None:
    """Large enough for the gradient in pieces to be what runs; odd sizes, too."""
    images, kernel, weights = _arrays(1, height, width, 64, 4)
    weights = weights[:, ::stride, ::stride]

    def loss(images: jax.Array, kernel: jax.Array) -> jax.Array:
        output = convolution_gradient.convolve(images, kernel, stride)
        return jnp.sum(jnp.tanh(output / 24) * weights)

    compiled = jax.jit(jax.value_and_grad(loss, (0, 1)))
    assert "while" in compiled.lower(images, kernel).as_text(), "not in pieces"
    value, gradients = compiled(images, kernel)
    inputs = torch.from_numpy(images).permute(0, 3, 1, 2).requires_grad_()
    weight = torch.from_numpy(kernel).permute(3, 2, 0, 1).requires_grad_()
    output = torch.nn.functional.conv2d(inputs, weight, stride=stride, padding=1)
    expected = torch.sum(torch.tanh(output.permute(0, 2, 3, 1) / 24) * torch.from_numpy(weights))
    expected.backward()
    np.testing.assert_allclose(value, expected.item(), rtol=1e-4)
    for found, wanted in (
        (gradients[0], inputs.grad.permute(0, 2, 3, 1).numpy()),
        (gradients[1], weight.grad.permute(2, 3, 1, 0).numpy()),
    ):
        np.testing.assert_allclose(found, wanted, atol=TOLERANCE * np.abs(wanted).max())


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("window", [(1, 1), (3, 3), (7, 5)])
def test_small_convolutions_have_the_gradients_of_pytorch(
    window: tuple[int, int], stride: int
) -> None:
    images, _, weights = _arrays(2, 13, 10, 3, 4)
    kernel = np.random.default_rng(1).normal(size=(*window, 3, 4)).astype(np.float32)
    weights = weights[:, ::stride, ::stride]
    value, transpose = jax.vjp(
        lambda *arguments: convolution_gradient.convolve(*arguments, stride), images, kernel
    )
    inputs = torch.from_numpy(images).permute(0, 3, 1, 2).requires_grad_()
    weight = torch.from_numpy(kernel).permute(3, 2, 0, 1).requires_grad_()
    padding = tuple(size // 2 for size in window)
    output = torch.nn.functional.conv2d(inputs, weight, stride=stride, padding=padding)
    output.backward(torch.from_numpy(weights).permute(0, 3, 1, 2))
    expected = (
        output.detach().permute(0, 2, 3, 1).numpy(),
        inputs.grad.permute(0, 2, 3, 1).numpy(),
        weight.grad.permute(2, 3, 1, 0).numpy(),
    )
    for found, wanted in zip((value, *transpose(jnp.asarray(weights))), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=TOLERANCE * np.abs(wanted).max())


@pytest.mark.parametrize("stride", [1, 2])
def test_in_a_loop_every_convolution_has_the_axes_of_the_fast_way_on_a_cpu(stride: int) -> None:
    """XLA reorders axes outside of loops alone; with others it takes ten times as long, and says nothing."""
    images, kernel, weights = _arrays(4, 8, 8, 2, 3)
    weights = weights[:, ::stride, ::stride]

    def gradients(row: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        image, weight = (leaf[None] for leaf in row)
        _, transpose = jax.vjp(
            lambda *arguments: convolution_gradient.convolve(*arguments, stride), image, kernel
        )
        return transpose(weight)

    looped = jax.jit(lambda *rows: jax.lax.map(gradients, rows))
    program = looped.lower(images, weights).compile().as_text()
    axes = re.findall(r"convolution\(.*dim_labels=([^,]*)", program)
    assert "while" in program
    assert axes == ["b01f_01io->b01f"] * 2


def test_with_a_stride_no_zeros_between_pixels_are_multiplied_on_a_cpu() -> None:
    """XLA's own gradient of the images dilates the output's: the result is the same, and slow."""
    images, kernel, _ = _arrays(1, 128, 128, 64, 2)

    def loss(images: jax.Array) -> jax.Array:
        return jnp.sum(jnp.square(convolution_gradient.convolve(images, kernel, 2)))

    program = jax.jit(jax.grad(loss)).lower(images).compile().as_text()
    assert "convolution(" in program and "lhs_dilate" not in program


def test_the_sum_of_a_piece_is_not_rounded_to_bfloat16() -> None:
    """Seven pieces with 257 ones, which bfloat16 would make 256, and one with 7 · 256 times −1."""
    ones = jnp.ones((1, 128, 128, 1), jnp.bfloat16)
    gradient = np.zeros((8, convolution_gradient._PIECE), np.float32)
    gradient[:7, 300:557] = 1
    gradient[7, 128 : 128 + 7 * 256] = -1  # away from the border, which three taps do not see
    gradient = jnp.asarray(gradient.reshape(1, 128, 128, 1), jnp.bfloat16)
    found = convolution_gradient.kernel_gradient_in_pieces(1, ones, gradient)
    assert found[1, 1, 0, 0] == 7


def test_bfloat16_gradients_are_summed_in_float32() -> None:
    """2**14 ones: sums in bfloat16 would stop at 256."""
    ones = jnp.ones((1, 128, 128, 1), jnp.bfloat16)
    found = convolution_gradient.kernel_gradient_in_pieces(1, ones, ones)
    assert found.dtype == jnp.bfloat16
    assert found[1, 1, 0, 0] == 128**2


def test_gradients_of_bfloat16_keep_their_type() -> None:
    images, kernel, _ = (jnp.asarray(a, jnp.bfloat16) for a in _arrays(1, 128, 128, 64, 2))

    def loss(images: jax.Array, kernel: jax.Array) -> jax.Array:
        return jnp.sum(convolution_gradient.convolve(images, kernel, 2).astype(jnp.float32))

    gradients = jax.grad(loss, (0, 1))(images, kernel)
    assert [leaf.dtype for leaf in gradients] == [jnp.bfloat16] * 2
    assert [leaf.shape for leaf in gradients] == [images.shape, kernel.shape]
