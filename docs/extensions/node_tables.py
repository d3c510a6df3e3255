"""Tables for the directives of these pages."""

from collections.abc import Iterable, Sequence

from docutils import nodes


def table(head: Sequence[str], rows: Iterable[Sequence[nodes.Node]], name: str) -> nodes.table:
    """A table with a line of titles.

    Args:
      head: the columns' titles.
      rows: the cells' content, as many a row as there are titles.
      name: class of the table, for the style sheet.
    """
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in head), cols=len(head))
    group += nodes.thead("", _row([nodes.Text(title) for title in head]))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", group, classes=[name])


def _row(cells: Sequence[nodes.Node]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))
