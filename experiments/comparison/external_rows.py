"""Numbers measured elsewhere, and their rows beside ours of the same claim."""

import dataclasses
from collections.abc import Sequence

from fpliif_jax.experiments.comparison.lines import Line
from fpliif_jax.experiments.comparison.measured import described, prediction_interval
from fpliif_jax.experiments.comparison.report_row import SCORE_METRICS
from fpliif_jax.experiments.comparison.study_tables import ReportRow
from fpliif_jax.experiments.plans.tables import TABLES
from fpliif_jax.experiments.plans.variant import Claim
from fpliif_jax.experiments.published import PublishedValue
from fpliif_jax.experiments.stats.verdict_rule import Verdict
from fpliif_jax.systems.protocol import Protocol

_WHOLE_SYSTEMS = ("FP-LIIF", "STN-iCNN")


def measured_elsewhere(
    external: Sequence[PublishedValue],
) -> dict[tuple[str, ...], dict[int, float]]:
    """External scores in percent by (system, dataset, protocol, class, metric), by seed.

    Values without a seed are numbered from −1 downwards: they are runs of unknown seed.
    """
    scores: dict[tuple[str, ...], dict[int, float]] = {}
    for value in external:
        if value.metric not in SCORE_METRICS:
            continue
        key = (value.system, value.dataset, value.protocol, value.class_name, value.metric)
        runs = scores.setdefault(key, {})
        unknown = -1 - sum(seed < 0 for seed in runs)
        runs[unknown if value.seed is None else value.seed] = value.percent
    return scores


def external_rows(
    ours: ReportRow, claim: Claim, line: Line, external: Sequence[PublishedValue]
) -> list[ReportRow]:
    """A row a system for each number that is about the claim and the row of ours."""
    dataset = line.measured.results.dataset.name
    protocols = {Protocol.of_key(claim.protocol).key}
    if claim.protocol in ("", claim.row):  # it names no experiment but a row, ours or the paper's
        protocols |= {Protocol.of_key(claim.row).key, ours.key.protocol}
    rows = []
    for key, values in measured_elsewhere(external).items():
        system, where, protocol, class_name, metric = key
        if where != dataset or (metric, class_name) != ours.key.measure:
            continue
        if protocol not in protocols or not _is_about(system, claim):
            continue
        rows.append(
            dataclasses.replace(
                ours,
                group=None,
                label=f"{system}: {ours.label}",
                system=system,
                key=dataclasses.replace(ours.key, protocol=protocol),
                published=None,
                against=0,  # filled in by the table, which knows the places of its rows
                statistics=described(values),
                prediction_interval=prediction_interval(values),
                tests=(),
                # It stands beside ours: where ours is not held against the paper, neither is it.
                verdict=Verdict.NOT_COMPARABLE if ours.is_apart else None,
                reason="measured elsewhere, with settings that are not known here",
            )
        )
    return rows


def _is_about(system: str, claim: Claim) -> bool:
    """Whether a system measured elsewhere is the claim's: the longest published name in its own decides.

    'iCNN in PyTorch' is the baseline, 'STN-iCNN* in PyTorch' is trained apart; 'PyTorch port' is the whole system.
    """
    systems = {other.system for table in TABLES for v in table.variants for other in v.claims}
    named = max((name for name in systems if name in system), key=len, default=None)
    return claim.system == named or (named is None and claim.system in _WHOLE_SYSTEMS)
