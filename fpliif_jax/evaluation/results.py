"""Scores models of any framework on every split by every protocol; writes results.json and what lies beside it."""

import contextlib
import dataclasses
import itertools
import pathlib
from collections.abc import Iterable
from typing import NamedTuple, TypedDict

import ml_collections
import numpy as np
from absl import logging

from fpliif_jax.data.dataset import Dataset
from fpliif_jax.data.resized_split import Split, load_split
from fpliif_jax.data.set_names import set_name, trained_on
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.devices import parallel
from fpliif_jax.evaluation import examples, metrics
from fpliif_jax.evaluation.scoring import (
    ProtocolScores,
    TrainedModel,
    label_sizes,
    protocol_scores,
    score_split,
)
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.run_folder import earlier_results, how_far
from fpliif_jax.run_folder.evaluation_files import EXAMPLES, SHEET, evaluation_file
from fpliif_jax.run_folder.run_config import config_fingerprint, flatten_config, json_config
from fpliif_jax.run_folder.run_record import read_environment, write_json, write_npz
from fpliif_jax.systems import parse_protocols
from fpliif_jax.systems.protocol import Protocol


class EvaluationRecord(metrics.Scores):
    """An entry of 'evaluations' of results.json: what was scored, by the protocol 'row', and its scores."""

    split: str
    checkpoint: str
    step: int | None
    row: str
    input_size: int
    output_size: int
    scored_at: int


