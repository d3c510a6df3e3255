"""Tables of cost and speed: what `experiments.cost` and `experiments.benchmark` left, beside the published numbers.

Operations and parameters are counted, not measured: they are reproduced if they agree in all printed digits. Speed
depends on the device, so it is compared on the paper's kind of device alone, and roughly.
"""

import pathlib
from collections.abc import Sequence
from typing import Any

from fpliif_jax.experiments.comparison.report_row import as_published, of_no_evaluation, table_row
from fpliif_jax.experiments.comparison.study import ReportRow, ReportTable
from fpliif_jax.experiments.plans import scales
from fpliif_jax.experiments.plans.study_file import Study
from fpliif_jax.experiments.plans.variant import Variant
from fpliif_jax.experiments.published import PublishedValue, published_values
from fpliif_jax.experiments.runs.bounded_files import (
    MEBIBYTE,
    UnreadableError,
    parse_json,
    read_bytes,
)
from fpliif_jax.experiments.runs.json_values import is_number
from fpliif_jax.experiments.stats.verdict_rule import Verdict

_LIMIT = MEBIBYTE
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


def tables(root: pathlib.Path, studies: Sequence[Study]) -> list[ReportTable]:
    """Tables of parameters, operations and speed for each study that measured them.

    Files that cannot be read leave gaps with a reason.
    """
    made = []
    for study in studies:
        variants = [v for v in study.table.variants if not v.trains] if study.table else []
        rows = [row for variant in variants for row in _rows(root, study, variant)]
        for metric, (title, unit) in _METRICS.items():
            own = [row for row in rows if row.key.metric == metric]
            if own:
                table = study.table
                made.append(
                    ReportTable(f"{table.name}-{metric}", f"{table.title}: {title}", unit, own)
                )
    return made


def _rows(root: pathlib.Path, study: Study, variant: Variant) -> list[ReportRow]:
    folder = root / study.folder / variant.name
    cost, cost_problem = _read(folder / "cost.json", root)
    speed, speed_problem = _read(folder / "benchmark.json", root)
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
            if value.metric in _PAPER_DEVICES:
                problem = speed_problem
                reason = _other_device(speed, _PAPER_DEVICES[value.metric]) or reason
            else:
                problem = cost_problem
            if value.metric == "fps":
                size = scales.scaled_row(claim.protocol, study.scale)
                measured = _frames_per_second(speed, size)
            elif value.metric == "milliseconds":
                measured = _milliseconds(speed, _SYSTEMS[claim.system])
            else:
                measured = _counted(cost, value.metric, claim.protocol)
            rows.append(_row(claim.label, value, measured, problem, reason))
    return rows


def _row(
    label: str, published: PublishedValue, measured: float | None, problem: str, not_comparable: str
) -> ReportRow:
    verdict, reason = None, problem or "the files do not have this number"
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


def _read(path: pathlib.Path, root: pathlib.Path) -> tuple[dict[str, Any], str]:
    try:
        content = parse_json(read_bytes(path, root, _LIMIT), path.name)
    except FileNotFoundError:
        return {}, f"{path.name} is missing"
    except UnreadableError as error:
        return {}, f"{error}"
    return (content, "") if isinstance(content, dict) else ({}, f"{path.name} is no JSON object")


def _counted(cost: dict[str, Any], metric: str, size: str) -> float | None:
    if metric == "parameters":
        count = cost.get("parameters")
        return count / _MILLION if is_number(count) else None
    return _of_size(cost.get("rows"), size, "gmacs")


def _frames_per_second(speed: dict[str, Any], size: str) -> float | None:
    """Images per second of our forward pass, one image at a time, in float32."""
    case = {"part": "latency", "candidate": "JAX", "dtype": "float32"}
    entries = speed.get("measurements")
    rows = [
        entry
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and all(entry.get(name) == case[name] for name in case)
    ]
    return _of_size(rows, size, "images_per_second")


def _milliseconds(speed: dict[str, Any], system: str) -> float | None:
    """Milliseconds of one face in all, the median of the rounds."""
    entries = speed.get("one_face")
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict) or entry.get("system") != system:
            continue
        steps = entry.get("steps")
        for step in steps if isinstance(steps, list) else []:
            if isinstance(step, dict) and step.get("step") == "whole":
                return step["milliseconds"] if is_number(step.get("milliseconds")) else None
    return None


def _of_size(rows: Any, size: str, field: str) -> float | None:
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and row.get("output_size") == int(size):
            return row[field] if is_number(row.get(field)) else None
    return None


def _other_device(speed: dict[str, Any], paper_device: str) -> str:
    environment = speed.get("environment")
    device = environment.get("device") if isinstance(environment, dict) else None
    if isinstance(device, str) and paper_device in device:
        return ""
    return f"Measured on {device}; the paper's is of the kind {paper_device}"
