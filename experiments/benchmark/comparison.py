"""Medians, spreads, ratios of what was timed in the same rounds, and straight lines through timings."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

_CONFIDENCE = 0.95
_RESAMPLES = 2000


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median and quartiles."""
    low, middle, high = np.percentile(np.asarray(values, np.float64), [25, 50, 75])
    return {"median": float(middle), "lower_quartile": float(low), "upper_quartile": float(high)}


def paired_ratio(
    ours: Sequence[float], theirs: Sequence[float], images: tuple[float, float]
) -> dict[str, Any]:
    """How many times as many images per second, round by round: above 1 ours is faster.

    Args:
      ours: seconds of a call, by round.
      theirs: likewise, timed in turn with ours; not empty.
      images: of a call, ours and theirs.

    Returns:
      'rounds', the ratio of each round; their median and quartiles; 'interval', the bootstrap's
      95 % interval of the median (None below three rounds), which covers what varies between rounds of
      one process, nothing else.
    """
    count = min(len(ours), len(theirs))
    factor = images[0] / images[1]
    ratios = [factor * theirs[index] / ours[index] for index in range(count)]
    interval = None
    if count >= 3 and max(ratios) > min(ratios):
        percentiles = stats.bootstrap(
            (np.asarray(ratios),), np.median, confidence_level=_CONFIDENCE, n_resamples=_RESAMPLES,
            method="percentile", rng=0,
        ).confidence_interval  # fmt: skip
        interval = [float(percentiles.low), float(percentiles.high)]
    return {"rounds": ratios, **summary(ratios), "interval": interval}


def straight_line(places: Sequence[float], seconds: Sequence[float]) -> dict[str, Any] | None:
    """Least-squares line of seconds against pixels, images or calls; None below three places.

    Returns:
      'points' ([place, seconds]), 'slope', 'intercept' and 'r_squared'.
    """
    if len(set(places)) < 3:
        return None
    line = stats.linregress(places, seconds)
    return {
        "points": [list(point) for point in zip(places, seconds, strict=True)],
        "slope": float(line.slope),
        "intercept": float(line.intercept),
        "r_squared": float(line.rvalue**2),
    }
