"""The grid transformer of STN-iCNN (§2.3) and its inverse, and the θ that a part's centre asks for.

θ [B, N, 2, 3] = [s_x, 0, t_x; 0, s_y, t_y] (eq. 15) takes a position on the crop to one on the
canvas (eq. 14), both from −1 at the centre of the first pixel to 1 at the centre of the last
(`align_corners=True`). Beyond the canvas everything is zero: black pixels, background labels. The
entries θ_01 and θ_10 are zero by eq. 15 and are not read.

Nothing here has parameters. Crops and their inverse are gathers on the device.
"""

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array

# Labels of the six parts: brow 1, brow 2, eye 1, eye 2, nose, mouth (upper lip, inner, lower lip).
PART_LABELS = ((1,), (2,), (3,), (4,), (5,), (6, 7, 8))
LARGEST_SIDE = 1290  # sums of side³ pixel positions stay below 2³¹
THETA_FORMS = ("align_corners", "eq21")


def crop_images(canvas: Array, theta: Array, size: int) -> Array:
    """Crops windows bilinearly (eq. 3).

    Args:
      canvas: float [B, H, W, C].
      theta: float32 [B, N, 2, 3]; may leave the canvas, where everything is 0.
      size: side of the crops, in pixels.

    Returns:
      [B, N, size, size, C] in the dtype of `canvas`; differentiable in theta.
    """
    batch, height, width, channels = canvas.shape
    y, x = _window_positions(theta, size, height, width)
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
        found = jnp.take_along_axis(
            flat, index.reshape(batch, -1, 1), axis=1, mode="promise_in_bounds"
        )
        weight = _pairs(
            down if below else 1 - down, right if beside else 1 - right, jnp.multiply
        ) * inside.astype(canvas.dtype)
        return found.reshape(*index.shape, channels) * weight[..., None]

    return tap(0, 0) + tap(0, 1) + tap(1, 0) + tap(1, 1)


def crop_labels(labels: Array, theta: Array, size: int) -> Array:
    """Crops windows of label maps by nearest neighbour; what lies outside is background, 0.

    Args:
      labels: integer [B, H, W].
      theta: float32 [B, N, 2, 3].
      size: side of the crops, in pixels.

    Returns:
      [B, N, size, size] in the dtype of `labels`.
    """
    batch, height, width = labels.shape
    y, x = _window_positions(theta, size, height, width)
    rows, row_inside = _nearest(y, height)
    columns, column_inside = _nearest(x, width)
    index = _pairs(rows * width, columns, jnp.add)
    found = jnp.take_along_axis(
        labels.reshape(batch, -1), index.reshape(batch, -1), axis=1, mode="promise_in_bounds"
    ).reshape(index.shape)
    return jnp.where(_pairs(row_inside, column_inside, jnp.logical_and), found, 0)


def part_targets(label_crops: Array) -> tuple[Array, ...]:
    """Labels of each part's own network: 0 is everything that is not of the part.

    Args:
      label_crops: integer [B, 6, size, size], labels 0 … 8.

    Returns:
      six of int32 [B, size, size]: 0 or 1; for the mouth 0 … 3.
    """
    targets = []
    for part, own in enumerate(PART_LABELS):
        found = label_crops[:, part].astype(jnp.int32)
        is_own = (found >= own[0]) & (found <= own[-1])
        targets.append(jnp.where(is_own, found - own[0] + 1, 0))
    return tuple(targets)


