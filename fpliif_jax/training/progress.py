"""How far a run has come: what both trainers count, and keep as JSON in their checkpoints."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self

import ml_collections

from fpliif_jax.data.batches import steps_per_epoch
from fpliif_jax.data.dataset import Dataset
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.run_folder.checkpoint import CheckpointError
from fpliif_jax.run_folder.run_config import json_config
from fpliif_jax.systems.step_numbers import StepNumbers


class Stopwatch:
    """Seconds from step to step. The first step, which compiles, has none; nor has what is left out."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._left_out = 0.0

    def lap(self) -> float | None:
        """Seconds since the last call, less what was left out in between; None at the first."""
        now = time.monotonic() - self._left_out
        seconds = None if self._last is None else now - self._last
        self._last = now
        return seconds

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Leaves out what is done inside, as validation and checkpoints."""
        stopped = time.monotonic()
        yield
        self._left_out += time.monotonic() - stopped


@dataclasses.dataclass(frozen=True)
class StageSteps:
    """How the steps of a stage make up its epochs. Steps count from 1.

    Attributes:
      examples: of an epoch, every copy of an image counted.
      batch_size: of all batches but an epoch's last, which has what is left.
      epochs: of the stage.
    """

    examples: int
    batch_size: int
    epochs: int

    @property
    def per_epoch(self) -> int:
        """Steps of an epoch, the last, smaller one included."""
        return steps_per_epoch(self.examples, self.batch_size)

    @property
    def last(self) -> int:
        """The stage's last step."""
        return self.per_epoch * self.epochs

    def epoch(self, step: int) -> int:
        """The epoch of a step, from 1."""
        return (step - 1) // self.per_epoch + 1

    def ends_epoch(self, step: int) -> bool:
        """Whether it is the last step of an epoch."""
        return step % self.per_epoch == 0

    def images(self, step: int) -> int:
        """Examples of a step's batch, padding not counted."""
        first = (step - 1) % self.per_epoch * self.batch_size
        return min(self.batch_size, self.examples - first)


@dataclasses.dataclass
class Interval:
    """The steps since metrics.jsonl had its last record of the training split.

    Attributes:
      steps: how many.
      sums: of each of their metrics.
    """

    steps: int = 0
    sums: dict[str, float] = dataclasses.field(default_factory=dict)

    def add(self, metrics: Mapping[str, float]) -> None:
        """Counts a step in."""
        self.steps += 1
        for name, number in metrics.items():
            self.sums[name] = self.sums.get(name, 0.0) + number

    def means(self) -> dict[str, float]:
        """Mean of each metric over the steps."""
        return {name: total / self.steps for name, total in self.sums.items()}


@dataclasses.dataclass
class Totals:
    """What the run's training took so far: 'train' of results.json.

    Attributes:
      epochs: whole ones.
      steps: optimizer steps.
      images_per_second: of the timed steps; None before there are any.
      seconds: of the timed steps, see `Stopwatch`.
    """

    epochs: int = 0
    steps: int = 0
    images_per_second: float | None = None
    seconds: float = 0.0


# What checkpoints of earlier versions, or those of PyTorch's trainer, may lack.
_NOT_IN_ALL = {"whose_left", "stage", "stage_step", "chosen"}


@dataclasses.dataclass
class Progress:
    """Where a run stands; the names of the fields are those of the JSON in its checkpoints.

    Attributes:
      config: what the run was started with, as JSON.
      fingerprint: of the data.
      class_names: names by label id.
      whose_left: see `sides.whose_left`; None in earlier runs, which did not record it.
      step: steps taken, of all stages.
      stage: index of the stage; the number of stages when all are trained.
      stage_step: steps taken of the stage.
      best_score: of the validations of the stage so far; None before there is one.
      interval: what the next record of the training split is the mean of.
      train: totals.
      timed_images: examples of the timed steps.
      chosen: see `fitting`; None before it is chosen.
    """

    config: JsonObject
    fingerprint: str
    class_names: list[str] = dataclasses.field(default_factory=list)
    whose_left: str | None = None
    step: int = 0
    stage: int = 0
    stage_step: int = 0
    best_score: float | None = None
    interval: Interval = dataclasses.field(default_factory=Interval)
    train: Totals = dataclasses.field(default_factory=Totals)
    timed_images: int = 0
    chosen: StepNumbers | None = None

    @classmethod
    def at_start(cls, config: ml_collections.ConfigDict, dataset: Dataset) -> Self:
        """The progress of a run that has taken no step."""
        return cls(
            config=json_config(config),
            fingerprint=dataset.metadata.fingerprint,
            class_names=list(dataset.class_names),
            whose_left=dataset.whose_left,
        )

    @classmethod
    def from_json(cls, content: Mapping[str, Any], origin: object) -> Self:
        """Reads what `to_json` made, and what earlier versions of either trainer saved.

        Args:
          content: parsed JSON.
          origin: the run's folder, named in the error.

        Raises:
          CheckpointError: it is something else.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        try:
            fields = {
                name: content[name] for name in known if name in content or name not in _NOT_IN_ALL
            }
            # PyTorch's trainer has one stage, and did not count its steps apart from the run's.
            fields.setdefault("stage_step", fields["step"])
            fields["interval"] = Interval(**fields["interval"])
            fields["train"] = Totals(**fields["train"])
            return cls(**fields)
        except (AttributeError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{origin}: its checkpoint does not say how far it is ({error!r}); "
                "use another --workdir, or delete this one to start afresh"
            ) from error

    def to_json(self) -> JsonObject:
        """The content for a checkpoint; a copy, which later steps leave as it is."""
        content = dataclasses.asdict(self)
        if self.chosen is None:
            del content["chosen"]
        return content

    def count_step(self, metrics: Mapping[str, float], images: int, seconds: float | None) -> None:
        """Counts a step that has ended into the interval and the totals.

        Args:
          metrics: finite numbers by name.
          images: of its batch.
          seconds: that it took; None: it is not timed.
        """
        self.interval.add(metrics)
        self.train.steps += 1
        if seconds is not None:
            self.train.seconds += seconds
            self.timed_images += images
            self.train.images_per_second = self.timed_images / max(self.train.seconds, 1e-9)

    def end_interval(self) -> dict[str, float]:
        """The means of the interval; the next one begins."""
        means, self.interval = self.interval.means(), Interval()
        return means

    def is_best(self, score: float | None) -> bool:
        """Takes in a score of a validation, the higher the better; True where it is the best so far.

        Of equal scores the first one is the best; None is no score.
        """
        if score is None or (self.best_score is not None and score <= self.best_score):
            return False
        self.best_score = score
        return True
