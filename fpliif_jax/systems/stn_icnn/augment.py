"""STN-iCNN's augmentations (§2.5.1) as pure functions of (key, copy, image, label map) on the device.

Each image gives several an epoch: copy c has exactly c of four operations, every choice of c as likely.

    (a) rotation by θ ~ U(−15°, 15°)
    (b) shift by U(−.2 w, .2 w) to the right and U(−.2 h, .2 h) down, w × h the picture's own size
    (c) scale by s ~ U(.2, 1.2)
    (d) Gaussian noise, on the image alone

(a), (c) and (b) are one warp (warp.py), the first two about the centre of the canvas, then the shift:
the composition of torchvision's `RandomAffine`. Images are sampled bilinearly, labels by nearest
neighbour. What leaves the picture's rectangle on the canvas is cut off, as if there were no canvas,
and what is empty is black and background; the rectangle is that of `data.canvas.canvas_window`.

The paper does not tell the noise's strength. By default it is that of the authors' code: variance .01,
each channel its own, the result clipped to [0, 1], and none on black pixels (theirs: on values of 0). It
is added after the warp, which would otherwise smooth it; the authors add it before. There is never noise
outside the picture.

The configuration is `config.augment`; ranges are (low, high), sampled uniformly.
"""

import functools
import math

import jax
import jax.numpy as jnp
import ml_collections

from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.fields import field_checks
from fpliif_jax.nn import warp
from fpliif_jax.systems.stn_icnn import framing

ROTATION, SHIFT, SCALE, NOISE = range(4)


def _check(config: ml_collections.ConfigDict, size: int) -> None:
    field_checks.check_section("augment", config)
    # Without shear a row (a, b) of the inverse has |a| + |b| ≤ √2 / s: see `warp.source_positions`.
    # A copy may have no scale, which is a scale of 1.
    smallest = min(config.scale[0], 1.0)
    farthest = math.sqrt(2) / smallest * (size / 2 + config.shift * size) + size / 2
    if farthest > warp.LARGEST_POSITION:
        raise SettingsError(
            f"config.augment.scale reaches down to {config.scale[0]}: too little for a canvas of {size}² and "
            f"config.augment.shift is {config.shift}. Positions in the source would reach "
            f"{farthest:.0f} pixels, and may reach {warp.LARGEST_POSITION}"
        )


def sample_parameters(
    key: jax.Array, copy: jax.Array, image_size: jax.Array, config: ml_collections.ConfigDict
) -> tuple[warp.Geometry, jax.Array]:
    """Draws one augmentation (§2.5.1).

    Args:
        key: of this copy.
        copy: int32 scalar, how many operations it has.
        image_size: int32 [2], height and width of the picture, pixels.
        config: `config.augment`.

    Returns:
        The warp, and bool [4]: which of ROTATION, SHIFT, SCALE and NOISE are done.
    """
    # One call for all: each call of the generator adds to the time of compilation.
    draws = jax.random.uniform(key, (8,), jnp.float32)
    turn, down, right, growth = draws[:4]
    # An operation's rank in a random order; the first `copy` of that order are done.
    done = jnp.argsort(jnp.argsort(draws[4:])) < copy

    def between(draw: jax.Array, low: float, high: float) -> jax.Array:
        return low + (high - low) * draw

    rotation = jnp.deg2rad(between(turn, -config.rotation_degrees, config.rotation_degrees))
    height, width = image_size.astype(jnp.float32)
    shift_y = between(down, -config.shift, config.shift) * height
    shift_x = between(right, -config.shift, config.shift) * width
    nothing = jnp.zeros((), jnp.float32)
    geometry = warp.Geometry(
        rotation=jnp.where(done[ROTATION], rotation, 0.0),
        shear=nothing,
        scale=jnp.where(done[SCALE], between(growth, *config.scale), 1.0),
        # The window moves the other way.
        offset_y=jnp.where(done[SHIFT], -shift_y, 0.0),
        offset_x=jnp.where(done[SHIFT], -shift_x, 0.0),
        flip=nothing,
    )
    return geometry, done


def augment(
    key: jax.Array,
    copy: jax.Array,
    image: jax.Array,
    labels: jax.Array,
    image_size: jax.Array,
    config: ml_collections.ConfigDict,
) -> tuple[jax.Array, jax.Array]:
    """Augments one copy of one example; pure, for use under jit and vmap.

    Args:
        key: of this copy; `augment_batch` tells which.
        copy: int32 scalar, 0 … config.copies − 1; copy 0 comes back bit for bit.
        image: float32 [S, S, 3] in [0, 1], black outside the picture.
        labels: int32 [S, S], 0 outside the picture.
        image_size: int32 [2], height and width of the picture, centred on the canvas.
        config: `config.augment`. With `enabled=False` the inputs come back as they are.

    Returns:
        image float32 [S, S, 3] in [0, 1] and labels int32 [S, S].

    Raises:
        SettingsError: a field has a value that it may not have, or positions would be too far out.
        ValueError: the image is not square.
    """
    if not config.enabled:
        return image, labels
    size = labels.shape[0]
    if labels.shape != (size, size) or image.shape != (size, size, 3):
        raise ValueError(
            f"augment takes an image [S, S, 3] and labels [S, S], not {image.shape}, {labels.shape}"
        )
    _check(config, size)
    parameter_key, noise_key = jax.random.split(key)
    geometry, done = sample_parameters(parameter_key, copy, image_size, config)
    inside = framing.is_image(image_size[None], size)[0]
    planes, labels = warp.warp(geometry, image, labels, fill_label=0)
    labels = jnp.where(inside, labels, 0)
    image = jnp.where(inside[..., None], jnp.moveaxis(planes, 0, -1), 0.0)

    noise = config.noise_sd * jax.random.normal(noise_key, image.shape, jnp.float32)
    noisy = inside if config.noise_on_black else jnp.any(image > 0, axis=-1)
    noisy = noisy & done[NOISE]
    return jnp.where(noisy[..., None], jnp.clip(image + noise, 0.0, 1.0), image), labels


def augment_batch(
    batch: dict[str, jax.Array],
    images: jax.Array,
    labels: jax.Array,
    config: ml_collections.ConfigDict,
) -> tuple[jax.Array, jax.Array]:
    """`augment` for a batch, each example as if it were alone.

    An example's key is that of `warp.example_key`, with its copy number folded in.

    Args:
        batch: 'seed', of the run, 'epoch', 'example_ids' and 'copy', integer [B]; 'image_sizes' int32 [B, 2], height
            and width of the pictures.
        images: float32 [B, S, S, 3] in [0, 1].
        labels: int32 [B, S, S].
        config: `config.augment`.

    Returns:
        images float32 [B, S, S, 3] in [0, 1] and labels int32 [B, S, S].

    Raises:
        SettingsError, ValueError: as `augment`.
    """
    keys = jax.vmap(warp.example_key)(batch["seed"], batch["epoch"], batch["example_ids"])
    keys = jax.vmap(jax.random.fold_in)(keys, batch["copy"])
    one = functools.partial(augment, config=config)
    return jax.vmap(one)(keys, batch["copy"], images, labels, batch["image_sizes"])
