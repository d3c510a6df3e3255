"""The grid transformer of STN-iCNN (§2.3) and its inverse.

What θ is, and what its forms are, is in `theta_forms`. Beyond the canvas everything is zero: black pixels,
background labels. Nothing here has parameters. Crops and their inverse are gathers on the device.
"""

import functools
import itertools
import operator
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from fpliif_jax.data.facial_parts import PART_LABELS
from fpliif_jax.systems.stn_icnn import theta_forms

Array = jax.Array


def crop_images(canvas: Array, theta: Array, size: int, form: str = "align_corners") -> Array:
    """Crops windows bilinearly (eq. 3).

    Args:
      canvas: float [B, H, W, C].
      theta: float32 [B, N, 2, 3]; may leave the canvas, where everything is 0.
      size: side of the crops, in pixels.
      form: of θ.

    Returns:
      [B, N, size, size, C] in the dtype of `canvas`; differentiable in theta.
    """
    batch, height, width, channels = canvas.shape
    y, x = _window_positions(theta, size, height, width, form)
    flat = canvas.reshape(batch, height * width, channels)
    # Far outside is as good as just outside, and fits an integer.
    y, x = jnp.clip(y, -2, height + 1), jnp.clip(x, -2, width + 1)
    top, left = jnp.floor(y), jnp.floor(x)
    down, right = (y - top).astype(canvas.dtype), (x - left).astype(canvas.dtype)
    top, left = top.astype(jnp.int32), left.astype(jnp.int32)

    def tap(below: int, beside: int) -> Array:
        rows, columns = top + below, left + beside  # [B, N, size] each
        inside = _pairs(_is_within(rows, height), _is_within(columns, width), jnp.logical_and)
        rows, columns = jnp.clip(rows, 0, height - 1), jnp.clip(columns, 0, width - 1)
        index = _pairs(rows * width, columns, jnp.add)
        values = jnp.take_along_axis(
            flat, index.reshape(batch, -1, 1), axis=1, mode="promise_in_bounds"
        )
        weight = _pairs(
            down if below else 1 - down, right if beside else 1 - right, jnp.multiply
        ) * inside.astype(canvas.dtype)
        return values.reshape(*index.shape, channels) * weight[..., None]

    return tap(0, 0) + tap(0, 1) + tap(1, 0) + tap(1, 1)


def crop_labels(labels: Array, theta: Array, size: int, form: str = "align_corners") -> Array:
    """Crops windows of label maps by nearest neighbour; what lies outside is background, 0.

    Args:
      labels: integer [B, H, W].
      theta: float32 [B, N, 2, 3].
      size: side of the crops, in pixels.
      form: of θ.

    Returns:
      [B, N, size, size] in the dtype of `labels`.
    """
    batch, height, width = labels.shape
    y, x = _window_positions(theta, size, height, width, form)
    rows, row_inside = _nearest(y, height)
    columns, column_inside = _nearest(x, width)
    index = _pairs(rows * width, columns, jnp.add)
    values = jnp.take_along_axis(
        labels.reshape(batch, -1), index.reshape(batch, -1), axis=1, mode="promise_in_bounds"
    ).reshape(index.shape)
    return jnp.where(_pairs(row_inside, column_inside, jnp.logical_and), values, 0)


def crop_parts(
    crop: Callable[..., Array], source: Array, theta: Array, sizes: Sequence[int], form: str
) -> tuple[Array, ...]:
    """Crops the six parts, of which some may have larger windows than the others.

    Args:
      crop: `crop_images` or `crop_labels`.
      source: what that crops, [B, H, W, …].
      theta: float32 [B, 6, 2, 3].
      sizes: side of each part's crop, in pixels.
      form: of θ.

    Returns:
      six of [B, size, size, …].
    """
    crops, start = [], 0
    for size, neighbours in itertools.groupby(sizes):
        count = len(list(neighbours))  # of one size: cropped at once
        cropped = crop(source, theta[:, start : start + count], size, form)
        crops += [cropped[:, index] for index in range(count)]
        start += count
    return tuple(crops)


