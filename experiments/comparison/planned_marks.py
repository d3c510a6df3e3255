"""Runs of a planned study that are not as planned: of other settings, other code, or another machine."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from fpliif_jax.experiments.comparison.planned_study import Mark
from fpliif_jax.experiments.plans.frozen_plan import FrozenPlan
from fpliif_jax.experiments.plans.name_list import shortened
from fpliif_jax.experiments.runs.run import Run

_MACHINE = (
    "devices",
    "backend",
    "processor",
    "cpu_count",
    "platform",
    "xla_flags",
    "process_count",
)


def marks_of(
    plan: FrozenPlan,
    runs: Mapping[str, Run],
    differences: Mapping[str, Sequence[tuple[str, Any, Any]]],
) -> list[Mark]:
    """The runs of other settings, another commit or versions than the plan's, or another machine than its first run."""
    moment = plan.first.moment
    named: dict[tuple[str, str, str], list[str]] = {}
    for name, fields in differences.items():
        for field, value, planned in fields:
            key = (f"config.{field}", *_texts(field, value, planned))
            named.setdefault(key, []).append(runs[name].name)
    in_order = [
        runs[name] for name in plan.last.runs if name in runs and runs[name].environment.content
    ]
    machine = {
        field: next(
            (v for run in in_order if (v := run.environment.content.get(field)) is not None), None
        )
        for field in _MACHINE
    }
    for run in in_order:
        own, recorded = run.environment, run.environment.content
        values: list[tuple[str, Any, Any]] = [
            ("commit", own.git_commit, moment.commit),
            ("python", own.python, moment.python),
            *((name, own.versions.get(name), planned) for name, planned in moment.versions.items()),
            # What a run did not record tells nothing of its machine.
            *(
                (field, recorded[field], machine[field])
                for field in _MACHINE
                if recorded.get(field) is not None
            ),
        ]
        for field, value, planned in values:
            if value != planned:
                named.setdefault((field, *_texts(field, value, planned)), []).append(run.name)
    return [Mark(*key, names) for key, names in named.items()]


def sentence(marks: Sequence[Mark], title: str) -> str:
    """What of a study is not as planned, and in which runs; '' where all is."""
    kinds: dict[str, list[Mark]] = {}
    for mark in marks:
        kinds.setdefault(_kind(mark.field), []).append(mark)
    texts = []
    for kind, of_kind in kinds.items():
        fields = shortened(list(dict.fromkeys(mark.field for mark in of_kind)))
        runs = shortened(list(dict.fromkeys(run for mark in of_kind for run in mark.runs)))
        texts.append(f"{kind}{'' if fields == 'commit' else f' ({fields})'} in {runs}")
    if not texts:
        return ""
    return f"Not as planned ({title}): {'; '.join(texts)}."


def _kind(field: str) -> str:
    if field.startswith("config."):
        return "other settings"
    if field == "commit":
        return "another commit of the code"
    return "another machine" if field in _MACHINE else "other versions"


def _texts(field: str, value: Any, planned: Any) -> tuple[str, str]:
    """Values of a field in words; of devices how many there are of each kind."""
    return _text(value, field == "devices"), _text(planned, field == "devices")


def _text(value: Any, counts: bool) -> str:
    if isinstance(value, list) and counts:
        kinds = Counter(map(str, value)).items()
        return ", ".join(f"{count} × {kind}" if count > 1 else kind for kind, count in kinds)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "not recorded" if value is None else str(value)
