"""One run, as far as its files could be read."""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.runs.evaluation import Evaluation, Matrices, Place
from fpliif_jax.experiments.runs.log_record import LogRecord
from fpliif_jax.experiments.runs.schema import ELSEWHERE
from fpliif_jax.files.json_types import JsonObject

_GIVEN = "given"  # the checkpoint of weights that are no run's


class RunError(UserError):
    """Files of a run cannot be used; the message names the file and says why."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A run's folder.

    Attributes:
      path: the folder.
      name: its path relative to where runs were looked for, with '/'.
      status: 'finished' | 'unfinished' (it has no results.json) | 'broken'.
      problem: one line when it is not finished: what is missing or wrong, and how far it came.
      config: config.json, or that of results.json where the folder has none; checked. None if unusable.
      results: results.json, checked: every score is None or in [0, 1], and that of its matrices.
      environment: environment.json.
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
    config: JsonObject | None
    results: JsonObject | None
    environment: JsonObject | None
    metrics: tuple[LogRecord, ...]
    study: pathlib.Path | None = None
    has_matrices: bool = True
    matrices: Mapping[Place, Matrices] = dataclasses.field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def seed(self) -> int | None:
        """config.seed."""
        return None if self.config is None else self.config["seed"]

    @functools.cached_property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """Those of results.json, in their order; none where the run has no results."""
        return tuple(map(Evaluation.of, self.results["evaluations"])) if self.results else ()

    @property
    def scores_given_weights(self) -> bool:
        """Whether it scored weights that no run trained (see `evaluation.evaluate`): its seed made none of them.

        Label maps of another system are of the seed that whoever scored them gave.
        """
        is_given = {one.checkpoint for one in self.evaluations} == {_GIVEN}
        return is_given and self.results["model"] != ELSEWHERE

    @property
    def framework(self) -> str:
        """'jax' or 'pytorch': what it was trained with."""
        return next(
            (framework for _, framework in stated_frameworks(self.results, self.environment)), "jax"
        )


def stated_frameworks(
    results: JsonObject | None, environment: JsonObject | None
) -> list[tuple[str, str]]:
    """What the files of a run that say it say of their framework: (file, framework)."""
    files = (("results.json", results), ("environment.json", environment))
    return [
        (name, content["framework"])
        for name, content in files
        if content and "framework" in content
    ]


def printable(text: object) -> str:
    """One line of UTF-8: names of files may hold anything."""
    whole = str(text).encode("utf-8", "replace").decode("utf-8")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in whole)
