"""Forest plot of a table: published values as lines, seeds as dots, intervals as bars."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fpliif_jax.experiments.comparison.study_tables import Published, ReportRow, ReportTable
from fpliif_jax.experiments.report import table_rows, wording
from fpliif_jax.experiments.report.figures.figure_svg import (
    SMALL,
    Colour,
    add_axes,
    new_figure,
    style,
    to_svg,
    write_at,
)
from fpliif_jax.experiments.report.figures.forest_legend import STACKED_BELOW, Legend
from fpliif_jax.experiments.stats import number_text

_HEAD, _AXIS, _GAP = 30, 46, 12
_SIDE = 8
_BAR_BELOW, _DOTS_ABOVE, _REACH = 4.5, 5.5, 15  # pixels from a strip's middle


class _Layout(NamedTuple):
    """Pixels. On a phone a row's text stands above its strip, on a desktop beside it."""

    width: float
    strip_left: float
    strip_width: float
    row_height: float
    strip_middle: float
    text_beside: bool

    @classmethod
    def of(cls, width: float) -> "_Layout":
        if width < STACKED_BELOW:
            return cls(width, _SIDE, width - 2 * _SIDE, 64, 48, False)
        return cls(width, 250, width - 250 - 180, 36, 18, True)


class _Panel(NamedTuple):
    title: str
    rows: list[ReportRow]
    as_differences: bool
    colour: str | None  # None: ours or external


def forest(table: ReportTable, width: float) -> str | None:
    """Draws a table.

    Rows with a verdict share an axis of differences from the published value, whose line is at 0, each in the band of
    its own margin. Others have their own panels with the scores themselves; those that cannot be compared come last,
    in grey.

    Args:
      table: of the study.
      width: pixels.

    Returns:
      SVG, or None if no row has values.
    """
    panels = _panels(table)
    if not panels:
        return None
    layout = _Layout.of(width)
    heights = [_HEAD + len(panel.rows) * layout.row_height + _AXIS for panel in panels]
    with style():
        legend = Legend.of(table, width)
        figure = new_figure(width, sum(heights) + _GAP + legend.height)
        top = 0.0
        for panel, height in zip(panels, heights, strict=True):
            _draw_panel(figure, table, panel, layout, top)
            top += height
        kinds = ["dot", "bar", "thin"]
        kinds += ["line"] if table_rows.has_published(table) else []
        judged = [row for panel in panels if panel.as_differences for row in panel.rows]
        legend.draw(figure, top + _GAP, _margins(judged), kinds)
        return to_svg(figure)


def forest_alt(table: ReportTable) -> str:
    """The plot in words."""
    parts = []
    for row in table_rows.measured(table.rows):
        text = f"{table_rows.full_name(table, row)}: {wording.mean_sd(row.statistics.summary)}"
        if row.published is not None:
            text += f", published {wording.published(row.published)}"
        if row.verdict is not None:
            text += f", {row.verdict}"
        parts.append(text)
    sets = f"{table.sets} " if table.sets else ""
    return f"Forest plot of {table.title}. {sets}" + "; ".join(parts) + "."


def _panels(table: ReportTable) -> list[_Panel]:
    rows = table_rows.measured(table.rows)
    panels = (
        _Panel("Difference from the published value", [r for r in rows if r.is_judged], True, None),
        _Panel(
            "No published value" if table_rows.has_published(table) else "Measured",
            [row for row in rows if row.verdict is None],
            False,
            None,
        ),
        _Panel(
            "Not comparable: shown, not judged",
            [row for row in rows if row.is_apart],
            False,
            Colour.ASIDE,
        ),
    )
    return [panel for panel in panels if panel.rows]


def _draw_panel(
    figure: Figure,
    table: ReportTable,
    panel: _Panel,
    layout: _Layout,
    top: float,
) -> None:
    write_at(figure, 0, top + 14, panel.title, layout.width, weight="bold")
    height = len(panel.rows) * layout.row_height
    axes = add_axes(figure, layout.strip_left, top + _HEAD, layout.strip_width, height)
    axes.set_ylim(height, 0)
    axes.set_yticks([])
    axes.set_xlim(*_limits(panel))
    _set_ticks(axes, 7 if layout.text_beside else 5, panel.as_differences)
    unit = table.unit
    axes.set_xlabel(f"difference, {unit}" if panel.as_differences else unit, size=SMALL, labelpad=3)
    for index, row in enumerate(panel.rows):
        row_top = index * layout.row_height
        if index:
            axes.axhline(row_top, color=Colour.RULE, linewidth=0.6, zorder=0.5)
        middle = row_top + layout.strip_middle
        if panel.as_differences:
            _draw_line_and_band(axes, row, middle)
        _draw_row(axes, row, middle, panel)
        _write_row(figure, table, row, top + _HEAD + row_top, layout)


def _margins(rows: Sequence[ReportRow]) -> list[float]:
    """Margins that rows in F1 points were judged at, each once."""
    margins = (row.margin for row in rows if table_rows.published_in_points(row))
    return sorted({margin for margin in margins if margin is not None})


def _shift(row: ReportRow, panel: _Panel) -> float:
    """The value that numbers of a row are shown as differences to; 0 where they are shown as they are."""
    return row.published.value if panel.as_differences and row.published is not None else 0.0


