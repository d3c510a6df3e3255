"""The groups of a study: runs that differ in their seed alone, with their scores, confusion and curves."""

import dataclasses
from collections.abc import Sequence

from fpliif_jax.experiments.comparison.deviations import Deviation
from fpliif_jax.experiments.comparison.scores import Score, ScoreKey
from fpliif_jax.experiments.runs.results import RecordedDataset
from fpliif_jax.experiments.runs.training_data import TrainingData
from fpliif_jax.fields.json_types import Fields


@dataclasses.dataclass(frozen=True)
class RunSummary:
    """A finished run of a group, as results.json and environment.json have it."""

    name: str
    seed: int
    seconds: float | None
    images_per_second: float | None
    git_commit: str | None
    command: str | None
    notes: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Confusion:
    """Shares [C][C] of the pixels of each true class by predicted label, over runs and images."""

    split: str
    checkpoint: str
    protocol: str
    class_names: Sequence[str]
    matrix: Sequence[Sequence[float | None]]

    @property
    def evaluation(self) -> tuple[str, str, str]:
        """Split, checkpoint and protocol."""
        return (self.split, self.checkpoint, self.protocol)


@dataclasses.dataclass(frozen=True)
class Curve:
    """What a run logged, by step; of one that is not finished, until where it is."""

    seed: int
    steps: Sequence[int]
    values: Sequence[float | None]
    is_finished: bool = True


@dataclasses.dataclass(frozen=True)
class StageCurves:
    """Training loss and validation score of a stage, a curve a run that logged any."""

    name: str
    loss: Sequence[Curve]
    validation: Sequence[Curve]
    validation_metric: str


@dataclasses.dataclass(frozen=True)
class Curves:
    """The curves of all stages, in their order."""

    stages: Sequence[StageCurves]


@dataclasses.dataclass(frozen=True)
class ReportGroup:
    """Runs that differ in their seed alone.

    Attributes:
      identifier: that rows name it by.
      name: in tables and figures.
      folder: that its runs lie in.
      dataset: that was scored.
      trained_on: what was trained on, where that is not this; else None.
      labels: whose classes those of the set were made (data.labels, eval.labels); '' where they are its own.
      start: the weights of the package that training started from; '' for none of them.
      seeds: of its finished runs; duplicate_seeds are those of several.
      fixed_seeds: of sources of variation that do not follow the seed.
      settings: the fields in which the groups of this study differ.
      main: the score that stands for it.
      comparable: whether it may be held against its paper; reasons say why not.
      problems: files of evaluations that could not be used.
    """

    identifier: str
    name: str
    folder: str
    model: str
    framework: str
    dataset: RecordedDataset
    parameters: int | None
    seeds: Sequence[int]
    duplicate_seeds: Sequence[int]
    fixed_seeds: dict[str, int]
    settings: Fields
    runs: Sequence[RunSummary]
    main: ScoreKey | None
    scores: Sequence[Score]
    class_names: Sequence[str]
    confusion: Confusion | None
    curves: Curves
    deviations: Sequence[Deviation]
    comparable: bool
    reasons: Sequence[str]
    problems: Sequence[str]
    trained_on: TrainingData | None = None
    labels: str = ""
    start: str = ""

    @property
    def main_score(self) -> Score | None:
        """The score that stands for the group."""
        return next((score for score in self.scores if score.key == self.main), None)
