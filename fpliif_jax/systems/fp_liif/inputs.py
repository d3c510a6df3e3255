"""What FP-LIIF is fed: pixels scaled as `config.data.input_scaling` says."""

import jax
import numpy as np

from fpliif_jax.fields import field_checks
from fpliif_jax.systems.pixels import to_unit_range

INPUT_SCALINGS = {
    # name: (mean, standard deviation) of each channel, red, green, blue
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


def network_images(pixels: jax.Array, scaling: str) -> jax.Array:
    """uint8 [..., 3] -> float32, scaled as `normalise` does."""
    return normalise(to_unit_range(pixels), scaling)


def normalise(images: jax.Array, scaling: str) -> jax.Array:
    """Scales an image in [0, 1] to what the network is fed.

    Args:
      images: floating-point array [..., 3] in [0, 1].
      scaling: 'half' (x - 0.5) / 0.5, 'imagenet' (x - mean) / standard deviation of ImageNet,
        'unit' as it is.

    Returns:
      the same shape and dtype.

    Raises:
      SettingsError: unknown scaling.
      ValueError: not a floating-point array of three channels.
    """
    field_checks.check({"data.input_scaling": scaling})
    if np.issubdtype(images.dtype, np.integer) or images.shape[-1:] != (3,):
        raise ValueError(
            f"images must be floating point [..., 3], got {images.dtype} {images.shape}"
        )
    shape = (1,) * (images.ndim - 1) + (3,)
    mean, deviation = (
        np.asarray(value, images.dtype).reshape(shape) for value in INPUT_SCALINGS[scaling]
    )
    return (images - mean) / deviation
