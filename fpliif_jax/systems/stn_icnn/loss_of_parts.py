"""The loss of the parts (eq. 17): of the fine networks alone, or of all three through the windows."""

import functools
import operator
from collections.abc import Callable

import jax.numpy as jnp
import ml_collections
import numpy as np

from fpliif_jax.data.facial_parts import PART_NAMES
from fpliif_jax.systems.stage import Array, Arrays
from fpliif_jax.systems.stn_icnn import grid_transformer, losses
from fpliif_jax.systems.stn_icnn.windows import crop_sizes


def part_targets(
    labels: Array, theta: Array, settings: ml_collections.ConfigDict
) -> tuple[Array, ...]:
    """What the windows show of label maps [B, S, S], as labels of each part's own network."""
    crops = grid_transformer.crop_parts(
        grid_transformer.crop_labels, labels, theta, crop_sizes(settings), settings.theta_form
    )
    return grid_transformer.part_targets(crops)


def part_pixels(weights: Array, settings: ml_collections.ConfigDict) -> Arrays:
    """Pixels of each part: float32 scalars by part, from weights [B, 6]."""
    counts = jnp.sum(weights, axis=0) * np.square(crop_sizes(settings), dtype=np.float32)
    return dict(zip(PART_NAMES, counts, strict=True))


def part_sums(
    config: ml_collections.ConfigDict,
    logits: tuple[Array, ...],
    targets: tuple[Array, ...],
    weights: Array,
) -> Arrays:
    """Loss of each part, summed over its pixels: float32 scalars by part."""
    parts = zip(PART_NAMES, logits, targets, weights.T, strict=True)
    kind = config.loss.segmentation
    return {
        name: losses.segmentation_sum(part_logits, labels, part_weights, kind)
        for name, part_logits, labels, part_weights in parts
    }


def part_total(
    config: ml_collections.ConfigDict,
) -> Callable[[Arrays, Arrays], tuple[Array, Arrays]]:
    """The function that makes the loss, and that of each part, from sums and numbers of pixels."""

    def total(loss_sums: Arrays, counts: Arrays) -> tuple[Array, Arrays]:
        by_part = {name: losses.mean(loss_sums[name], counts[name]) for name in PART_NAMES}
        loss = functools.reduce(operator.add, by_part.values())
        if config.loss.part_reduction == "mean":
            loss = loss / len(by_part)
        return loss, by_part

    return total
