"""Tables of measurements in Markdown."""

from collections.abc import Iterable, Sequence

_NOTHING = "–"

Cell = str | int | float | None


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table with a line of titles; a cell without a value, None, has a dash."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += (f"| {' | '.join(map(_escaped, row))} |" for row in rows)
    return "\n".join(lines)


def section(title: str, head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[str]:
    """Lines of a table under a heading; none without rows."""
    return [f"## {title}", "", table(head, rows)] if rows else []


def _escaped(cell: Cell) -> str:
    return _NOTHING if cell is None else str(cell).replace("|", "\\|").replace("\n", " ")
