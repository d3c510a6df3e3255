"""The lines of the study: groups of runs with the published experiment that they are about, and with a name."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from fpliif_jax.data.renamed_labels import AS_THEY_ARE
from fpliif_jax.experiments.comparison import deviations
from fpliif_jax.experiments.comparison.measured import MeasuredGroup, SeedScores
from fpliif_jax.experiments.plans.study_file import Study
from fpliif_jax.experiments.plans.tables import TABLES
from fpliif_jax.experiments.plans.variant import Table, Variant
from fpliif_jax.experiments.runs.config import RunConfig
from fpliif_jax.experiments.runs.groups import Group
from fpliif_jax.experiments.runs.results import RecordedDataset
from fpliif_jax.experiments.runs.run import FinishedRun
from fpliif_jax.experiments.runs.run_data import RunData
from fpliif_jax.experiments.runs.training_data import (
    TrainingData,
    drawing_fields,
    training_data,
)
from fpliif_jax.experiments.runs.value_types import FRAMEWORKS
from fpliif_jax.fields.json_types import Fields
from fpliif_jax.weights import shipped

_UNREADABLE = "its plan.json cannot be read"
_MISSING = "missing or of other settings"
# Runs as planned that the others cannot be pooled with.
APART = "apart from the others (of other data, parameters or framework)"


@dataclasses.dataclass(frozen=True)
class Line:
    """A variant of a table and the runs that were made for it.

    Attributes:
      identifier: of the group in the report.
      label: in tables and figures.
      measured: its runs.
      variant: as published; None where the papers have no such experiment.
      planned: the line of the plan that the runs were made for; None where there was no plan.
      judged_seeds: those that verdicts rest on, of runs as they were planned; None where no plan was frozen: all.
      plan_obstacle: why the plan allows no verdict yet; '' where it does, or where there is none.
      framework: 'JAX' or 'PyTorch', as the label has it; '' where all runs of the study are of JAX.
    """

    identifier: str
    label: str
    measured: MeasuredGroup
    variant: Variant | None
    planned: Variant | None = None
    judged_seeds: frozenset[int] | None = None
    plan_obstacle: str = ""
    framework: str = ""

    @property
    def first(self) -> FinishedRun:
        """The run of the smallest seed."""
        return next(iter(self.measured.runs.values()))

    @property
    def config(self) -> RunConfig:
        """The config of the first run, with its seed."""
        return self.measured.results.config

    @property
    def data(self) -> RunData:
        """The data that the runs were trained and evaluated on."""
        return self._recorded.data

    @property
    def dataset(self) -> RecordedDataset:
        """The data set that the runs were evaluated on."""
        return self._recorded.results.scored_set

    @property
    def training(self) -> TrainingData | None:
        """The data that the runs were trained on; None where they were scored on the same set, or nothing is known."""
        return training_data(self._recorded)

    @property
    def labels(self) -> str:
        """Whose classes those of the scored set were made; '' where they are its own, or where it is of elsewhere."""
        labels = self.config.labels
        own = self.config.is_of_elsewhere or labels is None or labels == AS_THEY_ARE
        return "" if own else labels

    @property
    def start(self) -> str:
        """The weights of the package that training started from, in words; '' for none of them."""
        start = self.config.init_from
        if not isinstance(start, str) or not start.startswith(shipped.PREFIX):
            return ""
        known = shipped.SHIPPED.get(start.removeprefix(shipped.PREFIX))
        return start if known is None else known.note

    @property
    def drawing(self) -> Fields:
        """The settings of the faces that the runs drew to be trained on, as fields of a flat config."""
        if self.config.is_of_elsewhere:  # whose settings are of any form
            return {}
        return drawing_fields(self._recorded.config)

    @property
    def _recorded(self) -> FinishedRun:
        """The run that recorded most of its data; what the others did not record is the same."""
        return min(self.measured.runs.values(), key=lambda run: run.data.unknowns)

    @property
    def main_score(self) -> SeedScores | None:
        """The score that stands for the line."""
        main = self.measured.main
        return None if main is None else self.measured.scores[main]

    def deviations(self) -> list[deviations.Deviation]:
        """Deviations from the published experiment; none without one."""
        return deviations.deviations(self.config.content, self.variant) if self.variant else []

    def obstacles(self) -> list[str]:
        """Why no verdict can be given."""
        if self.config.is_of_elsewhere:
            return ["of another system's label maps nothing but these is known"]
        if self.variant is None:
            none = "the papers have no such experiment"
            return list(filter(None, (none, self._training_obstacle, self.plan_obstacle)))
        reasons = deviations.obstacles(self.dataset, self.deviations(), self.variant)
        if self._training_obstacle:
            reasons.append(self._training_obstacle)
        main = self.measured.main
        if main is not None and main.split != "test":
            reasons.append(f"scored on the {main.split} split, not on the test split")
        if main is not None and main.checkpoint.startswith("after_"):
            reasons.append(f"scored with the checkpoint {main.checkpoint}, before the last stage")
        if self.plan_obstacle:
            reasons.append(self.plan_obstacle)
        return reasons

    @property
    def _training_obstacle(self) -> str | None:
        training = self.training
        if training is None:
            return None
        if training.drawn and not self.dataset.drawn:
            return "trained on drawn faces"
        # Weights of elsewhere may well be a paper's own: what they were trained on is for their note to say.
        return None if training.weights else "trained on other data than scored on"

    def is_scored_as(self, other: "Line") -> bool:
        """Whether nothing that both recorded tells that their main scores are of other label maps or classes."""

        def truth(line: Line) -> str | None:
            main = line.measured.main
            return None if main is None else dict(line.data.splits or ()).get(main.split)

        known = {truth(self), truth(other)} - {None}
        names = {self.dataset.name, other.dataset.name}
        return len(known) < 2 and len(names) == 1 and self.class_names == other.class_names

    @property
    def class_names(self) -> list[str]:
        """The classes that means are over."""
        return list(self.first.evaluations[0].class_f1)

    def judged(self, values: Mapping[int, float]) -> list[float]:
        """The values that verdicts rest on, of values by seed: runs that were added to a plan later are shown alone."""
        seeds = values.keys() if self.judged_seeds is None else self.judged_seeds
        return [value for seed, value in values.items() if seed in seeds]

    @property
    def margin(self) -> float:
        """The margin of equivalence, in points, as it was fixed before the runs."""
        return self.config.margin


def make_lines(groups: Sequence[Group], studies: Sequence[Study]) -> list[Line]:
    """A line for each group that has finished runs; labels tell frameworks apart where not all are JAX."""
    finished = [group for group in groups if group.finished]
    shows_framework = any(group.framework != "jax" for group in finished)
    runs = [run for group in finished for run in group.finished]
    made = {name for study in studies for name in study.run_names}
    return [
        _line(f"g{index}", MeasuredGroup(group, made), studies, shows_framework, runs)
        for index, group in enumerate(finished)
    ]


def unique_label(line: Line, lines: Sequence[Line]) -> str:
    """The line's label in its table, with its folder where several have it."""
    is_unique = sum(other.label == line.label for other in lines) == 1
    return line.label if is_unique else f"{line.label} ({line.measured.group.name})"


