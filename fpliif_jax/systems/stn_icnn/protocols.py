"""The rows of STN-iCNN's tables.

image             the whole system, scored on the pixels of the image
canvas            the same with the canvas's padding, as the authors' notebooks do (their test_ABC.py crops it off)
true_windows      fine networks on windows around the true centroids: what localisation costs
centroid_windows  … around the centroids of the coarse mask: the baseline's cropper
coarse            the coarse network alone, on its own grid
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections

from fpliif_jax.systems.fp_liif.losses import IGNORE_LABEL
from fpliif_jax.systems.protocol import Prediction, Row
from fpliif_jax.systems.stn_icnn import framing, grid_transformer
from fpliif_jax.systems.stn_icnn import settings as stn_icnn_settings
from fpliif_jax.systems.stn_icnn.stages import true_windows

NAMES = ("image", "canvas", "true_windows", "centroid_windows", "coarse")


def parse_row(text: str, config: ml_collections.ConfigDict) -> Row:
    """Finds a row by its name.

    Raises:
      ValueError: there is none of that name.
    """
    if text not in NAMES:
        raise ValueError(f"config.eval.rows has {text!r}; a row is one of {', '.join(NAMES)}")
    side, coarse_size = config.data.image_size, config.model.coarse_size
    scored_at = coarse_size if text == "coarse" else side
    return Row(text, side, (("output_size", scored_at), ("scored_at", scored_at)))


def make_predictor(
    model: nn.Module, config: ml_collections.ConfigDict, rows: tuple[Row, ...]
) -> Callable[[dict[str, Any], dict[str, jax.Array]], dict[str, Prediction]]:
    """Builds a function of (variables, batch) that gives each row's prediction by its name.

    Rows with windows of their own measure them: 'window_error' [B, 6], the distance of a window's centre
    from the true window's, and 'window_size_error', the difference of their sides, both in pixels of
    the canvas and NaN for absent parts.
    """
    settings = stn_icnn_settings.resolve(config.model)
    side = config.data.image_size
    length = grid_transformer.pixels_per_scale(side, settings.theta_form)
    names = {row.name for row in rows}

    def predict(variables: dict[str, Any], batch: dict[str, jax.Array]) -> dict[str, Prediction]:
        canvas = batch["images"].astype(jnp.float32) / jnp.float32(255)
        truth = batch[f"labels_{side}"].astype(jnp.int32)
        sizes = batch["image_sizes"]
        resized, shown = framing.coarse_view(canvas, sizes, settings)
        coarse_logits = model.apply(variables, resized, method="label_coarsely")
        mask = jnp.argmax(coarse_logits, axis=-1).astype(jnp.int32)
        theta = model.apply(variables, coarse_logits, side, shown, method="localise")
        true_theta, has_window = true_windows(truth, settings)

        def labels_in(theta: jax.Array) -> jax.Array:
            parts = model.apply(variables, canvas, theta, method="crop")
            logits = model.apply(variables, parts, method="label_parts")
            probabilities = model.apply(variables, logits, theta, side, method="join")
            return jnp.argmax(probabilities, axis=-1).astype(jnp.int32)

        def errors_of(theta: jax.Array) -> dict[str, jax.Array]:
            there = has_window > 0
            centre, true_centre = (
                grid_transformer.centres_of_theta(each, side, settings.theta_form)
                for each in (theta, true_theta)
            )
            distance = jnp.linalg.norm(centre - true_centre, axis=-1)
            scale, true_scale = (
                jnp.stack([each[..., 0, 0], each[..., 1, 1]]).mean(0)
                for each in (theta, true_theta)
            )
            return {
                "window_error": jnp.where(there, distance, jnp.nan),
                "window_size_error": jnp.where(
                    there, jnp.abs(scale - true_scale) * length, jnp.nan
                ),
            }

        on_image = jnp.where(framing.is_image(sizes, side), truth, IGNORE_LABEL)
        found = {}
        if names & {"image", "canvas"}:
            labels, errors = labels_in(theta), errors_of(theta)
            found["image"] = Prediction(on_image, labels, errors)
            found["canvas"] = Prediction(truth, labels, errors)
        if "true_windows" in names:
            # A window of no extent covers nothing: a part without a true one is not looked for.
            nowhere = true_theta * has_window[:, :, None, None]
            found["true_windows"] = Prediction(on_image, labels_in(nowhere), {})
        if "centroid_windows" in names:
            centred = model.apply(variables, mask, side, shown, method="theta_of_mask")
            found["centroid_windows"] = Prediction(on_image, labels_in(centred), errors_of(centred))
        if "coarse" in names:
            coarse_truth = framing.coarse_labels(
                truth, sizes, settings.coarse_size, settings.coarse_from
            )
            found["coarse"] = Prediction(coarse_truth, mask, errors_of(theta))
        return {row.name: found[row.name] for row in rows}

    return predict
