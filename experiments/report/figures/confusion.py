"""Row-normalised confusion matrix of a group: where the pixels of each true class went."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from fpliif_jax.data_builders.class_names import class_title
from fpliif_jax.experiments.comparison.study_groups import Confusion, ReportGroup
from fpliif_jax.experiments.report.figures.figure_svg import (
    SMALL,
    Colour,
    add_axes,
    new_figure,
    style,
    to_svg,
    write_at,
)

_CELL, _LABELS, _HEAD, _CAPTION = 24, 84, 84, 22
_LEAST = 0.005  # smaller shares are left blank


def confusion(group: ReportGroup) -> str | None:
    """Draws a group's confusion matrix, with cells large enough for numbers.

    Returns:
      SVG, or None if the study has no matrix.
    """
    if group.confusion is None:
        return None
    names = [class_title(name) for name in group.class_names]
    shares = _shares(group.confusion)
    side = len(names) * _CELL
    with style():
        figure = new_figure(_LABELS + side + 2, _CAPTION + _HEAD + side + 4)
        top = _CAPTION + _HEAD
        write_at(figure, _LABELS, 10, "predicted class", side, size=SMALL, color=Colour.MUTED)
        write_at(
            figure,
            _LABELS - 8,
            top - 12,
            "true class",
            _LABELS,
            size=SMALL,
            color=Colour.MUTED,
            ha="right",
        )
        axes = add_axes(figure, _LABELS, top, side, side)
        axes.set_xlim(0, len(names))
        axes.set_ylim(len(names), 0)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines["bottom"].set_visible(False)
        for index, name in enumerate(names):
            middle = (index + 0.5) * _CELL
            write_at(figure, _LABELS - 8, top + middle, name, _LABELS - 8, size=SMALL, ha="right")
            write_at(
                figure,
                _LABELS + middle,
                top - 6,
                name,
                _HEAD - 6,
                size=SMALL,
                rotation=90,
                va="bottom",
                ha="center",
            )
            axes.axhline(index, color=Colour.RULE, linewidth=0.5)
            axes.axvline(index, color=Colour.RULE, linewidth=0.5)
        for (row, column), share in np.ndenumerate(shares):
            if share >= _LEAST:
                _draw_cell(axes, row, column, share)
        return to_svg(figure)


def confusion_alt(group: ReportGroup) -> str:
    """The largest confusions in words."""
    if group.confusion is None:
        return ""
    names, shares = group.class_names, _shares(group.confusion)
    wrong = np.where(np.eye(len(names), dtype=bool), 0, shares)
    largest = np.argsort(wrong, axis=None, kind="stable")[::-1][:5]
    parts = []
    for position in largest:
        row, column = np.unravel_index(position, wrong.shape)
        if wrong[row, column] >= _LEAST:
            parts.append(
                f"{100 * wrong[row, column]:.0f} % of {class_title(names[row])} "
                f"labelled {class_title(names[column])}"
            )
    confusions = "; ".join(parts) or "no confusion above half a percent"
    return f"Confusion matrix of {group.name}. Largest: {confusions}."


def _shares(confusion: Confusion) -> np.ndarray:
    """float [C, C]; a class that no pixel has is a row of zeros."""
    rows = confusion.matrix
    return np.array([[0.0 if share is None else share for share in row] for row in rows])


def _draw_cell(axes: Axes, row: int, column: int, share: float) -> None:
    # The square root shows a confusion of a few percent, which is what one looks for.
    colour = Colour.OURS if row == column else Colour.PUBLISHED
    opacity = min(0.08 + 0.72 * share**0.5, 0.8)
    axes.add_patch(
        Rectangle((column, row), 1, 1, facecolor=colour, alpha=opacity, linewidth=0, zorder=2)
    )
    axes.text(
        column + 0.5,
        row + 0.5,
        f"{100 * share:.0f}" if share >= 0.01 else "<1",
        ha="center",
        va="center",
        size=10.5,
        color=Colour.PAPER if opacity > 0.65 else Colour.INK,
        zorder=3,
    )
