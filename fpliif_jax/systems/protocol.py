"""What a protocol is: one way of predicting and scoring, a line of the papers' tables."""

import dataclasses
import fractions
import math
import re
from typing import NamedTuple

import jax
import numpy as np

from fpliif_jax.data_builders.errors import SettingsError

IGNORE_LABEL = 255  # of pixels that do not count, neither in a loss nor in a score

LARGEST_SIDE = 2**14  # of an image, as of config.data.image_size

_SIZES = re.compile(r"([0-9]{1,9})(?:\s*(?:->|→|to)\s*([0-9]{1,9}))?")


@dataclasses.dataclass(frozen=True)
class Protocol:
    """One way of predicting and scoring.

    Attributes:
      output_size: side of the predicted label map, before it is resized to be scored; 0, like the other, of a protocol
        of which the name alone is known.
      scored_at: side of the label maps that are compared.
      name: of a protocol that is more than its sizes, 'image'; '' where the sizes tell it.
      truth_size: side of the label maps that the truth is made of, where that is not `scored_at`.
    """

    output_size: int
    scored_at: int
    name: str = ""
    truth_size: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Protocol":
        """Reads '512', or '192->256': decoded at 192² and scored at 256² (FP-LIIF §5.2).

        Args:
          text: also '192→256' and '192 → 256', as tables print it, or a `key`, '192to256'.

        Raises:
          SettingsError: it is neither, or larger than any image.
        """
        match = _SIZES.fullmatch(str(text))
        sizes = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if min(sizes) < 1:
            raise SettingsError(f"{text!r}: a protocol is a size such as '512', or '192->256'")
        if max(sizes) > LARGEST_SIDE:
            raise SettingsError(f"{text!r}: a protocol has sides of {LARGEST_SIDE} at most")
        return cls(*sizes)

    @classmethod
    def of_key(cls, key: str) -> "Protocol":
        """The protocol of which the key alone is known, as of a run's results; or any other spelling of it.

        What is no size is a name, so every text stands for one: '192->256' for '192to256', 'image' for itself.
        """
        try:
            return cls.parse(key)
        except SettingsError:
            return cls(0, 0, key)

    @property
    def key(self) -> str:
        """Its name in results.json and file names: '256', '192to256', 'image'."""
        return self._joined("to")

    @property
    def title(self) -> str:
        """Its name for people: '256', '192 → 256', 'true windows'."""
        return self._joined(" → ").replace("_", " ")

    @property
    def text(self) -> str:
        """Its name in a config and the tables of published values: '256', '192->256', 'image'."""
        return self._joined("->")

    @property
    def label_size(self) -> int:
        """Side of the label maps that a batch must have for it."""
        return self.scored_at if self.truth_size is None else self.truth_size

    def scaled(self, factor: fractions.Fraction) -> "Protocol":
        """The protocol of sizes alone that stands for this one where images are so much larger; sides are rounded down.

        With a quarter, '192->256' is '48->64'; what is named stays as it is.
        """
        output_size, scored_at = (
            math.floor(size * factor) for size in (self.output_size, self.scored_at)
        )
        return dataclasses.replace(self, output_size=output_size, scored_at=scored_at)

    def _joined(self, arrow: str) -> str:
        if self.name or not self.scored_at:
            return self.name
        if self.output_size == self.scored_at:
            return str(self.output_size)
        return f"{self.output_size}{arrow}{self.scored_at}"


class Measure(NamedTuple):
    """What a system measures on an image besides its labels.

    Attributes:
      name: in metrics.jsonl, results.json and the files of evaluations.
      parts: what it is measured of, a number each.
    """

    name: str
    parts: tuple[str, ...]


class Prediction(NamedTuple):
    """True and predicted label maps of a batch by a protocol, and its measures.

    Attributes:
      truth: int32 [B, h, w], of JAX or of NumPy; `IGNORE_LABEL` does not count.
      labels: int32 [B, h, w], predicted class ids; `labeller.NO_LABEL` where the values of the network are no numbers.
      measures: float32 [B, parts] each, NaN where undefined.
    """

    truth: jax.Array | np.ndarray
    labels: jax.Array | np.ndarray
    measures: dict[Measure, jax.Array]
