"""3×3 convolutions whose gradient with respect to the kernel is fast on CPUs, too.

XLA writes that gradient as a convolution with a window as large as the image. On CPUs it works through the whole
output gradient once for every few channels, which no cache holds if images are large: at 256² with 64 channels it
reaches a third of the rate of the convolution itself, with four images a tenth. Here the sum over pixels is cut into
pieces that stay in the cache, each a product of two matrices. The same sum in another order; other devices keep XLA's.
"""

import functools

import jax
import jax.numpy as jnp

Array = jax.Array

_PIECE = 2048  # pixels: with 64 channels a piece of the gradient takes 0.5 MiB
# With fewer pixels in a batch, or fewer channels, XLA's own way is as fast.
_MANY_PIXELS, _MANY_CHANNELS = 2**14, 64


def convolve(images: Array, kernel: Array) -> Array:
    """A 3×3 convolution with stride 1 and one pixel of zeros on every side.

    Args:
      images: [B, H, W, c].
      kernel: [3, 3, c, f], of the same dtype.

    Returns:
      [B, H, W, f] in that dtype.
    """
    batch, height, width, channels = images.shape
    is_large = batch * height * width >= _MANY_PIXELS and channels >= _MANY_CHANNELS
    return _convolve_large(images, kernel) if is_large else _convolve(images, kernel)


def _convolve(images: Array, kernel: Array) -> Array:
    return jax.lax.conv_general_dilated(
        images, kernel, (1, 1), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@jax.custom_vjp
def _convolve_large(images: Array, kernel: Array) -> Array:
    return _convolve(images, kernel)


def _forward(images: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return _convolve(images, kernel), (images, kernel)


def _backward(saved: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    images, kernel = saved
    (of_images,) = jax.linear_transpose(lambda images: _convolve(images, kernel), images)(gradient)
    of_kernel = jax.lax.platform_dependent(
        images, gradient, cpu=kernel_gradient_in_pieces, default=_kernel_gradient
    )
    return of_images, of_kernel


_convolve_large.defvjp(_forward, _backward)


def _kernel_gradient(images: Array, gradient: Array) -> Array:
    shape = (3, 3, images.shape[-1], gradient.shape[-1])
    kernel = jax.ShapeDtypeStruct(shape, images.dtype)
    return jax.linear_transpose(functools.partial(_convolve, images), kernel)(gradient)[0]


def kernel_gradient_in_pieces(images: Array, gradient: Array) -> Array:
    """The gradient of `convolve` with respect to its kernel, summed over pieces of a few rows.

    Args:
      images: [B, H, W, c].
      gradient: [B, H, W, f], with respect to the output.

    Returns:
      [3, 3, c, f] in the dtype of `images`; sums are float32.
    """
    batch, height, width, channels = images.shape
    rows = max(
        r for r in range(1, height + 1) if height % r == 0 and (r == 1 or r * width <= _PIECE)
    )
    pieces = height // rows
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))

    def add_piece(total: Array, index: Array) -> tuple[Array, None]:
        image, first = index // pieces, index % pieces * rows
        above = jax.lax.dynamic_slice(
            padded, (image, first, 0, 0), (1, rows + 2, width + 2, channels)
        )[0]
        piece = jax.lax.dynamic_slice(
            gradient, (image, first, 0, 0), (1, rows, width, gradient.shape[-1])
        ).reshape(rows * width, -1)
        # [3 c, (rows + 2) W]: each of the three columns of the window; its three rows are slices.
        columns = jnp.concatenate([above[:, x : x + width] for x in range(3)], axis=-1)
        columns = columns.reshape(-1, 3 * channels).T
        of_rows = [
            jnp.matmul(
                columns[:, y * width : (y + rows) * width],
                piece,
                preferred_element_type=jnp.float32,
            )
            for y in range(3)
        ]
        return total + jnp.stack(of_rows), None

    zeros = jnp.zeros((3, 3 * channels, gradient.shape[-1]), jnp.float32)
    total, _ = jax.lax.scan(add_piece, zeros, jnp.arange(batch * pieces))
    return total.reshape(3, 3, channels, -1).astype(images.dtype)
