"""One run, as far as its files could be read."""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.runs.config import RunConfig
from fpliif_jax.experiments.runs.environment import Environment
from fpliif_jax.experiments.runs.evaluation import Evaluation, Matrices, Place
from fpliif_jax.experiments.runs.log_record import LogRecord
from fpliif_jax.experiments.runs.results import Results
from fpliif_jax.experiments.runs.run_data import RunData
from fpliif_jax.experiments.runs.value_types import ELSEWHERE
from fpliif_jax.fields.json_types import Fields

# What was started in a folder, and what was planned before: either makes it the folder of a study.
STUDY_FILES = ("study.json", "plan.json")
_GIVEN = "given"  # the checkpoint of weights that are no run's


class RunError(UserError):
    """Files of a run cannot be used; the message names the file and says why."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A run's folder: a `SoundRun` unless it is broken, and a `FinishedRun` where it may be pooled.

    Attributes:
      path: the folder.
      name: its path relative to where runs were looked for, with '/'.
      status: 'finished' | 'unfinished' (it has no results.json, or one of training that is not at its end) | 'broken'.
      problem: one line when it is not finished: what is missing or wrong, and how far it came.
      config: config.json, or that of results.json where the folder has none; None if unusable.
      results: results.json: every score is None or in [0, 1], and that of its matrices where the run is finished.
      environment: environment.json, empty where it is unusable.
      metrics: the records of metrics.jsonl, checked: steps in order.
      study: the innermost folder, at or above its own and within where runs were looked for, that a study was started
        in; None without one.
      has_matrices: False where there are none of its evaluations, so that its scores were not computed again.
      matrices: of its evaluations, where they were kept when it was read.
    """

    path: pathlib.Path
    name: str
    status: str
    problem: str | None
    config: RunConfig | None
    results: Results | None
    environment: Environment
    metrics: tuple[LogRecord, ...]
    study: pathlib.Path | None = None
    has_matrices: bool = True
    matrices: Mapping[Place, Matrices] = dataclasses.field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def seed(self) -> int | None:
        """config.seed."""
        return None if self.config is None else self.config.seed

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """Evaluations of results.json, in their order; none where the run has no results."""
        return self.results.evaluations if self.results else ()

    @property
    def scores_given_weights(self) -> bool:
        """Whether it scored weights that no run trained (see `evaluation.evaluate`): its seed made none of them.

        Label maps of another system are of the seed that whoever scored them gave.
        """
        is_given = {one.checkpoint for one in self.evaluations} == {_GIVEN}
        return is_given and self.results is not None and self.results.model != ELSEWHERE

    @property
    def framework(self) -> str:
        """'jax', 'pytorch' or `ELSEWHERE`: what it was trained with."""
        return (self.results and self.results.framework) or self.environment.framework or "jax"


@dataclasses.dataclass(frozen=True)
class SoundRun(Run):
    """A finished or unfinished run: what it was told to do is known."""

    config: RunConfig

    @property
    def seed(self) -> int:
        """config.seed."""
        return self.config.seed

    @property
    def scoring(self) -> Fields:
        """The fields that decide how it was scored; until then how it would be."""
        return (self.results or self).config.scoring


@dataclasses.dataclass(frozen=True)
class FinishedRun(SoundRun):
    """A run that was scored after the whole of its training."""

    results: Results

    @functools.cached_property
    def data(self) -> RunData:
        """What it was trained and evaluated on."""
        return RunData.of(self.config, self.results, self.environment)


def printable(text: object) -> str:
    """One line of UTF-8: names of files may hold anything."""
    whole = str(text).encode("utf-8", "replace").decode("utf-8")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in whole)
