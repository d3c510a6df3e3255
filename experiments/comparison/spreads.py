"""The standard deviations that a study has seen: of differences seed by seed, and of runs."""

import dataclasses
import pathlib
from collections.abc import Sequence

from fpliif_jax.experiments.comparison.lines import Line, make_lines, unique_label
from fpliif_jax.experiments.comparison.planned import planned_studies
from fpliif_jax.experiments.plans import study_file
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


def spreads_of(root: pathlib.Path) -> tuple[list[Spread], int]:
    """The spreads of all comparisons in a folder, and the number of questions that share one level.

    Of studies with a frozen plan, its questions; else every setting beside the first. Comparisons with fewer than two
    pairs of runs, and differences without any spread, are left out.

    Raises:
      RunError: root is not a folder.
    """
    runs = read_runs(root)
    studies, _ = study_file.read_studies(root)
    lines = make_lines(group_runs(runs), studies)
    plans = planned_studies(lines, studies)
    questions = [one for plan in plans for one in plan.questions if one.answer is not None]
    if not plans:
        spreads = _beside_the_first(lines)
        return spreads, max(1, len(lines) - 1)
    spreads = [
        Spread(one.name, one.pairs, one.sd, one.run_sd, one.run_df, one.margin)
        for one in questions
        if one.sd and one.run_sd
    ]
    return spreads, max(1, len(questions))


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
