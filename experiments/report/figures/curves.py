"""Training curves of a stage: loss and validation score, every seed faint, those that are not finished dashed.

The mean, and the band between the lowest and the highest seed, are of the finished seeds, at the steps at which all of
them have a value.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from fpliif_jax.data_builders.errors import counted
from fpliif_jax.experiments.comparison.study_groups import Curve, ReportGroup, StageCurves
from fpliif_jax.experiments.plans.seeds import seeds_text
from fpliif_jax.experiments.report.figures.figure_svg import (
    NARROW,
    SMALL,
    Colour,
    add_axes,
    new_figure,
    style,
    to_svg,
    write_at,
)
from fpliif_jax.experiments.stats import number_text

_MOST_POINTS = 160  # of a line; a figure is 300 pixels wide
_UNFINISHED: dict[str, Any] = {"linewidth": 1.2, "linestyle": (0, (3, 2)), "alpha": 0.8}
_LEFT, _PLOT, _HEAD, _FOOT = 46, 120, 26, 26


class _Series(NamedTuple):
    """What a seed logged, without what has no value."""

    seed: int
    is_finished: bool
    steps: np.ndarray
    values: np.ndarray


def curves(stage: StageCurves) -> str | None:
    """Draws a stage of a group's curves.

    Returns:
      SVG, or None if nothing was logged.
    """
    metric = stage.validation_metric or "score"
    panels = [
        (title, series, may_be_log)
        for title, series, may_be_log in (
            ("training loss", _with_points(stage.loss), True),
            (f"validation {metric}", _with_points(stage.validation), "F1" not in metric),
        )
        if series
    ]
    if not panels:
        return None
    height = len(panels) * (_HEAD + _PLOT + _FOOT) + 18
    with style():
        figure = new_figure(NARROW, height)
        limits = _step_limits([one.steps for _, series, _ in panels for one in series])
        for index, (title, series, may_be_log) in enumerate(panels):
            top = index * (_HEAD + _PLOT + _FOOT)
            write_at(figure, 0, top + 12, title, NARROW, weight="bold")
            axes = add_axes(figure, _LEFT, top + _HEAD, NARROW - _LEFT - 10, _PLOT)
            _draw(axes, series, may_be_log)
            axes.set_xlim(*limits)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
            if index == len(panels) - 1:
                axes.set_xlabel("step", size=SMALL, labelpad=2)
        return to_svg(figure)


def curves_alt(group: ReportGroup, stage: StageCurves) -> str:
    """The curves in words: where the mean begins and ends."""
    parts = []
    for name, curves_of_runs in (
        ("training loss", stage.loss),
        ("validation score", stage.validation),
    ):
        finished = [one for one in _with_points(curves_of_runs) if one.is_finished]
        if not finished:
            continue
        _, values = _at_shared_steps(finished)
        seeds = counted(len(finished), "seed")
        if values.size:
            first, last = (number_text.number(values[:, place].mean()) for place in (0, -1))
            parts.append(f"{name} from {first} to {last} (mean of {seeds})")
        else:
            parts.append(f"{name} of {seeds} at different steps")
    parts += filter(None, [unfinished_text(stage)])
    return f"Curves of {group.name}, stage {stage.name}: " + "; ".join(parts) + "."


def unfinished_text(stage: StageCurves) -> str:
    """'seed 3 is not finished: dashed, not in the mean'; '' where all are."""
    seeds = sorted({one.seed for one in (*stage.loss, *stage.validation) if not one.is_finished})
    if not seeds:
        return ""
    which = f"seed {seeds[0]} is" if len(seeds) == 1 else f"seeds {seeds_text(seeds)} are"
    return f"{which} not finished: dashed, not in the mean"


def _with_points(series: Sequence[Curve]) -> list[_Series]:
    """Every seed that has any values."""
    lines = []
    for one in series:
        pairs = [pair for pair in zip(one.steps, one.values, strict=True) if pair[1] is not None]
        if pairs:
            steps, values = np.array(pairs, np.float64).T
            lines.append(_Series(one.seed, one.is_finished, steps, values))
    return lines


def _at_shared_steps(series: Sequence[_Series]) -> tuple[np.ndarray, np.ndarray]:
    """The steps [S] at which all seeds have a value, and these values [seeds, S]."""
    steps = np.array(sorted(set.intersection(*(set(one.steps.tolist()) for one in series))))
    return steps, np.stack([one.values[np.searchsorted(one.steps, steps)] for one in series])


def _draw(axes: Axes, series: list[_Series], may_be_log: bool) -> None:
    everything = np.concatenate([one.values for one in series])
    if may_be_log and everything.min() > 0 and everything.max() > 20 * everything.min():
        axes.set_yscale("log")
        # Plain numbers: powers are set as mathematics, which figures with bare text do not have.
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.grid(axis="y", color=Colour.RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    look: dict[str, Any] = (
        {"linewidth": 1.6} if len(series) == 1 else {"linewidth": 0.8, "alpha": 0.45}
    )
    for one in series:
        shown = _thinned(len(one.steps))
        marker = "o" if len(one.steps) == 1 else None
        axes.plot(
            one.steps[shown],
            one.values[shown],
            color=Colour.OURS,
            marker=marker,
            markersize=4,
            **look if one.is_finished else _UNFINISHED,
        )
    finished = [one for one in series if one.is_finished]
    if len(finished) < 2:
        return
    shared, values = _at_shared_steps(finished)
    if len(shared) < 2:
        return
    shown = _thinned(len(shared))
    steps, at_steps = shared[shown], values[:, shown]
    axes.fill_between(
        steps,
        at_steps.min(axis=0),
        at_steps.max(axis=0),
        color=Colour.OURS,
        alpha=0.18,
        linewidth=0,
    )
    axes.plot(steps, at_steps.mean(axis=0), color=Colour.OURS, linewidth=1.8)


def _step_limits(series: list[np.ndarray]) -> tuple[float, float]:
    """The same steps for loss and validation."""
    low, high = min(map(np.min, series)), max(map(np.max, series))
    pad = 0.02 * (high - low) or 1.0
    return low - pad, high + pad


def _thinned(count: int) -> np.ndarray:
    """Indices of at most so many points, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_POINTS)).round().astype(int))
