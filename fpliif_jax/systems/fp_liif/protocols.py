"""The rows of FP-LIIF's tables: '512', or '192->256', decoded at 192 and scored at 256 (§5.2)."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections

from fpliif_jax.data import preprocess
from fpliif_jax.systems.protocol import Prediction, Row


def parse_row(text: str) -> Row:
    """Reads '512' or '192->256'.

    Raises:
      ValueError: it is neither.
    """
    output_size, arrow, scored_at = str(text).replace("→", "->").partition("->")
    try:
        sizes = int(output_size), int(scored_at if arrow else output_size)
    except ValueError:
        sizes = (0, 0)
    if min(sizes) < 1:
        raise ValueError(
            f"config.eval.rows has {text!r}; a row is a size such as '512', or '192->256'"
        )
    name = str(sizes[0]) if sizes[0] == sizes[1] else f"{sizes[0]}to{sizes[1]}"
    return Row(name, sizes[1], (("output_size", sizes[0]), ("scored_at", sizes[1])))


def make_predictor(
    model: nn.Module, config: ml_collections.ConfigDict, rows: tuple[Row, ...]
) -> Callable[[dict[str, Any], dict[str, jax.Array]], dict[str, Prediction]]:
    """Builds a function of (variables, batch) that gives each row's prediction by its name.

    Raises:
      ValueError: config.eval.upsampling is unknown.
    """
    upsampling = config.eval.upsampling
    if upsampling not in ("logits", "labels"):
        raise ValueError(
            f"config.eval.upsampling is {upsampling!r}; it must be 'logits' or 'labels'"
        )

    def predict(variables: dict[str, Any], batch: dict[str, jax.Array]) -> dict[str, Prediction]:
        images = batch["images"].astype(jnp.float32) / jnp.float32(255)
        images = preprocess.normalise(images, config.data.input_scaling)
        latent = model.apply(variables, images, method="encode")
        found = {}
        for row in rows:
            output_size, scored_at = (value for _, value in row.facts)
            logits = model.apply(variables, latent, (output_size, output_size), method="decode")
            labels = predict_labels(logits, (scored_at, scored_at), upsampling)
            truth = batch[f"labels_{row.label_size}"].astype(jnp.int32)
            found[row.name] = Prediction(truth, labels, {})
        return found

    return predict


def predict_labels(logits: jax.Array, size: tuple[int, int], upsampling: str) -> jax.Array:
    """Class ids of logits [B, h, w, C] at another size: [B, *size] int32 (§5.2).

    'logits': bilinear (half-pixel centres), then argmax; 'labels': argmax, then nearest.
    """
    batch, height, width, classes = logits.shape
    if (height, width) == size:
        return jnp.argmax(logits, axis=-1).astype(jnp.int32)
    if upsampling == "logits":
        resized = jax.image.resize(
            logits, (batch, *size, classes), "linear", antialias=False, precision="highest"
        )
        return jnp.argmax(resized, axis=-1).astype(jnp.int32)
    labels = jnp.argmax(logits, axis=-1).astype(jnp.int32)
    return jax.image.resize(labels, (batch, *size), "nearest")
