"""Weights that float16 holds, and what rounding them to it changes."""

from typing import NamedTuple

import jax
import numpy as np

from fpliif_jax.export.network_files import ExportError, tolerance
from fpliif_jax.nn.variables import Variables
from fpliif_jax.systems.network_function import NetworkFunction


class Changes(NamedTuple):
    """What the rounding of the weights does to a network's first output, at all of its examples.

    Attributes:
      labels_changed: number of positions where another entry of the last axis is the largest, but for ties.
      ties: number of positions whose two largest values are nearer to each other than a file may be to JAX.
      labels: number of all positions.
      largest_difference: of the values; of logits, or of probabilities where these are the output.
    """

    labels_changed: int
    ties: int
    labels: int
    largest_difference: float

    def __str__(self) -> str:
        share = self.labels_changed / self.labels
        return (
            f"rounding the weights to float16 changes {self.labels_changed:,} of {self.labels:,} labels ({share:.3%}; "
            f"{self.ties:,} ties aside) and values by {self.largest_difference:.1e} at most"
        )


def rounded_to_float16(variables: Variables) -> Variables:
    """Weights that float16 holds, as float32.

    Raises:
      ExportError: some are beyond its range.
    """
    with np.errstate(over="ignore"):  # infinities are refused below
        rounded = jax.tree.map(
            lambda array: np.asarray(array).astype(np.float16).astype(np.float32), dict(variables)
        )
    if not all(np.isfinite(array).all() for array in jax.tree.leaves(rounded)):
        raise ExportError("--float16: some weights are beyond its range of ±65504; leave it out")
    return rounded


def changes(exact: NetworkFunction, rounded: NetworkFunction) -> Changes:
    """Compares a network with rounded weights with the one that has them as they were trained, both in JAX."""
    of_exact, of_rounded = jax.jit(exact.call), jax.jit(rounded.call)
    changed, ties, labels, largest = 0, 0, 0, 0.0
    for example in exact.examples:
        right, other = (np.asarray(call(*example)[0]) for call in (of_exact, of_rounded))
        second, first = np.moveaxis(np.partition(right, -2, axis=-1)[..., -2:], -1, 0)
        is_tie = first - second <= tolerance(right)
        is_other = right.argmax(axis=-1) != other.argmax(axis=-1)
        changed += int((is_other & ~is_tie).sum())
        ties += int(is_tie.sum())
        labels += is_tie.size
        largest = max(largest, float(np.abs(right - other).max()))
    return Changes(changed, ties, labels, largest)
