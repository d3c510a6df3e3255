"""The standard deviations that a study has seen: of differences seed by seed, and of runs."""

import dataclasses
import pathlib
from collections.abc import Sequence

from fpliif_jax.experiments.comparison.lines import Line, make_lines, unique_label
from fpliif_jax.experiments.comparison.planned import planned_studies
from fpliif_jax.experiments.comparison.planned_study import PlannedStudy
from fpliif_jax.experiments.plans import study_file
from fpliif_jax.experiments.plans.variant import Expectation
from fpliif_jax.experiments.runs.groups import group_runs
from fpliif_jax.experiments.runs.runs import read_runs
from fpliif_jax.experiments.stats import power


@dataclasses.dataclass(frozen=True)
class Spread:
    """Of one comparison of two variants, in F1 points.

    Attributes:
      name: of the question, or of the two.
      pairs: seeds that both have.
      paired_sd: of the differences.
      run_sd, run_df: SD that the runs of both have in common, and its degrees of freedom.
      margin: of equivalence.
    """

    name: str
    pairs: int
    paired_sd: float
    run_sd: float
    run_df: int
    margin: float


@dataclasses.dataclass(frozen=True)
class SpreadsOfPlan:
    """The comparisons that share one level: the questions of a plan, or of runs without one.

    Attributes:
      title: of the plan and its folder; '' where no study has a plan.
      spreads: of the comparisons that have two pairs of runs and any spread.
      family: number of questions.
      equivalent: names of the questions of equivalence, which are left out: a t-test is not theirs.
    """

    title: str
    spreads: list[Spread]
    family: int
    equivalent: list[str]


def spreads_of(root: pathlib.Path) -> list[SpreadsOfPlan]:
    """The spreads of all comparisons in a folder, by plan.

    Of studies with a frozen plan, its questions; where no study has one, every setting beside the first.

    Raises:
      RunError: root is not a folder.
    """
    runs = read_runs(root)
    studies, _ = study_file.read_studies(root)
    lines = make_lines(group_runs(runs), studies)
    plans = planned_studies(lines, studies)
    if not plans:
        return [SpreadsOfPlan("", _beside_the_first(lines), max(1, len(lines) - 1), [])]
    return [_of_plan(plan) for plan in plans]


def studies_without_plan(root: pathlib.Path) -> list[str]:
    """The folders of studies in a folder that have no plan."""
    studies, _ = study_file.read_studies(root)
    return [study.folder or "." for study in studies if study.plan is None]


def _of_plan(plan: PlannedStudy) -> SpreadsOfPlan:
    asked = [one for one in plan.questions if one.answer is not None]
    equivalent = [one.name for one in asked if one.expects == Expectation.EQUIVALENT]
    spreads = [
        Spread(one.name, one.pairs, one.sd, one.run_sd, one.run_df, one.margin)
        for one in asked
        if one.sd and one.run_sd and one.name not in equivalent
    ]
    title = f"{plan.title} ({plan.folder})" if plan.folder else plan.title
    return SpreadsOfPlan(title, spreads, max(1, len(asked)), equivalent)


def _beside_the_first(lines: Sequence[Line]) -> list[Spread]:
    spreads = []
    for line in lines[1:]:
        scores = [one.main_score for one in (lines[0], line)]
        if None in scores or scores[0].key.measure != scores[1].key.measure:
            continue
        values = [score.values for score in scores]
        paired, own = power.sd_of_differences(*values), power.pooled_sd(*values)
        if paired and own:
            name = f"{unique_label(line, lines)} − {unique_label(lines[0], lines)}"
            pairs = len(values[0].keys() & values[1].keys())
            df = sum(map(len, values)) - 2
            spreads.append(Spread(name, pairs, paired, own, df, line.margin))
    return spreads