def _draw_line_and_band(axes: Axes, row: ReportRow, middle: float) -> None:
    """The published value, at 0, and the margin around it, over the height of a strip."""
    ends = [middle - _REACH, middle + _REACH]
    for margin in _margins([row]):
        axes.fill_betweenx(ends, -margin, margin, color=Colour.BAND, linewidth=0, zorder=0)
    axes.plot([0, 0], ends, color=Colour.PUBLISHED, linewidth=1.6, zorder=1)


def _draw_row(axes: Axes, row: ReportRow, middle: float, panel: _Panel) -> None:
    shift = _shift(row, panel)
    colour = panel.colour or (Colour.OURS if row.system == "ours" else Colour.EXTERNAL)
    bar = middle + _BAR_BELOW
    published = row.published
    if published is not None:
        _draw_published(axes, published, middle, shift, panel.as_differences)
    if row.statistics.image_interval is not None:
        low, high = (bound - shift for bound in row.statistics.image_interval)
        axes.plot([low, high], [bar, bar], color=colour, linewidth=1.2, zorder=3)
    if row.statistics.t_interval is not None:
        low, high = (bound - shift for bound in row.statistics.t_interval)
        axes.plot([low, high], [bar, bar], color=colour, linewidth=6, alpha=0.45, zorder=3)
    if row.statistics.mean is not None:
        mean = row.statistics.mean - shift
        axes.plot([mean, mean], [bar - 5, bar + 5], color=colour, linewidth=1.8, zorder=4)
    values = [value - shift for value in row.statistics.values.values() if value is not None]
    axes.plot(
        values,
        [middle - _DOTS_ABOVE] * len(values),
        linestyle="",
        marker="o" if row.system == "ours" else "D",
        markersize=6 if row.system == "ours" else 5,
        markerfacecolor=colour,
        markeredgecolor=Colour.PAPER,
        markeredgewidth=0.8,
        clip_on=False,
        zorder=5,
    )


def _draw_published(
    axes: Axes, published: Published, middle: float, shift: float, line_is_drawn: bool
) -> None:
    colour = Colour.PUBLISHED
    value = published.value - shift
    if published.sd is not None:
        ends = [value - published.sd, value + published.sd]
        height = middle + _BAR_BELOW + 7
        axes.plot(ends, [height, height], color=colour, linewidth=1.6, zorder=2)
    if line_is_drawn:
        return
    low, high = axes.get_xlim()
    if low <= value <= high:
        axes.plot(
            [value, value],
            [middle - _REACH, middle + _REACH],
            color=colour,
            linewidth=1.6,
            zorder=2,
        )
    else:
        edge, marker = (high, ">") if value > high else (low, "<")
        axes.plot(
            [edge], [middle], marker=marker, color=colour, markersize=6, clip_on=False, zorder=6
        )


def _write_row(
    figure: Figure, table: ReportTable, row: ReportRow, top: float, layout: _Layout
) -> None:
    decimals = wording.decimals_of(row)
    measured = wording.mean_sd(row.statistics.summary, decimals)
    published = row.published
    claim = f"published {wording.published(published)}" if published is not None else ""
    detail = table_rows.detail(table, row)
    left, muted = layout.strip_left - 14, {"size": SMALL, "color": Colour.MUTED}
    orange = muted | {"color": Colour.PUBLISHED}
    if layout.text_beside:
        middle, right = top + layout.strip_middle, layout.strip_left + layout.strip_width + 16
        write_at(figure, 0, middle - 7 * bool(detail), row.label, left)
        write_at(figure, 0, middle + 8, detail, left, **muted)
        write_at(figure, right, middle - 7 * bool(claim), measured, 170)
        write_at(figure, right, middle + 8, claim, 170, **orange)
        return
    half = layout.width / 2
    write_at(figure, 0, top + 11, row.label, 1.2 * half)
    write_at(figure, 0, top + 26, detail, 1.1 * half, **muted)
    write_at(figure, layout.width, top + 11, measured, 0.8 * half, ha="right")
    write_at(figure, layout.width, top + 26, claim, 0.9 * half, ha="right", **orange)


def _limits(panel: _Panel) -> tuple[float, float]:
    low, high = math.inf, -math.inf
    for row in panel.rows:
        shift = _shift(row, panel)
        ends = [value for value in row.statistics.values.values() if value is not None]
        ends += [] if row.statistics.mean is None else [row.statistics.mean]
        for bounds in (row.statistics.t_interval, row.statistics.image_interval):
            ends += bounds or []
        low, high = min(low, min(ends) - shift), max(high, max(ends) - shift)
    if panel.as_differences:
        reach = 1.3 * max(_margins(panel.rows), default=0.0)
        low, high = min(low, -reach), max(high, reach)
    else:
        # A published value far off would squeeze everything else: it becomes an arrow at the edge.
        reach = max(high - low, 1e-6)
        claims = [row.published.value for row in panel.rows if row.published is not None]
        near = [value for value in claims if low - reach < value < high + reach]
        low, high = min([low, *near]), max([high, *near])
    pad = 0.06 * (high - low) or max(abs(high), 1.0) * 0.01
    return low - pad, high + pad


def _set_ticks(axes: Axes, most: int, signed: bool) -> None:
    """Round values, all with as many decimals as one of them needs."""
    low, high = axes.get_xlim()
    locator = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10])
    ticks = [round(tick, 9) for tick in locator.tick_values(low, high) if low <= tick <= high]
    decimals = max((len(f"{tick:g}".partition(".")[2]) for tick in ticks), default=0)
    form = number_text.difference if signed else number_text.number
    axes.set_xticks(ticks, ["0" if tick == 0 else form(tick, decimals) for tick in ticks])
