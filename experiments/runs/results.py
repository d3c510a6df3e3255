"""What results.json says of a run that was scored, and of the data set that it was evaluated on.

What earlier versions did not record is None.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Annotated

from msgspec import Meta

from fpliif_jax.data.set_names import is_scored_drawn
from fpliif_jax.experiments.runs import typed_json
from fpliif_jax.experiments.runs.bounded_files import UnreadableError
from fpliif_jax.experiments.runs.config import RunConfig
from fpliif_jax.experiments.runs.evaluation import Evaluation
from fpliif_jax.experiments.runs.value_types import (
    ELSEWHERE,
    SPLITS,
    Count,
    Digest,
    Framework,
    Measure,
    SeedSource,
    Side,
)
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.run_folder import how_far
from fpliif_jax.run_folder.run_config import config_fingerprint
from fpliif_jax.run_folder.same_run import trained_otherwise

Digests = dict[str, Digest | None]  # by split, and of 'all'; None of a split without images


@dataclasses.dataclass(frozen=True)
class RecordedDigests:
    """Digests of a data set's ids and of its label maps."""

    ids: Digests
    labels: Digests

    def __post_init__(self) -> None:
        """Refuses other splits."""
        if not self.ids.keys() == self.labels.keys() == {*SPLITS, "all"}:
            raise ValueError(f"are not digests of {', '.join(SPLITS)} and all")


@dataclasses.dataclass(frozen=True)
class RecordedDataset:
    """The data set that a run was evaluated on.

    Attributes:
      content: all that is recorded of it, as report.json repeats it.
      name: 'lapa'.
      complete: whether it has as many images as the official one.
      counts: images by split.
      builder_config: of TFDS.
      official_ids: whether it has the official ids; None also where these are not known.
      drawn: whether its faces are drawn.
      drawing: the settings of their drawing.
      fingerprint: of the raw tree.
      whose_left: 'picture' or 'person', see `fpliif_jax.data.sides`.
      digest: of its ids and label maps.
    """

    content: JsonObject
    name: str
    complete: bool
    counts: dict[str, Count]
    builder_config: str | None = None
    official_ids: bool | None = None
    drawn: bool | None = None
    drawing: JsonObject | None = None
    fingerprint: str | None = None
    whose_left: Side | None = None
    digest: RecordedDigests | None = None

    @classmethod
    def of(cls, content: JsonObject, name: str = "dataset") -> "RecordedDataset":
        """The dataset of results.json.

        Raises:
          UnreadableError: names the first field that is missing or impossible.
        """
        return typed_json.parse_whole(cls, content, name)

    @property
    def ids(self) -> Digests | None:
        """The digests of its ids."""
        return None if self.digest is None else self.digest.ids

    @property
    def labels(self) -> Digests | None:
        """The digests of its label maps."""
        return None if self.digest is None else self.digest.labels

    @property
    def digest_of_labels(self) -> str | None:
        """Digest of the label maps of all splits; None where none is recorded."""
        return None if self.labels is None else self.labels["all"]


@dataclasses.dataclass(frozen=True)
class Training:
    """Fields of results.json about a run's training that are used."""

    seconds: Measure | None = None
    images_per_second: Measure | None = None


@dataclasses.dataclass(frozen=True)
class _File:
    """results.json, field by field: `config` and `dataset` are read by their own classes."""

    seed: int
    model: str
    config: JsonObject
    dataset: JsonObject
    evaluations: Annotated[tuple[Evaluation, ...], Meta(min_length=1)]
    notes: tuple[str, ...]
    parameters: Count | None = None
    framework: Framework | None = None
    follows_seed: tuple[SeedSource, ...] | None = None
    train: Training | None = None
    config_fingerprint: str | None = None


@dataclasses.dataclass(frozen=True)
class Results:
    """What results.json says of a run.

    Attributes:
      seed: config.seed.
      model: name of the system; `ELSEWHERE` of label maps that were made elsewhere.
      parameters: how many; None of elsewhere.
      config: that the run was evaluated with.
      dataset: that it was evaluated on.
      evaluations: its scores, in their order; at least one.
      notes: what a reader of the scores should know.
      framework: it was trained with, where the file says it.
      follows_seed: the sources of variation whose seed is config.seed.
      train: what is said of its training.
      unfinished: how far training was, see `how_far`; None of one at its end.
    """

    seed: int
    model: str
    parameters: int | None
    config: RunConfig
    dataset: RecordedDataset
    evaluations: tuple[Evaluation, ...]
    notes: Sequence[str]
    framework: str | None
    follows_seed: Sequence[str] | None
    train: Training
    unfinished: str | None

    @classmethod
    def of(cls, content: JsonObject, name: str = "results.json") -> "Results":
        """The whole file.

        Raises:
          UnreadableError: names the first field that is missing, impossible, or not that of the config.
        """
        file = typed_json.parse(_File, content, name)
        config = RunConfig.of(file.config, f"{name}: config")
        results = cls(
            seed=file.seed,
            model=file.model,
            parameters=file.parameters,
            config=config,
            dataset=RecordedDataset.of(file.dataset, f"{name}: dataset"),
            evaluations=file.evaluations,
            notes=file.notes,
            framework=file.framework,
            follows_seed=file.follows_seed,
            train=file.train or Training(),
            unfinished=how_far.unfinished(config.flat, content.get("train")),
        )
        for problem in _contradictions(results, file.config_fingerprint):
            raise UnreadableError(f"{name}: {problem}")
        return results

    @property
    def scored_set(self) -> RecordedDataset:
        """The data set, with drawn faces also where config alone says so, as of earlier versions."""
        config = self.config
        if config.is_of_elsewhere or not is_scored_drawn(config.content, self.dataset.drawn):
            return self.dataset
        return RecordedDataset.of(self.dataset.content | {"drawn": True})


def check_same_settings(config: RunConfig, evaluated: RunConfig) -> None:
    """Refuses results whose config is not the one that the run was trained with.

    Args:
      config: of config.json.
      evaluated: of results.json.

    Raises:
      UnreadableError: names the first field that differs, of those that both have and that change what is learnt.
    """
    trained, stated = config.flat, evaluated.flat
    for field in trained_otherwise(trained, stated):
        raise UnreadableError(
            f"config.json has {field} {trained[field]!r}, results.json {stated[field]!r}: they are of different "
            "runs; evaluate this one with its own settings"
        )


def _contradictions(results: Results, fingerprint: str | None) -> Iterator[str]:
    """What results.json says twice and not the same."""
    config = results.config
    for field, own, stated in (
        ("seed", results.seed, config.seed),
        ("model", results.model, config.model),
        ("dataset.name", results.dataset.name, config.eval_dataset or config.data_name),
    ):
        if own != stated:
            yield f"{field} is {own!r}, its config has {stated!r}"
    if fingerprint not in (None, config_fingerprint(config.content)):
        yield "config is not the one of its config_fingerprint"
    if (results.model == ELSEWHERE) != (results.framework == ELSEWHERE):
        yield f"model and framework are not both {ELSEWHERE!r}"
    if results.parameters is None and results.model != ELSEWHERE:
        yield "has no 'parameters'"
    problem_of_seeds = config.problem_of_seeds(results.follows_seed or ())
    if problem_of_seeds is not None:
        yield problem_of_seeds
    places = set()
    for index, evaluation in enumerate(results.evaluations):
        if evaluation.place in places:
            yield f"evaluations[{index}] is a second one of {' '.join(evaluation.place)}"
        places.add(evaluation.place)
