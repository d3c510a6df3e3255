"""Published against measured: the rows of a line of a table.

All scores are in percent points. What is not a score (parameters, operations, frames per second) keeps its unit.
"""

import dataclasses
import fractions
from collections.abc import Sequence

from fpliif_jax.experiments.comparison import deviations
from fpliif_jax.experiments.comparison.external_rows import external_rows
from fpliif_jax.experiments.comparison.lines import Line
from fpliif_jax.experiments.comparison.report_row import (
    MAIN_CLASSES,
    SCORE_METRICS,
    as_published,
    of_no_evaluation,
    table_row,
)
from fpliif_jax.experiments.comparison.row_verdicts import judged
from fpliif_jax.experiments.comparison.scores import ScoreKey
from fpliif_jax.experiments.comparison.study_tables import ReportRow
from fpliif_jax.experiments.plans import scales
from fpliif_jax.experiments.plans.tables import TABLES
from fpliif_jax.experiments.plans.variant import Claim
from fpliif_jax.experiments.published import PublishedValue, published_values, select
from fpliif_jax.systems.protocol import Protocol


def rows_of(line: Line, external: Sequence[PublishedValue] = ()) -> list[ReportRow]:
    """The rows of a line: one for each published number of its claims, or its main score alone.

    Args:
      line: of the table.
      external: numbers measured elsewhere; those about a claim follow its row, a row a system.
    """
    claims = line.variant.claims if line.variant else ()
    rows = []
    for claim in claims:
        for row in _judged_rows(claim, line):
            rows += [row, *external_rows(row, claim, line, external)]
    if rows or line.measured.main is None:
        return rows
    main = line.measured.main
    return [_row(line, line.label, main.protocol, main.metric, main.class_name)]


def peers(lines: Sequence[Line]) -> list[ReportRow]:
    """What the same tables print for systems without a line here: means and overall scores, beside nothing of ours.

    Another system's number stands as the paper has it; a system that is built here has no finished run yet.
    """
    claims = [
        (claim, deviations.dataset_of(line.variant))
        for line in lines
        if line.variant
        for claim in line.variant.claims
    ]
    shown = {claim.system for claim, _ in claims}
    own = {claim.system for table in TABLES for one in table.variants for claim in one.claims}
    rows = []
    for value in published_values():
        is_beside = any(
            (claim.source, dataset) == (value.source, value.dataset) for claim, dataset in claims
        )
        if is_beside and value.system not in shown and value.class_name in MAIN_CLASSES:
            if value.metric not in SCORE_METRICS:
                continue
            is_own = value.system in own
            rows.append(
                table_row(
                    value.system,
                    of_no_evaluation(
                        value.metric, value.class_name, Protocol.of_key(value.protocol).key
                    ),
                    system="ours" if is_own else value.system,
                    published=as_published(value, value.percent, value.unit),
                    reason=(
                        "no finished run of it here"
                        if is_own
                        else "another system, as the paper has it"
                    ),
                )
            )
    return rows


def claim_row(claim: Claim, line: Line) -> str:
    """The row of the line's evaluation that stands for the paper's, as results.json names it.

    At a quarter of the paper's image size, its '192->256' is '48to64'.
    """
    # pyrefly: ignore[bad-argument-type] - of a published experiment it is known
    share = fractions.Fraction(line.config.image_size, scales.PAPER_SIZE)
    return Protocol.of_key(claim.row).scaled(share).key


def _of_claim(claim: Claim, line: Line) -> list[PublishedValue]:
    if line.variant is None:
        return []
    return select(
        published_values(),
        source=claim.source,
        system=claim.system,
        protocol=claim.protocol,
        dataset=deviations.dataset_of(line.variant),
    )


def _spread(claim: Claim, line: Line, value: PublishedValue) -> tuple[float | None, int | None]:
    """SD and number of runs that the paper gives with a number."""
    beside = _of_claim(claim, line)
    of_sd = (f"{value.metric}_sd", value.class_name)
    sd = [v.percent for v in beside if (v.metric, v.class_name) == of_sd]
    runs = [int(v.value) for v in beside if v.metric == "count"]
    return (sd[0] if sd else None), (runs[0] if runs else None)


def _label(claim: Claim, line: Line, published: PublishedValue) -> str:
    label = claim.label or line.label
    if published.class_name in MAIN_CLASSES:
        return label
    return f"{label}: {published.class_name.replace('_', ' ')}"


def _judged_rows(claim: Claim, line: Line) -> list[ReportRow]:
    """A row for each published score of a claim."""
    rows = []
    for value in _of_claim(claim, line):
        if value.metric in SCORE_METRICS:
            label, name = _label(claim, line, value), claim_row(claim, line)
            row = _row(line, label, name, value.metric, value.class_name)
            spread = _spread(claim, line, value)
            published = as_published(value, value.percent, value.unit, *spread)
            rows.append(dataclasses.replace(row, published=published))
    return judged(rows, line)


def _row(line: Line, label: str, protocol: str, metric: str, class_name: str) -> ReportRow:
    """What was measured, before it is held against anything."""
    score, main = line.measured.find(protocol, metric, class_name), line.measured.main
    split, checkpoint = (main.split, main.checkpoint) if main else ("", "")
    return table_row(
        label,
        ScoreKey(split, checkpoint, protocol, metric, class_name),
        group=line.identifier,
        margin=line.margin,
        values=score.values if score else {},
        images=line.measured.images(score) if score else None,
        reason="" if score else f"the runs have no row {protocol} with this score",
    )
