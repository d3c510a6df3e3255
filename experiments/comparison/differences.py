"""Differences between two sets of runs: lines of a table, or ours and what was measured elsewhere; percent points."""

import dataclasses
from collections.abc import Mapping, Sequence

from fpliif_jax.experiments.comparison.lines import Line
from fpliif_jax.experiments.comparison.measured import SeedScores
from fpliif_jax.experiments.comparison.study_tables import Comparison, ReportRow
from fpliif_jax.experiments.stats import holm, mean_tests, seed_statistics


def compare(
    first: tuple[str, Mapping[int, float]],
    second: tuple[str, Mapping[int, float]],
    metric: str,
    class_name: str,
    margin: float,
    paired: bool,
    kind: str = "lines",
) -> Comparison | None:
    """A difference between two sets of runs; None where either has too few runs, or they too few pairs.

    Args:
      first: label, and percent by seed.
      second: what it is compared with.
      metric: of both.
      class_name: of both.
      margin: of equivalence, in points.
      paired: by the seeds that both have; else by Welch's test.
      kind: 'lines' of a table, 'elsewhere' (one of them was measured elsewhere) or 'frameworks'.
    """
    (label, ours), (other_label, others) = first, second
    if paired:
        test = mean_tests.paired_t(ours, others)
        equivalence = mean_tests.paired_equivalence(ours, others, margin)
    else:
        mine, theirs = list(ours.values()), list(others.values())
        test = mean_tests.welch_between(mine, theirs)
        equivalence = mean_tests.welch_equivalence_between(mine, theirs, margin)
    if test is None or test.other_n is None:
        return None
    n = min(test.n, test.other_n)
    if n < seed_statistics.FEWEST_RUNS:
        return None
    return Comparison(
        a=label,
        b=other_label,
        metric=metric,
        class_name=class_name,
        difference=test.difference,
        interval=(test.low, test.high),
        test="paired t" if paired else "Welch t",
        n=n,
        p=test.p,
        p_holm=None,
        equivalent_p=None if equivalence is None else equivalence.p,
        margin=margin,
        kind=kind,
        common_seeds=0 if paired else len(_common_seeds(ours, others)),
    )


def compare_lines(lines: Sequence[Line], baseline: Line) -> list[Comparison]:
    """Every line's main score against the baseline's, without Holm's p-values.

    Lines that are known to be scored on other label maps or in other classes than the baseline are left out.
    """
    comparisons = []
    score = baseline.main_score
    for line in lines:
        own = line.main_score
        if line is baseline or own is None or score is None or own.key.measure != score.key.measure:
            continue
        if not line.is_scored_as(baseline):
            continue
        comparisons.append(compare_scores((line.label, own), (baseline.label, score), line.margin))
    return [one for one in comparisons if one is not None]


def compare_scores(
    first: tuple[str, SeedScores],
    second: tuple[str, SeedScores],
    margin: float,
    kind: str = "lines",
) -> Comparison | None:
    """A difference between two groups in one score, as `compare`: paired where enough seeds match, else by Welch.

    With fewer pairs than a test needs, two common seeds are not worth more than none: Welch's is over all runs.
    """
    (label, own), (other_label, other) = first, second
    return compare(
        (label, own.values),
        (other_label, other.values),
        *own.key.measure,
        margin,
        _may_be_paired(own.values, other.values),
        kind,
    )


def compare_external(rows: Sequence[ReportRow]) -> list[Comparison]:
    """Rows measured elsewhere against ours of the same number: Welch, and paired where enough seeds match."""
    comparisons = []
    for row in rows:
        ours = None if row.against is None else rows[row.against]
        if row.system == "ours" or ours is None or ours.margin is None:
            continue
        own, theirs = ((side.label, side.statistics.values) for side in (ours, row))
        for paired in (False, True) if _may_be_paired(own[1], theirs[1]) else (False,):
            comparisons.append(
                compare(own, theirs, *row.key.measure, ours.margin, paired, "elsewhere")
            )
    return adjusted([one for one in comparisons if one is not None])


def adjusted(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The same with Holm's p-values over all of them."""
    p_values = holm.holm([one.p for one in comparisons])
    return [
        dataclasses.replace(one, p_holm=p) for one, p in zip(comparisons, p_values, strict=True)
    ]


def _may_be_paired(first: Mapping[int, float], second: Mapping[int, float]) -> bool:
    return len(_common_seeds(first, second)) >= seed_statistics.FEWEST_RUNS


def _common_seeds(first: Mapping[int, float], second: Mapping[int, float]) -> set[int]:
    """Seeds that both have; runs measured elsewhere whose seed is not known have numbers below 0 and are left out."""
    return {seed for seed in first.keys() & second.keys() if seed >= 0}
