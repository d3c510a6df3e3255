"""Reads, counts and scores two folders of label maps: what `python -m experiments.score` does."""

import argparse
import dataclasses
import functools
import pathlib
from collections import Counter as Tally
from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from fpliif_jax.data.resize import resize_label_map
from fpliif_jax.data_builders.errors import DataError, UserError, counted
from fpliif_jax.data_builders.host.ordered_map import ordered_map
from fpliif_jax.data_builders.prepared.label_digests import label_map_digest
from fpliif_jax.data_builders.raw import drawn
from fpliif_jax.data_builders.raw.raw_tree import RawExample, RawTree
from fpliif_jax.experiments.runs.arrays import MATRICES_LIMIT
from fpliif_jax.experiments.runs.run import printable
from fpliif_jax.experiments.score import (
    class_tables,
    exchanged,
    image_by_image,
    run_folder,
    table,
)
from fpliif_jax.experiments.score.class_tables import IdTable
from fpliif_jax.experiments.score.counting import CANVAS, NATIVE, SIDES, Counter, canvas_of
from fpliif_jax.experiments.score.pairing import Pair, Pairing, pair_folders
from fpliif_jax.experiments.score.reading import read_label_map
from fpliif_jax.experiments.score.suspicions import MOST_IMAGES, suspicions
from fpliif_jax.files import atomic_file
from fpliif_jax.run_folder.run_record import check_workdir, write_json

Size = tuple[int, int]


