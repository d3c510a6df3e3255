"""The form of a study: what the analysis finds, the report renders, and report.json holds; every field once.

Scores are in percent points, intervals (low, high), and what is undefined is None.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from fpliif_jax.experiments.comparison.deviations import Deviation
from fpliif_jax.experiments.comparison.planned_study import PlannedStudy
from fpliif_jax.experiments.runs.environments import Environments
from fpliif_jax.experiments.runs.training_data import TrainingData
from fpliif_jax.experiments.stats.seed_statistics import Summary
from fpliif_jax.experiments.stats.verdict_rule import Verdict

Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class ScoreKey:
    """What a number is the score of.

    Attributes:
      split, checkpoint: of the evaluation.
      protocol: as in results.json, where it is called row ('192to256').
      metric: 'mean_f1', 'f1', 'group_f1', 'miou', 'miou_with_background', 'per_image_mean_f1', or what was counted or
        timed.
      class_name: 'mean', or the class or group.
    """

    split: str
    checkpoint: str
    protocol: str
    metric: str
    class_name: str

    @property
    def evaluation(self) -> tuple[str, str, str]:
        """Split, checkpoint and protocol."""
        return (self.split, self.checkpoint, self.protocol)

    @property
    def measure(self) -> tuple[str, str]:
        """Metric and class."""
        return (self.metric, self.class_name)


@dataclasses.dataclass(frozen=True)
class Statistics:
    """Values by seed and what they say; no intervals over fewer than three runs.

    Attributes:
      values: by seed; runs of unknown seed count from −1 downwards.
      summary: None where nothing is known.
      t_interval, bootstrap_interval: of the mean over seeds, 95 %.
      image_interval, image_sd: of the mean over test images.
      seed_and_image_interval: over both.
    """

    values: dict[int, float]
    summary: Summary | None
    t_interval: Interval | None = None
    bootstrap_interval: Interval | None = None
    image_interval: Interval | None = None
    image_sd: float | None = None
    seed_and_image_interval: Interval | None = None

    @property
    def has_values(self) -> bool:
        """Whether anything was measured."""
        return self.summary is not None and self.summary.mean is not None


@dataclasses.dataclass(frozen=True)
class Score:
    """A score of a group of runs."""

    key: ScoreKey
    statistics: Statistics


@dataclasses.dataclass(frozen=True)
class Published:
    """A published number: in the table's unit, as printed, and in the unit that it was printed in.

    sd and n are the standard deviation and the number of runs that the paper gives with it.
    """

    value: float
    printed: str
    decimals: int
    sd: float | None
    n: int | None
    source: str
    unit: str


@dataclasses.dataclass(frozen=True)
class Test:
    """A test behind a verdict; published_n is the number of runs that the published SD is taken to be of."""

    name: str
    p: float | None
    assumes: str
    statistic: float | None = None
    df: float | None = None
    published_n: int | None = None


@dataclasses.dataclass(frozen=True)
class ReportRow:
    """A row of a table of the report.

    Attributes:
      group: identifier of the group of runs; None: of none.
      label: what it is called.
      system: 'ours', or whose number it is.
      key: of its score, or of what was counted or timed.
      published: that it stands beside.
      margin: of equivalence, in points.
      against: place in the table of the row that a number measured elsewhere is compared with.
      statistics: of what was measured, in the table's unit.
      prediction_interval: of one more run, 95 %.
      tests: that the numbers allow.
      verdict: on the published number.
      reason: of the verdict, or why there is none.
      rests_on_runs: whether a verdict needs runs that may be compared; False for what is counted or timed.
      group_name, trained_set, scored_set: of the group, in words; not in report.json, which has them with the group.
    """

    group: str | None
    label: str
    system: str
    key: ScoreKey
    published: Published | None
    margin: float | None
    against: int | None
    statistics: Statistics
    prediction_interval: Interval | None
    tests: Sequence[Test]
    verdict: Verdict | None
    reason: str
    rests_on_runs: bool
    group_name: str = ""
    trained_set: str = ""
    scored_set: str = ""

    def __post_init__(self) -> None:
        """A number that stands beside nothing is neither reproduced nor not."""
        decided = self.is_judged and self.verdict != Verdict.INCONCLUSIVE
        if decided and (self.published is None or not self.statistics.has_values):
            raise ValueError(f"{self.label!r} is {self.verdict}, but there is nothing to compare")

    @property
    def is_judged(self) -> bool:
        """Whether it has a verdict on runs that may be compared."""
        return self.verdict not in (None, Verdict.NOT_COMPARABLE)

    @property
    def is_apart(self) -> bool:
        """Whether it may not be compared with the published number."""
        return self.verdict == Verdict.NOT_COMPARABLE


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A difference between two sets of runs, a − b, with its tests.

    Attributes:
      a, b: labels.
      metric, class_name: of both.
      difference, interval: in points, and its 95 % interval.
      test: 'paired t', 'Welch t' or 'paired bootstrap over images'.
      n: pairs of seeds, or the smaller number of runs, or images.
      p: two-sided; p_holm allows for the other comparisons of the table; equivalent_p is of equivalence.
      margin: of equivalence, in points.
      kind: 'lines' of a table, 'elsewhere' (one of them was measured elsewhere), 'frameworks' or 'images'.
    """

    a: str
    b: str
    metric: str
    class_name: str
    difference: float | None
    interval: Interval | None
    test: str
    n: int
    p: float | None
    p_holm: float | None
    equivalent_p: float | None
    margin: float
    kind: str = "lines"