def part_targets(label_crops: Sequence[Array]) -> tuple[Array, ...]:
    """Labels of each part's own network: 0 is everything that is not of the part.

    Args:
      label_crops: six of integer [B, size, size], labels 0 … 8.

    Returns:
      six of int32 [B, size, size]: 0 or 1; for the mouth 0 … 3.
    """
    targets = []
    for crop, own in zip(label_crops, PART_LABELS, strict=True):
        crop = crop.astype(jnp.int32)
        is_own = (crop >= own[0]) & (crop <= own[-1])
        targets.append(jnp.where(is_own, crop - own[0] + 1, 0))
    return tuple(targets)


def map_back(
    part_probabilities: tuple[Array, ...], theta: Array, side: int, form: str = "align_corners"
) -> Array:
    """The inverse grid transformer (eq. 5), and the union of the parts.

    A canvas pixel takes the nearest pixel of a crop. Outside a crop its part is certainly absent:
    background 1, labels 0. The background of the whole is the product of the six backgrounds; the
    labels are those of the parts, so the nine values need not add up to one. A θ whose scale is not
    finite, or zero or so small that it has no inverse in float32, covers no pixel.

    Args:
      part_probabilities: six of float [B, size, size, 1 + number of the part's labels]; the sizes may differ.
      theta: float32 [B, 6, 2, 3].
      side: of the square canvas.
      form: of θ.

    Returns:
      float32 [B, side, side, 9] in [0, 1].
    """
    grid = theta_forms.grid(side, form)
    backgrounds, labels = [], []
    for part, probabilities in enumerate(part_probabilities):
        size = probabilities.shape[1]
        indices, insides = [], []
        for axis in (1, 0):  # y, x
            scale, shift = theta[:, part, axis, axis, None], theta[:, part, axis, 2, None]
            is_usable = jnp.isfinite(scale) & jnp.isfinite(shift) & jnp.isfinite(1 / scale)
            scale = jnp.where(is_usable, scale, 1.0)
            position = theta_forms.pixels(grid[None] * (1 / scale) + -shift / scale, size, form)
            index, inside = _nearest(position, size)
            indices.append(index)
            insides.append(inside & is_usable)
        (rows, columns), (row_inside, column_inside) = indices, insides
        # Labels first, columns before rows: all of the large array is then copied row by row, which is
        # many times as fast as pixel by pixel.
        strips = jnp.moveaxis(probabilities, -1, 1).astype(jnp.float32)  # [B, labels, size, size]
        strips = jnp.take_along_axis(strips, columns[:, None, None], axis=3)
        absent = jnp.zeros((strips.shape[1], 1, 1), jnp.float32).at[0].set(1)
        strips = jnp.where(column_inside[:, None, None], strips, absent)
        below = jnp.broadcast_to(absent, (*strips.shape[:2], 1, side))
        # Or else XLA would look the columns up again for every row.
        strips = jax.lax.optimization_barrier(jnp.concatenate([strips, below], axis=2))
        rows = jnp.where(row_inside, rows, size)
        sampled = jax.vmap(lambda strips, rows: jnp.take(strips, rows, axis=1, mode="clip"))(
            strips, rows
        )
        backgrounds.append(sampled[:, 0])
        labels.append(sampled[:, 1:])
    background = functools.reduce(operator.mul, backgrounds)
    return jnp.moveaxis(jnp.concatenate([background[:, None], *labels], axis=1), 1, -1)


def _window_positions(
    theta: Array, size: int, height: int, width: int, form: str
) -> tuple[Array, Array]:
    """Pixels that the rows and columns of crops look at: y and x, float32 [B, N, size] each."""
    grid = theta_forms.grid(size, form)[None, None]

    def positions(axis: int, length: int) -> Array:
        scale, shift = theta[..., axis, axis, None], theta[..., axis, 2, None]
        return theta_forms.pixels(theta_forms.rounded(grid * scale) + shift, length, form)

    return positions(1, height), positions(0, width)


def _nearest(position: Array, length: int) -> tuple[Array, Array]:
    """Indices int32 that can be read, and whether they lie inside; halves go to even numbers."""
    index = jnp.round(jnp.clip(position, -2, length + 1)).astype(jnp.int32)
    return jnp.clip(index, 0, length - 1), _is_within(index, length)


def _is_within(index: Array, length: int) -> Array:
    return (index >= 0) & (index < length)


def _pairs(rows: Array, columns: Array, combine: Callable[[Array, Array], Array]) -> Array:
    """[B, N, h] and [B, N, w] -> [B, N, h, w]."""
    return combine(rows[..., :, None], columns[..., None, :])
