"""The windows that the truth asks for, which localisation is trained towards and measured against."""

import jax
import jax.numpy as jnp
import ml_collections

from fpliif_jax.data.facial_parts import PART_NAMES
from fpliif_jax.systems.protocol import Measure
from fpliif_jax.systems.stn_icnn import part_centres, theta_forms
from fpliif_jax.systems.stn_icnn.model import part_sizes

Array = jax.Array

# In pixels of the canvas: between the centres of a window and the true one, and between their sides.
WINDOW_ERROR = Measure("window_error", PART_NAMES)
WINDOW_SIZE_ERROR = Measure("window_size_error", PART_NAMES)


def true_windows(labels: Array, settings: ml_collections.ConfigDict) -> tuple[Array, Array]:
    """The windows that label maps ask for (§2.5.2, `model.theta_form`).

    Args:
      labels: int32 [B, S, S], on the canvas.
      settings: config.model, resolved.

    Returns:
      (θ float32 [B, 6, 2, 3], float32 [B, 6]: 0 where a part is absent and so has no window. With
      absent_part='image_centre' it has one in the middle.)
    """
    side = labels.shape[1]
    centroids, present = part_centres.part_centroids(labels, settings.floor_centroids)
    middle = (side - 1) / 2
    if settings.floor_centroids:
        middle = float((side - 1) // 2)
    centroids = jnp.where(present[..., None], centroids, middle)
    if settings.absent_part == "image_centre":
        present = jnp.ones_like(present)
    theta = theta_forms.theta_of_centres(centroids, crop_sizes(settings), side, settings.theta_form)
    return theta, present.astype(jnp.float32)


def are_numbers(theta: Array, coarse_logits: Array | None = None) -> Array:
    """Whether windows, and the coarse network's values that they are of, are numbers.

    Windows that are none, or of a mask that is none, cover nothing, which would be background.

    Args:
      theta: float [B, 6, 2, 3].
      coarse_logits: float [B, S, S, 9], or None where the windows are of no mask.

    Returns:
      bool [B].
    """
    are = ~jnp.isnan(theta).any(axis=(1, 2, 3))
    return are if coarse_logits is None else are & are_finite(coarse_logits)


def are_finite(coarse_logits: Array) -> Array:
    """Whether all values float [B, S, S, 9] of the coarse network are numbers: bool [B]."""
    return jnp.isfinite(coarse_logits).all(axis=(1, 2, 3))


def crop_sizes(settings: ml_collections.ConfigDict) -> tuple[int, ...]:
    """Side of each part's crop, in pixels, from config.model, resolved."""
    return part_sizes(settings.crop_size, settings.mouth_crop_size)


def window_errors(
    theta: Array, true_theta: Array, has_window: Array, side: int, form: str
) -> dict[Measure, Array]:
    """How far windows are from the true ones, in pixels of the canvas.

    Args:
      theta: float32 [B, 6, 2, 3].
      true_theta, has_window: of `true_windows`.
      side: of the canvas.
      form: config.model.theta_form.

    Returns:
      float32 [B, 6] each, NaN for parts without a true window.
    """
    centre, true_centre = (
        theta_forms.centres_of_theta(each, side, form) for each in (theta, true_theta)
    )
    distance = jnp.linalg.norm(centre - true_centre, axis=-1)
    scale, true_scale = (
        jnp.stack([each[..., 0, 0], each[..., 1, 1]]).mean(0) for each in (theta, true_theta)
    )
    size_error = jnp.abs(scale - true_scale) * theta_forms.pixels_per_scale(side, form)
    there = has_window > 0
    return {
        WINDOW_ERROR: jnp.where(there, distance, jnp.nan),
        WINDOW_SIZE_ERROR: jnp.where(there, size_error, jnp.nan),
    }
