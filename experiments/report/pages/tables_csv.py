"""A table of the study as CSV: every number in full, a column for every seed."""

import csv
import io
import re
from typing import Any

_INTERVALS = ("t", "bootstrap", "prediction", "image")
_TEXTS = ("label", "system", "group", "split", "checkpoint", "row", "metric", "class")
_PUBLISHED = ("value", "printed", "sd", "n", "unit", "source")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?[0-9.]+")
_SUMMARY = ("n", "mean", "sd", "sem", "minimum", "maximum")


def render_csv(table: dict[str, Any]) -> str:
    """CSV with a header; what is undefined is an empty field, and text like a formula begins with '.

    Columns: what the row is, published_*, n, mean, sd, sem, minimum, maximum, <interval>_low and _high, seed_<seed>,
    p_<test>, verdict, reason.
    """
    seeds = _ordered({seed: None for row in table["rows"] for seed in row["values"]})
    tests = list({test["name"]: None for row in table["rows"] for test in row["tests"]})
    head = [
        *_TEXTS,
        *(f"published_{field}" for field in _PUBLISHED),
        *_SUMMARY,
        *(f"{name}_interval_{end}" for name in _INTERVALS for end in ("low", "high")),
        *(f"seed_{seed}" for seed in seeds),
        *(f"p_{test}" for test in tests),
        "verdict",
        "reason",
    ]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([_cell(name) for name in head])
    for row in table["rows"]:
        published, summary = row["published"] or {}, row["summary"] or {}
        p_values = {test["name"]: test["p"] for test in row["tests"]}
        cells = [
            *(row[field] for field in _TEXTS),
            *(published.get(field) for field in _PUBLISHED),
            *(summary.get(field) for field in _SUMMARY),
            *(end for name in _INTERVALS for end in (row[f"{name}_interval"] or (None, None))),
            *(row["values"].get(seed) for seed in seeds),
            *(p_values.get(test) for test in tests),
            row["verdict"],
            row["reason"],
        ]
        writer.writerow([_cell(cell) for cell in cells])
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    """A spreadsheet would carry out text that begins like a formula; numbers keep their sign."""
    if value is None:
        return ""
    is_formula = isinstance(value, str) and value.startswith(_FORMULA)
    return f"'{value}" if is_formula and not _NUMBER.fullmatch(value) else value


def _ordered(seeds: dict[str, None]) -> list[str]:
    return sorted(
        seeds, key=lambda seed: (not seed.isdecimal(), int(seed) if seed.isdecimal() else 0, seed)
    )
