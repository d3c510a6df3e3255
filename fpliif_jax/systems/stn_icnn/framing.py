"""Resampling of images on a canvas to the coarse network's input, on the device (STN-iCNN §2.5.1).

An image of h × w pixels lies in the middle of an S × S canvas, at row (S − h) // 2 and column
(S − w) // 2. The coarse network sees it squeezed to a square.
"""

import jax
import jax.numpy as jnp
import ml_collections

Array = jax.Array


def coarse_view(
    canvas: Array, image_sizes: Array, settings: ml_collections.ConfigDict
) -> tuple[Array, Array | None]:
    """What the coarse network is fed, and what of the canvas that is.

    Args:
      canvas: float32 [B, S, S, 3].
      image_sizes: int32 [B, 2], height and width of each image.
      settings: config.model of STN-iCNN, resolved.

    Returns:
      (float32 [B, coarse_size, coarse_size, 3], the `image_sizes` that `STNICNN.__call__` takes with
      it: None where it shows all of the canvas).
    """
    source = settings.coarse_from
    size, alignment = settings.coarse_size, settings.coarse_alignment
    resized = coarse_images(canvas, image_sizes, size, alignment, source)
    return resized, image_sizes if source == "image" else None


def coarse_images(
    canvas: Array, image_sizes: Array, size: int, alignment: str, source: str
) -> Array:
    """Squeezes images to squares, bilinearly and without antialiasing.

    Args:
      canvas: float32 [B, S, S, 3].
      image_sizes: int32 [B, 2], height and width of each image; (0, 0) for padding examples.
      size: side of the result.
      alignment: 'half_pixel' or 'corners', as PyTorch's `align_corners=False` and `True`.
      source: 'image', or 'canvas': all of it, padding included.

    Returns:
      float32 [B, size, size, 3].
    """
    for axis in (1, 2):
        offset, length = _extent(canvas, image_sizes, axis, source)
        steps = jnp.arange(size, dtype=jnp.float32)[None]
        extent = length.astype(jnp.float32)[:, None]
        if alignment == "corners":
            position = steps * ((extent - 1) / max(size - 1, 1))
        else:
            position = jnp.clip((steps + 0.5) * (extent / size) - 0.5, 0, extent - 1)
        first = jnp.minimum(jnp.floor(position).astype(jnp.int32), length[:, None] - 1)
        fraction = _along(position - first.astype(jnp.float32), axis)
        second = jnp.minimum(first + 1, length[:, None] - 1)
        canvas = (
            _take(canvas, offset[:, None] + first, axis) * (1 - fraction)
            + _take(canvas, offset[:, None] + second, axis) * fraction
        )
    return canvas


def coarse_labels(labels: Array, image_sizes: Array, size: int, source: str) -> Array:
    """Squeezes label maps to squares: the pixel whose area holds the centre of the new one.

    Args:
      labels: integer [B, S, S].
      image_sizes, size, source: as for `coarse_images`.

    Returns:
      [B, size, size] in the dtype of `labels`.
    """
    for axis in (1, 2):
        offset, length = _extent(labels, image_sizes, axis, source)
        index = (2 * jnp.arange(size, dtype=jnp.int32)[None] + 1) * length[:, None] // (2 * size)
        labels = _take(labels, offset[:, None] + index, axis)
    return labels


def is_image(image_sizes: Array, side: int) -> Array:
    """Which pixels of a canvas are of the image and not padding: bool [B, side, side]."""
    inside = []
    for axis in (0, 1):
        length = image_sizes[:, axis, None]
        offset = (side - length) // 2
        index = jnp.arange(side, dtype=jnp.int32)[None]
        inside.append((index >= offset) & (index < offset + length))
    return inside[0][:, :, None] & inside[1][:, None, :]


def _extent(canvas: Array, image_sizes: Array, axis: int, source: str) -> tuple[Array, Array]:
    """Where the source begins and how long it is along an axis: int32 [B] each."""
    side = canvas.shape[axis]
    length = jnp.maximum(image_sizes[:, axis - 1], 1)  # padding examples have none
    if source == "canvas":
        length = jnp.full_like(length, side)
    return (side - length) // 2, length


def _take(array: Array, index: Array, axis: int) -> Array:
    return jnp.take_along_axis(array, _along(index, axis, array.ndim), axis, mode="clip")


def _along(values: Array, axis: int, ndim: int = 4) -> Array:
    """[B, n] -> [B, 1, …, n, …, 1] with n at `axis`."""
    shape = [1] * ndim
    shape[0], shape[axis] = values.shape
    return values.reshape(shape)
