"""The stage in which FP-LIIF is trained."""

import functools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import ml_collections

from fpliif_jax.data_builders.class_names import mirrored_classes
from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.nn.cast_weights import cast_convolutions
from fpliif_jax.nn.variables import Variables
from fpliif_jax.systems.fp_liif import augment, losses
from fpliif_jax.systems.fp_liif.inputs import normalise
from fpliif_jax.systems.pixels import to_unit_range
from fpliif_jax.systems.protocol import IGNORE_LABEL
from fpliif_jax.systems.stage import Array, Arrays, Stage


def make_stages(
    config: ml_collections.ConfigDict, model: nn.Module, class_names: tuple[str, ...]
) -> list[Stage]:
    """The one stage: the whole of FP-LIIF by cross-entropy and edge cross-entropy (eq. 3).

    Raises:
      SettingsError: config.train.stages names another, or it twice.
    """
    if tuple(config.train.stages) != ("parsing",):
        raise SettingsError(
            f"config.train.stages is {config.train.stages!r}; it must be ('parsing',)"
        )
    return [_parsing_stage(config, model, class_names)]


def _parsing_stage(
    config: ml_collections.ConfigDict, model: nn.Module, class_names: tuple[str, ...]
) -> Stage:
    size, dtype = config.data.image_size, jnp.dtype(config.model.dtype)
    flip_classes = mirrored_classes(class_names)

    def prepare(batch: Arrays) -> Arrays:
        images = to_unit_range(batch["images"])
        labels = batch["labels"].astype(jnp.int32)
        if config.augment.enabled:
            images, labels = augment.augment_batch(
                batch,
                images,
                labels,
                config.augment,
                ignore_label=IGNORE_LABEL,
                flip_classes=flip_classes,
            )
        images = normalise(images, config.data.input_scaling)
        return {"images": images, "labels": labels, "weights": batch["weights"]}

    def normalisers(inputs: Arrays) -> Arrays:
        return losses.loss_normalisers(inputs["labels"], inputs["weights"], config.loss)

    def sums(variables: Variables, inputs: Arrays) -> tuple[Arrays, Any]:
        logits, updated = model.apply(
            variables,
            inputs["images"],
            output_size=(size, size),
            train=True,
            example_weights=inputs["weights"],
            mutable=["batch_stats"],
        )
        loss_sums = losses.loss_sums(logits, inputs["labels"], inputs["weights"], config.loss)
        return loss_sums, updated.get("batch_stats", {})

    def total(loss_sums: Arrays, normaliser_sums: Arrays) -> tuple[Array, Arrays]:
        return losses.total_loss(loss_sums, normaliser_sums, config.loss)

    return Stage(
        name="parsing",
        settings=config.train,
        learning_rates=config.train.learning_rate,
        label_size=size,
        prepare=prepare,
        normalisers=normalisers,
        sums=sums,
        total=total,
        validation_protocol=str(size),
        cast=None if dtype == jnp.float32 else functools.partial(cast_convolutions, dtype=dtype),
    )
