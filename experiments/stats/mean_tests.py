"""The mean of n runs with different seeds against published numbers and against other runs.

Values are in percent: all means, differences, margins and intervals are in F1 points. Every result is a frozen
dataclass of plain numbers, ready for JSON by `dataclasses.asdict`; where n runs cannot give it (n < 2) it is None.

Values that differ by less than a billionth of a point count as equal: they differ by rounding alone. Equal values have
SD 0, intervals of length 0, no test statistic, and p = 1 or 0: they are the other value or they are not.

All tests assume that runs are independent of each other and that their scores are about normally distributed; with few
runs neither can be checked.
"""

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.stats
from statsmodels.stats import weightstats

from fpliif_jax.experiments.stats.run_values import (
    are_equal,
    around,
    checked,
    difference_of,
    standard_deviation,
)

UNKNOWN_COUNTS = (3, 5, 10)  # runs that a published SD may be of, where the paper does not say

_NORMAL = "runs are independent and their scores normally distributed"
_FIXED = f"{_NORMAL}; the published value is taken as exact, though it is itself one draw of runs"


@dataclasses.dataclass(frozen=True)
class TTest:
    """A two-sided t-test of the difference of two means.

    Attributes:
      method: its name.
      difference: ours minus theirs, or first minus second.
      statistic: t; None where the standard error is 0.
      df: degrees of freedom.
      p: two-sided.
      low, high: 95 % interval of the difference.
      n, other_n: runs on either side; other_n None for a number taken as exact.
      assumption: what it rests on.
    """

    method: str
    difference: float
    statistic: float | None
    df: float
    p: float
    low: float
    high: float
    n: int
    other_n: int | None
    assumption: str


@dataclasses.dataclass(frozen=True)
class Equivalence:
    """Two one-sided t-tests: is the difference of two means within (−margin, margin)?

    Attributes:
      method: its name.
      p: the larger of those of "the difference is at most −margin" and "at least margin".
      df: degrees of freedom.
    """

    method: str
    p: float
    df: float


def half_width_at(level: float, interval: tuple[float, float], df: float) -> float:
    """Half the width of the interval that a difference is outside of in `level` of all cases.

    Args:
      level: 0.05 for a 95 % interval.
      interval: the 95 % interval of a `TTest`.
      df: its degrees of freedom.
    """
    low, high = interval
    wider = scipy.stats.t.isf(level / 2, df) / scipy.stats.t.isf(0.025, df)
    return float((high - low) / 2 * wider)


def one_sample_t(values: Sequence[float], published: float) -> TTest | None:
    """Is the mean of runs like these the published value?"""
    values, (published,) = checked(values), checked([published])
    if len(values) < 2:
        return None
    method, df = "one-sample t-test", len(values) - 1.0
    difference = difference_of(statistics.fmean(values), published)
    if are_equal(values):
        return _equal_t(method, difference, df, len(values), None, _FIXED)
    test = scipy.stats.ttest_1samp(values, published)
    interval = test.confidence_interval(0.95)
    return TTest(
        method,
        difference,
        float(test.statistic),
        df,
        float(test.pvalue),
        float(interval.low) - published,
        float(interval.high) - published,
        len(values),
        None,
        _FIXED,
    )


def welch(values: Sequence[float], mean: float, sd: float, n: int) -> TTest | None:
    """Welch's t-test against a published mean and SD over n runs.

    Raises:
      ValueError: sd is negative, or n below 2.
    """
    values = checked(values)
    _check_published(mean, sd, n)
    if len(values) < 2:
        return None
    method = "Welch's t-test against a published mean and SD"
    return _welch(method, _moments(values), (mean, sd, n))


def welch_between(first: Sequence[float], second: Sequence[float]) -> TTest | None:
    """Welch's t-test between two sets of runs."""
    first, second = checked(first), checked(second)
    if min(len(first), len(second)) < 2:
        return None
    method = "Welch's t-test between two sets of runs"
    return _welch(method, _moments(first), _moments(second))


def paired_t(first: Mapping[int, float], second: Mapping[int, float]) -> TTest | None:
    """Paired t-test between two sets of runs over the seeds that both have; values by seed."""
    pairs = _pairs(first, second)
    if len(pairs) < 2:
        return None
    method = "paired t-test over the seeds that both have"
    differences = [one - other for one, other in pairs]
    difference = difference_of(statistics.fmean(differences), 0.0)
    assumption = "the differences of the pairs are independent and normally distributed"
    if are_equal(differences):
        count = len(pairs)
        return _equal_t(method, difference, count - 1.0, count, count, assumption)
    test = scipy.stats.ttest_rel(*zip(*pairs, strict=True))
    interval = test.confidence_interval(0.95)
    return TTest(
        method,
        difference,
        float(test.statistic),
        float(test.df),
        float(test.pvalue),
        float(interval.low),
        float(interval.high),
        len(pairs),
        len(pairs),
        assumption,
    )


