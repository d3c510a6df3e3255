"""FP-LIIF's protocols: '512', or '192->256', decoded at 192 and scored at 256 (§5.2)."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections

from fpliif_jax.fields import field_checks
from fpliif_jax.nn.applied import Applied
from fpliif_jax.nn.variables import Variables
from fpliif_jax.systems.fp_liif.inputs import network_images
from fpliif_jax.systems.fp_liif.model import FPLIIF
from fpliif_jax.systems.labeller import labels_of
from fpliif_jax.systems.protocol import Prediction, Protocol


def make_predictor(
    model: nn.Module, config: ml_collections.ConfigDict, protocols: Sequence[Protocol]
) -> Callable[[Variables, dict[str, jax.Array]], dict[str, Prediction]]:
    """Builds a function of (variables, batch) that gives each protocol's prediction by its key.

    Raises:
      SettingsError: config.eval.upsampling is unknown.
    """
    upsampling = config.eval.upsampling
    field_checks.check({"eval.upsampling": upsampling})

    def predict(variables: Variables, batch: dict[str, jax.Array]) -> dict[str, Prediction]:
        images = network_images(batch["images"], config.data.input_scaling)
        network = Applied(model, variables)
        latent = network(FPLIIF.encode, images)
        predictions = {}
        for protocol in protocols:
            output_size = (protocol.output_size, protocol.output_size)
            logits = network(FPLIIF.decode, latent, output_size)
            scored_at = (protocol.scored_at, protocol.scored_at)
            labels = predict_labels(logits, scored_at, upsampling)
            truth = batch[f"labels_{protocol.label_size}"].astype(jnp.int32)
            predictions[protocol.key] = Prediction(truth, labels, {})
        return predictions

    return predict


def predict_labels(logits: jax.Array, size: tuple[int, int], upsampling: str) -> jax.Array:
    """Class ids of logits [B, h, w, C] at another size: [B, *size] int32 (§5.2).

    'logits': bilinear (half-pixel centres), then argmax; 'labels': argmax, then nearest.
    """
    batch, height, width, classes = logits.shape
    if (height, width) == size:
        return labels_of(logits).astype(jnp.int32)
    if upsampling == "logits":
        resized = jax.image.resize(
            logits, (batch, *size, classes), "linear", antialias=False, precision="highest"
        )
        return labels_of(resized).astype(jnp.int32)
    labels = labels_of(logits).astype(jnp.int32)
    return jax.image.resize(labels, (batch, *size), "nearest")
