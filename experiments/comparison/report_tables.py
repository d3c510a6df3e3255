"""The tables of the report: what the papers published beside what was measured."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

from fpliif_jax.experiments.comparison import differences, published_rows
from fpliif_jax.experiments.comparison.external_rows import measured_elsewhere
from fpliif_jax.experiments.comparison.lines import Line, published_table, study_of
from fpliif_jax.experiments.comparison.report_row import MAIN_CLASSES, of_no_evaluation, table_row
from fpliif_jax.experiments.comparison.study_tables import Comparison, ReportRow, ReportTable
from fpliif_jax.experiments.plans.study_file import Study
from fpliif_jax.experiments.plans.variant import Table
from fpliif_jax.experiments.published import PublishedValue
from fpliif_jax.systems.protocol import Protocol

CLASSES = "-classes"  # ends the name of a table by class
_NOTE_ON_CLASSES = (
    "Of many classes some are far off by chance. A class or group is 'not reproduced' only if p is below 0.05 after "
    "Holm's correction over all of its row, so that chance alone makes any of them so in at most 5 % of rows."
)


def published_tables(
    lines: Sequence[Line], studies: Sequence[Study], external: Sequence[PublishedValue]
) -> list[ReportTable]:
    """A table for each study of one, then for runs that were started by themselves.

    Args:
      lines: of all runs.
      studies: that they were started for.
      external: numbers measured elsewhere; those that are about none of the lines have a table of their own.
    """
    made: dict[tuple[str, str], tuple[Table | None, list[Line]]] = {}
    for line in lines:
        study = study_of(line, studies)
        if study is not None and line.planned is not None:
            table, folder = study.table, study.folder
        else:
            table, folder = published_table(line), ""
        made.setdefault((table.name if table else "", folder), (table, []))[1].append(line)
    counts = Counter(name for name, _ in made)
    used: set[tuple[str, ...]] = set()
    tables = []
    for (name, folder), (table, members) in made.items():
        identifier = name or "other"
        if counts[name] > 1 and folder:
            identifier += "-" + "".join(c if c.isalnum() else "-" for c in folder)
        title = table.title if table else "Other runs"
        if counts[name] > 1 and folder:
            title += f" ({folder})"
        whole = _table(identifier, title, table, members, external, used)
        if table is not None and members[0].judged_seeds is not None:
            # Its lines are compared as the plan asks, and nowhere else.
            kept = [one for one in whole.comparisons if one.kind != "lines"]
            whole = dataclasses.replace(whole, comparisons=kept)
        tables += [_with_note(part) for part in split_by_class(whole)]
    rest = _unmatched(external, used)
    return tables + ([rest] if rest else [])


def _table(
    identifier: str,
    title: str,
    table: Table | None,
    lines: list[Line],
    external: Sequence[PublishedValue],
    used: set[tuple[str, ...]],
) -> ReportTable:
    if table is not None:
        order = [variant.name for variant in table.variants]
        lines = sorted(lines, key=lambda line: order.index(_variant_name(line)))
    rows: list[ReportRow] = []
    place: int | None = None  # of ours that others are beside
    for line in lines:
        for row in published_rows.rows_of(line, external):
            if row.system == "ours":
                place = len(rows)
                rows.append(row)
            else:
                rows.append(dataclasses.replace(row, against=place))
                dataset = line.measured.results.dataset.name
                used.add((row.system, dataset, row.key.protocol, *row.key.measure))
    rows = _with_distinct_labels(rows, lines) + published_rows.peers(lines)
    comparisons = _against_baselines(table, lines) if table is not None else []
    comparisons += differences.compare_external(rows)
    return ReportTable(identifier, title, "F1, percent", rows, comparisons)


def _against_baselines(table: Table, lines: Sequence[Line]) -> list[Comparison]:
    """The lines of each framework against the baseline of the same framework."""
    comparisons = []
    for framework in dict.fromkeys(line.framework for line in lines):
        same = [line for line in lines if line.framework == framework]
        baseline = next((line for line in same if _variant_name(line) == table.baseline), None)
        if baseline is not None:
            comparisons += differences.compare_lines(same, baseline)
    return differences.adjusted(comparisons)


def _variant_name(line: Line) -> str:
    """Name of the variant that the line is, or is about; '' without one."""
    variant = line.planned or line.variant
    return variant.name if variant else ""


def _with_distinct_labels(rows: Sequence[ReportRow], lines: Sequence[Line]) -> list[ReportRow]:
    """Labels that several groups have name their group, and the framework where not all runs are of JAX."""
    named = {line.identifier: line for line in lines}
    groups: dict[str, set[str | None]] = {}
    for row in rows:
        groups.setdefault(row.label, set()).add(row.group)
    made = []
    for row in rows:
        line, label = named.get(row.group or ""), row.label
        if line is not None and len(groups[label]) > 1:
            label = f"{line.label}: {label}"
        elif line is not None and line.framework and not label.startswith(line.label):
            label = f"{line.framework}: {label}"
        made.append(dataclasses.replace(row, label=label))
    return made


def split_by_class(table: ReportTable) -> list[ReportTable]:
    """Means and overall scores in a table of their own, before the classes."""
    parts = []
    for is_main, suffix, title in ((True, "", ""), (False, CLASSES, ", by class")):
        places = [
            place
            for place, row in enumerate(table.rows)
            if (row.key.class_name in MAIN_CLASSES) == is_main
        ]
        # Places in the whole table become places in this part.
        own = [
            row
            if row.against is None
            else dataclasses.replace(row, against=places.index(row.against))
            for row in (table.rows[place] for place in places)
        ]
        comparisons = [
            one for one in table.comparisons if (one.class_name in MAIN_CLASSES) == is_main
        ]
        if own:
            parts.append(
                dataclasses.replace(
                    table,
                    identifier=table.identifier + suffix,
                    title=table.title + title,
                    rows=own,
                    comparisons=comparisons,
                )
            )
    return parts


def _with_note(table: ReportTable) -> ReportTable:
    """The table; beside tests of classes, with how they are corrected for their number."""
    is_tested = table.identifier.endswith(CLASSES) and any(row.tests for row in table.rows)
    return dataclasses.replace(table, note=_NOTE_ON_CLASSES) if is_tested else table


def _unmatched(
    external: Sequence[PublishedValue], used: set[tuple[str, ...]]
) -> ReportTable | None:
    """Numbers measured elsewhere that none of the runs is about: shown, beside nothing."""
    rows = [
        table_row(
            " ".join(filter(None, (system, dataset, Protocol.of_key(protocol).title, class_name))),
            of_no_evaluation(metric, class_name, protocol),
            system=system,
            values=values,
            reason="no run here is about this number",
        )
        for (
            system,
            dataset,
            protocol,
            class_name,
            metric,
        ), values in measured_elsewhere(external).items()
        if (system, dataset, protocol, metric, class_name) not in used
    ]
    return ReportTable("external", "Measured elsewhere", "F1, percent", rows) if rows else None
