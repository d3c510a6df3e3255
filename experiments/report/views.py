"""The study as the pages show it: tables and scores with their numbers as text."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

from fpliif_jax.data_builders.errors import counted
from fpliif_jax.evaluation.score_titles import score_title
from fpliif_jax.experiments.comparison.study import Study
from fpliif_jax.experiments.comparison.study_groups import ReportGroup
from fpliif_jax.experiments.comparison.study_tables import Comparison, ReportTable
from fpliif_jax.experiments.report import data_text, row_view, table_rows, wording
from fpliif_jax.experiments.report.row_view import Column, RowView
from fpliif_jax.experiments.stats import number_text
from fpliif_jax.experiments.stats.verdict_rule import Verdict


@dataclasses.dataclass(frozen=True)
class ComparisonView:
    """A difference between two sets of runs. Texts are not escaped, here and below."""

    a: str
    b: str
    metric: str
    difference: str
    interval: str
    test: str
    p: str
    p_holm: str
    equivalent_p: str
    margin: str


@dataclasses.dataclass(frozen=True)
class ScoreView:
    """A score of a group; seeds are (seed, score)."""

    metric: str
    measured: str
    t_interval: str
    image_interval: str
    seeds: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class DeviationView:
    """A deviation from the paper, and the groups that have it."""

    field: str
    here: str
    paper: str
    kind: str
    groups: str


@dataclasses.dataclass(frozen=True)
class TableView:
    """A table: what was measured, apart from it what cannot be compared, and what was only published.

    note is what a reader of its numbers and verdicts must know; '' for nothing.
    source and reason_apart are what all published values and all rows apart have in common; rows leave it out.
    is_beside_published is False where no row has anything published, a verdict or a reason.
    columns are those that mean something in it.
    """

    anchor: str
    table_id: str
    title: str
    unit: str
    common: str
    source: str
    note: str
    reason_apart: str
    is_beside_published: bool
    columns: tuple[Column, ...]
    rows: tuple[RowView, ...]
    rows_apart: tuple[RowView, ...]
    rows_not_run: tuple[RowView, ...]
    comparisons: tuple[ComparisonView, ...]


def table_view(table: ReportTable, index: int) -> TableView:
    """A table of the study; index makes its anchor."""
    anchor = f"table-{index}"
    views = [
        row_view.row_view(table, row, f"{anchor}-row-{position}")
        for position, row in enumerate(table.rows)
    ]
    apart = [view for view in views if view.verdict == Verdict.NOT_COMPARABLE]
    source = _shared(
        [view.published_note for view in views if view.published != number_text.MISSING]
    )
    if source:
        views = [dataclasses.replace(view, published_note="") for view in views]
    reason = _shared([view.reason for view in apart])
    apart = [view for view in views if view.verdict == Verdict.NOT_COMPARABLE]
    if reason:
        apart = [dataclasses.replace(view, reason="") for view in apart]
    is_beside_published = any(row.published or row.verdict or row.reason for row in table.rows)
    return TableView(
        anchor=anchor,
        table_id=table.identifier,
        title=table.title,
        unit=table.unit,
        common=table_rows.common_text(table),
        source=source,
        note=" ".join(filter(None, (table.sets, table.note))),
        reason_apart=reason,
        is_beside_published=is_beside_published,
        columns=tuple(
            column
            for column in row_view.COLUMNS
            if is_beside_published or not column.is_beside_published
        ),
        rows=tuple(
            view for view in views if view.verdict != Verdict.NOT_COMPARABLE and view.was_run
        ),
        rows_apart=tuple(apart),
        rows_not_run=tuple(
            view for view in views if view.verdict != Verdict.NOT_COMPARABLE and not view.was_run
        ),
        comparisons=tuple(_comparison_view(item) for item in table.comparisons),
    )


def verdict_counts(tables: Sequence[ReportTable]) -> dict[Verdict, int]:
    """How many rows have each verdict, in the order of the verdicts; those of none are left out."""
    counts = Counter(row.verdict for table in tables for row in table.rows)
    return {verdict: counts[verdict] for verdict in Verdict if counts[verdict]}


def runs_come_first(study: Study) -> bool:
    """Whether what was run stands before tables that say nothing of it: none is judged, nor compares its rows."""
    is_judged = any(group.comparable for group in study.groups)
    compares = any(table.comparisons for table in study.tables)
    return bool(study.groups) and not is_judged and not compares


def has_interval_over_seeds(study: Study) -> bool:
    """Whether any score is of enough seeds for an interval of their mean."""
    scores = [score.statistics for group in study.groups for score in group.scores]
    rows = [row.statistics for table in study.tables for row in table.rows]
    return any(statistics.t_interval is not None for statistics in (*scores, *rows))


def score_views(group: ReportGroup) -> dict[str, list[ScoreView]]:
    """A group's scores but for the single classes, by split, checkpoint and row."""
    by_place: dict[str, list[ScoreView]] = {}
    for score in group.scores:
        if score.key.metric == "f1":
            continue
        statistics = score.statistics
        view = ScoreView(
            metric=score_title(*score.key.measure),
            measured=wording.mean_sd(statistics.summary),
            t_interval=number_text.interval(statistics.t_interval),
            image_interval=number_text.interval(statistics.image_interval),
            seeds=wording.seeds(statistics.values),
        )
        by_place.setdefault(data_text.place(group, *score.key.evaluation), []).append(view)
    return by_place


def deviation_views(study: Study) -> list[DeviationView]:
    """Deviations from the paper, those that several groups share once."""
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for group in study.groups:
        for item in group.deviations:
            key = (
                wording.plain(item.field),
                wording.plain(item.here),
                wording.plain(item.paper),
                wording.plain(item.kind),
            )
            groups.setdefault(key, []).append(group.name)
    everyone = sum(bool(group.deviations) for group in study.groups)
    return [
        DeviationView(*texts, "all" if len(names) == everyone > 1 else ", ".join(names))
        for texts, names in sorted(groups.items(), key=lambda item: item[0][3] != "reading")
    ]


def by_value(values: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """(value, runs that have it), for a field in which environments differ."""
    names_by_value: dict[str, list[str]] = {}
    for name, value in values.items():
        names_by_value.setdefault(wording.plain(value), []).append(name)
    return list(names_by_value.items())


def _shared(texts: list[str]) -> str:
    """The text that several texts share, to be shown once; '' if they differ."""
    return texts[0] if len(texts) > 1 and len(set(texts)) == 1 else ""


def _comparison_view(item: Comparison) -> ComparisonView:
    common = counted(item.common_seeds, "common seed")
    return ComparisonView(
        a=item.a,
        b=item.b,
        metric=score_title(item.metric, item.class_name),
        difference=number_text.difference(item.difference),
        interval=number_text.interval(item.interval, signed=True),
        test=f"{item.test}, n = {item.n}" + (f", {common}" if item.common_seeds else ""),
        p=number_text.p_value(item.p),
        p_holm=number_text.p_value(item.p_holm),
        equivalent_p=number_text.p_value(item.equivalent_p),
        margin=wording.plain(item.margin),
    )
