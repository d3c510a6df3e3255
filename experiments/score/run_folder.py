"""Leaves scores of label maps as a run leaves its own, so that a study reads them; what is not known is not stated."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fpliif_jax import data_builders
from fpliif_jax.data_builders import class_names
from fpliif_jax.data_builders.prepared.label_digests import digests_of_splits
from fpliif_jax.evaluation.results import Evaluation
from fpliif_jax.evaluation.scoring import ProtocolScores
from fpliif_jax.experiments.runs.run import RunError
from fpliif_jax.experiments.runs.runs import read_runs
from fpliif_jax.experiments.runs.value_types import ELSEWHERE
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.run_folder.run_record import environment, write_json
from fpliif_jax.systems.protocol import Protocol

CHECKPOINT = "given"
# Of folders that are looked into for runs: study, variant, seed. A home folder, or /, has too many below.
_LEVELS = 3


class Subject(NamedTuple):
    """Facts about what was scored.

    Attributes:
      system: whose label maps.
      seed: of its training, as the person says.
      dataset: name of the set.
      split: 'train', 'validation' or 'test'.
      names: classes of the set, the background first.
      digests: of the true label maps, by id.
      drawn: whether the faces are drawn; None where nothing says so.
      largest_side: of the true label maps, in pixels.
      notes: what a reader of the scores should know.
    """

    system: str
    seed: int
    dataset: str
    split: str
    names: tuple[str, ...]
    digests: dict[str, str]
    drawn: bool | None
    largest_side: int
    notes: list[str]


def check_may_write(folder: pathlib.Path, system: str, seed: int, dataset: str) -> None:
    """Refuses to write over anything but earlier scores of the same system, seed and set.

    Raises:
      RunError: the folder holds a run, several, or scores of other label maps.
    """
    for run in read_runs(folder, levels=_LEVELS) if folder.exists() else []:
        config = run.config
        if run.path != folder or config is None or not config.is_of_elsewhere:
            why = f" ({run.problem})" if run.status == "broken" else ""
            raise RunError(
                f"--output={folder}: {run.name} is a run there{why}; give another folder"
            )
        there = (config.system, config.seed, config.data_name)
        if there != (system, seed, dataset):
            raise RunError(
                f"--output={folder}: the scores there are of {there[0]}, seed {there[1]}, on {there[2]}, not of "
                f"{system}, seed {seed}, on {dataset}; give another folder"
            )


def evaluations(
    subject: Subject, matrices: Mapping[str, np.ndarray], sides: Mapping[str, int]
) -> list[Evaluation]:
    """The evaluations of a run by protocol.

    Args:
      subject: what was scored.
      matrices: int32 [N, C, C] by protocol.
      sides: of the square label maps that a protocol compares, in pixels; none where each has its own size.
    """
    made = []
    for name, counted in matrices.items():
        side = sides.get(name, subject.largest_side)
        protocol = Protocol(side, side, "" if name == str(side) and name in sides else name)
        scores = ProtocolScores(counted, {})
        made.append(Evaluation(subject.split, CHECKPOINT, None, protocol, scores))
    return made


def results(subject: Subject, records: Sequence[Mapping[str, object]]) -> JsonObject:
    """The content of results.json: the config says whose label maps these are, and nothing of how they came to be."""
    return {
        "config": {
            "seed": subject.seed,
            "data": {"name": subject.dataset},
            "model": {"name": ELSEWHERE, "system": subject.system},
            "train": {},
            "eval": {"splits": [subject.split]},
        },
        "seed": subject.seed,
        "framework": ELSEWHERE,
        "model": ELSEWHERE,
        "parameters": None,
        "dataset": _dataset(subject),
        "evaluations": list(records),
        "train": None,
        "notes": subject.notes,
    }


def write_run(
    folder: pathlib.Path,
    subject: Subject,
    made: Sequence[tuple[Evaluation, tuple[str, ...]]],
    content: JsonObject,
) -> None:
    """Writes evaluations/*.npz, environment.json and, last, results.json.

    Args:
      folder: of the run.
      subject: what was scored.
      made: evaluations with the names of their classes.
      content: of `results`.
    """
    ids = np.array(list(subject.digests))
    for evaluation, names in made:
        evaluation.write(folder, ids, names)
    surroundings = {"whose_left": class_names.whose_left(subject.names)}
    write_json(folder / "environment.json", environment(surroundings) | {"framework": ELSEWHERE})
    write_json(folder / "results.json", content)


def _dataset(subject: Subject) -> JsonObject:
    counts = dict.fromkeys(("train", "validation", "test"), 0)
    counts[subject.split] = len(subject.digests)
    by_split = {split: {} for split in counts} | {subject.split: subject.digests}
    official = data_builders.BUILDERS[subject.dataset].OFFICIAL_COUNTS
    return {
        "name": subject.dataset,
        "builder_config": None,
        "complete": official is None or official[subject.split] == len(subject.digests),
        "official_ids": None,
        "drawn": subject.drawn,
        "counts": counts,
        "fingerprint": None,
        "digest": digests_of_splits(by_split),
        "whose_left": class_names.whose_left(subject.names),
    }
