"""A table of the study as CSV: every number in full, a column for every seed."""

import csv
import io
from typing import Any

_INTERVALS = ("t", "bootstrap", "prediction", "image")
_TEXTS = ("label", "system", "group", "split", "checkpoint", "row", "metric", "class")
_PUBLISHED = ("value", "printed", "sd", "n", "unit", "source")
_SUMMARY = ("n", "mean", "sd", "sem", "minimum", "maximum")


def render_csv(table: dict[str, Any]) -> str:
    """CSV with a header; what is undefined is an empty field.

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
    writer.writerow(head)
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
        writer.writerow(["" if cell is None else cell for cell in cells])
    return buffer.getvalue()


def _ordered(seeds: dict[str, None]) -> list[str]:
    return sorted(
        seeds, key=lambda seed: (not seed.isdecimal(), int(seed) if seed.isdecimal() else 0, seed)
    )
