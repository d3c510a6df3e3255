"""Draws faces, labels them and scores each group: what `python -m experiments.groups` does."""

import argparse
import csv
import io
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from fpliif_jax import systems
from fpliif_jax.commands import compilation_cache
from fpliif_jax.data_builders import class_names
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.data_builders.host.ordered_map import ordered_map
from fpliif_jax.data_builders.synthetic_faces import STYLE_VERSIONS, Face, draw_face
from fpliif_jax.data_builders.synthetic_faces.job import face_seed
from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.groups.attributes import ATTRIBUTES
from fpliif_jax.experiments.stats import image_bootstrap
from fpliif_jax.experiments.stats.number_text import MISSING, number
from fpliif_jax.files import atomic_file
from fpliif_jax.pictures.sheet import prediction_sheet
from fpliif_jax.run_folder.run_record import write_json
from fpliif_jax.run_folder.same_run import refuse_swapped_sides
from fpliif_jax.systems.labeller import Labeller
from fpliif_jax.weights import trained_model

STYLE = "photographic"
MOST_FACES = 20_000
FEWEST_FACES = 10  # of a group that may be called the worst
_SIZES = (32, 1_024)  # of the pictures
_SHEET_TILE = 160
_COLUMNS = (
    *("attribute", "group", "faces", "mean_f1", "low", "high", "all_f1"),
    *("lowest_class", "lowest_f1", "absent"),
)

_confusion_matrices = jax.jit(metrics.confusion_matrices, static_argnums=2)


class GroupsError(UserError):
    """The groups cannot be scored; the message says why and what to do."""


class Scored(NamedTuple):
    """What labelling N drawn faces gave.

    Attributes:
      groups: of each face its group by the name of the attribute.
      matrices: int64 [N, C, C], confusion matrices, rows the truth.
    """

    groups: list[dict[str, str]]
    matrices: np.ndarray


def truth_of(names: tuple[str, ...]) -> Callable[[Face], np.ndarray]:
    """The label map, uint8 [S, S], of a drawn face in a model's classes.

    Raises:
      GroupsError: drawn faces have no such classes.
    """
    if names == class_names.LAPA_AND_HELEN:
        return lambda face: face.lapa_label_map
    if names == class_names.CELEBAMASK_HQ:
        return lambda face: face.label_map
    raise GroupsError(
        f"the model has {len(names)} classes, {', '.join(names[:4])} …: drawn faces have the 11 of LaPa and Helen "
        "or the 19 of CelebAMask-HQ"
    )


def draw(seed: int, index: int, image_size: int) -> Face:
    """Test face number `index` of the drawn set with that seed, as a config draws it."""
    return draw_face(face_seed(seed, "test", index), image_size, STYLE)


def label(labeller: Labeller, face: Face) -> np.ndarray:
    """The model's label map of a face at its own size: uint8 [S, S]."""
    size = face.image.shape[:2]
    label_batch, _ = labeller.plan(size, 1)
    inputs = jax.tree.map(lambda array: array[None], labeller.network_input(face.image))
    return label_batch(inputs, size)[0]


def score(labeller: Labeller, num_faces: int, seed: int, image_size: int) -> Scored:
    """Draws and labels faces, one after the other, and counts how they were labelled.

    Raises:
      GroupsError: see `truth_of`.
    """
    truth = truth_of(labeller.class_names)
    faces = ordered_map(lambda index: draw(seed, index, image_size), range(num_faces))
    groups, matrices = [], []
    for face in tqdm(faces, desc="drawn faces", total=num_faces, unit="face", leave=False):
        groups.append({each.name: each.group_of(face.person) for each in ATTRIBUTES})
        predicted = label(labeller, face)
        counts = _confusion_matrices(truth(face)[None], predicted[None], len(labeller.class_names))
        matrices.append(np.asarray(counts[0], np.int64))
    return Scored(groups, np.stack(matrices))


