"""What a run logged at a step."""

import dataclasses

from fpliif_jax.experiments.runs import typed_json
from fpliif_jax.experiments.runs.value_types import Count, Measure, SafeName, Score, Split
from fpliif_jax.fields.json_types import JsonObject


@dataclasses.dataclass(frozen=True)
class WindowError:
    """How far predicted windows are off: mean of a validation, pixels."""

    mean: Measure | None = None


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds of training steps since the run began."""

    seconds: Measure | None = None


@dataclasses.dataclass(frozen=True)
class LogRecord:
    """A line of metrics.jsonl; what it does not have is None.

    Attributes:
      step, split, stage, epoch: of training.
      loss: of training steps.
      mean_f1: of a validation, a fraction.
      window_error, timing: see their classes.
    """

    step: Count
    split: Split
    stage: SafeName | None = None
    epoch: Count | None = None
    loss: Measure | None = None
    mean_f1: Score = None
    window_error: WindowError | None = None
    timing: Timing | None = None

    def score(self, name: str) -> float | None:
        """A validation's score, or the mean of a measure; None where the record has none of that name."""
        value = getattr(self, name, None)
        return value.mean if isinstance(value, WindowError) else value

    @classmethod
    def of(cls, content: JsonObject, name: str) -> "LogRecord":
        """The record of a line.

        Raises:
          UnreadableError: names the first field that is missing or impossible.
        """
        return typed_json.parse(cls, content, name)
