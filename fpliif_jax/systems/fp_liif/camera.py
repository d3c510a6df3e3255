"""A camera's effects as augmentation, on the device: colour cast, blur, low resolution and noise. Not in the papers.

They are those of `data_builders.synthetic_faces.photographic.camera`, drawn anew in each epoch, and in its order. Blur
and low resolution are linear along each axis, so one S × S matrix A does both exactly, as A · plane · Aᵀ: the weights
of a Gaussian, then those of Pillow's antialiased 'bilinear' down to m² and of its 'bicubic' up again. That the matrix
has a fixed size is what lets m differ from image to image under jit.

There is no JPEG. Its blocks are 8 pixels of the file; on the network's input, to which files were resized, blocks of 8
would be others. And it rounds coefficients, so that the last bit of a float could change what is seen.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import ml_collections

NEUTRAL = {
    "warmth": (0.0, 0.0),
    "blur": (0.0, 0.0),
    "low_resolution": (1.0, 1.0),
    "noise": (0.0, 0.0),
}

# Far from the counters 0, 1, … of the key's own draws, which this would otherwise repeat.
_STREAM = 2**16
_SMALLEST_SIDE = 4  # of what low resolution leaves, pixels
_BICUBIC = -0.5  # Pillow's


class Camera(NamedTuple):
    """What is drawn for one image: float32 scalars (batched under vmap), and a key.

    Attributes:
        warmth: the share that red gains and blue loses.
        blur: the Gaussian's standard deviation, as a share of the side.
        resolution: the share of the side that is kept; 1: all of it.
        noise: the standard deviation of the noise.
        noise_key: what the noise itself is drawn from.
    """

    warmth: jax.Array
    blur: jax.Array
    resolution: jax.Array
    noise: jax.Array
    noise_key: jax.Array


def is_on(config: ml_collections.ConfigDict) -> bool:
    """Whether `config.augment` asks for any of the effects; configs of earlier runs have none of the fields."""
    return any(field in config and _asks_for(field, config) for field in NEUTRAL)


def sample_camera(key: jax.Array, config: ml_collections.ConfigDict) -> Camera:
    """Draws one camera.

    Args:
        key: of the example; what is drawn from it directly stays as it is.
        config: `config.augment`.
    """
    settings, noise_key = jax.random.split(jax.random.fold_in(key, _STREAM))
    draws = jax.random.uniform(settings, (5,), jnp.float32)
    low, high = jnp.asarray([config[field] for field in NEUTRAL], jnp.float32).T
    warmth, blur, resolution, noise = low + (high - low) * draws[:4]
    is_low = draws[4] < config.low_resolution_chance
    return Camera(warmth, blur, jnp.where(is_low, resolution, 1.0), noise, noise_key)


def photograph(camera: Camera, image: jax.Array, config: ml_collections.ConfigDict) -> jax.Array:
    """The image as the camera has it; planar float32 [3, S, S] in [0, 1] → the same.

    The noise is grey, that is the same in the three channels of a pixel. What `config.augment` leaves out costs
    nothing.
    """
    size = image.shape[-1]
    if _asks_for("warmth", config):
        gains = 1.0 + camera.warmth * jnp.asarray([1.0, 0.0, -1.0], jnp.float32)
        image = jnp.clip(image * gains[:, None, None], 0.0, 1.0)
    softening = []
    if _asks_for("blur", config):
        softening.append(gaussian_matrix(camera.blur * size, size))
    if _asks_for("low_resolution", config):
        softening.append(low_resolution_matrix(camera.resolution, size))
    if softening:
        # Nothing is gained from less precise products: they are a thousandth of the network's.
        with jax.default_matmul_precision("highest"):
            along = softening[-1] @ softening[0] if len(softening) > 1 else softening[0]
            image = jnp.einsum("yi,cij,xj->cyx", along, image, along)
    if _asks_for("noise", config):
        grain = jax.random.normal(camera.noise_key, (1, size, size), jnp.float32)
        image = image + camera.noise * grain
    return jnp.clip(image, 0.0, 1.0)


def gaussian_matrix(deviation: jax.Array, size: int) -> jax.Array:
    """Float32 [size, size] that blurs along one axis; `deviation` in pixels, 0 gives the identity.

    Beyond the border there is nothing: the weights within the image add up to 1.
    """
    places = jnp.arange(size, dtype=jnp.float32)
    distances = (places[:, None] - places[None]) / jnp.maximum(deviation, 1e-3)
    return _normalised(jnp.exp(-0.5 * distances**2))


def low_resolution_matrix(share: jax.Array, size: int) -> jax.Array:
    """Float32 [size, size] that shrinks one axis to a share of its pixels and enlarges it again, as Pillow does.

    Down to ⌊share · size⌋ pixels by an antialiased triangle, up by a cubic; a share of 1 gives the identity.
    """
    # A share such as 15 / 64 is meant to give 15 pixels, whatever float32 makes of it.
    pixels = jnp.clip(jnp.floor(share * size + 1e-3), min(_SMALLEST_SIDE, size), size)
    ratio = size / pixels
    centres = jnp.arange(size, dtype=jnp.float32) + 0.5
    # Rows and columns from `pixels` on stand for no pixel of the small image.
    exists = centres < pixels
    distances = jnp.abs(centres[None] - centres[:, None] * ratio) / ratio
    down = _normalised(jnp.maximum(1.0 - distances, 0.0))
    distances = jnp.abs(centres[None] - centres[:, None] / ratio)
    up = _normalised(jnp.where(exists[None], _cubic(distances), 0.0))
    with jax.default_matmul_precision("highest"):
        return up @ jnp.where(exists[:, None], down, 0.0)


def _cubic(x: jax.Array) -> jax.Array:
    a = _BICUBIC
    inner = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    outer = (((x - 5.0) * x + 8.0) * x - 4.0) * a
    return jnp.where(x < 1.0, inner, jnp.where(x < 2.0, outer, 0.0))


def _normalised(weights: jax.Array) -> jax.Array:
    """Rows that add up to 1; those without weights stay 0."""
    sums = jnp.sum(weights, axis=1, keepdims=True)
    return weights / jnp.where(sums > 0, sums, 1.0)


def _asks_for(field: str, config: ml_collections.ConfigDict) -> bool:
    return tuple(config[field]) != NEUTRAL[field]