def study_of(line: Line, studies: Sequence[Study]) -> Study | None:
    """The innermost study that a line's runs lie in."""
    return _innermost(line.first.name, studies)


def published_table(line: Line) -> Table | None:
    """The table that the claims of a line without a study are of."""
    if line.variant is None:
        return None
    return next(table for table in TABLES if line.variant in table.variants)


def _line(
    identifier: str,
    measured: MeasuredGroup,
    studies: Sequence[Study],
    shows_framework: bool,
    finished: Sequence[FinishedRun],
) -> Line:
    framework = FRAMEWORKS[measured.group.framework] if shows_framework else ""
    first = next(iter(measured.runs.values()))
    study = _innermost(first.name, studies)
    planned = study.variant_of(first.name) if study else None
    if study is not None and study.table is not None and planned is not None:
        label = f"{planned.label} ({framework})" if framework else planned.label
        variant = planned if study.table.is_published else None
        seeds, obstacle = _judged_seeds(study, planned, measured, finished)
        return Line(identifier, label, measured, variant, planned, seeds, obstacle, framework)
    variant = deviations.variant_of(measured.results.config.content)
    label = _group_label(measured.group, framework)
    obstacle = _UNREADABLE if study is not None and study.plan_problem else ""
    return Line(identifier, label, measured, variant, plan_obstacle=obstacle, framework=framework)


def _judged_seeds(
    study: Study, variant: Variant, measured: MeasuredGroup, finished: Sequence[FinishedRun]
) -> tuple[frozenset[int] | None, str]:
    """The seeds of runs that were planned before the first run and are as planned, and why they are too few.

    Of all `finished` runs those that are as planned and not in this group are apart from it.
    """
    if study.plan is None:
        return None, _UNREADABLE if study.plan_problem else ""
    first = study.plan.first
    planned = {text: name for text, name in first.runs.items() if name.variant == variant.name}

    def is_as_planned(run: FinishedRun) -> bool:
        name = planned.get(study.inside(run.name))
        return name is not None and not first.differences(
            name, run.results.config.flat, run.results.follows_seed
        )

    seeds = [seed for seed, run in measured.runs.items() if is_as_planned(run)]
    own = {run.name for run in measured.group.finished}
    apart = sum(
        study.holds(run.name) and is_as_planned(run) for run in finished if run.name not in own
    )
    missing = len(planned) - len(seeds)
    reasons = [_MISSING] if missing > apart else []
    reasons += [APART] if apart else []
    obstacle = f"{missing} of {len(planned)} planned runs are {', or '.join(reasons)}"
    return frozenset(seeds), obstacle if missing else ""


def _group_label(group: Group, framework: str) -> str:
    """'lapa (PyTorch)'; a folder that is named after the framework need not say it twice."""
    if not framework:
        return group.name
    parts = pathlib.PurePosixPath(group.name).parts
    rest = "/".join(part for part in parts if part.lower() != group.framework)
    return f"{rest} ({framework})" if rest else framework


def _innermost(name: str, studies: Sequence[Study]) -> Study | None:
    holding = [study for study in studies if study.holds(name)]
    return max(holding, key=lambda study: len(study.folder), default=None)
