"""The legend of a forest plot, and under it what the runs were trained on and scored on where that is not the same."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fpliif_jax.experiments.comparison.study_tables import ReportTable
from fpliif_jax.experiments.report import table_rows
from fpliif_jax.experiments.report.figures.figure_svg import SMALL, Colour, add_axes, write_at

_KEY, _LINE = 20, 16  # pixels of height, of a line of keys and of text
STACKED_BELOW = 600  # pixels; below, the keys take three lines


class Legend(NamedTuple):
    """Legend below the panels of a plot.

    Attributes:
      width: of the plot, pixels.
      images: 'test images': of which the thin lines are intervals.
      has_interval_over_seeds: whether any row is of enough seeds for one.
      lines: of text.
    """

    width: float
    images: str
    has_interval_over_seeds: bool
    lines: tuple[str, ...]

    @classmethod
    def of(cls, table: ReportTable, width: float) -> "Legend":
        """Legend of a table with values."""
        rows = table_rows.measured(table.rows)
        splits = {row.key.split or "test" for row in rows}
        has_interval = any(row.statistics.t_interval is not None for row in rows)
        images = f"{splits.pop()} images" if len(splits) == 1 else "images"
        lines = textwrap.wrap(table.sets, int(width / (0.55 * SMALL)))
        return cls(width, images, has_interval, tuple(lines))

    @property
    def height(self) -> float:
        """Pixels."""
        return (3 if self.width < STACKED_BELOW else 1) * _KEY + len(self.lines) * _LINE

    def draw(
        self, figure: Figure, top: float, margins: Sequence[float], kinds: Sequence[str]
    ) -> None:
        """Draws it.

        Args:
          figure: of the plot.
          top: pixels from the top of the figure.
          margins: of equivalence, in points, of the bands that are drawn.
          kinds: which other keys the plot needs: 'dot', 'bar', 'thin', 'line'.
        """
        texts = {
            "dot": "one seed",
            "bar": "mean, 95 % interval over seeds" if self.has_interval_over_seeds else "mean",
            "thin": ("the same" if self.has_interval_over_seeds else "95 % interval")
            + f" over {self.images}",
            "line": "published value",
            "band": f"{', '.join(f'± {margin:g}' for margin in margins)}: margin",
        }
        full_width, full_height = (72 * side for side in figure.get_size_inches())
        axes = add_axes(figure, 0, 0, full_width, full_height)
        axes.set_axis_off()
        axes.set_xlim(0, full_width)
        axes.set_ylim(full_height, 0)
        look = {"size": SMALL, "color": Colour.MUTED}
        if self.width < STACKED_BELOW:
            lefts, lines = [0, 0, 0, 215, 215], [0, 1, 2, 0, 2]
        else:
            lefts, lines = [0, 88, 326, 534, 684], [0] * 5
        for (kind, text), left, line in zip(texts.items(), lefts, lines, strict=True):
            if kind not in kinds and not (kind == "band" and margins):
                continue
            middle = top + 10 + _KEY * line
            has_no_bar = kind == "bar" and not self.has_interval_over_seeds
            _draw_key(axes, "tick" if has_no_bar else kind, left, middle)
            write_at(figure, left + 24, middle, text, 300, **look)
        below = top + self.height - len(self.lines) * _LINE
        for index, text in enumerate(self.lines):
            write_at(figure, 0, below + 8 + _LINE * index, text, self.width, **look)


def _draw_key(axes: Axes, kind: str, left: float, middle: float) -> None:
    ours, published, right = Colour.OURS, Colour.PUBLISHED, left + 18
    centre = left + 9
    if kind == "dot":
        axes.plot([centre], [middle], marker="o", markersize=6, color=ours, markeredgewidth=0)
    elif kind in ("bar", "tick"):
        if kind == "bar":
            axes.plot([left, right], [middle, middle], color=ours, linewidth=6, alpha=0.45)
        axes.plot([centre, centre], [middle - 5, middle + 5], color=ours, linewidth=1.8)
    elif kind == "thin":
        axes.plot([left, right], [middle, middle], color=ours, linewidth=1.2)
    elif kind == "line":
        axes.plot([centre, centre], [middle - 7, middle + 7], color=published, linewidth=1.6)
    else:
        axes.fill_between([left, right], middle - 6, middle + 6, color=Colour.BAND, linewidth=0)
