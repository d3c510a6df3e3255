"""Warps of an image and its label map on the device, and the random key of an example.

**The warp.** Coordinates are relative to the image centre, x to the right, y down, in pixels of
S × S images; pixel i has its centre at i + ½. A source point moves by

    (x', y') = R(θ) · s · SH(φ) · (x, y)
    R(θ) = [cos θ, −sin θ; sin θ, cos θ],  SH(φ) = [1, −tan φ; 0, 1]

that is shear first, then scale, then rotation, all about the centre: the composition and the signs
of torchvision's `RandomAffine` (rotation clockwise on the screen; positive shear moves the upper
half to the right). Of the plane so transformed an S × S window is shown, whose centre lies at
(d_x, d_y): content moves by (−d_x, −d_y). An output pixel at (u, v) from the window's centre shows
the source point

    y = (cos θ · (v + d_y) − sin θ · (u + d_x)) / s
    x = (cos θ · (u + d_x) + sin θ · (v + d_y)) / s + tan φ · y       (−x if flipped)

and nothing is resampled twice. Images are sampled bilinearly and fade to black over the border, as
`grid_sample(padding_mode='zeros', align_corners=False)` does; labels take the nearest pixel.

**Randomness** comes from the example's own key alone, which is a function of (seed, epoch, example
id): neither batch size nor order, worker or device count changes what happens to an example.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

# Positions in the source are fixed-point numbers with this many binary places: an int32 holds them
# up to 2¹⁴ pixels. Rounding may add one.
_FRACTION_BITS = 17
LARGEST_POSITION = 2**14 - 2  # pixels


class Geometry(NamedTuple):
    """One warp: float32 scalars (batched under vmap)."""

    rotation: jax.Array  # θ, radians
    shear: jax.Array  # φ, radians
    scale: jax.Array  # s
    offset_y: jax.Array  # d_y, pixels of the output
    offset_x: jax.Array  # d_x
    flip: jax.Array  # 1 mirrors the source left to right, 0 does not


def example_key(
    seed: int | jax.Array, epoch: int | jax.Array, example_id: int | jax.Array
) -> jax.Array:
    """The random key of one example in one epoch; seed, epoch and id integers, 0 ≤ … < 2³¹.

    The generator is named because JAX's default may be changed by a flag.
    """
    key = jax.random.key(seed, impl="threefry2x32")
    return jax.random.fold_in(jax.random.fold_in(key, epoch), example_id)


def source_positions(geometry: Geometry, size: int) -> tuple[jax.Array, jax.Array]:
    """Where each output pixel looks: y and x, int32 [S, S] each, in units of 2⁻¹⁷ pixels.

    0 is the centre of the first pixel. Integers, because float sums of products round differently
    as the compiler fuses them, and a label must not depend on that; the six coefficients are
    rounded to 2⁻¹⁶, which moves no pixel of a 256² image by more than .004. The identity and right
    angles are exact.

    The caller sees to it that no position exceeds LARGEST_POSITION, either way from the first
    pixel: with a row (a, b) of the inverse, at most (|a| + |b|) · (S/2 + |d|) + S/2 pixels, where
    |a| + |b| ≤ √2 / s without shear and 2 / s with up to 45° of it.
    """
    cos, sin = jnp.cos(geometry.rotation), jnp.sin(geometry.rotation)
    tan, scale = jnp.tan(geometry.shear), geometry.scale
    mirror = 1.0 - 2.0 * geometry.flip
    y_from = (cos / scale, -sin / scale)
    x_from = tuple(
        mirror * (column / scale + tan * row)
        for column, row in zip((sin, cos), y_from, strict=True)
    )
    from_centre = 2 * jnp.arange(size, dtype=jnp.int32) + (1 - size)  # in half pixels

    def fixed(value: jax.Array) -> jax.Array:
        return jnp.round(value * 2.0 ** (_FRACTION_BITS - 1)).astype(jnp.int32)

    def positions(per_v: jax.Array, per_u: jax.Array) -> jax.Array:
        shift = 2.0 * (per_v * geometry.offset_y + per_u * geometry.offset_x)
        varying = fixed(per_v) * from_centre[:, None] + fixed(per_u) * from_centre[None, :]
        return varying + fixed(shift) + ((size - 1) << (_FRACTION_BITS - 1))

    return positions(*y_from), positions(*x_from)


def warp(
    geometry: Geometry, image: jax.Array, labels: jax.Array, fill_label: int
) -> tuple[jax.Array, jax.Array]:
    """Warps an image bilinearly and its label map by nearest neighbour.

    Args:
        geometry: what to do.
        image: float32 [S, S, 3].
        labels: int32 [S, S].
        fill_label: the label of what comes from outside the source.

    Returns:
        *Planar* image float32 [3, S, S], black outside the source; label map int32 [S, S].
    """
    size = labels.shape[0]
    y, x = source_positions(geometry, size)
    # One ring of padding holds the outside; all of the outside is mapped onto it.
    y, x = (jnp.clip(c, -1 << _FRACTION_BITS, size << _FRACTION_BITS) for c in (y, x))

    def padded_index(row: jax.Array, column: jax.Array) -> jax.Array:
        return (row + 1) * (size + 2) + (column + 1)

    half = 1 << (_FRACTION_BITS - 1)
    nearest = padded_index((y + half) >> _FRACTION_BITS, (x + half) >> _FRACTION_BITS)
    label_map = jnp.pad(labels, 1, constant_values=fill_label).reshape(-1)
    warped_labels = label_map.at[nearest].get(mode="promise_in_bounds")

    top, left = (jnp.minimum(c >> _FRACTION_BITS, size - 1) for c in (y, x))
    down, right = (
        (c - (whole << _FRACTION_BITS)).astype(jnp.float32) * 2.0**-_FRACTION_BITS
        for c, whole in ((y, top), (x, left))
    )
    corner = padded_index(top, left)
    pixels = jnp.pad(image, ((1, 1), (1, 1), (0, 0))).reshape(-1, 3)

    def tap(offset: int) -> jax.Array:
        return jnp.moveaxis(pixels.at[corner + offset].get(mode="promise_in_bounds"), -1, 0)

    below = size + 2
    upper = tap(0) * (1.0 - right)[None] + tap(1) * right[None]
    lower = tap(below) * (1.0 - right)[None] + tap(below + 1) * right[None]
    return upper * (1.0 - down)[None] + lower * down[None], warped_labels
