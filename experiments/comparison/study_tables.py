"""The tables of a study: rows beside published numbers with their verdicts, and comparisons."""

import dataclasses
from collections.abc import Sequence

from fpliif_jax.experiments.comparison.scores import Interval, ScoreKey, Statistics
from fpliif_jax.experiments.stats.verdict_rule import Verdict


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
      common_seeds: of an unpaired test: runs of one seed may be alike, and it takes them for independent.
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
    common_seeds: int = 0


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
