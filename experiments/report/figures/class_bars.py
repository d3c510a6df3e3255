"""F1 of every class of a group: a bar for the mean, a dot for every seed, a line for the interval."""

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fpliif_jax.data_builders.class_names import class_title
from fpliif_jax.experiments.comparison.scores import Score
from fpliif_jax.experiments.comparison.study_groups import ReportGroup
from fpliif_jax.experiments.report import wording
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
from fpliif_jax.experiments.report.figures.swatches import hex_colours

_LABELS, _VALUES, _LINE, _HEAD, _FOOT = 106, 90, 24, 4, 40


def class_scores(group: ReportGroup) -> list[Score]:
    """The group's class F1 at its main split, checkpoint and row, in the order of the classes."""
    main = group.main
    if main is None:
        return []
    scores = {
        score.key.class_name: score
        for score in group.scores
        if score.key.metric == "f1" and score.key.evaluation == main.evaluation
    }
    order = [name for name in group.class_names if name in scores]
    return [scores[name] for name in order + [name for name in scores if name not in order]]


def class_bars(group: ReportGroup) -> str | None:
    """Draws a group's classes.

    Returns:
      SVG, or None if there is no class F1.
    """
    scores = class_scores(group)
    if not scores:
        return None
    colours = hex_colours(group.class_names)
    with style():
        height = len(scores) * _LINE
        figure = new_figure(NARROW, _HEAD + height + _FOOT)
        axes = add_axes(figure, _LABELS, _HEAD, NARROW - _LABELS - _VALUES - 8, height)
        axes.set_xlim(0, 100)
        axes.set_ylim(height, 0)
        axes.set_yticks([])
        axes.set_xticks([0, 50, 100])
        axes.grid(axis="x", color=Colour.RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("F1, percent", size=SMALL, labelpad=3)
        for index, score in enumerate(scores):
            middle = (index + 0.5) * _LINE
            top = _HEAD + middle
            statistics, class_name = score.statistics, score.key.class_name
            name = class_title(class_name)
            write_at(figure, 20, top, name, _LABELS - 24)
            colour = colours.get(class_name)
            if colour:
                _swatch(figure, top, colour)
            text = wording.mean_sd(statistics.summary)
            write_at(figure, NARROW, top, text, _VALUES, ha="right")
            mean = statistics.mean
            if mean is None:
                continue
            axes.barh(middle, mean, height=13, color=Colour.OURS, alpha=0.28, linewidth=0)
            if statistics.t_interval is not None:
                ends = [min(max(end, 0), 100) for end in statistics.t_interval]
                axes.plot(ends, [middle, middle], color=Colour.OURS, linewidth=1.4)
            values = [value for value in statistics.values.values() if value is not None]
            axes.plot(
                values,
                [middle] * len(values),
                linestyle="",
                marker="o",
                markersize=4.6,
                color=Colour.OURS,
                markeredgecolor=Colour.PAPER,
                markeredgewidth=0.6,
                clip_on=False,
            )
        return to_svg(figure)


def class_bars_alt(group: ReportGroup) -> str:
    """The bars in words."""
    parts = [
        f"{class_title(score.key.class_name)} {wording.mean_sd(score.statistics.summary)}"
        for score in class_scores(group)
    ]
    return f"F1 by class of {group.name}: " + ", ".join(parts) + "."


def _swatch(figure: Figure, top: float, colour: str) -> None:
    width, height = (72 * side for side in figure.get_size_inches())
    figure.add_artist(
        Rectangle(
            (0, 1 - (top + 6) / height),
            12 / width,
            12 / height,
            transform=figure.transFigure,
            facecolor=colour,
            edgecolor=Colour.ASIDE,
            linewidth=0.6,
        )
    )
