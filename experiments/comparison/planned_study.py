"""The form of a planned study in the report: its questions with their answers, what is missing, what was added."""

import dataclasses
import enum
from collections.abc import Sequence


class Answer(enum.StrEnum):
    """What the runs say to a question."""

    AS_EXPECTED = "as expected"
    NOT_AS_EXPECTED = "not as expected"
    INCONCLUSIVE = "inconclusive"


@dataclasses.dataclass(frozen=True)
class AnsweredQuestion:
    """A question, the comparison that is about it, and the answer.

    Attributes:
      name, text: of the question.
      a, b: labels; the difference is a − b, seed by seed, in points.
      expects: of a beside b.
      added: date at which it was added to the plan; '' where it was planned from the start.
      pairs, planned_pairs: seeds that both have, and that both were to have.
      difference, interval: and its 95 % interval; None with fewer than three pairs.
      sd: of the differences; None with fewer than two pairs.
      run_sd, run_df: SD that the runs of both have in common, and its degrees of freedom; None and 0 likewise.
      p: of the test that the expectation asks for: of a difference (paired t, two-sided), or of equivalence.
      p_holm: over all planned questions; those that are not answered yet count as p = 1.
      answer: None of what was not planned.
      reason: in words.
    """

    name: str
    text: str
    a: str
    b: str
    expects: str
    added: str
    pairs: int
    planned_pairs: int
    difference: float | None
    interval: tuple[float, float] | None
    sd: float | None
    run_sd: float | None
    run_df: int
    margin: float
    p: float | None
    p_holm: float | None
    answer: Answer | None
    reason: str


@dataclasses.dataclass(frozen=True)
class Addition:
    """What was added to a plan after it was frozen: in words, when, and by which code."""

    what: str
    date: str
    commit: str | None
    digest: str


@dataclasses.dataclass(frozen=True)
class Mark:
    """Runs of other settings, other code or another machine than the plan's: their value and the plan's."""

    field: str
    value: str
    planned: str
    runs: Sequence[str]


@dataclasses.dataclass(frozen=True)
class PlannedStudy:
    """A frozen plan and how far it is.

    Attributes:
      folder: of the study, relative to that of the report; '' for that folder itself.
      name, title, scale: of the plan.
      digest, date, commit: of what was frozen.
      planned, finished: numbers of planned runs.
      missing: planned runs that are not finished.
      additions: what was added later.
      unplanned: finished runs in the study's folder that are in no plan.
      marks: runs of other settings, which no answer rests on, other code or another machine.
      questions: the planned ones, then those added later, and planned ones again with runs that were added later.
      power: how many seeds are needed for a difference of the margin, in words, then how that is known.
      data: what the runs were trained on and scored on, in words; '' where that is the same set.
      age: whether the plan is older than its finished runs, in words; '' without any.
    """

    folder: str
    name: str
    title: str
    scale: str
    digest: str
    date: str
    commit: str | None
    planned: int
    finished: int
    missing: Sequence[str]
    additions: Sequence[Addition]
    unplanned: Sequence[str]
    marks: Sequence[Mark]
    questions: Sequence[AnsweredQuestion]
    power: Sequence[str]
    data: str = ""
    age: str = ""
