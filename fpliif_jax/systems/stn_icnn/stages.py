"""The stages in which STN-iCNN is trained (§2.5.2, Table 1).

coarse          K by the segmentation loss of the squeezed image (eq. 18)
localisation    L by smooth L1 on θ (eq. 19–21), K as it is
fine            K_i on windows around true centroids: STN-iCNN*, the baseline, or a warm start
end_to_end      all three by the loss of the parts (eq. 17), each with its own learning rate
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import ml_collections

from fpliif_jax.data.facial_parts import PART_NAMES
from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.fields import field_checks
from fpliif_jax.nn.variables import Variables
from fpliif_jax.systems.pixels import to_unit_range
from fpliif_jax.systems.stage import Array, Arrays, Stage, ValidationScore
from fpliif_jax.systems.stn_icnn import augment, framing, losses
from fpliif_jax.systems.stn_icnn import settings as stn_icnn_settings
from fpliif_jax.systems.stn_icnn.loss_of_parts import (
    part_pixels,
    part_sums,
    part_targets,
    part_total,
)
from fpliif_jax.systems.stn_icnn.windows import WINDOW_ERROR, true_windows

STAGES = ("coarse", "localisation", "fine", "end_to_end")
VALIDATION_SCORES = {
    "localisation": ValidationScore(
        WINDOW_ERROR.name, "window error, pixels", smallest_is_best=True
    )
}


def make_stages(
    config: ml_collections.ConfigDict, model: nn.Module, class_names: tuple[str, ...]
) -> list[Stage]:
    """The stages of config.train.stages, in order.

    Args:
      config: the experiment.
      model: of `settings.create`.
      class_names: there is but one set of them, the facial parts'.

    Raises:
      SettingsError: a stage is unknown, named twice, or impossible with these settings.
    """
    names = tuple(config.train.stages)
    if not names or set(names) - set(STAGES) or len(set(names)) < len(names):
        raise SettingsError(
            f"config.train.stages is {names!r}; it must name stages once each, of {', '.join(STAGES)}"
        )
    settings = stn_icnn_settings.resolve(config.model)
    if settings.cropper == "centroid" and set(names) & {"localisation", "end_to_end"}:
        raise SettingsError(
            f"config.train.stages is {names!r} and config.model.cropper is 'centroid', which has "
            "nothing to train: use ('coarse', 'fine')"
        )
    for section in ("loss", "train"):
        field_checks.check_section(section, config[section])
    makers = {
        "coarse": _coarse_stage,
        "localisation": _localisation_stage,
        "fine": _fine_stage,
        "end_to_end": _end_to_end_stage,
    }
    return [makers[name](config, settings, model) for name in names]


def _coarse_stage(
    config: ml_collections.ConfigDict, settings: ml_collections.ConfigDict, model: nn.Module
) -> Stage:
    def prepare(batch: Arrays) -> Arrays:
        canvas, labels = _augmented(config, batch)
        return {
            "resized": framing.coarse_view(canvas, batch["image_sizes"], settings)[0],
            "labels": framing.coarse_labels(
                labels, batch["image_sizes"], settings.coarse_size, settings.coarse_from
            ),
            "weights": batch["weights"],
        }

    def normalisers(inputs: Arrays) -> Arrays:
        return {"pixels": jnp.sum(inputs["weights"]) * settings.coarse_size**2}

    def sums(variables: Variables, inputs: Arrays) -> tuple[Arrays, Any]:
        logits, updated = model.apply(
            variables,
            inputs["resized"],
            train=("coarse",),
            example_weights=inputs["weights"],
            method="label_coarsely",
            mutable=["batch_stats"],
        )
        loss_sum = losses.segmentation_sum(
            logits, inputs["labels"], inputs["weights"], config.loss.segmentation
        )
        return {"segmentation": loss_sum}, updated["batch_stats"]

    def total(loss_sums: Arrays, counts: Arrays) -> tuple[Array, Arrays]:
        return losses.mean(loss_sums["segmentation"], counts["pixels"]), {}

    rates = {"coarse": config.train.coarse.learning_rate}
    return _stage("coarse", config, rates, prepare, normalisers, sums, total, "coarse")


def _localisation_stage(
    config: ml_collections.ConfigDict, settings: ml_collections.ConfigDict, model: nn.Module
) -> Stage:
    rates = {"localisation": config.train.localisation.learning_rate}
    batch_normed = _batch_normed(config, rates, ("coarse", "localisation"))

    def prepare(batch: Arrays) -> Arrays:
        canvas, labels = _augmented(config, batch)
        theta, present = true_windows(labels, settings)
        return {
            "resized": framing.coarse_view(canvas, batch["image_sizes"], settings)[0],
            "image_sizes": batch["image_sizes"],
            "theta": theta,
            "part_weights": present * batch["weights"][:, None],
            "weights": batch["weights"],
        }

    def normalisers(inputs: Arrays) -> Arrays:
        return {"entries": jnp.sum(inputs["part_weights"]) * 6}

    def sums(variables: Variables, inputs: Arrays) -> tuple[Arrays, Any]:
        def predicted_theta(model: nn.Module) -> Array:
            logits = model.label_coarsely(inputs["resized"], batch_normed, inputs["weights"])
            return model.localise(
                logits, config.data.image_size, None, batch_normed, inputs["weights"]
            )

        theta, updated = nn.apply(predicted_theta, model, mutable=["batch_stats"])(variables)
        loss_sum = losses.smooth_l1_sum(theta, inputs["theta"], inputs["part_weights"])
        return {"smooth_l1": loss_sum}, updated["batch_stats"]

    def total(loss_sums: Arrays, counts: Arrays) -> tuple[Array, Arrays]:
        return losses.mean(loss_sums["smooth_l1"], counts["entries"]), {}

    return _stage("localisation", config, rates, prepare, normalisers, sums, total, "coarse")


def _fine_stage(
    config: ml_collections.ConfigDict, settings: ml_collections.ConfigDict, model: nn.Module
) -> Stage:
    def prepare(batch: Arrays) -> Arrays:
        canvas, labels = _augmented(config, batch)
        theta, present = true_windows(labels, settings)
        return {
            "parts": model.apply({}, canvas, theta, method="crop"),
            "targets": part_targets(labels, theta, settings),
            "part_weights": present * batch["weights"][:, None],
        }

    def normalisers(inputs: Arrays) -> Arrays:
        return part_pixels(inputs["part_weights"], settings)

    def sums(variables: Variables, inputs: Arrays) -> tuple[Arrays, Any]:
        weights = inputs["part_weights"]
        logits, updated = model.apply(
            variables,
            inputs["parts"],
            train=("fine",),
            example_weights=weights,
            method="label_parts",
            mutable=["batch_stats"],
        )
        return part_sums(config, logits, inputs["targets"], weights), updated["batch_stats"]

    rates = {"fine": config.train.fine.learning_rate}
    total = part_total(config)
    return _stage("fine", config, rates, prepare, normalisers, sums, total, "true_windows")


def _end_to_end_stage(
    config: ml_collections.ConfigDict, settings: ml_collections.ConfigDict, model: nn.Module
) -> Stage:
    joint = config.train.end_to_end
    rates = {
        "coarse": joint.coarse_learning_rate,
        "localisation": joint.localisation_learning_rate,
        "fine": joint.fine_learning_rate,
    }
    batch_normed = ("fine",)
    if joint.batch_norm == "trained":
        batch_normed = _batch_normed(config, rates, tuple(rates))

    def prepare(batch: Arrays) -> Arrays:
        canvas, labels = _augmented(config, batch)
        weights = batch["weights"]
        inputs = {
            "canvas": canvas,
            "resized": framing.coarse_view(canvas, batch["image_sizes"], settings)[0],
            "weights": weights,
        }
        if joint.labels_from == "predicted_windows":
            part_weights = jnp.broadcast_to(weights[:, None], (len(weights), len(PART_NAMES)))
            return inputs | {"labels": labels, "part_weights": part_weights}
        theta, present = true_windows(labels, settings)
        targets = part_targets(labels, theta, settings)
        return inputs | {"targets": targets, "part_weights": present * weights[:, None]}

    def normalisers(inputs: Arrays) -> Arrays:
        return part_pixels(inputs["part_weights"], settings)

    def sums(variables: Variables, inputs: Arrays) -> tuple[Arrays, Any]:
        outputs, updated = model.apply(
            variables,
            inputs["resized"],
            inputs["canvas"],
            train=batch_normed,
            example_weights=inputs["weights"],
            mutable=["batch_stats"],
        )
        targets = inputs.get("targets")
        if targets is None:  # the truth is what the predicted windows show of it (§2.1)
            targets = part_targets(inputs["labels"], outputs["theta"], settings)
        return (
            part_sums(config, outputs["part_logits"], targets, inputs["part_weights"]),
            updated["batch_stats"],
        )

    total = part_total(config)
    fresh = ("fine",) if joint.fresh_fine else ()
    return _stage(
        "end_to_end", config, rates, prepare, normalisers, sums, total, "image", fresh=fresh
    )


def _stage(
    name: str,
    config: ml_collections.ConfigDict,
    rates: dict[str, float],
    prepare: Callable[[Arrays], Arrays],
    normalisers: Callable[[Arrays], Arrays],
    sums: Callable[[Variables, Arrays], tuple[Arrays, Any]],
    total: Callable[[Arrays, Arrays], tuple[Array, Arrays]],
    validation_protocol: str,
    fresh: tuple[str, ...] = (),
) -> Stage:
    if not any(rates.values()):
        raise SettingsError(f"config.train.{name}: learning rates are {rates}; not all may be 0")
    settings = config.train.copy_and_resolve_references()
    own = config.train[name]
    with settings.unlocked():
        settings.epochs = config.train.epochs if own.epochs is None else own.epochs
        settings.batch_size = config.train.batch_size if own.batch_size is None else own.batch_size
    return Stage(
        name=name,
        settings=settings,
        learning_rates=rates,
        label_size=config.data.image_size,
        prepare=prepare,
        normalisers=normalisers,
        sums=sums,
        total=total,
        validation_protocol=validation_protocol,
        copies=config.augment.copies if config.augment.enabled else 1,
        fresh=fresh,
    )


def _augmented(config: ml_collections.ConfigDict, batch: Arrays) -> tuple[Array, Array]:
    """Canvases float32 [B, S, S, 3] in [0, 1] and labels int32 [B, S, S]."""
    canvas = to_unit_range(batch["images"])
    labels = batch["labels"].astype(jnp.int32)
    if not config.augment.enabled:
        return canvas, labels
    return augment.augment_batch(batch, canvas, labels, config.augment)


def _batch_normed(
    config: ml_collections.ConfigDict, rates: dict[str, float], used: tuple[str, ...]
) -> tuple[str, ...]:
    """Networks whose batch norms use and update the statistics of the batch.

    In the authors' loop those are all, also where the learning rate is 0.
    """
    if config.train.frozen_batch_norm == "training":
        return used
    return tuple(network for network in used if rates.get(network, 0.0) > 0)
