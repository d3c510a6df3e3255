"""The standard deviations that a study has seen: of differences seed by seed, and of runs."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from fpliif_jax.experiments.comparison.lines import Line, make_lines, unique_label
from fpliif_jax.experiments.comparison.planned import planned_studies
from fpliif_jax.experiments.comparison.planned_study import PlannedStudy
from fpliif_jax.experiments.plans import study_file
from fpliif_jax.experiments.plans.variant import Expectation
from fpliif_jax.experiments.runs import scores_alone
from fpliif_jax.experiments.runs.groups import group_runs
from fpliif_jax.experiments.runs.runs import read_runs
from fpliif_jax.experiments.stats import power

# Why a comparison is left out.
_EQUIVALENT = "as equivalence needs another test"
_FEW = "as they have no two pairs of finished runs of the same seeds"
_EQUAL = "as their scores or differences are the same for all seeds (SD 0)"
_OTHER_SCORE = "as the two have no score in common"
_OTHER_DATA = "as the two are scored on other label maps or in other classes"


@dataclasses.dataclass(frozen=True)
class Spread:
    """Spread of one comparison of two variants, in F1 points.

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
      left_out: names of the other comparisons, by why they are left out.
    """

    title: str
    spreads: list[Spread]
    family: int
    left_out: Mapping[str, list[str]]


def spreads_of(root: pathlib.Path, without_matrices: bool = False) -> list[SpreadsOfPlan]:
    """The spreads of all comparisons in a folder, by plan.

    Of studies with a frozen plan, its questions; where no study has one, every setting beside the first.

    Args:
      root: of the studies.
      without_matrices: as `read_runs` has it.

    Raises:
      RunError: root is not a folder, or gives no spread and has no matrices where these are asked for.
    """
    runs = read_runs(root, without_matrices=without_matrices)
    studies, _ = study_file.read_studies(root)
    lines = make_lines(group_runs(runs), studies)
    plans = planned_studies(lines, studies)
    groups = [_of_plan(plan) for plan in plans] if plans else [_beside_the_first(lines)]
    if not (without_matrices or any(one.spreads for one in groups)):
        scores_alone.refuse(runs, root)
    return groups


def studies_without_plan(root: pathlib.Path) -> tuple[list[str], dict[str, str]]:
    """The folders of studies in a folder that have no plan, and why those that have one cannot read it."""
    studies, _ = study_file.read_studies(root)
    names = {study.folder or ".": study for study in studies if study.plan is None}
    unreadable = {name: one.plan_problem for name, one in names.items() if one.plan_problem}
    return [name for name in names if name not in unreadable], unreadable


def _of_plan(plan: PlannedStudy) -> SpreadsOfPlan:
    asked = [one for one in plan.questions if one.answer is not None]
    spreads, left_out = [], {}
    for one in asked:
        if one.expects == Expectation.EQUIVALENT:
            left_out.setdefault(_EQUIVALENT, []).append(one.name)
        elif one.sd and one.run_sd:
            spreads.append(Spread(one.name, one.pairs, one.sd, one.run_sd, one.run_df, one.margin))
        else:
            why = f"as {one.reason}" if one.sd is None else _EQUAL
            left_out.setdefault(why, []).append(one.name)
    title = f"{plan.title} ({plan.folder})" if plan.folder else plan.title
    return SpreadsOfPlan(title, spreads, max(1, len(asked)), left_out)


def _beside_the_first(lines: Sequence[Line]) -> SpreadsOfPlan:
    spreads, left_out = [], {}
    for line in lines[1:]:
        name = f"{unique_label(line, lines)} − {unique_label(lines[0], lines)}"
        first, own = lines[0].main_score, line.main_score
        if first is None or own is None or first.key.measure != own.key.measure:
            left_out.setdefault(_OTHER_SCORE, []).append(name)
            continue
        if not line.is_scored_as(lines[0]):
            left_out.setdefault(_OTHER_DATA, []).append(name)
            continue
        values = (first.values, own.values)
        paired, pooled = power.sd_of_differences(*values), power.pooled_sd(*values)
        if paired and pooled:
            pairs = len(first.values.keys() & own.values.keys())
            df = sum(map(len, values)) - 2
            spreads.append(Spread(name, pairs, paired, pooled, df, line.margin))
        else:
            left_out.setdefault(_FEW if paired is None else _EQUAL, []).append(name)
    return SpreadsOfPlan("", spreads, max(1, len(lines) - 1), left_out)
