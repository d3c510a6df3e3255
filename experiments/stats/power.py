"""How many runs a difference takes to be found, at the standard deviations that were seen so far.

Of t-tests, by SciPy's noncentral t. Differences and SDs are in one unit, F1 points. An SD of few runs is itself
uncertain: `sd_interval` says how much, and the number of runs goes with its square.
"""

import math
import statistics
import warnings
from collections.abc import Mapping

import scipy.stats

from fpliif_jax.experiments.stats.run_values import standard_deviation
from fpliif_jax.experiments.stats.seed_statistics import FEWEST_RUNS

MOST_RUNS = 10_000


def runs_needed(
    sd: float, difference: float, power: float, alpha: float, is_paired: bool = True
) -> int:
    """The smallest number of runs of each of two variants that finds a difference between them.

    Args:
      sd: of the differences seed by seed if paired, else of the runs of either variant; at least 0.
      difference: of the two means, above 0.
      power: in how many of all cases it is to be found, in (0, 1).
      alpha: level of the two-sided t-test, in (0, 1).
      is_paired: by seed; else two independent groups of equal size and SD.

    Returns:
      At least `FEWEST_RUNS`, below which nothing is judged; `MOST_RUNS` where that many or more are needed.

    Raises:
      ValueError: an argument is outside its range.
    """
    if not (sd >= 0 and difference > 0 and 0 < power < 1 and 0 < alpha < 1):
        raise ValueError(f"sd {sd}, difference {difference}, power {power}, alpha {alpha}")
    low = high = (
        FEWEST_RUNS  # upwards: far beyond what is needed the noncentral t cannot be computed
    )
    while high < MOST_RUNS and power_of(high, sd, difference, alpha, is_paired) < power:
        low, high = high + 1, min(2 * high, MOST_RUNS)
    while low < high:
        middle = (low + high) // 2
        if power_of(middle, sd, difference, alpha, is_paired) >= power:
            high = middle
        else:
            low = middle + 1
    return low


def power_of(
    runs: int, sd: float, difference: float, alpha: float, is_paired: bool = True
) -> float:
    """Power: the share of cases in which so many runs of each variant find the difference; see `runs_needed`."""
    if sd <= difference * 1e-6:  # beyond what the noncentral t is computed for
        return 1.0
    df = runs - 1 if is_paired else 2 * (runs - 1)
    centre = difference / sd * math.sqrt(runs if is_paired else runs / 2)
    beyond = float(scipy.stats.t.isf(alpha / 2, df))
    # SciPy warns of a tail that is too far out to be computed, or gives NaN: that of the wrong sign is then nothing.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        right_sign = float(scipy.stats.nct.sf(beyond, df, centre))
        wrong_sign = float(scipy.stats.nct.cdf(-beyond, df, centre))
    return right_sign + (0.0 if math.isnan(wrong_sign) else wrong_sign)


def sd_interval(sd: float, df: float) -> tuple[float, float]:
    """The 95 % interval of an SD of normally distributed values with so many degrees of freedom, by chi-square.

    Raises:
      ValueError: there is no degree of freedom.
    """
    if df < 1:
        raise ValueError(f"an SD of {df} degrees of freedom has no interval")
    tail = (1 - 0.95) / 2
    low, high = (scipy.stats.chi2.ppf(1 - tail, df), scipy.stats.chi2.ppf(tail, df))
    return sd * math.sqrt(df / low), sd * math.sqrt(df / high)


def sd_of_differences(first: Mapping[int, float], second: Mapping[int, float]) -> float | None:
    """SD of the differences over the seeds that both have; None with fewer than two."""
    seeds = sorted(first.keys() & second.keys())
    if len(seeds) < 2:
        return None
    return standard_deviation([first[seed] - second[seed] for seed in seeds])


def pooled_sd(first: Mapping[int, float], second: Mapping[int, float]) -> float | None:
    """SD that two groups of runs have in common, by their degrees of freedom; None if one has fewer than two runs."""
    groups = [list(first.values()), list(second.values())]
    if min(map(len, groups)) < 2:
        return None
    squares = sum((len(group) - 1) * statistics.variance(group) for group in groups)
    return math.sqrt(squares / (sum(map(len, groups)) - 2))


def count_text(runs: int) -> str:
    """A number of runs; 'over 10,000' where it is at the limit."""
    return f"over {MOST_RUNS:,}" if runs >= MOST_RUNS else f"{runs:,}"
