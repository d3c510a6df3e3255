"""The paper's augmentations (§4.2) as pure functions of (key, image, label map) on the device.

Order: [flip,] rotation, shear, scale and crop in one warp, then colour jitter on the image.

**The warp.** Coordinates are relative to the image centre, x to the right, y down, in pixels of
S × S images; pixel i has its centre at i + ½. A source point moves by

    (x', y') = R(θ) · s · SH(φ) · (x, y)
    R(θ) = [cos θ, −sin θ; sin θ, cos θ],  SH(φ) = [1, −tan φ; 0, 1]

that is shear first, then scale, then rotation, all about the centre: the composition and the signs
of torchvision's `RandomAffine` (rotation clockwise on the screen; positive shear moves the upper
half to the right), with θ ~ U(−30°, 30°), φ ~ U(0°, 20°), s ~ U(0.5, 3). Scaling makes a canvas of
s·S × s·S, of which an S × S window is kept. With crop 'uniform' it lies uniformly inside the canvas
where that is larger, and uniformly around it where it is smaller: the window's centre is at
(d_x, d_y) ~ U(−|s−1|·S/2, |s−1|·S/2)² from the canvas's; with 'centred' at (0, 0). An output pixel
at (u, v) from the window's centre shows the source point

    y = (cos θ · (v + d_y) − sin θ · (u + d_x)) / s
    x = (cos θ · (u + d_x) + sin θ · (v + d_y)) / s + tan φ · y       (−x if flipped)

and nothing is resampled twice. Images are sampled bilinearly and fade to black over the border, as
`grid_sample(padding_mode='zeros', align_corners=False)` does; labels take the nearest pixel.

**Randomness** comes from the example's own key alone, which is a function of (seed, epoch, example
id): neither batch size nor order, worker or device count changes what happens to an example.

The configuration is `config.augment`; ranges are (low, high), sampled uniformly.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import ml_collections

from fpliif_jax.color_jitter import color_jitter

CROPS = ("uniform", "centred")
FILLS = ("background", "ignore")

# Positions in the source are fixed-point numbers with this many binary places. With shear up to
# 45° and S / scale up to _LARGEST_CANVAS they stay below 2³¹.
_FRACTION_BITS = 17
_LARGEST_CANVAS = 4096


class Geometry(NamedTuple):
    """One warp: float32 scalars (batched under vmap)."""

    rotation: jax.Array  # θ, radians
    shear: jax.Array  # φ, radians
    scale: jax.Array  # s
    offset_y: jax.Array  # d_y / (|s − 1| · S/2), in [−1, 1]
    offset_x: jax.Array
    flip: jax.Array  # 1 mirrors the source left to right, 0 does not


def example_key(seed: int, epoch: int | jax.Array, example_id: int | jax.Array) -> jax.Array:
    """The random key of one example in one epoch; seed, epoch and id integers, 0 ≤ … < 2³¹.

    The generator is named because JAX's default may be changed by a flag.
    """
    key = jax.random.key(seed, impl="threefry2x32")
    return jax.random.fold_in(jax.random.fold_in(key, epoch), example_id)


def _check(config: ml_collections.ConfigDict) -> None:
    for field, choices in (("crop", CROPS), ("fill", FILLS)):
        if config[field] not in choices:
            raise ValueError(
                f"augment.{field} is {config[field]!r}: choose one of {', '.join(choices)}"
            )
    if not 0 <= config.rotation_degrees <= 180:
        raise ValueError(f"augment.rotation_degrees is {config.rotation_degrees}: 0 to 180")
    bounds = {
        "shear_degrees": (-45.0, 45.0),
        "scale": (0.05, 20.0),
        "brightness": (0.0, float("inf")),
        "contrast": (0.0, float("inf")),
        "saturation": (0.0, float("inf")),
        "hue": (-0.5, 0.5),
    }
    for field, (lowest, highest) in bounds.items():
        low, high = config[field]
        if not lowest <= low <= high <= highest:
            raise ValueError(
                f"augment.{field} is {(low, high)}: it must be (low, high) with low ≤ high, "
                f"both within [{lowest}, {highest}]"
            )


def sample_parameters(
    key: jax.Array, config: ml_collections.ConfigDict
) -> tuple[Geometry, jax.Array, jax.Array]:
    """Draws one augmentation (§4.2): the warp, and factors float32 [4] and order int32 [4] for
    `color_jitter`, each order as likely. See the module's description for the distributions."""
    # One call for all: each call of the generator adds to the time of compilation.
    draws = jax.random.uniform(key, (14,), jnp.float32)
    turn, slant, size, down, right, coin = draws[:6]
    reach = 1.0 if config.crop == "uniform" else 0.0

    def between(draw: jax.Array, low: float, high: float) -> jax.Array:
        return low + (high - low) * draw

    geometry = Geometry(
        rotation=jnp.deg2rad(between(turn, -config.rotation_degrees, config.rotation_degrees)),
        shear=jnp.deg2rad(between(slant, *config.shear_degrees)),
        scale=between(size, *config.scale),
        offset_y=between(down, -reach, reach),
        offset_x=between(right, -reach, reach),
        flip=(coin < (0.5 if config.horizontal_flip else 0.0)).astype(jnp.float32),
    )
    ranges = [config.brightness, config.contrast, config.saturation, config.hue]
    low, high = jnp.asarray(ranges, jnp.float32).T
    return geometry, low + (high - low) * draws[6:10], jnp.argsort(draws[10:])


