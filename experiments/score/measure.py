"""Scores two folders of label maps, prints and writes: what `python -m experiments.score` does."""

import argparse
import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from fpliif_jax.data_builders.errors import DataError, UserError, counted
from fpliif_jax.data_builders.host import atomic_file
from fpliif_jax.data_builders.raw import drawn
from fpliif_jax.data_builders.raw.raw_tree import RawExample, RawTree
from fpliif_jax.experiments.runs import typed_json
from fpliif_jax.experiments.runs.arrays import MATRICES_LIMIT
from fpliif_jax.experiments.runs.evaluation import Evaluation
from fpliif_jax.experiments.runs.run import printable
from fpliif_jax.experiments.score import class_tables, image_by_image, run_folder, table
from fpliif_jax.experiments.score.counted_pairs import count_pairs
from fpliif_jax.experiments.score.counting import CANVAS, SIDES, Counter, canvas_of
from fpliif_jax.experiments.score.pairing import Pair, Pairing, pair_folders
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.run_folder.run_record import check_workdir, write_json


class ScoreError(UserError):
    """The label maps cannot be scored; the message says why and what to do."""


def is_drawn(folder: pathlib.Path, pairs: Sequence[Pair]) -> bool | None:
    """Whether true label maps are of drawn faces; None where nothing says so."""
    examples = [RawExample(pair.id, pair.truth.name, (pair.truth.name,)) for pair in pairs]
    drawing = drawn.find_drawing(RawTree(folder, folder, (), {"test": examples}))
    return True if drawing is not None else None


def _pairs(flags: argparse.Namespace) -> tuple[Pairing, list[str]]:
    """The pairs, and what is to be said of files without one."""
    pairing = pair_folders(flags.truth, flags.predictions)
    notes = list(pairing.notes)
    if pairing.missing:
        text = (
            f"of {counted(len(pairing.missing) + len(pairing.pairs), 'label map')} "
            f"{counted(len(pairing.missing), 'has', 'have')} no prediction, the first {pairing.missing[0]}"
        )
        if flags.missing == "refuse":
            raise DataError(
                f"{flags.predictions}: {text}. Add them, or score the others alone with --missing=skip"
            )
        notes.append(f"{text}: left out")
    if pairing.extra:
        notes.append(
            f"{counted(len(pairing.extra), 'prediction is', 'predictions are')} of no label map, the first "
            f"{pairing.extra[0]}: left out"
        )
    return pairing, notes


def run(flags: argparse.Namespace) -> None:
    """Scores and prints, and writes where --output says; the flags are those of `python -m experiments.score`.

    Raises:
      UserError, OSError: what `command_line.run` ends with in one line.
    """
    if flags.seed < 0:
        raise ScoreError(f"--seed={flags.seed}: must be 0 or more")
    system = printable(flags.system or flags.predictions.resolve().name)
    dataset, names = class_tables.scored_classes(flags.classes)
    if flags.output is not None:
        check_workdir(flags.output, "--output")
        for field in ("truth", "predictions"):
            if flags.output.resolve() == getattr(flags, field).resolve():
                raise ScoreError(
                    f"--output={flags.output} is --{field}, whose files are label maps: give another folder"
                )
        run_folder.check_may_write(flags.output, system, flags.seed, dataset)
    against = image_by_image.only_run(flags.against) if flags.against is not None else None
    truth_ids, prediction_ids = (
        class_tables.read_table(file, names, ignores)
        if file is not None
        else class_tables.own_ids(names, ignores)
        for file, ignores in ((flags.truth_classes, True), (flags.prediction_classes, False))
    )
    counter = Counter(names, flags.label_resize, canvas_of(dataset, names))
    pairing, notes = _pairs(flags)
    if len(pairing.pairs) * len(names) ** 2 * np.dtype(np.int32).itemsize > MATRICES_LIMIT:
        raise ScoreError(
            f"{len(pairing.pairs):,} images of {len(names)} classes are more than a run may have; "
            "score them in parts"
        )
    scored = count_pairs(pairing.pairs, counter, truth_ids, prediction_ids)
    notes += scored.notes
    subject = run_folder.Subject(
        system=system,
        seed=flags.seed,
        dataset=dataset,
        split=flags.split,
        names=names,
        digests=scored.digests,
        drawn=is_drawn(flags.truth, pairing.pairs),
        largest_side=scored.largest_side,
        notes=[*notes, *(f"suspicious: {warning}" for warning in scored.warnings)],
    )
    sides = {str(side): side for side in SIDES}
    if counter.canvas is not None:
        sides[CANVAS] = counter.canvas.side
    evaluations = run_folder.evaluations(subject, scored.matrices, sides)
    made = [(one, counter.class_names(one.protocol.key)) for one in evaluations]
    records = {
        one.protocol.key: one.record(one.protocol.scored_at, own_names) for one, own_names in made
    }
    lines = table.score_lines(
        dataset,
        {name: typed_json.parse(Evaluation, record, name) for name, record in records.items()},
        {name: stack.sum(axis=0, dtype=np.int64) for name, stack in scored.matrices.items()},
    )
    differences = []
    if against is not None:
        differences = image_by_image.differences(subject, made, against)
    print(
        f"{subject.system}: {counted(len(pairing.pairs), 'label map')} of {dataset}, {len(names)} classes, percent"
    )
    print(table.text_table(lines, counter.protocols))
    remarks = [*table.spans(lines), *(one.text for one in differences)]
    remarks += [scored.lowest] if scored.lowest else []
    remarks += [f"note: {note}" for note in notes]
    remarks += [f"WARNING: {warning}" for warning in scored.warnings]
    print("\n".join(remarks))
    if flags.output is not None:
        flags.output.mkdir(parents=True, exist_ok=True)
        content = run_folder.results(subject, list(records.values()))
        (flags.output / "results.json").unlink(missing_ok=True)  # of an earlier score
        _write_tables(flags.output, subject, lines, differences, scored.warnings, notes)
        run_folder.write_run(flags.output, subject, made, content)  # the mark of what is whole
        print(flags.output)


def _write_tables(
    folder: pathlib.Path,
    subject: run_folder.Subject,
    lines: Sequence[table.ScoreLine],
    differences: "Sequence[image_by_image.Difference]",
    warnings: Sequence[str],
    notes: Sequence[str],
) -> None:
    content: JsonObject = {
        "system": subject.system,
        "dataset": subject.dataset,
        "images": len(subject.digests),
        "scores": table.as_json(lines),
        "differences": [dataclasses.asdict(one) for one in differences],
        "warnings": list(warnings),
        "notes": list(notes),
    }
    write_json(folder / "scores.json", content)
    with atomic_file.replacing(folder / "scores.csv") as file:
        file.write(table.as_csv(lines).encode())
