"""A table of the study as CSV: every number in full, a column for every seed."""

import dataclasses
from typing import Any

import pandas as pd

from fpliif_jax.experiments.comparison.study_tables import ReportRow, ReportTable
from fpliif_jax.experiments.stats.seed_statistics import Summary

_PUBLISHED = ("value", "printed", "sd", "n", "unit", "source")
_SUMMARY = tuple(field.name for field in dataclasses.fields(Summary))
_INTERVALS = ("t", "bootstrap", "prediction", "image")
_COLUMNS = (
    *("label", "system", "group", "trained_on", "scored_on"),
    *("split", "checkpoint", "row", "metric", "class"),
    *(f"published_{name}" for name in _PUBLISHED),
    *_SUMMARY,
    *(f"{name}_interval_{end}" for name in _INTERVALS for end in ("low", "high")),
)
_FORMULA = r"\A(?=[=+\-@\t\r])(?![+-]?[0-9.]+\Z)"  # begins like one, and is no number


def render_csv(table: ReportTable) -> str:
    """CSV with a header; what is undefined is an empty field, and text like a formula begins with '.

    Columns: what the row is, published_*, n, mean, sd, sem, minimum, maximum, <interval>_low and _high, seed_<seed>,
    p_<test>, verdict, reason.
    """
    rows, values = table.rows, [row.statistics.values for row in table.rows]
    seeds = sorted(
        set().union(*values),
        key=lambda seed: (seed < 0, abs(seed)),  # those that are not known last
    )
    parts = [
        pd.DataFrame([_cells(row) for row in rows], columns=_COLUMNS, dtype=object),
        pd.DataFrame(values, columns=seeds, dtype=object).add_prefix("seed_"),
        pd.DataFrame([{f"p_{test.name}": test.p for test in row.tests} for row in rows]),
        pd.DataFrame([(row.verdict, row.reason) for row in rows], columns=["verdict", "reason"]),
    ]
    # A spreadsheet would carry out text that begins like a formula; numbers keep their sign.
    safe = pd.concat(parts, axis=1).replace(_FORMULA, "'", regex=True)
    return safe.to_csv(index=False, lineterminator="\n")


def _cells(row: ReportRow) -> tuple[Any, ...]:
    """Values of a row, in the order of `_COLUMNS`."""
    statistics = row.statistics
    intervals = (
        statistics.t_interval,
        statistics.bootstrap_interval,
        row.prediction_interval,
        statistics.image_interval,
    )
    return (
        *(row.label, row.system, row.group, row.trained_set, row.scored_set),
        *dataclasses.astuple(row.key),
        *(getattr(row.published, name, None) for name in _PUBLISHED),
        *(getattr(statistics.summary, name, None) for name in _SUMMARY),
        *(end for ends in intervals for end in ends or (None, None)),
    )