def source_positions(geometry: Geometry, size: int) -> tuple[jax.Array, jax.Array]:
    """Where each output pixel looks: y and x, int32 [S, S] each, in units of 2⁻¹⁷ pixels.

    0 is the centre of the first pixel. Integers, because float sums of products round differently
    as the compiler fuses them, and a label must not depend on that; the six coefficients are
    rounded to 2⁻¹⁶, which moves no pixel of a 256² image by more than .004. The identity and right
    angles are exact.
    """
    cos, sin = jnp.cos(geometry.rotation), jnp.sin(geometry.rotation)
    tan, scale = jnp.tan(geometry.shear), geometry.scale
    mirror = 1.0 - 2.0 * geometry.flip
    y_from = (cos / scale, -sin / scale)
    x_from = tuple(
        mirror * (column / scale + tan * row)
        for column, row in zip((sin, cos), y_from, strict=True)
    )
    reach = jnp.abs(scale - 1.0) * (size / 2)
    offset = (geometry.offset_y * reach, geometry.offset_x * reach)
    from_centre = 2 * jnp.arange(size, dtype=jnp.int32) + (1 - size)  # in half pixels

    def fixed(value: jax.Array) -> jax.Array:
        return jnp.round(value * 2.0 ** (_FRACTION_BITS - 1)).astype(jnp.int32)

    def positions(per_v: jax.Array, per_u: jax.Array) -> jax.Array:
        shift = 2.0 * (per_v * offset[0] + per_u * offset[1])
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


def _swap_classes(labels: jax.Array, flip: jax.Array, flip_classes: tuple[int, ...]) -> jax.Array:
    """Renames classes where `flip` is 1; labels beyond the classes (ignored pixels) stay."""
    count = len(flip_classes)
    swapped = jnp.asarray(flip_classes, jnp.int32)[jnp.clip(labels, 0, count - 1)]
    return jnp.where((flip > 0) & (labels < count), swapped, labels)


def augment(
    key: jax.Array,
    image: jax.Array,
    labels: jax.Array,
    config: ml_collections.ConfigDict,
    *,
    ignore_label: int,
    flip_classes: tuple[int, ...],
) -> tuple[jax.Array, jax.Array]:
    """Augments one example; pure, for use under jit and vmap.

    Args:
        key: from `example_key`.
        image: float32 [S, S, 3] in [0, 1].
        labels: int32 [S, S].
        config: `config.augment`. With `enabled=False` the inputs come back as they are.
        ignore_label: the label of pixels that do not count; it fills what the warp leaves empty if
            `config.fill` is 'ignore' (otherwise 0, the background, does).
        flip_classes: `flip_classes[c]` is the class that c becomes in a mirror image, a permutation
            of range(C); read only if `config.horizontal_flip`.

    Returns:
        image float32 [S, S, 3] in [0, 1] and labels int32 [S, S].

    Raises:
        ValueError: the configuration holds an unknown choice or a range out of bounds, the image is
            not square, or `flip_classes` is no permutation.
    """
    if not config.enabled:
        return image, labels
    _check(config)
    size = labels.shape[0]
    if labels.shape != (size, size) or image.shape != (size, size, 3):
        raise ValueError(
            f"augment takes an image [S, S, 3] and labels [S, S], not {image.shape}, {labels.shape}"
        )
    if size > config.scale[0] * _LARGEST_CANVAS:
        raise ValueError(
            f"augment.scale reaches down to {config.scale[0]}: too little for images of {size}²; "
            f"size / scale may be {_LARGEST_CANVAS} at most"
        )
    if config.horizontal_flip and sorted(flip_classes) != list(range(len(flip_classes))):
        raise ValueError(f"flip_classes is {flip_classes}: it must be a permutation of the classes")

    geometry, factors, order = sample_parameters(key, config)
    if config.horizontal_flip:
        labels = _swap_classes(labels, geometry.flip, flip_classes)
    fill_label = ignore_label if config.fill == "ignore" else 0
    planes, labels = warp(geometry, image, labels, fill_label)
    planes = color_jitter(planes, factors, order)
    return jnp.moveaxis(planes, 0, -1), labels


def augment_batch(
    seed: int,
    epochs: jax.Array,
    example_ids: jax.Array,
    images: jax.Array,
    labels: jax.Array,
    config: ml_collections.ConfigDict,
    *,
    ignore_label: int,
    flip_classes: tuple[int, ...],
) -> tuple[jax.Array, jax.Array]:
    """`augment` for a batch: epochs and example_ids integer [B], images [B, S, S, 3], labels
    [B, S, S]; each example is treated as if it were alone."""

    def one(
        epoch: jax.Array, example_id: jax.Array, image: jax.Array, label_map: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        return augment(
            example_key(seed, epoch, example_id),
            image,
            label_map,
            config,
            ignore_label=ignore_label,
            flip_classes=flip_classes,
        )

    return jax.vmap(one)(epochs, example_ids, images, labels)
