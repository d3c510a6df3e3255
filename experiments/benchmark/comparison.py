"""Ratios of what was timed in the same rounds, and straight lines through timings."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from fpliif_jax.experiments.benchmark.timing import Timed
from fpliif_jax.experiments.runs.benchmark_results import About, Fit, Ratio

_CONFIDENCE = 0.95
_RESAMPLES = 2000


def paired_ratio(about: About, ours: Timed, theirs: Timed) -> Ratio:
    """How many times as many images per second, round by round: above 1 ours is faster.

    Args:
      about: what was measured.
      ours: the candidate whose ratio it is.
      theirs: timed in turn with it; at least one round.
    """
    factor = ours.images / theirs.images
    pairs = zip(ours.seconds, theirs.seconds, strict=True)
    ratios = [factor * their / own for own, their in pairs]
    interval = None
    if len(ratios) >= 3 and max(ratios) > min(ratios):
        percentiles = stats.bootstrap(
            (np.asarray(ratios),), np.median, confidence_level=_CONFIDENCE, n_resamples=_RESAMPLES,
            method="percentile", rng=0,
        ).confidence_interval  # fmt: skip
        interval = (float(percentiles.low), float(percentiles.high))
    low, middle, high = map(float, np.percentile(ratios, [25, 50, 75]))
    return Ratio(
        **vars(about),
        candidate=ours.name,
        against=theirs.name,
        rounds=tuple(ratios),
        median=middle,
        lower_quartile=low,
        upper_quartile=high,
        interval=interval,
    )


def straight_line(
    of: str, points: Sequence[tuple[float, float]], dtype: str, output_size: int | None = None
) -> Fit | None:
    """Least-squares line through places and their seconds; None below three places.

    Args:
      of: what the places are; see `Fit`.
      points: each a place and its seconds.
      dtype: of activations.
      output_size: side in pixels; None where it is the place.
    """
    if len({place for place, _ in points}) < 3:
        return None
    line = stats.linregress(*zip(*points, strict=True))
    return Fit(
        of=of,
        output_size=output_size,
        dtype=dtype,
        points=tuple(points),
        slope=float(line.slope),
        intercept=float(line.intercept),
        r_squared=float(line.rvalue**2),
    )