def equivalence(values: Sequence[float], published: float, margin: float) -> Equivalence | None:
    """Is the mean of runs like these within a margin of the published value, taken as exact?

    Raises:
      ValueError: margin is not above 0; so in all tests of equivalence.
    """
    values, (published,) = checked(values), checked([published])
    _check_margin(margin)
    if len(values) < 2:
        return None
    method = "two one-sided t-tests against a published value"
    if are_equal(values):
        difference = difference_of(statistics.fmean(values), published)
        return _equal_tost(method, difference, margin, len(values) - 1.0)
    tost = weightstats.DescrStatsW(values).ttost_mean(published - margin, published + margin)
    return _from_statsmodels(method, tost)


def welch_equivalence_between(
    first: Sequence[float], second: Sequence[float], margin: float
) -> Equivalence | None:
    """Are the means of two sets of runs within a margin?"""
    first, second = checked(first), checked(second)
    _check_margin(margin)
    if min(len(first), len(second)) < 2:
        return None
    method = "two one-sided Welch tests between two sets of runs"
    error = welch_error(
        standard_deviation(first), len(first), standard_deviation(second), len(second)
    )
    standard_error, df = map(float, error)
    if standard_error == 0:
        difference = difference_of(statistics.fmean(first), statistics.fmean(second))
        return _equal_tost(method, difference, margin, df)
    tost = weightstats.ttost_ind(
        np.array(first), np.array(second), -margin, margin, usevar="unequal"
    )
    return _from_statsmodels(method, tost)


def paired_equivalence(
    first: Mapping[int, float], second: Mapping[int, float], margin: float
) -> Equivalence | None:
    """Are the means of two sets of runs within a margin, by the seeds that both have?"""
    pairs = _pairs(first, second)
    _check_margin(margin)
    if len(pairs) < 2:
        return None
    method = "two one-sided paired t-tests over the seeds that both have"
    differences = [one - other for one, other in pairs]
    if are_equal(differences):
        difference = difference_of(statistics.fmean(differences), 0.0)
        return _equal_tost(method, difference, margin, len(pairs) - 1.0)
    ours, theirs = (np.array(side) for side in zip(*pairs, strict=True))
    return _from_statsmodels(method, weightstats.ttost_paired(ours, theirs, -margin, margin))


def welch_error(
    sd: float | np.ndarray, n: float | np.ndarray, other_sd: float | np.ndarray, other_n: int
) -> tuple[float | np.ndarray, float | np.ndarray]:
    """Standard error of a difference of means and its degrees of freedom (Welch–Satterthwaite), of arrays too."""
    own, other = (
        np.square(sd, dtype=np.float64) / n,
        np.square(other_sd, dtype=np.float64) / other_n,
    )
    total = own + other
    # By shares, since the fourth power of a small SD is 0. Where both are 0, it changes no result.
    own_share, other_share = (part / np.where(total > 0, total, 1.0) for part in (own, other))
    weights = own_share**2 / (n - 1) + other_share**2 / (other_n - 1)
    df = np.where(total > 0, 1 / np.where(total > 0, weights, 1.0), n + other_n - 2.0)
    if np.ndim(total) == 0:
        return math.sqrt(total), float(df)
    return np.sqrt(total), df


def _check_margin(margin: float) -> None:
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(f"margin is {margin}; it must be above 0")


def _check_published(mean: float, sd: float, n: int) -> None:
    checked([mean, sd])
    if sd < 0 or n < 2:
        raise ValueError(f"published SD {sd} over {n} runs: an SD is of at least two runs and ≥ 0")


def _pairs(first: Mapping[int, float], second: Mapping[int, float]) -> list[tuple[float, float]]:
    seeds = sorted(first.keys() & second.keys())
    ours, theirs = (checked([side[seed] for seed in seeds]) for side in (first, second))
    return list(zip(ours, theirs, strict=True))


def _equal_t(
    method: str, difference: float, df: float, n: int, other_n: int | None, assumption: str
) -> TTest:
    p = 1.0 if difference == 0 else 0.0
    return TTest(method, difference, None, df, p, difference, difference, n, other_n, assumption)


def _equal_tost(method: str, difference: float, margin: float, df: float) -> Equivalence:
    return Equivalence(method, float(abs(difference) >= margin), df)


def _moments(values: Sequence[float]) -> tuple[float, float, int]:
    return statistics.fmean(values), standard_deviation(values), len(values)


def _welch(method: str, ours: tuple[float, float, int], theirs: tuple[float, float, int]) -> TTest:
    """Welch's t-test from mean, SD and n of both: of values that are all equal SciPy would warn."""
    difference, counts = difference_of(ours[0], theirs[0]), (ours[2], theirs[2])
    standard_error, df = map(float, welch_error(*ours[1:], *theirs[1:]))
    if standard_error == 0:
        return _equal_t(method, difference, df, *counts, _NORMAL)
    test = scipy.stats.ttest_ind_from_stats(*ours, *theirs, equal_var=False)
    low, high = around(difference, standard_error, df, 0.95)
    statistic, p = float(test.statistic), float(test.pvalue)
    return TTest(method, difference, statistic, df, p, low, high, *counts, _NORMAL)


def _from_statsmodels(method: str, tost: tuple) -> Equivalence:
    p, (_, _, df), _ = tost
    return Equivalence(method, float(p), float(df))
