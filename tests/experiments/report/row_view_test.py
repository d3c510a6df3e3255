"""Tests of experiments/report/row_view.py: a column of the list is on both pages, with a cell in every row."""

import re
from typing import Any

import pytest
import report_study

from fpliif_jax.experiments.report import row_view
from fpliif_jax.experiments.report.pages.html import render_html
from fpliif_jax.experiments.report.pages.markdown import render_markdown
from fpliif_jax.experiments.report.row_view import Cell, Column


def _first_table(study: dict[str, Any]) -> tuple[str, list[str]]:
    """The first table of the HTML page, and the lines of Markdown's."""
    found = report_study.as_study(study)
    page = re.search(r'<table class="results">.*?</table>', render_html(found, [], [], {}), re.S)
    text = render_markdown(found, [], {})
    return page[0], re.search(r"(?:^\|.*\n)+", text, re.M)[0].splitlines()


@pytest.fixture
def study() -> dict[str, Any]:
    return report_study.make_study()


@pytest.mark.parametrize("place", [1, len(row_view.COLUMNS)])
def test_a_new_column_needs_nothing_but_its_line(
    place: int, study: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = list(row_view.COLUMNS)
    columns.insert(place, Column("Half of it", lambda row: Cell("*1*", f"of {row.anchor}")))
    monkeypatch.setattr(row_view, "COLUMNS", tuple(columns))
    page, lines = _first_table(study)
    assert page.count('<th class="number">Half of it</th>') == 1
    rows = len(re.findall('<tr id="', page))
    cells = re.findall(r'"number" data-label="Half of it">\*1\*<small>of table-0-row-\d', page)
    assert rows == len(cells) > 0
    assert lines[0].split(" | ")[place].removesuffix(" |") == "half of it"
    assert lines[2].split(" | ")[place].removesuffix(" |") == r"\*1\* (of table\-0\-row\-0)"


@pytest.mark.parametrize("is_beside_published", [True, False])
def test_every_row_has_as_many_cells_as_there_are_columns(
    is_beside_published: bool, study: dict[str, Any]
) -> None:
    if not is_beside_published:
        for row in study["tables"][0]["rows"]:
            row |= {"published": None, "verdict": None, "reason": "", "tests": []}
    page, lines = _first_table(study)
    headings = re.findall("<th[^>]*>([^<]*)</th>", page.partition("</thead>")[0])
    assert ("Verdict" in headings) == ("verdict" in lines[0]) == is_beside_published
    rows = re.findall("<tr id=.*?</tr>", page, re.S)
    assert {row.count("<td") for row in rows} == {len(headings)}
    assert set(re.findall(r'colspan="(\d+)"', page)) == (
        {str(len(headings))} if is_beside_published else set()
    )


def test_a_cell_is_empty_that_has_a_dash_alone() -> None:
    assert Cell().is_empty and Cell(note="a note").is_empty
    assert not Cell("1.00").is_empty
    assert not Cell(absent="no published value").is_empty
    assert not Cell(seeds=(("0", "1.00"),)).is_empty
