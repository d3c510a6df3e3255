"""A row of a table of published and measured, and the columns that the pages show it in."""

import dataclasses
from collections.abc import Callable

from fpliif_jax.data_builders.errors import counted
from fpliif_jax.experiments.comparison.study_tables import ReportRow, ReportTable, Test
from fpliif_jax.experiments.report import table_rows, wording
from fpliif_jax.experiments.stats import number_text
from fpliif_jax.experiments.stats.verdict_rule import Verdict

_Named = tuple[tuple[str, str], ...]  # (name, number)


@dataclasses.dataclass(frozen=True)
class TestView:
    """A test behind a verdict. Texts are not escaped."""

    name: str
    statistic: str
    df: str
    p: str
    assumes: str


@dataclasses.dataclass(frozen=True)
class RowView:
    """A row of a table. Texts are not escaped."""

    anchor: str
    label: str
    detail: str
    published: str
    published_note: str
    measured: str
    was_run: bool
    runs: str
    difference: str
    intervals: _Named
    seeds: _Named
    verdict: Verdict | None
    reason: str
    tests: tuple[TestView, ...]


@dataclasses.dataclass(frozen=True)
class Cell:
    """What a row has in a column: a text, a verdict, or several numbers. Texts are not escaped.

    Attributes:
      text: words or a number.
      note: what is to be known of it.
      verdict: in place of the text, with its sign.
      intervals, seeds: in place of the text, each with its name.
      absent: why there is no text, where a page has room for it.
    """

    text: str = number_text.MISSING
    note: str = ""
    verdict: Verdict | None = None
    intervals: _Named = ()
    seeds: _Named = ()
    absent: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing but a dash to show, which narrow pages leave out."""
        filled = self.verdict or self.intervals or self.seeds or self.absent
        return not filled and self.text == number_text.MISSING


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of the tables of published and measured.

    Attributes:
      heading: above it; where a page is narrow, beside each cell.
      cell: of a row.
      of: what its numbers are; behind the heading in HTML, in its place in Markdown.
      style: classes in style.css of its cells: 'number', or '' for words.
      is_bold: whether the text is bold in HTML.
      note: how the note of a cell follows its text in Markdown; '' where another column says it.
      is_beside_published: whether it means nothing in a table without published numbers.
      in_html: False where the HTML page has it as the note of another column.
    """

    heading: str
    cell: Callable[[RowView], Cell]
    of: str = ""
    style: str = "number"
    is_bold: bool = False
    note: str = " ({})"
    is_beside_published: bool = False
    in_html: bool = True


def _verdict(row: RowView) -> Cell:
    is_published = row.published != number_text.MISSING
    absent = "none" if is_published else "no published value"
    return Cell(note=row.reason, verdict=row.verdict, absent=absent)


COLUMNS = (
    Column("Row", lambda row: Cell(row.label, row.detail), style="name", is_bold=True, note=", {}"),
    Column("Verdict", _verdict, style="", note=": {}", is_beside_published=True),
    Column(
        "Published",
        lambda row: Cell(row.published, row.published_note),
        style="number claim",
        is_beside_published=True,
    ),
    Column(
        "Measured", lambda row: Cell(row.measured, row.runs), of="mean ± SD", is_bold=True, note=""
    ),
    Column("Runs", lambda row: Cell(row.runs), in_html=False),
    Column("Difference", lambda row: Cell(row.difference), is_beside_published=True),
    Column("95 % intervals", lambda row: Cell(intervals=row.intervals)),
    Column("Every seed", lambda row: Cell(seeds=row.seeds)),
)


def row_view(table: ReportTable, row: ReportRow, anchor: str) -> RowView:
    """A row of a table of the study; anchor is its place on a page."""
    decimals, statistics = wording.decimals_of(row), row.statistics
    summary, mean, theirs = statistics.summary, statistics.mean, row.published
    intervals = {
        "mean": statistics.t_interval,
        "next run": row.prediction_interval,
        "bootstrap": statistics.bootstrap_interval,
        f"{row.key.split or 'test'} images": statistics.image_interval,
    }
    return RowView(
        anchor=anchor,
        label=row.label,
        detail=table_rows.detail(table, row),
        published=wording.published(theirs),
        published_note=wording.published_note(theirs),
        measured=wording.mean_sd(summary, decimals),
        was_run=mean is not None,
        runs="not run" if summary is None or mean is None else counted(summary.n, "run"),
        difference=number_text.difference(mean - theirs.value, decimals)
        if row.is_judged and mean is not None and theirs is not None
        else number_text.MISSING,
        intervals=tuple(
            (name, number_text.interval(ends, decimals))
            for name, ends in intervals.items()
            if ends is not None
        ),
        seeds=wording.seeds(statistics.values, decimals),
        verdict=row.verdict,
        reason=row.reason,
        tests=tuple(_test_view(test) for test in row.tests),
    )


def _test_view(test: Test) -> TestView:
    return TestView(
        name=test.name,
        statistic=number_text.number(test.statistic),
        df=number_text.MISSING if test.df is None else f"{test.df:.4g}",
        p=number_text.p_value(test.p),
        assumes=test.assumes,
    )
