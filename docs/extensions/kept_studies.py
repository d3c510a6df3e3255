"""Scores of the kept runs on photographs, as docs/ shows them; its tables and the tests of its pages share them."""

import json
from typing import Any

import numpy as np
import scipy.stats
from kept_tables import RESULTS

_OF_STN_ICNN = ("photographs_stn_icnn", "window_drift")
_RARE = {"eye_g", "hat", "ear_r", "neck_l"}


def evaluations(study: str, variant: str, row: str) -> list[dict[str, Any]]:
    """Evaluations of a study's variant by a row of results.json, one for each seed."""
    paths = sorted((RESULTS / study / variant).glob("seed*/results.json"))
    runs = (json.loads(path.read_text("utf-8"))["evaluations"] for path in paths)
    return [one for evaluations in runs for one in evaluations if one["row"] == row]


def scores_of(study: str, variant: str, row: str, metric: str | None = None) -> np.ndarray:
    """Points, one a seed, by default of the score that stands for the study's runs.

    The metric is one of results.json, 'overall', or 'common': mean F1 without the rare classes.
    """
    metric = metric or ("overall" if study in _OF_STN_ICNN else "mean_f1")
    points = []
    for one in evaluations(study, variant, row):
        common = [score for name, score in one["class_f1"].items() if name not in _RARE]
        assert metric != "common" or len(common) == 14
        named = {"common": np.mean(common), "overall": one["group_f1"].get("overall")}
        points.append(100 * (named | one)[metric])
    return np.array(points)


def signed(value: float) -> str:
    """A number with its sign and two decimals: '−0.35'."""
    return f"{value:+.2f}".replace("-", "−")


def with_interval(differences: np.ndarray) -> str:
    """The mean and its 95 % t-interval: '−0.35 [−1.35, +0.64]'."""
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    ends = scipy.stats.t.interval(0.95, len(differences) - 1, differences.mean(), error)
    low, high = map(signed, ends)
    return f"{signed(differences.mean())} [{low}, {high}]"
