"""Tables of cost and speed: what `experiments.cost` and `experiments.benchmark` left, beside the published numbers.

Operations and parameters are counted, not measured: they are reproduced if they agree in all printed digits. Speed
depends on the device, so it is compared on the paper's kind of device alone, and roughly.
"""

import dataclasses
import pathlib
from collections.abc import Sequence

from fpliif_jax.data_builders.host.regular_files import MEBIBYTE
from fpliif_jax.experiments.comparison.report_row import as_published, of_no_evaluation, table_row
from fpliif_jax.experiments.comparison.study_tables import ReportRow, ReportTable
from fpliif_jax.experiments.plans import scales
from fpliif_jax.experiments.plans.name_list import shortened
from fpliif_jax.experiments.plans.study_file import Study
from fpliif_jax.experiments.plans.variant import Claim, Variant
from fpliif_jax.experiments.published import PublishedValue, published_values
from fpliif_jax.experiments.runs import typed_json
from fpliif_jax.experiments.runs.benchmark_results import Results
from fpliif_jax.experiments.runs.bounded_files import UnreadableError
from fpliif_jax.experiments.runs.value_types import Measure
from fpliif_jax.experiments.stats.verdict_rule import Verdict

_NO_NUMBER = "the files do not have this number"
_PAPER_DEVICES = {"fps": "A100", "milliseconds": "1080 Ti"}
_SPEED_MARGIN = 0.1  # between two programs on one kind of device, clocks and drivers included
_METRICS = {
    "parameters": ("parameters", "million"),
    "gmacs": ("operations of one image", "GMACs"),
    "fps": ("speed, batch 1", "images/s"),
    "milliseconds": ("one face, photo to label map", "ms"),
}
_SYSTEMS = {"STN-iCNN": "STN-iCNN", "iCNN": "baseline"}  # names of published and of measured ones
_MILLION = 1e6


@dataclasses.dataclass(frozen=True)
class _Operations:
    """Billions of multiply-accumulates of one image."""

    output_size: int
    gmacs: Measure


@dataclasses.dataclass(frozen=True)
class _Cost:
    """Fields of cost.json that are used."""

    parameters: int
    rows: tuple[_Operations, ...]


def tables(root: pathlib.Path, studies: Sequence[Study]) -> list[ReportTable]:
    """Tables of parameters, operations and speed for each study that measured them.

    Files that cannot be read leave gaps with a reason.
    """
    made = []
    for study in studies:
        table = study.table
        if table is None:
            continue
        variants = [variant for variant in table.variants if not variant.trains]
        rows = [row for variant in variants for row in _rows(root, study, variant)]
        for metric, (title, unit) in _METRICS.items():
            own = [row for row in rows if row.key.metric == metric]
            if own:
                made.append(
                    ReportTable(f"{table.name}-{metric}", f"{table.title}: {title}", unit, own)
                )
    return made


def _rows(root: pathlib.Path, study: Study, variant: Variant) -> list[ReportRow]:
    folder = root / study.folder / variant.name
    cost, cost_problem = _read(_Cost, folder / "cost.json", root)
    speed, speed_problem = _read(Results, folder / "benchmark.json", root)
    rows = []
    for claim in variant.claims:
        for value in published_values():
            if (value.source, value.system, value.protocol) != (
                claim.source,
                claim.system,
                claim.protocol,
            ) or value.metric not in _METRICS:
                continue
            reason = "" if study.scale == "paper" else "Another model than the paper's"
            measured, problem = None, cost_problem
            if value.metric in _PAPER_DEVICES:
                problem = speed_problem
                if speed is not None:
                    reason = _other_device(speed, _PAPER_DEVICES[value.metric]) or reason
                    measured = _measured(speed, value.metric, claim, study.scale)
            elif cost is not None:
                measured = _counted(cost, value.metric, claim.protocol)
            rows.append(_row(claim.label, value, measured, problem, reason))
    return rows


def _row(
    label: str, published: PublishedValue, measured: float | None, problem: str, not_comparable: str
) -> ReportRow:
    verdict, reason = None, problem or _NO_NUMBER
    if measured is not None and not_comparable:
        verdict, reason = Verdict.NOT_COMPARABLE, f"{not_comparable}."
    elif measured is not None and published.metric in _PAPER_DEVICES:
        verdict, reason = speed_verdict(measured, published)
    elif measured is not None:
        agrees = round(measured, published.decimals) == published.value
        verdict = Verdict.REPRODUCED if agrees else Verdict.NOT_REPRODUCED
        reason = (
            f"{measured:.{published.decimals + 2}f} against the printed {published.printed}: "
            f"{'the same' if agrees else 'not the same'} in its printed digits."
        )
    return table_row(
        label,
        of_no_evaluation(published.metric),
        published=as_published(published, published.value, _METRICS[published.metric][1]),
        values={} if measured is None else {0: measured},
        verdict=verdict,
        reason=reason,
        rests_on_runs=False,
    )


def speed_verdict(measured: float, published: PublishedValue) -> tuple[Verdict, str]:
    """Verdict and reason for a time or rate that was measured on the paper's kind of device."""
    agrees = abs(measured / published.value - 1) <= _SPEED_MARGIN
    verdict = Verdict.WITHIN_MARGIN if agrees else Verdict.NOT_REPRODUCED
    shown = f"{measured:.{published.decimals}f}"
    return verdict, f"{shown} against {published.printed}; the margin is {_SPEED_MARGIN:.0%}."


def _read(
    kind: type[typed_json.Kind], path: pathlib.Path, root: pathlib.Path
) -> tuple[typed_json.Kind | None, str]:
    """The content of a file without its damaged rows, or None, and why a number is missing; '' where that is usual."""
    try:
        content, damaged = typed_json.read_sound_rows(kind, path, root, MEBIBYTE)
        if not damaged:
            return content, ""
        return content, f"{_NO_NUMBER}; damaged rows were left out: {shortened(damaged)}"
    except FileNotFoundError:
        return None, f"{path.name} is missing"
    except UnreadableError as error:
        return None, f"{error}"


def _counted(cost: _Cost, metric: str, size: str) -> float | None:
    if metric == "parameters":
        return cost.parameters / _MILLION
    return next((row.gmacs for row in cost.rows if row.output_size == int(size)), None)


def _measured(speed: Results, metric: str, claim: Claim, scale: str) -> float | None:
    """Milliseconds of one face in all, or images per second one at a time in float32, of our forward pass."""
    if metric == "milliseconds":
        faces = [face for face in speed.one_face if face.system == _SYSTEMS[claim.system]]
        steps = (step for face in faces for step in face.steps if step.step == "whole")
        return next((step.milliseconds for step in steps), None)
    case = ("latency", "JAX", "float32", int(scales.scaled_row(claim.protocol, scale)))
    return next(
        (
            row.images_per_second
            for row in speed.measurements
            if (row.part, row.candidate, row.dtype, row.output_size) == case
        ),
        None,
    )


def _other_device(speed: Results, paper_device: str) -> str:
    device = speed.environment.device
    if paper_device in device:
        return ""
    return f"Measured on {device}; the paper's is of the kind {paper_device}"
