"""The form of a study: what the analysis finds, the report renders, and report.json holds; every field once.

Its tables are in `study_tables`, its groups of runs in `study_groups`, both on `scores`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from fpliif_jax.experiments.comparison.planned_study import PlannedStudy
from fpliif_jax.experiments.comparison.study_groups import ReportGroup
from fpliif_jax.experiments.comparison.study_tables import ReportTable
from fpliif_jax.experiments.runs.environments import Environments
from fpliif_jax.fields.json_types import JsonObject


@dataclasses.dataclass(frozen=True)
class Incomplete:
    """A run, or a file of one, that is not part of the study, and why."""

    name: str
    status: str
    problem: str | None


@dataclasses.dataclass(frozen=True)
class Study:
    """All results of a study, as its report shows them.

    Attributes:
      root: name of the folder of the runs.
      margin: the smallest of equivalence, in points.
      summary: sentences.
      commands: that were typed.
      external: names of files of numbers measured elsewhere.
      plans: those that were frozen before the runs.
    """

    title: str
    root: str
    margin: float
    summary: Sequence[str]
    commands: Sequence[str]
    groups: Sequence[ReportGroup]
    tables: Sequence[ReportTable]
    incomplete_runs: Sequence[Incomplete]
    environments: Environments
    external: Sequence[str]
    plans: Sequence[PlannedStudy] = ()

    @property
    def margins(self) -> list[float]:
        """All margins that rows were judged at, or could be, ascending."""
        margins = (row.margin for table in self.tables for row in table.rows)
        return sorted({margin for margin in margins if margin is not None}) or [self.margin]

    def __post_init__(self) -> None:
        """Refuses what contradicts itself, above all a verdict on what cannot be compared."""
        comparable = {group.identifier: group.comparable for group in self.groups}
        for row in (row for table in self.tables for row in table.rows):
            if row.group is not None and row.group not in comparable:
                raise ValueError(f"{row.label!r} is of {row.group!r}, which is no group")
            # What is counted or timed needs no runs: `costs` judges whether its model is the paper's.
            rests_on_group = row.group is not None or row.rests_on_runs
            is_of_runs = row.is_judged and row.system == "ours" and rests_on_group
            if is_of_runs and not (row.group and comparable[row.group]):
                raise ValueError(
                    f"{row.label!r} is {row.verdict}, but its runs may not be compared"
                )


# report.json names these as results.json and older reports do, and a row's key and statistics are fields of the row.
_JSON_NAMES = {"identifier": "id", "protocol": "row", "class_name": "class"}
_PARTS_OF_ROWS = ("key", "statistics")
_LEFT_OUT_EMPTY = ("note", "sets", "plans", "trained_on", "labels", "start", "data", "common_seeds")
_OF_GROUPS = ("group_name", "trained_set", "scored_set")


def as_json(part: Study | ReportTable) -> JsonObject:
    """A study or a table of one as report.json has it."""
    return dataclasses.asdict(part, dict_factory=_object)


def _object(fields: list[tuple[str, Any]]) -> JsonObject:
    content: JsonObject = {}
    for name, value in fields:
        if name in _PARTS_OF_ROWS:
            content |= value
        elif name == "dataset":  # what no version knows of it is repeated too
            content[name] = value["content"]
        elif name not in _OF_GROUPS and (name not in _LEFT_OUT_EMPTY or value):
            content[_JSON_NAMES.get(name, name)] = value
    return content
