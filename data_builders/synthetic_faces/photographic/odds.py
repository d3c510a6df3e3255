"""A choice by odds."""

from collections.abc import Mapping

import numpy as np


def chosen(rng: np.random.Generator, odds: Mapping[str, float]) -> str:
    """One of the names, each as likely as its odds, which need not add up to 1; takes one random number."""
    weights = np.array(list(odds.values()), float)
    return list(odds)[int(rng.choice(len(odds), p=weights / weights.sum()))]
