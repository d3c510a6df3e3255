"""What a run logged at a step."""

import dataclasses
from typing import Any

from fpliif_jax.experiments.runs.json_values import is_number
from fpliif_jax.files.json_types import JsonObject


@dataclasses.dataclass(frozen=True)
class LogRecord:
    """A line of metrics.jsonl; what it does not have, or has as something else than a number, is None.

    Attributes:
      step, split, stage, epoch: of training.
      loss: of training steps.
      mean_f1: of a validation, a fraction.
      window_error: mean of a validation, pixels.
      seconds: of training steps since the run began.
    """

    step: int
    split: str
    stage: str | None
    epoch: int | None
    loss: float | None
    mean_f1: float | None
    window_error: float | None
    seconds: float | None

    @classmethod
    def of(cls, content: JsonObject) -> "LogRecord":
        """Of a line, checked."""
        known = ("step", "split", "stage", "epoch", "loss", "mean_f1")
        inner = (("window_error", "mean"), ("timing", "seconds"))
        return cls(
            *(content.get(name) for name in known),
            *(_number(content.get(part), name) for part, name in inner),
        )


def _number(part: Any, name: str) -> float | None:
    value = part.get(name) if isinstance(part, dict) else None
    return value if is_number(value) else None