class ScoreError(UserError):
    """The label maps cannot be scored; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class CountedImage:
    """What one pair of label maps gave.

    Attributes:
      matrices: int32 [C, C] by protocol.
      digest: of the true label map.
      sizes: height and width of truth and prediction.
      maps: both, uint8, at the size of the truth; of few images, to look for mistakes.
      small: both, uint8 [P], as `exchanged.small` makes them.
    """

    matrices: dict[str, np.ndarray]
    digest: str
    sizes: tuple[Size, Size]
    maps: tuple[np.ndarray, np.ndarray] | None
    small: tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Counted:
    """What all pairs gave.

    Attributes:
      matrices: int32 [N, C, C] by protocol, in the order of the pairs.
      digests: of true label maps by id, in the same order.
      notes: on their sizes, and on what the true ones leave out.
      warnings: what looks like a mistake.
      largest_side: of the true label maps, in pixels.
    """

    matrices: dict[str, np.ndarray]
    digests: dict[str, str]
    notes: list[str]
    warnings: list[str]
    largest_side: int


def count_pairs(
    pairs: Sequence[Pair], counter: Counter, truth_ids: IdTable, prediction_ids: IdTable
) -> Counted:
    """Reads and counts all pairs on all cores, under a bar.

    Raises:
      DataError: names the first file that cannot be used.
    """
    looked_at = set(
        np.linspace(0, len(pairs) - 1, min(MOST_IMAGES, len(pairs)), dtype=int).tolist()
    )
    one = functools.partial(
        _count_pair, counter=counter, truth_ids=truth_ids, prediction_ids=prediction_ids
    )
    numbered = ((pair, index in looked_at) for index, pair in enumerate(pairs))
    classes = {name: len(counter.class_names(name)) for name in counter.protocols}
    matrices = {name: np.zeros((len(pairs), n, n), np.int32) for name, n in classes.items()}
    digests, maps, sizes = {}, [], Tally()
    small = np.zeros((2, len(pairs), exchanged.SIDE**2), np.uint8)
    bar = tqdm(ordered_map(one, numbered), "scoring", len(pairs), leave=False, unit="image")
    for index, (pair, image) in enumerate(zip(pairs, bar, strict=True)):
        for name, matrix in image.matrices.items():
            matrices[name][index] = matrix
        digests[pair.id] = image.digest
        sizes[image.sizes] += 1
        small[:, index] = image.small
        if image.maps is not None:
            maps.append(image.maps)
    return Counted(
        matrices,
        digests,
        [
            *_size_notes(sizes),
            *_content_notes(
                matrices[NATIVE].sum(axis=0, dtype=np.int64),
                sum(height * width * count for ((height, width), _), count in sizes.items()),
                counter.names,
            ),
        ],
        suspicions(maps, counter.names) or _exchanged(pairs, *small),
        max(max(truth) for truth, _ in sizes),
    )


def _count_pair(
    numbered: tuple[Pair, bool], counter: Counter, truth_ids: IdTable, prediction_ids: IdTable
) -> CountedImage:
    pair, is_looked_at = numbered
    names = counter.names
    truth = read_label_map(pair.truth, truth_ids, names, "--truth_classes")
    prediction = read_label_map(pair.prediction, prediction_ids, names, "--prediction_classes")
    maps = None
    if is_looked_at:
        resized = resize_label_map(prediction, truth.shape, len(names), "nearest")
        maps = (truth, resized)
    return CountedImage(
        matrices=counter.count(truth, prediction),
        digest=label_map_digest(pair.id, truth),
        sizes=(truth.shape, prediction.shape),
        maps=maps,
        small=(exchanged.small(truth), exchanged.small(prediction)),
    )


def _exchanged(pairs: Sequence[Pair], truths: np.ndarray, predictions: np.ndarray) -> list[str]:
    """A warning of predictions under wrong names, if there are any: mirrored ones fit others, too, so it comes last."""
    names = [(pair.truth.name, pair.prediction.name) for pair in pairs]
    return exchanged.warnings(exchanged.find_exchanged(truths, predictions), names)


def _size_notes(sizes: "Tally[tuple[Size, Size]]") -> list[str]:
    """Predictions of another size than their truth, and those of another shape."""
    other = {pair: count for pair, count in sizes.items() if pair[0] != pair[1]}
    if not other:
        return []
    ((height, width), (own_height, own_width)), _ = max(other.items(), key=lambda item: item[1])
    total = sum(other.values())
    text = (
        f"{total:,} of {sum(sizes.values()):,} predictions have another size than their label map "
        f"(most: {own_width} x {own_height} for {width} x {height}); they are brought to the size that is scored by "
        "nearest neighbour"
    )
    # Half a pixel is what rounding does to a size that was scaled.
    squeezed = sum(
        count
        for ((h, w), (own_h, own_w)), count in other.items()
        if min(abs(own_h - h * own_w / w), abs(own_w - w * own_h / h)) > 0.5
    )
    if squeezed:
        text += f"; {squeezed:,} have another shape, too, and are taken for squeezed, not cropped"
    return [text]


def _content_notes(total: np.ndarray, pixels: int, names: tuple[str, ...]) -> list[str]:
    """Pixels that do not count, and classes without a pixel in any true label map.

    Args:
      total: int64 [C, C], of all images at their own size.
      pixels: of all true label maps.
      names: C classes.
    """
    notes = []
    left_out = pixels - int(total.sum())
    if left_out:
        share = 100 * left_out / pixels
        notes.append(
            f"{left_out:,} pixels of the label maps, {share:.2f} %, do not count: 255, or what --truth_classes ignores"
        )
    absent = [name for name, count in zip(names, total.sum(axis=1), strict=True) if not count]
    if absent:
        notes.append(f"no label map has a pixel of {', '.join(absent)}")
    return notes


def is_drawn(folder: pathlib.Path, pairs: Sequence[Pair]) -> bool | None:
    """Whether true label maps are of drawn faces; None where nothing says so."""
    examples = [RawExample(pair.id, pair.truth.name, (pair.truth.name,)) for pair in pairs]
    found = drawn.find_drawing(RawTree(folder, folder, (), {"test": examples}))
    return True if found is not None else None


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
        check_workdir(flags.output)
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
    found = count_pairs(pairing.pairs, counter, truth_ids, prediction_ids)
    notes += found.notes
    subject = run_folder.Subject(
        system=system,
        seed=flags.seed,
        dataset=dataset,
        split=flags.split,
        names=names,
        digests=found.digests,
        drawn=is_drawn(flags.truth, pairing.pairs),
        largest_side=found.largest_side,
        notes=[*notes, *(f"suspicious: {warning}" for warning in found.warnings)],
    )
    sides = {str(side): side for side in SIDES}
    if counter.canvas is not None:
        sides[CANVAS] = counter.canvas.side
    evaluations = run_folder.evaluations(subject, found.matrices, sides)
    made = [(one, counter.class_names(one.protocol.key)) for one in evaluations]
    records = {
        one.protocol.key: one.record(one.protocol.scored_at, own_names) for one, own_names in made
    }
    lines = table.score_lines(
        dataset,
        records,
        {name: stack.sum(axis=0, dtype=np.int64) for name, stack in found.matrices.items()},
    )
    differences = []
    if against is not None:
        differences = image_by_image.differences(subject, made, against)
    print(
        f"{subject.system}: {counted(len(pairing.pairs), 'label map')} of {dataset}, {len(names)} classes, percent"
    )
    print(table.text_table(lines, counter.protocols))
    said = [*table.spans(lines), *(one.text for one in differences)]
    said += [f"note: {note}" for note in notes]
    said += [f"WARNING: {warning}" for warning in found.warnings]
    print("\n".join(said))
    if flags.output is not None:
        flags.output.mkdir(parents=True, exist_ok=True)
        content = run_folder.results(subject, list(records.values()))
        run_folder.write_run(flags.output, subject, made, content)
        _write_tables(flags.output, subject, lines, differences, found.warnings, notes)
        print(flags.output)


def _write_tables(
    folder: pathlib.Path,
    subject: run_folder.Subject,
    lines: Sequence[table.ScoreLine],
    differences: "Sequence[image_by_image.Difference]",
    warnings: Sequence[str],
    notes: Sequence[str],
) -> None:
    content: dict[str, Any] = {
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
