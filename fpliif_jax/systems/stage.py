"""What the training loop trains: a run is a list of stages.

A stage turns a batch into inputs, and inputs into sums over examples. The loop adds the sums up
over microbatches and devices and divides by normalisers that are summed over all devices first, so
that neither changes the gradient.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import ml_collections

from fpliif_jax.nn.variables import Variables

Array = jax.Array
Arrays = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class ValidationScore:
    """How the validations of a stage are read: its best state is chosen by this score, and a report draws it.

    Attributes:
      name: of a score in metrics.jsonl, or of a measure there, whose mean counts.
      title: for the eye, with its unit.
      factor: from metrics.jsonl to that unit.
      smallest_is_best: whether it is an error.
    """

    name: str
    title: str
    factor: int = 1
    smallest_is_best: bool = False

    def quality(self, scores: Mapping[str, Any]) -> float | None:
        """The higher, the better the state; None where there is nothing to score.

        Args:
          scores: by the stage's protocol, see `scoring.protocol_scores`.
        """
        value = scores[self.name]
        if isinstance(value, Mapping):
            value = value["mean"]
        return -value if self.smallest_is_best and value is not None else value


MEAN_F1 = ValidationScore("mean_f1", "mean F1, percent", factor=100)


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage of training.

    Attributes:
      name: shown to the person and kept in checkpoints.
      settings: config.train, with the stage's own batch size and epochs.
      learning_rates: of all parameters; or by network, the first key of the parameters: those that
        are missing or have a rate of 0 are frozen.
      label_size: side of the label maps in its batches.
      prepare: a device's rows of a batch (`data.batches.train_batches`) -> inputs, every leaf with the examples' axis
        first; augmentation happens here.
      normalisers: inputs -> sums that depend on labels and weights alone.
      sums: (variables, inputs) -> (loss sums, new batch statistics).
      total: (loss sums, normalisers) -> (loss, its parts).
      validation_protocol: of the evaluation, by which the best state is chosen.
      copies: how many times an epoch shows each image.
      fresh: networks that start from new parameters.
      cast: the parameters in the types that the model casts them to, where that is done once a step; None: it
        casts them in every call.
    """

    name: str
    settings: ml_collections.ConfigDict
    learning_rates: float | dict[str, float]
    label_size: int
    prepare: Callable[[Arrays], Arrays]
    normalisers: Callable[[Arrays], Arrays]
    sums: Callable[[Variables, Arrays], tuple[Arrays, Any]]
    total: Callable[[Arrays, Arrays], tuple[Array, Arrays]]
    validation_protocol: str
    copies: int = 1
    fresh: tuple[str, ...] = ()
    cast: Callable[[Any], Any] | None = None

    def is_trained(self, network: str) -> bool:
        """Whether the parameters under that first key change."""
        if isinstance(self.learning_rates, dict):
            return self.learning_rates.get(network, 0.0) > 0
        return True
