"""What a labeller is: a trained model as a function from photos to label maps of any size."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from fpliif_jax.data_builders.errors import UserError

Inputs = dict[str, np.ndarray]
Label = Callable[[Inputs, tuple[int, int]], np.ndarray]

NO_LABEL = 255  # where a network's values are no numbers; no set has so many classes
LOGITS_BYTES = 2**30  # of one call; larger batches are cut down and larger outputs made in pieces


class LabellerError(UserError):
    """A model has no answer; the message says which and what to do."""


class Look(NamedTuple):
    """What a network has seen of a part of a picture, of which the same or another part is asked for.

    Attributes:
      latent: what its encoder makes of it.
      start: row and column of the first pixel that they show, from the first one that is asked for.
      size: (height, width) of what they show, in pixels of what is asked for.
      weight: above 0, what its answer counts beside others.
    """

    latent: Any
    start: tuple[int, int]
    size: tuple[int, int]
    weight: float


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

        Raises:
          LabellerError: the values of a pixel are no numbers.
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


@runtime_checkable
class WindowLabeller(Labeller, Protocol):
    """One that also parses windows of a photo, each seen together with the whole: it can be asked to find faces."""

    def encode(self, inputs: Inputs) -> Any:
        """The latent of a photo, or a part of one, for `Look`; `inputs` are of it alone, not stacked."""

    def label_looks(self, looks: Sequence[Look], size: tuple[int, int]) -> np.ndarray:
        """The label map of the largest `probabilities_of_looks`, uint8 [height, width]."""

    def probabilities_of_looks(self, looks: Sequence[Look], size: tuple[int, int]) -> np.ndarray:
        """The mean of the `probabilities` of several looks at a picture, by their weights.

        Args:
          looks: at least one.
          size: (height, width) of the part of the picture that is asked for.

        Returns:
          float32 [C, height, width].
        """


def photos_at_once(bytes_of_one: int, batch_size: int) -> int:
    """How many photos a call takes, at most `batch_size`, where the logits of one take so many bytes."""
    return max(min(batch_size, LOGITS_BYTES // bytes_of_one), 1)


def labels_of(values: jax.Array) -> jax.Array:
    """The class of the largest of real values [..., C], as uint8 [...]; `NO_LABEL` where that is no number."""
    is_number = jnp.isfinite(values.max(axis=-1))
    return jnp.where(is_number, jnp.argmax(values, axis=-1), NO_LABEL).astype(jnp.uint8)


def checked(labels: np.ndarray, note: str | None) -> np.ndarray:
    """Labels of `labels_of`, if all are classes; `argmax` alone would make background of what is no number.

    Args:
      labels: uint8, of any shape.
      note: where the model comes from, if not from a run.

    Raises:
      LabellerError: a label is no class.
    """
    if (labels == NO_LABEL).any():
        raise LabellerError(
            f"{note or 'this model'}: its values are not finite numbers, so there is no label map: the weights are "
            "damaged, or of a training that diverged; give others"
        )
    return labels
