"""What results.json says of a finished run, and of the data set that it was evaluated on.

`results_schema` checks it. What earlier versions did not record is None.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from fpliif_jax.data.set_names import is_scored_drawn
from fpliif_jax.experiments.runs import typed_json
from fpliif_jax.experiments.runs.config import RunConfig
from fpliif_jax.experiments.runs.evaluation import Evaluation
from fpliif_jax.files.json_types import JsonObject
from fpliif_jax.run_folder import how_far

Digests = Mapping[str, str | None]  # by split, and of 'all'; None of a split without images


@dataclasses.dataclass(frozen=True)
class RecordedDataset:
    """The data set that a run was evaluated on.

    Attributes:
      content: all that is recorded of it, as report.json repeats it.
      name: 'lapa'.
      complete: whether it has as many images as the official one.
      counts: images by split.
      official_ids: whether it has the official ids; None also where these are not known.
      drawn: whether its faces are drawn.
      drawing: the settings of their drawing.
      fingerprint: of the raw tree.
      whose_left: 'picture' or 'person', see `fpliif_jax.data.sides`.
      ids, labels: digests of its ids and label maps.
    """

    content: JsonObject
    name: str
    complete: bool
    counts: Mapping[str, int]
    official_ids: bool | None = None
    drawn: bool | None = None
    drawing: JsonObject | None = None
    fingerprint: str | None = None
    whose_left: str | None = None
    ids: Digests | None = None
    labels: Digests | None = None

    @classmethod
    def of(cls, content: JsonObject) -> "RecordedDataset":
        """The dataset of results.json, checked."""
        digest = content.get("digest") or {}
        return typed_json.view(cls, content, ids=digest.get("ids"), labels=digest.get("labels"))


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
      seconds, images_per_second: of its training.
      unfinished: how far that was, see `how_far`; None of one at its end.
    """

    seed: int
    model: str
    parameters: int | None
    config: RunConfig
    dataset: RecordedDataset
    evaluations: tuple[Evaluation, ...]
    notes: Sequence[str]
    framework: str | None = None
    follows_seed: Sequence[str] | None = None
    seconds: float | None = None
    images_per_second: float | None = None
    unfinished: str | None = None

    @classmethod
    def of(cls, content: JsonObject) -> "Results":
        """The whole file, checked."""
        train, config = content.get("train") or {}, RunConfig.of(content["config"])
        return typed_json.view(
            cls,
            content,
            config=config,
            dataset=RecordedDataset.of(content["dataset"]),
            evaluations=tuple(map(Evaluation.of, content["evaluations"])),
            seconds=train.get("seconds"),
            images_per_second=train.get("images_per_second"),
            unfinished=how_far.unfinished(config.flat, train),
        )

    @property
    def scored_set(self) -> RecordedDataset:
        """The data set, with drawn faces also where config alone says so, as of earlier versions."""
        config = self.config
        if config.is_of_elsewhere or not is_scored_drawn(config.content, self.dataset.drawn):
            return self.dataset
        return RecordedDataset.of(self.dataset.content | {"drawn": True})
