"""Convolutions whose gradients are fast on CPUs, too.

XLA writes the gradient with respect to the kernel as a convolution with a window as large as the image. On CPUs it
works through the whole output gradient once for every few channels, which no cache holds if images are large: at
256² with 64 channels it reaches a third of the rate of the convolution itself, with four images a tenth. Here the sum
over pixels is cut into pieces that stay in the cache, each a product of two matrices.

The gradient of a strided convolution with respect to its images is one in which most of what is multiplied are zeros
between the pixels, and CPUs have no fast way for it. Here it is an ordinary convolution for each of the four kinds of
pixels (even or odd row, even or odd column), all in one.

Both are the same sums in another order, and for large 3×3 convolutions alone. All other gradients are XLA's own, with
their axes in the order that its fast way on CPUs asks for. XLA reorders axes by itself, but not inside loops, as over
the parts of a batch, where it fell back to a way that took ten to thirty times as long. Other devices keep what
JAX writes.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

Array = jax.Array

_PIECE = 2048  # pixels: with 64 channels a piece of the output gradient takes 0.5 MiB
# With fewer pixels in a batch, or fewer channels, XLA's own way is as fast.
_MANY_PIXELS, _MANY_CHANNELS = 2**14, 64

_Padding = tuple[tuple[int, int], ...]  # before and behind, of rows and columns


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve(images: Array, kernel: Array, stride: int = 1) -> Array:
    """A convolution with as many zeros on every side as the window reaches beyond its centre.

    Args:
      images: [B, H, W, c].
      kernel: [k, l, c, f] of odd k and l, of the same dtype.
      stride: of rows and columns.

    Returns:
      [B, H, W, f] in that dtype, H and W divided by the stride and rounded up.
    """
    return _padded_evenly(images, kernel, stride)


def _padded_evenly(images: Array, kernel: Array, stride: int) -> Array:
    rows, columns = (size // 2 for size in kernel.shape[:2])
    return _convolve(images, kernel, ((rows, rows), (columns, columns)), strides=(stride, stride))


def _convolve(
    images: Array,
    kernel: Array,
    padding: _Padding,
    strides: tuple[int, int] = (1, 1),
    image_dilation: tuple[int, int] = (1, 1),
    kernel_dilation: tuple[int, int] = (1, 1),
) -> Array:
    return jax.lax.conv_general_dilated(
        images,
        kernel,
        strides,
        padding,
        image_dilation,
        kernel_dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _forward(images: Array, kernel: Array, stride: int) -> tuple[Array, tuple[Array, Array]]:
    return _padded_evenly(images, kernel, stride), (images, kernel)


def _backward(stride: int, saved: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    images, kernel = saved
    batch, height, width, channels = images.shape
    is_large = (
        batch * height * width >= _MANY_PIXELS
        and channels >= _MANY_CHANNELS
        and kernel.shape[:2] == (3, 3)
    )

    def of_images(kernel: Array, gradient: Array) -> Array:
        return _transposed(lambda images: _padded_evenly(images, kernel, stride), images, gradient)

    def of_kernel(images: Array, gradient: Array) -> Array:
        return _transposed(lambda kernel: _padded_evenly(images, kernel, stride), kernel, gradient)

    of_images_on_cpu = functools.partial(image_gradient, stride, (height, width))
    if is_large and stride == 2:
        of_images_on_cpu = functools.partial(strided_image_gradient, (height, width))
    of_kernel_on_cpu = functools.partial(kernel_gradient, stride, kernel.shape[:2])
    if is_large:
        of_kernel_on_cpu = functools.partial(kernel_gradient_in_pieces, stride)
    return (
        jax.lax.platform_dependent(kernel, gradient, cpu=of_images_on_cpu, default=of_images),
        jax.lax.platform_dependent(images, gradient, cpu=of_kernel_on_cpu, default=of_kernel),
    )


convolve.defvjp(_forward, _backward)


def _transposed(linear: Callable[[Array], Array], like: Array, gradient: Array) -> Array:
    argument = jax.ShapeDtypeStruct(like.shape, like.dtype)
    return jax.linear_transpose(linear, argument)(gradient)[0]


def image_gradient(stride: int, size: tuple[int, int], kernel: Array, gradient: Array) -> Array:
    """The gradient of `convolve` with respect to its images, as a convolution with the turned kernel.

    Args:
      stride: of the convolution.
      size: height and width of the images.
      kernel: [k, l, c, f].
      gradient: [B, h, w, f], with respect to the output.

    Returns:
      [B, *size, c] in the dtype of `gradient`.
    """
    padding = []
    for pixels, outputs, window in zip(size, gradient.shape[1:3], kernel.shape[:2], strict=True):
        before = window // 2
        spread = stride * (outputs - 1) + 1
        padding.append((before, pixels - spread + before))
    turned = jnp.flip(kernel, (0, 1)).transpose(0, 1, 3, 2)
    return _convolve(gradient, turned, tuple(padding), image_dilation=(stride, stride))


def kernel_gradient(stride: int, window: tuple[int, ...], images: Array, gradient: Array) -> Array:
    """The gradient of `convolve` with respect to its kernel, as a convolution with a window of the whole image.

    Args:
      stride: of the convolution.
      window: (k, l), of the kernel.
      images: [B, H, W, c].
      gradient: [B, h, w, f], with respect to the output.

    Returns:
      [k, l, c, f] in the dtype of `images`.
    """
    padding = []
    for pixels, outputs, taps in zip(images.shape[1:3], gradient.shape[1:3], window, strict=True):
        before = taps // 2
        spread = stride * (outputs - 1) + 1
        padding.append((before, taps - 1 + spread - pixels - before))
    channels_first = _convolve(
        images.transpose(3, 1, 2, 0),
        gradient.transpose(1, 2, 0, 3),
        tuple(padding),
        kernel_dilation=(stride, stride),
    )
    return channels_first.transpose(1, 2, 0, 3)


def strided_image_gradient(size: tuple[int, int], kernel: Array, gradient: Array) -> Array:
    """The gradient of `convolve` with stride 2 with respect to its images.

    An even row 2i is met by the middle row of the window at output row i alone, an odd row 2i + 1 by the last
    row of that window and by the first row of the next one; and so the columns.

    Args:
      size: height and width of the images.
      kernel: [3, 3, c, f].
      gradient: [B, h, w, f], with respect to the output.

    Returns:
      [B, *size, c] in the dtype of `gradient`.
    """
    batch, height, width, features = gradient.shape
    channels = kernel.shape[2]
    # [next, parity, ky]: which row of the window meets a row of that parity.
    taps = jnp.zeros((2, 2, 3), kernel.dtype).at[(0, 0, 1), (0, 1, 1), (1, 2, 0)].set(1)
    joined = jnp.einsum("apy,bqx,yxcf->abfpqc", taps, taps, kernel, precision="highest")
    blocks = jax.lax.conv_general_dilated(
        gradient,
        joined.reshape(2, 2, features, 4 * channels),
        (1, 1),
        ((0, 1), (0, 1)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    blocks = blocks.reshape(batch, height, width, 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(batch, 2 * height, 2 * width, channels)[:, : size[0], : size[1]]


def kernel_gradient_in_pieces(stride: int, images: Array, gradient: Array) -> Array:
    """The gradient of `convolve` with respect to its kernel, summed over pieces of a few rows.

    Args:
      stride: 1 or 2.
      images: [B, H, W, c].
      gradient: [B, h, w, f], with respect to the output.

    Returns:
      [3, 3, c, f] in the dtype of `images`; sums are float32.
    """
    batch, height, width, features = gradient.shape
    channels = images.shape[-1]
    rows = max(
        r for r in range(1, height + 1) if height % r == 0 and (r == 1 or r * width <= _PIECE)
    )
    pieces = height // rows
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    window = (1, stride * (rows - 1) + 3, stride * (width - 1) + 3, channels)

    def add_piece(total: Array, index: Array) -> tuple[Array, None]:
        image, first = index // pieces, index % pieces * rows
        seen = jax.lax.dynamic_slice(padded, (image, stride * first, 0, 0), window)[0]
        piece = jax.lax.dynamic_slice(gradient, (image, first, 0, 0), (1, rows, width, features))
        piece = piece.reshape(rows * width, features)
        of_rows = {}
        for phase in range(stride):
            # [3 c, … W]: the three columns of the window beside each other; its rows are slices.
            columns = [seen[phase::stride, x : x + window[2] - 2 : stride] for x in range(3)]
            columns = jnp.concatenate(columns, axis=-1).reshape(-1, 3 * channels).T
            for y in range(phase, 3, stride):
                start = y // stride * width
                of_rows[y] = jnp.matmul(
                    columns[:, start : start + rows * width],
                    piece,
                    preferred_element_type=jnp.float32,
                )
        return total + jnp.stack([of_rows[y] for y in range(3)]), None

    zeros = jnp.zeros((3, 3 * channels, features), jnp.float32)
    total, _ = jax.lax.scan(add_piece, zeros, jnp.arange(batch * pieces))
    return total.reshape(3, 3, channels, features).astype(images.dtype)
