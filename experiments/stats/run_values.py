"""Values of runs as all statistics over seeds take them: finite, and equal where they differ by rounding alone."""

import math
import statistics
from collections.abc import Sequence

import scipy.stats

EQUAL = 1e-9  # points


def checked(values: Sequence[float]) -> list[float]:
    """The values as floats. Raises ValueError where one is not a finite number."""
    numbers = [float(value) for value in values]
    if not all(math.isfinite(value) for value in numbers):
        raise ValueError(f"values {numbers} are not all finite")
    return numbers


def are_equal(values: Sequence[float]) -> bool:
    """Whether they differ by rounding alone."""
    return max(values) - min(values) <= EQUAL


def standard_deviation(values: Sequence[float]) -> float:
    """Standard deviation of at least two values, with ddof = 1; 0 where they are equal."""
    return 0.0 if are_equal(values) else statistics.stdev(values)


def difference_of(one: float, other: float) -> float:
    """One minus the other; 0 where they are equal."""
    return 0.0 if abs(one - other) <= EQUAL else one - other


def around(centre: float, error: float, df: float, level: float) -> tuple[float, float]:
    """Ends of a t-interval of a level, as 0.95, from its centre and standard error."""
    half = error * float(scipy.stats.t.ppf((1 + level) / 2, df))
    return centre - half, centre + half
