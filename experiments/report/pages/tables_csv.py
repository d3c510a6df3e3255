"""A table of the study as CSV: every number in full, a column for every seed."""

import csv
import dataclasses
import io
import re
from collections.abc import Sequence
from typing import Any

from fpliif_jax.experiments.comparison.report_row import of_no_evaluation, table_row
from fpliif_jax.experiments.comparison.study_tables import ReportRow, ReportTable
from fpliif_jax.experiments.stats.seed_statistics import Summary

_PUBLISHED = ("value", "printed", "sd", "n", "unit", "source")
_PLACE = ("split", "checkpoint", "row", "metric", "class")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?[0-9.]+")


def render_csv(table: ReportTable) -> str:
    """CSV with a header; what is undefined is an empty field, and text like a formula begins with '.

    Columns: what the row is, published_*, n, mean, sd, sem, minimum, maximum, <interval>_low and _high, seed_<seed>,
    p_<test>, verdict, reason.
    """
    seeds = sorted(
        {seed for row in table.rows for seed in row.statistics.values},
        key=lambda seed: (seed < 0, abs(seed)),  # those that are not known last
    )
    tests = list(dict.fromkeys(test.name for row in table.rows for test in row.tests))
    head = _columns(table_row("", of_no_evaluation("")), seeds, tests)
    lines = [_columns(row, seeds, tests).values() for row in table.rows]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    for cells in (head, *lines):
        writer.writerow([_cell(cell) for cell in cells])
    return buffer.getvalue()


def _columns(row: ReportRow, seeds: Sequence[int], tests: Sequence[str]) -> dict[str, Any]:
    """The cells of a row by the names of their columns."""
    statistics = row.statistics
    intervals = {
        "t": statistics.t_interval,
        "bootstrap": statistics.bootstrap_interval,
        "prediction": row.prediction_interval,
        "image": statistics.image_interval,
    }
    p_values = {test.name: test.p for test in row.tests}
    return {
        "label": row.label,
        "system": row.system,
        "group": row.group,
        "trained_on": row.trained_set,
        "scored_on": row.scored_set,
        **dict(zip(_PLACE, dataclasses.astuple(row.key), strict=True)),
        **{f"published_{name}": getattr(row.published, name, None) for name in _PUBLISHED},
        **{
            field.name: getattr(statistics.summary, field.name, None)
            for field in dataclasses.fields(Summary)
        },
        **{
            f"{name}_interval_{end}": None if ends is None else ends[place]
            for name, ends in intervals.items()
            for place, end in enumerate(("low", "high"))
        },
        **{f"seed_{seed}": statistics.values.get(seed) for seed in seeds},
        **{f"p_{test}": p_values.get(test) for test in tests},
        "verdict": row.verdict,
        "reason": row.reason,
    }


def _cell(value: Any) -> Any:
    """A spreadsheet would carry out text that begins like a formula; numbers keep their sign."""
    if value is None:
        return ""
    is_formula = isinstance(value, str) and value.startswith(_FORMULA)
    return f"'{value}" if is_formula and not _NUMBER.fullmatch(value) else value
