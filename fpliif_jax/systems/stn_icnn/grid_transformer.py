"""The grid transformer of STN-iCNN (§2.3) and its inverse, and the θ that a part's centre asks for.

θ [B, N, 2, 3] = [s_x, 0, t_x; 0, s_y, t_y] (eq. 15) takes a position on the crop to one on the
canvas (eq. 14). Both run from −1 to 1: with the form 'align_corners' from the centre of the first pixel
to the centre of the last (PyTorch's `align_corners=True`), with 'eq21_half_pixel' from the outer edge of
the first to the outer edge of the last (`align_corners=False`). A θ means nothing without its form, so
whatever reads one needs it as well. Beyond the canvas everything is zero: black pixels, background labels.
The entries θ_01 and θ_10 are zero by eq. 15 and are not read.

Nothing here has parameters. Crops and their inverse are gathers on the device.
"""

import functools
import itertools
import operator
from collections.abc import Callable, Iterable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from fpliif_jax.data.facial_parts import PART_LABELS
from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.fields import field_checks

Array = jax.Array

LARGEST_SIDE = 1290  # sums of side³ pixel positions stay below 2³¹


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
    grid = _grid(side, form)
    backgrounds, labels = [], []
    for part, probabilities in enumerate(part_probabilities):
        size = probabilities.shape[1]
        indices, insides = [], []
        for axis in (1, 0):  # y, x
            scale, shift = theta[:, part, axis, axis, None], theta[:, part, axis, 2, None]
            is_usable = jnp.isfinite(scale) & jnp.isfinite(shift) & jnp.isfinite(1 / scale)
            scale = jnp.where(is_usable, scale, 1.0)
            position = _pixels(grid[None] * (1 / scale) + -shift / scale, size, form)
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


