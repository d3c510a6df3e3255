"""What a labeller is: a trained model as a function from photos to label maps of any size."""

from collections.abc import Callable
from typing import Protocol

import jax
import numpy as np

Inputs = dict[str, np.ndarray]
Label = Callable[[Inputs, tuple[int, int]], np.ndarray]

LOGITS_BYTES = 2**30  # of one call; larger batches are cut down and larger outputs made in pieces


class Labeller(Protocol):
    """A trained model, photos in and label maps out.

    Attributes:
      class_names: names by label id.
    """

    class_names: tuple[str, ...]

    def network_input(self, photo: np.ndarray) -> Inputs:
        """What the network is fed of a photo, uint8 [H, W, 3]; to be stacked with others'."""

    def plan(self, size: tuple[int, int] | None, batch_size: int) -> tuple[Label, int]:
        """The method that suits an output size, and how many photos it takes at once.

        Args:
          size: (height, width), or None where each photo has another.
          batch_size: the most photos at once.
        """

    def label(self, inputs: Inputs, size: tuple[int, int]) -> np.ndarray:
        """Label maps of one size.

        Args:
          inputs: stacked, B of them.
          size: (height, width).

        Returns:
          uint8 [B, height, width].
        """

    def probabilities(self, inputs: Inputs, size: tuple[int, int]) -> np.ndarray:
        """Probabilities of the classes, of one size.

        Args:
          inputs: stacked, B of them.
          size: (height, width).

        Returns:
          float32 [B, C, height, width], not negative, summing to 1 over the classes.
        """

    def lower(self, inputs: Inputs, size: tuple[int, int]) -> dict[str, jax.stages.Lowered]:
        """The programs that `label` calls with these arguments, by name, for JAX's default device; none is run."""


def photos_at_once(bytes_of_one: int, batch_size: int) -> int:
    """How many photos a call takes, at most `batch_size`, where the logits of one take so many bytes."""
    return max(min(batch_size, LOGITS_BYTES // bytes_of_one), 1)
