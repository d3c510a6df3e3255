"""Holm's adjustment of the p-values of one family of tests."""

import math
from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjustment of p-values of one family of tests, in their order; None stays None.

    Raises:
      ValueError: a p-value is not in [0, 1].
    """
    known = [p for p in p_values if p is not None]
    if not all(0 <= p <= 1 for p in known):
        raise ValueError(f"p-values {known} are not all in [0, 1]")
    adjusted = holm_last_axis(np.array(p_values, np.float64)).tolist()
    return [None if math.isnan(p) else p for p in adjusted]


def holm_last_axis(p: np.ndarray) -> np.ndarray:
    """Adjusted p-values, as of `holm`, of many families: float64 [..., tests]; NaN stays NaN and is not counted."""
    order = np.argsort(p, axis=-1)  # NaN last
    tests = np.count_nonzero(~np.isnan(p), axis=-1, keepdims=True)
    factors = tests - np.arange(p.shape[-1])
    raised = np.maximum.accumulate(np.take_along_axis(p, order, -1) * factors, axis=-1)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(raised, 1.0), -1)
    return adjusted