def measure(scored: Scored, names: tuple[str, ...], resamples: int = 2000) -> dict[str, Any]:
    """Scores of all faces, of each class and of each group, ready for JSON, in percent.

    A group may lack a class: nobody whose mouth is closed shows its inside. One wrong pixel would then cost a tenth of
    the mean F1, so that of a group is over the classes that its faces have, and stands beside that of all faces over
    the same classes; what the model sees of the others is a share of the pixels.

    Returns:
      'overall': mean F1 of all faces; 'classes': F1 by class; 'attributes': by name, the groups that have faces, in
      order; each of these with 'faces', 'low' and 'high', the 95 % bootstrap interval over faces, None for one face.
      Groups also have 'all_f1', of all faces; 'lowest_class' and 'lowest_f1'; and 'absent', by the name of a class
      that the group lacks, the share of its pixels that are given to it.
      'worst_group': of those of at least `FEWEST_FACES` faces, but not all, the one furthest below all faces.
    """
    every_class = range(1, len(names))
    attributes = {}
    for attribute in ATTRIBUTES:
        members = np.array([groups[attribute.name] for groups in scored.groups])
        attributes[attribute.name] = {
            group: _group_score(scored.matrices, members == group, names, resamples)
            for group in attribute.groups
            if (members == group).any()
        }
    large = [
        {"attribute": attribute, "group": group, **scores}
        for attribute, groups in attributes.items()
        for group, scores in groups.items()
        if FEWEST_FACES <= scores["faces"] < len(scored.groups) and scores["mean_f1"] is not None
    ]
    return {
        "overall": _score("mean_f1", scored.matrices, every_class, resamples),
        "classes": {
            names[index]: _score("f1", scored.matrices, [index], resamples) for index in every_class
        },
        "attributes": attributes,
        "worst_group": min(
            large, key=lambda group: group["mean_f1"] - group["all_f1"], default=None
        ),
    }


def _group_score(
    matrices: np.ndarray, is_member: np.ndarray, names: tuple[str, ...], resamples: int
) -> dict[str, Any]:
    total = matrices[is_member].sum(axis=0)
    present = [index for index in range(1, len(names)) if total[index].any()]
    absent = set(range(1, len(names))) - set(present)
    f1 = 100 * metrics.class_f1(total)
    lowest = min(present, key=lambda index: f1[index], default=None)
    all_f1 = image_bootstrap.mean_f1_of(present)(matrices.sum(axis=0))
    return {
        **_score("mean_f1", matrices[is_member], present, resamples),
        "all_f1": _number(all_f1),
        "lowest_class": None if lowest is None else names[lowest],
        "lowest_f1": None if lowest is None else float(f1[lowest]),
        "absent": {
            names[index]: 100 * float(total[:, index].sum() / total.sum())
            for index in sorted(absent)
        },
    }


def _score(
    name: str, matrices: np.ndarray, classes: Sequence[int], resamples: int
) -> dict[str, int | float | None]:
    score = image_bootstrap.mean_f1_of(classes)
    bootstrap = image_bootstrap.image_bootstrap(matrices[None], score, resamples=resamples)
    mean = bootstrap.mean if bootstrap else None
    return {
        "faces": len(matrices),
        name: _number(score(matrices.sum(axis=0))),
        "low": mean.low if mean else None,
        "high": mean.high if mean else None,
    }


def _number(value: np.ndarray) -> float | None:
    """For JSON, which has no NaN."""
    return None if np.isnan(value) else float(value)


def rows(results: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The groups as rows of a table with `_COLUMNS`."""
    for attribute, groups in results["attributes"].items():
        for group, scores in groups.items():
            absent = "; ".join(f"{name} {share:.2f} %" for name, share in scores["absent"].items())
            yield {"attribute": attribute, "group": group, **scores, "absent": absent}


def table(results: dict[str, Any]) -> str:
    """What the command prints: a line for each group, then the worst."""
    lines = [
        f"{'attribute':<22}{'group':<26}{'faces':>5}{'mean F1':>9}  {'95 % interval':<15}{'all':>5}  "
        f"{'lowest class':<18}absent, but seen on"
    ]
    for row in rows(results):
        lowest = f"{row['lowest_class']} {number(row['lowest_f1'], 1)}"
        lines.append(
            f"{row['attribute']:<22}{row['group']:<26}{row['faces']:>5}{number(row['mean_f1'], 1):>9}  "
            f"{_interval(row):<15}{number(row['all_f1'], 1):>5}  {lowest:<18}{row['absent']}".rstrip()
        )
    overall, worst = results["overall"], results["worst_group"]
    lines.append(f"all faces: {number(overall['mean_f1'], 1)} ({_interval(overall)})")
    if worst is not None:
        lines.append(
            f"worst of the groups with {FEWEST_FACES} faces or more: {worst['attribute']}, {worst['group']}: "
            f"{worst['mean_f1']:.1f} ({_interval(worst)}); all faces over the same classes: {worst['all_f1']:.1f}"
        )
    return "\n".join(lines)


def _interval(scores: dict[str, Any]) -> str:
    return MISSING if scores["low"] is None else f"{scores['low']:.1f}–{scores['high']:.1f}"


def write_csv(results: dict[str, Any], path: pathlib.Path) -> None:
    """Writes `rows` as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(results))
    with atomic_file.replacing(path) as file:
        file.write(text.getvalue().encode())


