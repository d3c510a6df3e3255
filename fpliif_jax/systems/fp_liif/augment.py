"""The paper's augmentations (§4.2) as pure functions of (key, image, label map) on the device.

Order: [flip,] rotation, shear, scale and crop in one warp, then colour jitter on the image, then, where it is asked
for, which the paper does not, a camera (camera.py).

The warp is that of warp.py, with θ ~ U(−30°, 30°), φ ~ U(0°, 20°), s ~ U(0.5, 3). Scaling makes a
canvas of s·S × s·S, of which an S × S window is kept. With crop 'uniform' it lies uniformly inside
the canvas where that is larger, and uniformly around it where it is smaller: the window's centre is
at (d_x, d_y) ~ U(−|s−1|·S/2, |s−1|·S/2)² from the canvas's; with 'centred' at (0, 0).

The configuration is `config.augment`; ranges are (low, high), sampled uniformly.
"""

import functools

import jax
import jax.numpy as jnp
import ml_collections

from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.fields import field_checks
from fpliif_jax.nn.warp import Geometry, example_key, warp
from fpliif_jax.systems.fp_liif import camera
from fpliif_jax.systems.fp_liif.color_jitter import color_jitter

# With shear up to 45° and S / scale up to this, positions stay within `warp.LARGEST_POSITION`.
_LARGEST_CANVAS = 4096


def sample_parameters(
    key: jax.Array, size: int, config: ml_collections.ConfigDict
) -> tuple[Geometry, jax.Array, jax.Array]:
    """Draws one augmentation (§4.2) of an image of size²: the warp, and factors float32 [4] and
    order int32 [4] for `color_jitter`, each order as likely. See the module's description for the
    distributions."""
    # One call for all: each call of the generator adds to the time of compilation.
    draws = jax.random.uniform(key, (14,), jnp.float32)
    turn, slant, size_draw, down, right, coin = draws[:6]
    share = 1.0 if config.crop == "uniform" else 0.0

    def between(draw: jax.Array, low: float, high: float) -> jax.Array:
        return low + (high - low) * draw

    scale = between(size_draw, *config.scale)
    reach = jnp.abs(scale - 1.0) * (size / 2)
    geometry = Geometry(
        rotation=jnp.deg2rad(between(turn, -config.rotation_degrees, config.rotation_degrees)),
        shear=jnp.deg2rad(between(slant, *config.shear_degrees)),
        scale=scale,
        offset_y=between(down, -share, share) * reach,
        offset_x=between(right, -share, share) * reach,
        flip=(coin < (0.5 if config.horizontal_flip else 0.0)).astype(jnp.float32),
    )
    ranges = [config.brightness, config.contrast, config.saturation, config.hue]
    low, high = jnp.asarray(ranges, jnp.float32).T
    return geometry, low + (high - low) * draws[6:10], jnp.argsort(draws[10:])


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
        key: from `warp.example_key`.
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
        SettingsError: a field of the configuration has a value that it may not have, or the image is
            too large for its scale.
        ValueError: the image is not square, or `flip_classes` is no permutation.
    """
    if not config.enabled:
        return image, labels
    field_checks.check_section("augment", config)
    size = labels.shape[0]
    if labels.shape != (size, size) or image.shape != (size, size, 3):
        raise ValueError(
            f"augment takes an image [S, S, 3] and labels [S, S], not {image.shape}, {labels.shape}"
        )
    if size > config.scale[0] * _LARGEST_CANVAS:
        raise SettingsError(
            f"config.augment.scale reaches down to {config.scale[0]}: too little for images of {size}²; "
            f"size / scale may be {_LARGEST_CANVAS} at most"
        )
    if config.horizontal_flip and sorted(flip_classes) != list(range(len(flip_classes))):
        raise ValueError(f"flip_classes is {flip_classes}: it must be a permutation of the classes")

    geometry, factors, order = sample_parameters(key, size, config)
    if config.horizontal_flip:
        labels = _swap_classes(labels, geometry.flip, flip_classes)
    fill_label = ignore_label if config.fill == "ignore" else 0
    planes, labels = warp(geometry, image, labels, fill_label)
    planes = color_jitter(planes, factors, order)
    if camera.is_on(config):
        planes = camera.photograph(camera.sample_camera(key, config), planes, config)
    return jnp.moveaxis(planes, 0, -1), labels


def augment_batch(
    batch: dict[str, jax.Array],
    images: jax.Array,
    labels: jax.Array,
    config: ml_collections.ConfigDict,
    *,
    ignore_label: int,
    flip_classes: tuple[int, ...],
) -> tuple[jax.Array, jax.Array]:
    """`augment` for a batch, each example as if it were alone.

    Args:
        batch: 'seed', 'epoch' and 'example_ids', integer [B]; the seed is among the arguments so that a function
            compiled for one run serves the runs of all seeds.
        images: float32 [B, S, S, 3] in [0, 1].
        labels: int32 [B, S, S].
        config: as of `augment`, and so are ignore_label and flip_classes.
    """
    keys = jax.vmap(example_key)(batch["seed"], batch["epoch"], batch["example_ids"])
    one = functools.partial(
        augment, config=config, ignore_label=ignore_label, flip_classes=flip_classes
    )
    return jax.vmap(one)(keys, images, labels)
