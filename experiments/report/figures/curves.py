"""Training curves of a stage: loss and validation score, every seed faint, mean line, and the band between seeds."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from fpliif_jax.data_builders.errors import counted
from fpliif_jax.experiments.comparison.study_groups import Curve, ReportGroup, StageCurves
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
_LEFT, _PLOT, _HEAD, _FOOT = 46, 120, 26, 26


def curves(stage: StageCurves) -> str | None:
    """Draws a stage of a group's curves.

    Returns:
      SVG, or None if nothing was logged.
    """
    metric = stage.validation_metric or "score"
    panels = [
        (title, series)
        for title, series in (
            ("training loss", _with_points(stage.loss)),
            (f"validation {metric}", _with_points(stage.validation)),
        )
        if series
    ]
    if not panels:
        return None
    height = len(panels) * (_HEAD + _PLOT + _FOOT) + 18
    with style():
        figure = new_figure(NARROW, height)
        limits = _step_limits([steps for _, series in panels for steps, _ in series])
        for index, (title, series) in enumerate(panels):
            top = index * (_HEAD + _PLOT + _FOOT)
            write_at(figure, 0, top + 12, title, NARROW, weight="bold")
            axes = add_axes(figure, _LEFT, top + _HEAD, NARROW - _LEFT - 10, _PLOT)
            _draw(axes, series)
            axes.set_xlim(*limits)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
            if index == len(panels) - 1:
                axes.set_xlabel("step", size=SMALL, labelpad=2)
        return to_svg(figure)


def curves_alt(group: ReportGroup, stage: StageCurves) -> str:
    """The curves in words: where each begins and ends."""
    parts = []
    for name, curves_of_runs in (
        ("training loss", stage.loss),
        ("validation score", stage.validation),
    ):
        series = _with_points(curves_of_runs)
        if series:
            first = np.mean([values[0] for _, values in series])
            last = np.mean([values[-1] for _, values in series])
            seeds = counted(len(series), "seed")
            parts.append(
                f"{name} from {number_text.number(first)} to {number_text.number(last)} (mean of {seeds})"
            )
    return f"Curves of {group.name}, stage {stage.name}: " + "; ".join(parts) + "."


def _with_points(series: Sequence[Curve]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Steps and values of every seed that has any; points without a value are left out."""
    lines = []
    for one in series:
        pairs = [pair for pair in zip(one.steps, one.values, strict=True) if pair[1] is not None]
        if pairs:
            steps, values = np.array(pairs, np.float64).T
            lines.append((steps, values))
    return lines


def _draw(axes: Axes, series: list[tuple[np.ndarray, np.ndarray]]) -> None:
    everything = np.concatenate([values for _, values in series])
    if everything.min() > 0 and everything.max() > 20 * everything.min():
        axes.set_yscale("log")
        # Plain numbers: powers are set as mathematics, which figures with bare text do not have.
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.grid(axis="y", color=Colour.RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    look = {"linewidth": 1.6} if len(series) == 1 else {"linewidth": 0.8, "alpha": 0.45}
    for steps, values in series:
        shown = _thinned(len(steps))
        marker = "o" if len(steps) == 1 else None
        axes.plot(
            steps[shown],
            values[shown],
            color=Colour.OURS,
            marker=marker,
            markersize=4,
            **look,
        )
    shared = sorted(set.intersection(*(set(steps.tolist()) for steps, _ in series)))
    if len(series) < 2 or len(shared) < 2:
        return
    steps = np.array(shared)[_thinned(len(shared))]
    at_steps = np.stack([values[np.searchsorted(own, steps)] for own, values in series])
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
