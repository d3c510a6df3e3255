"""Tests of experiments.comparison.differences: which two sets of runs are compared, and how."""

import dataclasses
from collections.abc import Mapping, Sequence

import pytest
import scipy.stats

from fpliif_jax.experiments.comparison import differences
from fpliif_jax.experiments.comparison.measured import SeedScores
from fpliif_jax.experiments.comparison.report_row import of_no_evaluation, table_row
from fpliif_jax.experiments.comparison.scores import ScoreKey
from fpliif_jax.experiments.comparison.study_tables import Comparison, ReportRow, ReportTable
from fpliif_jax.experiments.report import views

OURS = (92.1, 92.5, 92.2, 92.4, 92.8)
OTHERS = (91.4, 91.9, 91.5, 91.1, 91.8)


def _scores(values: Sequence[float], first_seed: int = 0) -> SeedScores:
    key = ScoreKey("test", "best", "256", "mean_f1", "mean")
    return SeedScores(key, dict(enumerate(values, start=first_seed)))


def _compared(ours: SeedScores, others: SeedScores) -> Comparison | None:
    return differences.compare_scores(("a", ours), ("b", others), 0.5)


@pytest.mark.parametrize(("first_seed", "common"), [(3, 2), (4, 1), (5, 0)])
def test_with_too_few_common_seeds_for_pairs_all_runs_are_compared(
    first_seed: int, common: int
) -> None:
    found = _compared(_scores(OURS), _scores(OTHERS, first_seed))
    expected = scipy.stats.ttest_ind(OURS, OTHERS, equal_var=False)
    assert (found.test, found.n, found.common_seeds) == ("Welch t", 5, common)
    assert found.p == pytest.approx(expected.pvalue)


def test_three_common_seeds_are_pairs() -> None:
    found = _compared(_scores(OURS), _scores(OTHERS, 2))
    assert (found.test, found.n, found.common_seeds) == ("paired t", 3, 0)
    assert found.p == pytest.approx(scipy.stats.ttest_rel(OURS[2:], OTHERS[:3]).pvalue)


def test_below_three_runs_on_either_side_nothing_is_compared() -> None:
    few = _scores(OTHERS[:2], 5)
    assert _compared(_scores(OURS), few) is None
    assert _compared(few, _scores(OURS)) is None
    assert _compared(_scores(OURS), _scores(OTHERS[:3], 5)).n == 3
    assert _compared(_scores(OTHERS[:3], 5), _scores(OURS)).n == 3


def _row(system: str, values: Mapping[int, float], against: int | None = None) -> ReportRow:
    key = of_no_evaluation("mean_f1", "mean", "256")
    row = table_row(system, key, system=system, values=values, margin=0.5)
    return dataclasses.replace(row, against=against)


def test_what_was_measured_elsewhere_is_compared_from_three_runs_on() -> None:
    """Its runs of no known seed, numbered below 0, are pairs of nothing."""
    ours = _row("ours", dict(enumerate(OURS)))
    for others, tests in (
        ({0: 91.4, 1: 91.9}, []),
        ({0: 91.4, 1: 91.9, -1: 91.5}, ["Welch t"]),
        (dict(enumerate(OTHERS)), ["Welch t", "paired t"]),
    ):
        found = differences.compare_external([ours, _row("port", others, against=0)])
        assert [one.test for one in found] == tests


def test_the_table_says_how_many_seeds_of_an_unpaired_test_are_common() -> None:
    found = differences.adjusted([_compared(_scores(OURS), _scores(OTHERS, 3))])
    table = ReportTable("t", "", "", [_row("ours", dict(enumerate(OURS)))], found)
    (view,) = views.table_view(table, 0).comparisons
    assert view.test == "Welch t, n = 5, 2 common seeds"
