"""What the rows of a table have in common, and what tells them apart."""

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from fpliif_jax.data_builders.class_names import class_title
from fpliif_jax.evaluation.score_titles import score_title
from fpliif_jax.experiments.comparison.scores import ScoreKey
from fpliif_jax.experiments.comparison.study import Study
from fpliif_jax.experiments.comparison.study_tables import ReportRow, ReportTable
from fpliif_jax.experiments.report import data_text, wording

_FIELDS = tuple(field.name for field in dataclasses.fields(ScoreKey))


def with_groups(study: Study) -> Study:
    """The study with the name and the data of its group in every row."""
    groups = {group.identifier: group for group in study.groups}

    def named(row: ReportRow) -> ReportRow:
        group = groups.get(row.group or "")
        if group is None:
            return row
        trained, scored = data_text.set_titles(group)
        return dataclasses.replace(
            row, group_name=group.name, trained_set=trained, scored_set=scored
        )

    tables = [
        dataclasses.replace(table, rows=[named(row) for row in table.rows])
        for table in study.tables
    ]
    return dataclasses.replace(study, tables=tables)


def common_text(table: ReportTable) -> str:
    """'test split, best checkpoint, row 64, mean F1': what holds for all rows that have values."""
    rows = measured(table.rows)
    if not rows:
        return ""
    key, common = rows[0].key, {field for field in _FIELDS if len(_values(rows, field)) == 1}
    parts = [_place(key, common)]
    if "metric" in common and key.metric:
        class_name = key.class_name if "class_name" in common else None
        parts.append(score_title(key.metric, class_name))
    return ", ".join(filter(None, parts))


def detail(table: ReportTable, row: ReportRow) -> str:
    """What tells a row apart beside its label: fields that differ within the table."""
    rows = measured(table.rows)
    differing = {field for field in _FIELDS if len(_values(rows, field)) > 1}
    parts = []
    label = row.label.replace("_", " ")
    class_name = row.key.class_name
    names_class = class_name not in (None, "mean") and class_title(class_name) in label
    if ("metric" in differing or "class_name" in differing) and row.key.metric and not names_class:
        parts.append(score_title(row.key.metric, class_name))
    parts.append(_place(row.key, differing))
    others = {other.group for other in rows if other.label == row.label}
    if len(others) > 1:
        parts.append(row.group_name)
    if row.system != "ours" and row.system not in row.label:
        parts.append(row.system)
    return ", ".join(part for part in parts if part and part not in label)


def full_name(table: ReportTable, row: ReportRow) -> str:
    """Label and detail on one line."""
    more = detail(table, row)
    return f"{row.label}, {more}" if more else row.label


def measured(rows: Iterable[ReportRow]) -> list[ReportRow]:
    """Rows that have values."""
    return [row for row in rows if row.statistics.has_values]


def has_published(table: ReportTable) -> bool:
    """Whether any row stands beside a published number."""
    return any(row.published is not None for row in table.rows)


def published_in_points(row: ReportRow) -> bool:
    """Whether the margin of equivalence, in F1 points, means anything for a row."""
    return row.published is not None and row.published.unit in ("percent", "fraction")


def _place(key: ScoreKey, names: Collection[str]) -> str:
    """Text of the parts of a score's place that have these names."""
    parts = dict(split=key.split, checkpoint=key.checkpoint, protocol=key.protocol)
    return wording.score_place(**{name: part for name, part in parts.items() if name in names})


def _values(rows: Sequence[ReportRow], field: str) -> set[Any]:
    return {getattr(row.key, field) for row in rows} - {None}