def part_centroids(labels: Array, floor: bool = True) -> tuple[Array, Array]:
    """Centres of the six parts in label maps (§2.5.2).

    The mouth's centre is the mean of the centres of its labels, of those that there are.

    Args:
      labels: integer [B, H, W], 0 … 8.
      floor: round down to whole pixels.

    Returns:
      (float32 [B, 6, 2], y and x in pixels, 0 at the centre of the first; bool [B, 6], false where
      a part is absent: its centre is then (0, 0)).

    Raises:
      SettingsError: a side is larger than `LARGEST_SIDE`.
    """
    _, height, width = labels.shape
    if max(height, width) > LARGEST_SIDE:
        raise SettingsError(
            f"label maps of {height}x{width}: sides may be {LARGEST_SIDE} at most; set config.data.image_size"
        )
    whole, rest, present = [], [], []
    for label in range(1, 9):
        mask = labels == label
        by_row, by_column = (jnp.sum(mask, axis=axis, dtype=jnp.int32) for axis in (2, 1))
        count = jnp.sum(by_row, axis=1)
        moments = jnp.stack(
            [
                jnp.sum(line * jnp.arange(length, dtype=jnp.int32)[None], axis=1)
                for line, length in ((by_row, height), (by_column, width))
            ],
            axis=-1,
        )
        divisor = jnp.maximum(count, 1)[:, None]
        # Whole pixels and the rest apart: together in float32 they could round up to the next pixel.
        whole.append(moments // divisor)
        rest.append((moments % divisor).astype(jnp.float32) / divisor.astype(jnp.float32))
        present.append(count > 0)
    centres, there = [], []
    for own in PART_LABELS:
        # Of labels that there are not, both are zero.
        wholes, rests = (_sum(centre[label - 1] for label in own) for centre in (whole, rest))
        number = _sum(present[label - 1].astype(jnp.int32) for label in own)
        there.append(number > 0)
        number = jnp.maximum(number, 1)[:, None]
        if floor:
            centre = (wholes + jnp.floor(rests).astype(jnp.int32)) // number
        else:
            centre = (wholes.astype(jnp.float32) + rests) / number.astype(jnp.float32)
        centres.append(centre.astype(jnp.float32))
    return jnp.stack(centres, axis=1), jnp.stack(there, axis=1)


def theta_of_centres(
    centres: Array, size: int | Sequence[int], side: int, form: str = "align_corners"
) -> Array:
    """θ of windows around these centres.

    Args:
      centres: float32 [B, N, 2], y and x on the canvas, in pixels, 0 at the centre of the first.
      size: side of the crops, in pixels; or that of each of the N.
      side: of the square canvas.
      form: 'align_corners', s = (size − 1)/(side − 1), t = −1 + 2c/(side − 1), as in the authors' code: an
        odd crop around a whole pixel is then a slice but for the rounding of positions. 'eq21_half_pixel', s =
        size/side, t = −1 + 2(c + ½)/side: eq. 21 where the pixel c is centred at c + ½ and θ is
        sampled likewise; an odd crop is then a slice bit for bit where the canvas is a power of 2, an even one
        is not, as Fig. 7 and 8 have it. 'eq21', s = size/side, t = −1 + 2c/side: the same formula with the
        centre of the first pixel at 0, sampled as 'align_corners': a slice is never its crop.

    Returns:
      float32 [B, N, 2, 3].
    """
    sizes = np.broadcast_to(size, centres.shape[1])
    centres = centres.astype(jnp.float32)
    if form == "align_corners":
        scale, shift = (sizes - 1) / (side - 1), _rounded(2 * centres / (side - 1)) - 1
    else:
        first_pixel = 0.5 if _is_half_pixel(form) else 0.0
        scale, shift = sizes / side, _rounded(2 * (centres + first_pixel) / side) - 1
    zeros = jnp.zeros_like(shift[..., 0])
    scales = jnp.broadcast_to(jnp.asarray(scale, jnp.float32), zeros.shape)
    first = jnp.stack([scales, zeros, shift[..., 1]], axis=-1)
    second = jnp.stack([zeros, scales, shift[..., 0]], axis=-1)
    return jnp.stack([first, second], axis=-2)


def centres_of_theta(theta: Array, side: int, form: str = "align_corners") -> Array:
    """Where windows have their centres: [B, N, 2, 3] -> float32 [B, N, 2], y and x, in pixels."""
    return _pixels(theta[..., ::-1, 2], side, form)


def edges_of_theta(
    theta: Array, size: int | Sequence[int], side: int, form: str = "align_corners"
) -> Array:
    """What windows cover: the outer edges of their outermost pixels, as `map_back` has them.

    Args:
      theta: float32 [B, N, 2, 3].
      size: side of the crops, in pixels; or that of each of the N.
      side: of the square canvas.
      form: of θ.

    Returns:
      float32 [B, N, 4]: top, left, bottom and right, in pixels, 0 at the edge of the canvas.
    """
    scale, shift = (
        jnp.stack([theta[..., 1, 1], theta[..., 0, 0]], -1),
        jnp.stack([theta[..., 1, 2], theta[..., 0, 2]], -1),
    )
    if not _is_half_pixel(form):  # -1 and 1 are centres, half a pixel of the crop inside
        sizes = np.broadcast_to(size, theta.shape[1])
        scale = scale * jnp.asarray(sizes / np.maximum(sizes - 1, 1), jnp.float32)[None, :, None]
    edges = [_pixels(shift + sign * jnp.abs(scale), side, form) + 0.5 for sign in (-1, 1)]
    return jnp.concatenate(edges, axis=-1)


def pixels_per_scale(side: int, form: str = "align_corners") -> int:
    """Pixels of a canvas's side from −1 to 1: a window with the scale s is s times as long."""
    return side if _is_half_pixel(form) else side - 1


def _window_positions(
    theta: Array, size: int, height: int, width: int, form: str
) -> tuple[Array, Array]:
    """Pixels that the rows and columns of crops look at: y and x, float32 [B, N, size] each."""
    grid = _grid(size, form)[None, None]

    def positions(axis: int, length: int) -> Array:
        scale, shift = theta[..., axis, axis, None], theta[..., axis, 2, None]
        return _pixels(_rounded(grid * scale) + shift, length, form)

    return positions(1, height), positions(0, width)


def _is_half_pixel(form: str) -> bool:
    field_checks.check({"model.theta_form": form})
    return form == "eq21_half_pixel"


def _grid(length: int, form: str) -> Array:
    """Where the centres of pixels lie in [−1, 1]: float32 [length]."""
    if _is_half_pixel(form):
        return jnp.asarray((2 * np.arange(length) + 1) / length - 1, jnp.float32)
    return jnp.asarray(np.linspace(-1, 1, length), jnp.float32)


def _pixels(position: Array, length: int, form: str) -> Array:
    """Positions in [−1, 1] as pixels, 0 at the centre of the first of `length`."""
    if _is_half_pixel(form):
        return (_rounded((position + 1) * length) - 1) / 2  # in PyTorch's order
    return (position + 1) / 2 * (length - 1)


def _rounded(product: Array) -> Array:
    """A product that is rounded before anything is added to it: in between it is clipped, far beyond any position.

    XLA computes a position again wherever it is used. With a fused multiply-add in one place and not in another, a
    whole position falls just short of itself in one of the two: then the pixel and its weight are of different rows.
    """
    return jnp.clip(product, -1e30, 1e30)


def _nearest(position: Array, length: int) -> tuple[Array, Array]:
    """Indices int32 that can be read, and whether they lie inside; halves go to even numbers."""
    index = jnp.round(jnp.clip(position, -2, length + 1)).astype(jnp.int32)
    return jnp.clip(index, 0, length - 1), _is_within(index, length)


def _is_within(index: Array, length: int) -> Array:
    return (index >= 0) & (index < length)


def _sum(values: Iterable[Array]) -> Array:
    return functools.reduce(operator.add, values)


def _pairs(rows: Array, columns: Array, combine: Callable[[Array, Array], Array]) -> Array:
    """[B, N, h] and [B, N, w] -> [B, N, h, w]."""
    return combine(rows[..., :, None], columns[..., None, :])
