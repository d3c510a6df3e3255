"""Where the parts of a face have their centres in label maps (§2.5.2)."""

import functools
import operator
from collections.abc import Iterable

import jax
import jax.numpy as jnp

from fpliif_jax.data.facial_parts import PART_LABELS
from fpliif_jax.data_builders.errors import SettingsError

Array = jax.Array

LARGEST_SIDE = 1290  # sums of side³ pixel positions stay below 2³¹


def part_centroids(labels: Array, floor: bool = True) -> tuple[Array, Array]:
    """Centres of the six parts in label maps (§2.5.2).

    The mouth's centre is the mean of the centres of its labels, of those that there are.

    Args:
      labels: integer [B, H, W], 0 … 8.
      floor: round down to whole pixels.

    Returns:
      (float32 [B, 6, 2], y and x in pixels, 0 at the centre of the first; bool [B, 6], false where
      a part is absent: its centre is then (0, 0)).

    Raises:
      SettingsError: a side is larger than `LARGEST_SIDE`.
    """
    _, height, width = labels.shape
    if max(height, width) > LARGEST_SIDE:
        raise SettingsError(
            f"label maps of {height}x{width}: sides may be {LARGEST_SIDE} at most; set config.data.image_size"
        )
    whole, rest, present = [], [], []
    for label in range(1, 9):
        mask = labels == label
        by_row, by_column = (jnp.sum(mask, axis=axis, dtype=jnp.int32) for axis in (2, 1))
        count = jnp.sum(by_row, axis=1)
        moments = jnp.stack(
            [
                jnp.sum(line * jnp.arange(length, dtype=jnp.int32)[None], axis=1)
                for line, length in ((by_row, height), (by_column, width))
            ],
            axis=-1,
        )
        divisor = jnp.maximum(count, 1)[:, None]
        # Whole pixels and the rest apart: together in float32 they could round up to the next pixel.
        whole.append(moments // divisor)
        rest.append((moments % divisor).astype(jnp.float32) / divisor.astype(jnp.float32))
        present.append(count > 0)
    centres, there = [], []
    for own in PART_LABELS:
        # Of labels that there are not, both are zero.
        wholes, rests = (_sum(centre[label - 1] for label in own) for centre in (whole, rest))
        number = _sum(present[label - 1].astype(jnp.int32) for label in own)
        there.append(number > 0)
        number = jnp.maximum(number, 1)[:, None]
        if floor:
            centre = (wholes + jnp.floor(rests).astype(jnp.int32)) // number
        else:
            centre = (wholes.astype(jnp.float32) + rests) / number.astype(jnp.float32)
        centres.append(centre.astype(jnp.float32))
    return jnp.stack(centres, axis=1), jnp.stack(there, axis=1)


def _sum(values: Iterable[Array]) -> Array:
    return functools.reduce(operator.add, values)