@dataclasses.dataclass(frozen=True)
class ReportTable:
    """A table of the report.

    note is what a reader of its verdicts must know, sets what its runs were trained on and scored on where that is not
    the same; '' for nothing.
    """

    identifier: str
    title: str
    unit: str
    rows: Sequence[ReportRow]
    comparisons: Sequence[Comparison] = ()
    note: str = ""
    sets: str = ""


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
    """What a run logged, by step."""

    seed: int
    steps: Sequence[int]
    values: Sequence[float | None]


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
      dataset: that was scored, as results.json has it.
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
    dataset: dict[str, Any]
    parameters: int | None
    seeds: Sequence[int]
    duplicate_seeds: Sequence[int]
    fixed_seeds: dict[str, int]
    settings: dict[str, Any]
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


@dataclasses.dataclass(frozen=True)
class Incomplete:
    """A run, or a file of one, that is not part of the study, and why."""

    name: str
    status: str
    problem: str | None


@dataclasses.dataclass(frozen=True)
class Study:
    """All of it.

    Attributes:
      root: name of the folder of the runs.
      margin: the smallest of equivalence, in points.
      summary: sentences.
      commands: that were typed.
      external: names of files of numbers measured elsewhere.
      plans: those that were frozen before the runs.
    """

    title: str
    root: str
    margin: float
    summary: Sequence[str]
    commands: Sequence[str]
    groups: Sequence[ReportGroup]
    tables: Sequence[ReportTable]
    incomplete_runs: Sequence[Incomplete]
    environments: Environments
    external: Sequence[str]
    plans: Sequence[PlannedStudy] = ()

    def __post_init__(self) -> None:
        """Above all, no verdict on what cannot be compared."""
        comparable = {group.identifier: group.comparable for group in self.groups}
        for row in (row for table in self.tables for row in table.rows):
            if row.group is not None and row.group not in comparable:
                raise ValueError(f"{row.label!r} is of {row.group!r}, which is no group")
            # What is counted or timed needs no runs: `costs` judges whether its model is the paper's.
            rests_on_group = row.group is not None or row.rests_on_runs
            is_of_runs = row.is_judged and row.system == "ours" and rests_on_group
            if is_of_runs and not comparable.get(row.group, False):
                raise ValueError(
                    f"{row.label!r} is {row.verdict}, but its runs may not be compared"
                )


# report.json names these as results.json and older reports do, and a row's key and statistics are fields of the row.
_JSON_NAMES = {"identifier": "id", "protocol": "row", "class_name": "class"}
_PARTS_OF_ROWS = ("key", "statistics")
_LEFT_OUT_EMPTY = ("note", "sets", "plans", "trained_on", "labels", "start", "data")
_OF_GROUPS = ("group_name", "trained_set", "scored_set")


def as_json(part: Study | ReportTable) -> dict[str, Any]:
    """A study or a table of one as report.json has it."""
    return dataclasses.asdict(part, dict_factory=_object)


def _object(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for name, value in fields:
        if name in _PARTS_OF_ROWS:
            content |= value
        elif name not in _OF_GROUPS and (name not in _LEFT_OUT_EMPTY or value):
            content[_JSON_NAMES.get(name, name)] = value
    return content