def write_matrices(scored: Scored, names: tuple[str, ...], path: pathlib.Path) -> None:
    """Writes what every score here can be computed from again: matrices and groups, face by face."""
    attributes = [attribute.name for attribute in ATTRIBUTES]
    with atomic_file.replacing(path) as file:
        np.savez_compressed(
            file,
            confusion_matrices=scored.matrices,
            class_names=np.array(names),
            attributes=np.array(attributes),
            groups=np.array([[groups[name] for name in attributes] for groups in scored.groups]),
        )


def write_sheet(
    labeller: Labeller, scored: Scored, seed: int, image_size: int, path: pathlib.Path
) -> None:
    """Draws the worst, the median and the best face by its own mean F1, with truth and prediction."""
    of_faces = image_bootstrap.mean_f1(scored.matrices)
    order = np.argsort(of_faces, kind="stable")
    places = {"worst": 0, "median": len(order) // 2, "best": len(order) - 1}
    truth = truth_of(labeller.class_names)
    faces = [draw(seed, int(order[place]), image_size) for place in places.values()]
    prediction_sheet(
        [face.image for face in faces],
        [truth(face) for face in faces],
        [label(labeller, face) for face in faces],
        labeller.class_names,
        path,
        titles=[
            f"{name} of {len(order)}: face {order[place]}, mean F1 {of_faces[order[place]]:.1f}"
            for name, place in places.items()
        ],
        tile_size=_SHEET_TILE,
    )


def run(flags: argparse.Namespace) -> None:
    """Scores the groups and writes the results; the flags are those of `python -m experiments.groups`.

    Raises:
      UserError, OSError: what `command_line.run` ends with in one line.
    """
    compilation_cache.enable()
    if not 2 <= flags.num_faces <= MOST_FACES:
        raise GroupsError(f"--num_faces={flags.num_faces}: must be 2 to {MOST_FACES}")
    if not _SIZES[0] <= flags.image_size <= _SIZES[1]:
        raise GroupsError(f"--image_size={flags.image_size}: must be {_SIZES[0]} to {_SIZES[1]}")
    if flags.seed < 0:
        raise GroupsError(f"--seed={flags.seed}: must be 0 or more")
    chosen = trained_model.load(flags)
    trained = chosen.trained
    refuse_swapped_sides(trained.sides_are_swapped, chosen.origin)
    truth_of(trained.class_names)  # before anything long begins
    folder = flags.workdir or f"runs/weights-{flags.weights}"
    output = pathlib.Path(flags.output or pathlib.Path(folder) / "groups").expanduser()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GroupsError(f"--output={output}: {error.strerror or error}") from error
    labeller = systems.of(trained.config).make_labeller(trained)
    scored = score(labeller, flags.num_faces, flags.seed, flags.image_size)
    results = {
        "model": chosen.origin,
        "checkpoint": chosen.checkpoint,
        "step": trained.step,
        "note": trained.note,
        "style": STYLE,
        "style_version": STYLE_VERSIONS[STYLE],
        "seed": flags.seed,
        "image_size": flags.image_size,
        **measure(scored, trained.class_names),
    }
    write_json(output / "groups.json", results)
    write_matrices(scored, trained.class_names, output / "faces.npz")
    write_csv(results, output / "groups.csv")
    write_sheet(labeller, scored, flags.seed, flags.image_size, output / "faces.png")
    print(table(results))
    print(f"{flags.num_faces} drawn faces, {chosen.description}: {output}")