class Results(TypedDict):
    """The content of results.json; see `RunFacts` and `Dataset.record`."""

    config: JsonObject
    config_fingerprint: str
    seed: int
    follows_seed: list[str]
    framework: str
    model: str
    parameters: int
    dataset: JsonObject
    evaluations: list[EvaluationRecord]
    train: JsonObject | None
    notes: list[str]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A checkpoint's scores on a split, by one protocol.

    Attributes:
      split: its name.
      checkpoint: its name.
      step: training step of the checkpoint; None where that is not known.
      protocol: by which it is scored.
      scores: of every image of the split.
    """

    split: str
    checkpoint: str
    step: int | None
    protocol: Protocol
    scores: ProtocolScores

    def record(self, input_size: int, class_names: tuple[str, ...]) -> EvaluationRecord:
        """An entry of 'evaluations' of results.json."""
        return {
            "split": self.split,
            "checkpoint": self.checkpoint,
            "step": self.step,
            "row": self.protocol.key,
            "input_size": input_size,
            "output_size": self.protocol.output_size,
            "scored_at": self.protocol.scored_at,
            **protocol_scores(self.scores, class_names),
        }

    def write(self, workdir: pathlib.Path, ids: np.ndarray, class_names: tuple[str, ...]) -> None:
        """Writes evaluations/<split>-<checkpoint>-<protocol>.npz: ids [N], confusion matrices [N, C, C], measures."""
        write_npz(
            workdir / evaluation_file(self.split, self.checkpoint, self.protocol.key),
            example_ids=ids,
            confusion_matrices=self.scores.matrices,
            class_names=np.array(class_names),
            **{measure.name: values for measure, values in self.scores.measures.items()},
        )


class RunFacts(NamedTuple):
    """What results.json says of a run beside its scores.

    Attributes:
      framework: 'jax' or 'pytorch'.
      train: what training took; None where that is not known.
      notes: what the reader of the results should know.
    """

    framework: str
    train: JsonObject | None
    notes: list[str]


def evaluate_models(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    dataset: Dataset,
    models: Iterable[TrainedModel],
    facts: RunFacts,
) -> Results:
    """Evaluates models of any framework on every split and protocol of config.eval and writes what a study needs.

    Leaves evaluations/<split>-<checkpoint>-<protocol>.npz, examples.npz, predictions.png and, last, results.json, for
    which the other processes of the run wait. Scores that are not among the new ones are kept, see `earlier_results`.

    Args:
      config: the run's settings.
      workdir: where the results go.
      dataset: prepared.
      models: the run's checkpoints, at least one, each asked for when the one before is done with; the first is
        pictured.
      facts: of the run.

    Returns:
      The content of results.json.

    Raises:
      DataError: there is no split to evaluate.
    """
    protocols, class_names, notes = parse_protocols(config), dataset.class_names, list(facts.notes)
    far = how_far.unfinished(flatten_config(json_config(config)), facts.train)
    if far is not None:
        notes.append(far)
    if config.eval.dataset is not None:
        notes.append(_note_on_sets(config, workdir, dataset, facts))
    splits = {
        name: load_split(dataset, name, label_sizes(protocols))
        for name in _splits_to_evaluate(config, dataset, notes)
    }
    evaluations: dict[str, list[Evaluation]] = {name: [] for name in splits}
    pictured, parameters = None, 0
    for model in models:
        parameters = model.parameters
        notes += [note for note in _notes_on(model, dataset) if note not in notes]
        for name, split in splits.items():
            scored = score_checkpoint(model, name, split, protocols, config.eval.batch_size)
            evaluations[name] += scored
            if config.eval.num_pictures and pictured is None and parallel.is_main_process():
                pictured = examples.pictured_examples(
                    model.predict,
                    split,
                    name,
                    model.name,
                    protocols,
                    examples.Ranking.of(scored[0].scores.matrices),
                    class_names,
                    config.eval.num_pictures,
                )
    facts = facts._replace(notes=notes)
    results = _results(config, dataset, itertools.chain(*evaluations.values()), parameters, facts)
    if parallel.is_main_process():
        if earlier_results.keep(workdir, results) is not None:
            # Its matrices are replaced one by one: a kill meanwhile must not leave it beside another set's. Nor may its
            # pictures stay where there are no new ones.
            for name in ("results.json", EXAMPLES, SHEET):
                (workdir / name).unlink(missing_ok=True)
        for name, of_split in evaluations.items():
            for evaluation in of_split:
                evaluation.write(workdir, splits[name].ids, class_names)
        if pictured is not None:
            pictured.write(workdir)
        write_json(workdir / "results.json", results)
    parallel.barrier("results are written")
    return results


def _results(
    config: ml_collections.ConfigDict,
    dataset: Dataset,
    evaluations: Iterable[Evaluation],
    parameters: int,
    facts: RunFacts,
) -> Results:
    """The content of results.json; its evaluations by split, then by checkpoint, then by protocol."""
    size, class_names = config.data.image_size, dataset.class_names
    return {
        "config": json_config(config),
        "config_fingerprint": config_fingerprint(json_config(config)),
        "seed": config.seed,
        "follows_seed": config_fields.follows_seed(config),
        "framework": facts.framework,
        "model": config.model.name,
        "parameters": parameters,
        "dataset": dataset.record(),
        "evaluations": [evaluation.record(size, class_names) for evaluation in evaluations],
        "train": facts.train,
        "notes": facts.notes,
    }


def score_checkpoint(
    model: TrainedModel,
    split_name: str,
    split: Split,
    protocols: tuple[Protocol, ...],
    batch_size: int,
) -> list[Evaluation]:
    """Scores every image of a split by each protocol, in their order, under a bar."""
    description = f"evaluating {model.name} on {split_name}"
    scores = score_split(model.score, split, protocols, batch_size, description)
    return [
        Evaluation(split_name, model.name, model.step, protocol, scores[protocol])
        for protocol in protocols
    ]


def _note_on_sets(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, dataset: Dataset, facts: RunFacts
) -> str:
    """What is scored and, of a run, what it was trained on: of weights from elsewhere that is not known."""
    scored = set_name(dataset.metadata.name, dataset.metadata.drawn)
    if facts.train is None:
        return f"scored on {scored}, not on the data of its config, {config.data.name}"
    environment = {}
    # A damaged record is no reason to lose the scores.
    with contextlib.suppress(OSError, ValueError):
        environment = read_environment(workdir)
    return f"scored on {scored}, trained on {trained_on(config, environment)}"


def _notes_on(model: TrainedModel, dataset: Dataset) -> list[str]:
    notes = [model.note] if model.note else []
    if model.fingerprint not in (None, dataset.metadata.fingerprint):
        notes.append(f"trained on other data (fingerprint {model.fingerprint})")
    elif model.name == "best" and "test" in dataset.missing_splits:
        notes.append("the best checkpoint was chosen on validation")
    return notes


def _splits_to_evaluate(
    config: ml_collections.ConfigDict, dataset: Dataset, notes: list[str]
) -> list[str]:
    splits = []
    for name in config.eval.splits:
        if name in dataset.missing_splits:
            note = f"the {name} split is missing"
            if name == "test" and "validation" not in dataset.missing_splits:
                note += ": validation is evaluated instead"
                splits.append("validation")
            logging.warning("%s", note)
            notes.append(note)
        else:
            splits.append(name)
    if not splits:
        raise DataError(
            f"no split to evaluate: the data set has none of {', '.join(config.eval.splits)}; "
            "choose others with --config.eval.splits"
        )
    return list(dict.fromkeys(splits))
