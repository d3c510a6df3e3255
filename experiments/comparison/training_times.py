"""Tables of hours of training: what the runs' logs say, beside the published hours.

Only steps are counted: not the first of each stage, which compiles, and neither validation nor checkpoints.
"""

from collections.abc import Sequence

from fpliif_jax.experiments.comparison.costs import speed_verdict
from fpliif_jax.experiments.comparison.deviations import dataset_of
from fpliif_jax.experiments.comparison.lines import Line, study_of
from fpliif_jax.experiments.comparison.report_row import as_published, of_no_evaluation, table_row
from fpliif_jax.experiments.comparison.study_tables import ReportRow, ReportTable
from fpliif_jax.experiments.plans.study_file import Study
from fpliif_jax.experiments.published import PublishedValue, published_values
from fpliif_jax.experiments.runs.run import Run
from fpliif_jax.experiments.stats.verdict_rule import Verdict

_PAPER_DEVICE = "1080 Ti"
# STN-iCNN's §2.5.2: K and then L are pre-trained; what fine-tuning consists of, the paper does not say.
_STAGES = {
    "pre-training": ("coarse", "localisation"),
    "end-to-end": ("end_to_end",),
    "fine-tuning": ("localisation", "end_to_end"),
}
_SECONDS = 3600  # of an hour


def tables(lines: Sequence[Line], studies: Sequence[Study]) -> list[ReportTable]:
    """A table for each study whose variants have published hours."""
    made = []
    for study in studies:
        own = [line for line in lines if study_of(line, studies) is study]
        rows = [row for line in own for row in _rows(line)]
        table = study.table
        if rows and table is not None:
            made.append(
                ReportTable(f"{table.name}-hours", f"{table.title}: training", "hours", rows)
            )
    return made


def stage_seconds(run: Run) -> dict[str, float]:
    """Seconds of training steps by stage, from metrics.jsonl; stages without a usable record are left out."""
    ends: dict[str, float] = {}
    for record in run.metrics:
        if record.split == "train" and record.timing and record.timing.seconds is not None:
            ends[str(record.stage)] = record.timing.seconds
    starts = [0.0, *ends.values()]
    durations = {
        stage: end - start for (stage, end), start in zip(ends.items(), starts, strict=False)
    }
    return {stage: seconds for stage, seconds in durations.items() if seconds >= 0}


def _rows(line: Line) -> list[ReportRow]:
    rows = []
    variant = line.variant
    if variant is None:
        return []
    for claim in variant.claims:
        key = (claim.source, claim.system, claim.protocol, "hours", dataset_of(variant))
        for value in published_values():
            if key == (value.source, value.system, value.protocol, value.metric, value.dataset):
                rows.append(_row(line, f"{line.label}: {claim.protocol}", value))
    return rows


def _row(line: Line, label: str, published: PublishedValue) -> ReportRow:
    values = {}
    for seed, run in line.measured.runs.items():
        seconds = stage_seconds(run)
        if all(stage in seconds for stage in _STAGES[published.protocol]):
            values[seed] = sum(seconds[s] for s in _STAGES[published.protocol]) / _SECONDS
    verdict, reason = None, "the logs of the runs do not have the times of these stages"
    if values:
        obstacles = [*line.obstacles(), *_other_devices(line, published)]
        verdict, reason = Verdict.NOT_COMPARABLE, f"{'; '.join(obstacles)}."
        if not obstacles:
            verdict, reason = speed_verdict(sum(values.values()) / len(values), published)
    return table_row(
        label,
        of_no_evaluation(published.metric),
        group=line.identifier,
        published=as_published(published, published.value, published.unit),
        values=values,
        verdict=verdict,
        reason=reason,
    )


def _other_devices(line: Line, published: PublishedValue) -> list[str]:
    """What the runs were trained on, where that is not what the paper's were."""
    number = next(
        int(v.value)
        for v in published_values()
        if v.metric == "gpus"
        and v.dataset == published.dataset
        and (v.source, v.protocol)
        in {("STN-iCNN Table 1", published.protocol), (published.source, published.protocol)}
    )
    others = set()
    for run in line.measured.runs.values():
        names = run.environment.devices
        if len(names) != number or not all(_PAPER_DEVICE in name for name in names):
            others.add(", ".join(names) or "unknown devices")
    return [
        f"trained on {device}, in the paper on {number} GTX {_PAPER_DEVICE}"
        for device in sorted(others)
    ]
