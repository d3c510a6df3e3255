"""The tables of the report: what the papers published beside what was measured."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from fpliif_jax.experiments.comparison import published_rows
from fpliif_jax.experiments.comparison.lines import Line, published_table, study_of
from fpliif_jax.experiments.comparison.report_row import table_row
from fpliif_jax.experiments.plans.study_file import Study
from fpliif_jax.experiments.plans.tables import Table
from fpliif_jax.experiments.published import PublishedValue

CLASSES = "-classes"  # ends the name of a table by class
_NOTE_ON_CLASSES = (
    "Of many classes some are far off by chance. A class or group is 'not reproduced' only if p is below 0.05 after "
    "Holm's correction over all of its row, so that chance alone makes any of them so in at most 5 % of rows."
)


def published_tables(
    lines: Sequence[Line], studies: Sequence[Study], external: Sequence[PublishedValue]
) -> list[dict[str, Any]]:
    """A table for each study of one, then for runs that were started by themselves.

    Args:
      lines: of all runs.
      studies: that they were started for.
      external: numbers measured elsewhere; those that are about none of the lines have a table of their own.
    """
    made: dict[tuple[str, str], tuple[Table | None, list[Line]]] = {}
    for line in lines:
        study = study_of(line, studies)
        if study is not None and study.table is not None:
            table, folder = study.table, study.folder
        else:
            table, folder = published_table(line), ""
        made.setdefault((table.name if table else "", folder), (table, []))[1].append(line)
    counts = Counter(name for name, _ in made)
    used: set[str] = set()
    tables = []
    for (name, folder), (table, members) in made.items():
        identifier = name or "other"
        if counts[name] > 1 and folder:
            identifier += "-" + "".join(c if c.isalnum() else "-" for c in folder)
        title = table.title if table else "Other runs"
        if counts[name] > 1 and folder:
            title += f" ({folder})"
        whole = _table(identifier, title, table, members, external, used)
        tables += [_with_note(part) for part in split_by_class(whole)]
    rest = _unmatched(external, used)
    return tables + ([rest] if rest else [])


def _table(
    identifier: str,
    title: str,
    table: Table | None,
    lines: list[Line],
    external: Sequence[PublishedValue],
    used: set[str],
) -> dict[str, Any]:
    if table is not None:
        order = [variant.name for variant in table.variants]
        lines = sorted(lines, key=lambda line: order.index(line.variant.name))
    rows: list[dict[str, Any]] = []
    for line in lines:
        for row in published_rows.rows_of(line, external):
            if row["system"] == "ours":
                place = len(rows)
            else:
                row["against"] = place
                used.add(row["system"])
            rows.append(row)
    _tell_apart(rows, lines)
    rows += published_rows.peers(lines)
    found = _against_baselines(table, lines) if table is not None else []
    return {
        "id": identifier,
        "title": title,
        "unit": "F1, percent",
        "rows": rows,
        "comparisons": found + published_rows.compare_external(rows),
    }


def _against_baselines(table: Table, lines: Sequence[Line]) -> list[dict[str, Any]]:
    """The lines of each framework against the baseline of the same framework."""
    found = []
    for framework in dict.fromkeys(line.framework for line in lines):
        same = [line for line in lines if line.framework == framework]
        baseline = next((line for line in same if line.variant.name == table.baseline), None)
        if baseline is not None:
            found += published_rows.compare_lines(same, baseline)
    return published_rows.adjusted(found)


def _tell_apart(rows: Sequence[dict[str, Any]], lines: Sequence[Line]) -> None:
    """Names the group in labels that several groups have, and the framework where not all runs are of JAX."""
    named = {line.identifier: line for line in lines}
    groups: dict[str, set[str]] = {}
    for row in rows:
        groups.setdefault(row["label"], set()).add(row["group"])
    for row in rows:
        line = named.get(row["group"])
        if line is None:
            continue
        if len(groups[row["label"]]) > 1:
            row["label"] = f"{line.label}: {row['label']}"
        elif line.framework and not row["label"].startswith(line.label):
            row["label"] = f"{line.framework}: {row['label']}"


def split_by_class(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Means and overall scores in a table of their own, before the classes."""
    rows, comparisons = table["rows"], table["comparisons"]
    parts = []
    for is_main, suffix, title in ((True, "", ""), (False, CLASSES, ", by class")):
        own = [row for row in rows if (row["class"] in published_rows.MAIN_CLASSES) == is_main]
        differences = [
            one for one in comparisons if (one["class"] in published_rows.MAIN_CLASSES) == is_main
        ]
        # Places in the whole table become places in this part.
        own = [
            row if row["against"] is None else {**row, "against": own.index(rows[row["against"]])}
            for row in own
        ]
        if own:
            parts.append(
                {
                    **table,
                    "id": table["id"] + suffix,
                    "title": table["title"] + title,
                    "rows": own,
                    "comparisons": differences,
                }
            )
    return parts


def _with_note(table: dict[str, Any]) -> dict[str, Any]:
    """The table; beside tests of classes, with how they are corrected for their number."""
    is_tested = table["id"].endswith(CLASSES) and any(row["tests"] for row in table["rows"])
    return {**table, "note": _NOTE_ON_CLASSES} if is_tested else table


def _unmatched(external: Sequence[PublishedValue], used: set[str]) -> dict[str, Any] | None:
    """Numbers measured elsewhere that none of the runs is about: shown, beside nothing."""
    rows = []
    for key, values in published_rows.measured_elsewhere(external).items():
        system, dataset, protocol, class_name, metric = key
        if system in used:
            continue
        rows.append(
            table_row(
                " ".join(filter(None, (system, dataset, protocol, class_name))),
                metric,
                class_name,
                system=system,
                row=protocol,
                values=values,
                reason="no run here is about this number",
            )
        )
    if not rows:
        return None
    title = "Measured elsewhere"
    return {
        "id": "external",
        "title": title,
        "unit": "F1, percent",
        "rows": rows,
        "comparisons": [],
    }
