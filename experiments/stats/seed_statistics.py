"""What n runs with different seeds say by themselves: summary and intervals.

Values are in percent: all means and intervals are in F1 points. Intervals are of 95 %, (low, high); where n runs cannot
give one (n < 2) it is None.

Values that differ by less than a billionth of a point count as equal: they have SD 0 and intervals of length 0. The
intervals assume that runs are independent of each other and that their scores are about normally distributed; with few
runs neither can be checked.
"""

import dataclasses
import functools
import math
import statistics
from collections.abc import Sequence

import numpy as np
import scipy.stats

from fpliif_jax.experiments.stats.run_values import are_equal, around, checked, standard_deviation

# With two runs t has one degree of freedom: intervals as wide as the scale, which say nothing.
FEWEST_RUNS = 3
_LEVEL = 0.95
_RESAMPLES = 9999


@dataclasses.dataclass(frozen=True)
class Summary:
    """Values at a glance.

    Attributes:
      n: number of values.
      mean, minimum, maximum: None for n = 0.
      sd: standard deviation with ddof = 1, None for n < 2.
      sem: standard error of the mean, sd / √n.
    """

    n: int
    mean: float | None
    sd: float | None
    sem: float | None
    minimum: float | None
    maximum: float | None


def summary(values: Sequence[float]) -> Summary:
    """n, mean, SD (ddof = 1), SEM and range of the values.

    Raises:
      ValueError: a value is not a finite number; so in all functions here.
    """
    values = checked(values)
    if not values:
        return Summary(0, None, None, None, None, None)
    sd = standard_deviation(values) if len(values) > 1 else None
    sem = None if sd is None else sd / math.sqrt(len(values))
    return Summary(len(values), statistics.fmean(values), sd, sem, min(values), max(values))


def t_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Interval of the mean: mean ± t · s / √n with n − 1 degrees of freedom."""
    values = checked(values)
    if len(values) < 2:
        return None
    sem = standard_deviation(values) / math.sqrt(len(values))
    return around(statistics.fmean(values), sem, len(values) - 1, _LEVEL)


def bootstrap_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Interval of the mean from resampled values; it does not depend on their order.

    BCa (Efron 1987), or the mean twice where that is undefined since all values are equal. With few values it is too
    narrow: five runs have only 126 different resamples, and none beyond the extreme runs.
    """
    values = sorted(checked(values))
    if len(values) < 2:
        return None
    if are_equal(values):
        mean = statistics.fmean(values)
        return mean, mean
    return _bca_interval(tuple(values))


# A report asks for the interval of a group again in every table that shows it.
@functools.lru_cache(maxsize=4096)
def _bca_interval(values: tuple[float, ...]) -> tuple[float, float]:
    interval = scipy.stats.bootstrap(
        (np.array(values),),
        np.mean,
        n_resamples=_RESAMPLES,
        confidence_level=_LEVEL,
        method="BCa",
        rng=np.random.Generator(np.random.PCG64(0)),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def prediction_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Where one more run falls: mean ± t · s · √(1 + 1 / n)."""
    values = checked(values)
    if len(values) < 2:
        return None
    spread = standard_deviation(values) * math.sqrt(1 + 1 / len(values))
    return around(statistics.fmean(values), spread, len(values) - 1, _LEVEL)
