"""What a run was trained on, where that is not the set that it is scored on: by environment.json, then by config.json.

A run is scored on another set where its config names one (`eval.dataset`), where it was evaluated again on other files,
and where what is scored are weights that no run trained.
"""

import dataclasses
from collections.abc import Mapping

from fpliif_jax.data.set_names import is_drawn, set_name
from fpliif_jax.experiments.runs.config import RunConfig
from fpliif_jax.experiments.runs.run import FinishedRun
from fpliif_jax.experiments.runs.value_types import ELSEWHERE
from fpliif_jax.fields.json_types import Fields, JsonObject
from fpliif_jax.weights import shipped

_DRAWING = "data.synthetic."


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """What a run was trained on.

    Attributes:
      name: of the set; '' of weights that no run trained.
      drawn: whether its faces are drawn; None where that is not known.
      counts: images by split, of the splits that training sees; empty where they are not known.
      drawing: the settings of the drawing, as far as they are known.
      digest: of the label maps of all its splits; None where it is not recorded.
      weights: where the weights come from; '' of a run.
    """

    name: str
    drawn: bool | None
    counts: dict[str, int]
    drawing: JsonObject
    digest: str | None
    weights: str = ""

    @property
    def title(self) -> str:
        """'drawn faces in the layout of lapa'."""
        return self.weights or set_name(self.name, self.drawn)


def training_data(run: FinishedRun) -> TrainingData | None:
    """What a finished run was trained on; None where that is what it is scored on, or where nothing is known of it."""
    results, environment = run.results, run.environment
    if results.model == ELSEWHERE:
        return None
    if run.scores_given_weights:
        notes = [note for note in results.notes if note.startswith("weights ")]
        of_package = any(note == one.note for note in notes for one in shipped.SHIPPED.values())
        # All weights of the package are of drawn faces; of others nobody knows.
        known = of_package or None
        return TrainingData("", known, {}, {}, None, notes[0] if notes else "weights of elsewhere")
    drawing = run.config.drawing
    drawn = is_drawn(run.config.content, environment.data_drawn)
    names_other = results.config.eval_dataset is not None
    is_same = any(
        one is not None and one == other for one, other in (run.data.fingerprints, run.data.digests)
    )
    is_drawn_alone = bool(drawn) and not results.scored_set.drawn
    if not (run.data.is_of_other_data or is_drawn_alone or (names_other and not is_same)):
        return None
    return TrainingData(
        name=run.config.data_name,
        drawn=drawn,
        counts=_counts(run.config, environment.data_counts),
        drawing=environment.data_drawing or drawing,
        digest=environment.data_digest,
    )


def drawing_fields(config: RunConfig) -> Fields:
    """The settings of its drawing as fields of a flat config; 'data.synthetic.num_train' 0 where a run draws none."""
    return {
        f"{_DRAWING}{name}": value for name, value in (config.drawing or {"num_train": 0}).items()
    }


def _counts(config: RunConfig, recorded: Mapping[str, int]) -> dict[str, int]:
    """What was recorded; of earlier runs known of faces that they drew themselves, and divided as they are drawn."""
    if recorded:
        return {split: recorded[split] for split in ("train", "validation") if split in recorded}
    fields, drawing = config.flat, config.drawing
    if not drawing or fields.get("data.split", "official") != "official":
        return {}
    train = fields.get("data.train_subset") or drawing["num_train"]
    return {"train": train, "validation": drawing.get("num_val", 0)}