def map_back(part_probabilities: tuple[Array, ...], theta: Array, side: int) -> Array:
    """The inverse grid transformer (eq. 5), and the union of the parts.

    A canvas pixel takes the nearest pixel of a crop. Outside a crop its part is certainly absent:
    background 1, labels 0. The background of the whole is the product of the six backgrounds; the
    labels are those of the parts, so the nine values need not add up to one. A θ whose scale is zero or
    not finite covers no pixel.

    Args:
      part_probabilities: six of float [B, size, size, 1 + number of the part's labels].
      theta: float32 [B, 6, 2, 3].
      side: of the square canvas.

    Returns:
      float32 [B, side, side, 9] in [0, 1].
    """
    grid = jnp.asarray(np.linspace(-1, 1, side), jnp.float32)
    background, labels = None, []
    for part, probabilities in enumerate(part_probabilities):
        size = probabilities.shape[1]
        indices, insides = [], []
        for axis in (1, 0):  # y, x
            scale, shift = theta[:, part, axis, axis, None], theta[:, part, axis, 2, None]
            is_usable = jnp.isfinite(scale) & jnp.isfinite(shift) & (scale != 0)
            scale = jnp.where(is_usable, scale, 1.0)
            position = (grid * (1 / scale) + -shift / scale + 1) / 2 * (size - 1)
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
        found = jax.vmap(lambda strips, rows: jnp.take(strips, rows, axis=1, mode="clip"))(
            strips, rows
        )
        background = found[:, 0] if background is None else background * found[:, 0]
        labels.append(found[:, 1:])
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
      ValueError: a side is larger than `LARGEST_SIDE`.
    """
    _, height, width = labels.shape
    if max(height, width) > LARGEST_SIDE:
        raise ValueError(f"label maps of {height}x{width}: sides may be {LARGEST_SIDE} at most")
    whole, rest, present = [], [], []
    for label in range(1, 9):
        mask = labels == label
        by_row, by_column = (jnp.sum(mask, axis=axis, dtype=jnp.int32) for axis in (2, 1))
        count = jnp.sum(by_row, axis=1)
        moments = jnp.stack(
            [
                jnp.sum(line * jnp.arange(length, dtype=jnp.int32), axis=1)
                for line, length in ((by_row, height), (by_column, width))
            ],
            axis=-1,
        )
        divisor = jnp.maximum(count, 1)[:, None]
        # Whole pixels and the rest apart: together in float32 they could round up to the next pixel.
        whole.append(moments // divisor)
        rest.append((moments % divisor).astype(jnp.float32) / divisor.astype(jnp.float32))
        present.append(count > 0)
    found, there = [], []
    for own in PART_LABELS:
        # Of labels that there are not, both are zero.
        wholes, rests = (sum(centre[label - 1] for label in own) for centre in (whole, rest))
        number = sum(present[label - 1].astype(jnp.int32) for label in own)
        there.append(number > 0)
        number = jnp.maximum(number, 1)[:, None]
        if floor:
            centre = (wholes + jnp.floor(rests).astype(jnp.int32)) // number
        else:
            centre = (wholes.astype(jnp.float32) + rests) / number.astype(jnp.float32)
        found.append(centre.astype(jnp.float32))
    return jnp.stack(found, axis=1), jnp.stack(there, axis=1)


def theta_of_centres(centres: Array, size: int, side: int, form: str = "align_corners") -> Array:
    """θ of windows around given centres.

    Args:
      centres: float32 [B, N, 2], y and x on the canvas, in pixels.
      size: side of the crops, in pixels.
      side: of the square canvas.
      form: 'align_corners', s = (size − 1)/(side − 1), t = −1 + 2c/(side − 1): an odd crop around a
        whole pixel is then exactly a slice (Fig. 7, 8). 'eq21', s = size/side, t = −1 + 2c/side:
        the formula that the paper prints, which is not.

    Returns:
      float32 [B, N, 2, 3].
    """
    scale, divisor = (size - 1) / (side - 1), side - 1
    if form == "eq21":
        scale, divisor = size / side, side
    shift = 2 * centres.astype(jnp.float32) / divisor - 1
    zeros, scales = jnp.zeros_like(shift[..., 0]), jnp.full_like(shift[..., 0], scale)
    first = jnp.stack([scales, zeros, shift[..., 1]], axis=-1)
    second = jnp.stack([zeros, scales, shift[..., 0]], axis=-1)
    return jnp.stack([first, second], axis=-2)


def centres_of_theta(theta: Array, side: int) -> Array:
    """Where windows have their centres: [B, N, 2, 3] -> float32 [B, N, 2], y and x, in pixels."""
    return (theta[..., ::-1, 2] + 1) * ((side - 1) / 2)


def _window_positions(theta: Array, size: int, height: int, width: int) -> tuple[Array, Array]:
    """Pixels that the rows and columns of crops look at: y and x, float32 [B, N, size] each."""
    grid = jnp.asarray(np.linspace(-1, 1, size), jnp.float32)

    def positions(axis: int, length: int) -> Array:
        scale, shift = theta[..., axis, axis, None], theta[..., axis, 2, None]
        return (grid * scale + shift + 1) / 2 * (length - 1)

    return positions(1, height), positions(0, width)


def _nearest(position: Array, length: int) -> tuple[Array, Array]:
    """Indices int32 that can be read, and whether they lie inside; halves go to even numbers."""
    index = jnp.round(jnp.clip(position, -2, length + 1)).astype(jnp.int32)
    return jnp.clip(index, 0, length - 1), _is_within(index, length)


def _is_within(index: Array, length: int) -> Array:
    return (index >= 0) & (index < length)


def _pairs(rows: Array, columns: Array, combine: object) -> Array:
    """[B, N, h] and [B, N, w] -> [B, N, h, w]."""
    return combine(rows[..., :, None], columns[..., None, :])
