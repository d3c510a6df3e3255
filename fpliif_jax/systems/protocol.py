"""What a row of a results table is: one way of predicting and scoring."""

import dataclasses
from typing import NamedTuple

import jax


@dataclasses.dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
      name: in tables and file names: '256', '192to256', 'image'.
      label_size: side of the label maps that its truth comes from.
      facts: names and values for results.json.
    """

    name: str
    label_size: int
    facts: tuple[tuple[str, int], ...]


class Prediction(NamedTuple):
    """What a row makes of a batch.

    Attributes:
      truth: int32 [B, h, w]; 255 does not count.
      labels: int32 [B, h, w], predicted class ids.
      measures: by name, float32 [B, …], NaN where undefined.
    """

    truth: jax.Array
    labels: jax.Array
    measures: dict[str, jax.Array]
