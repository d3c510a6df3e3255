"""Draws faces, labels them and scores each group: what `python -m experiments.groups` does."""

import argparse
import csv
import dataclasses
import io
import pathlib
from collections.abc import Callable

import jax
import numpy as np
from tqdm import tqdm

from fpliif_jax import systems
from fpliif_jax.commands import compilation_cache
from fpliif_jax.data import renamed_labels
from fpliif_jax.data_builders import class_names
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.data_builders.host import atomic_file
from fpliif_jax.data_builders.host.ordered_map import ordered_map
from fpliif_jax.data_builders.synthetic_faces import STYLE_VERSIONS, Face, draw_face
from fpliif_jax.data_builders.synthetic_faces.job import face_seed
from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.groups.attributes import ATTRIBUTES
from fpliif_jax.experiments.groups.scores import GroupScore, Scored, Scores
from fpliif_jax.pictures.sheet import prediction_sheet
from fpliif_jax.run_folder.run_record import write_json
from fpliif_jax.run_folder.same_run import refuse_swapped_sides
from fpliif_jax.systems.labeller import Labeller
from fpliif_jax.weights import trained_model

STYLE = "photographic"
MOST_FACES = 20_000
_SIZES = (32, 1_024)  # of the pictures
_SHEET_TILE = 160

_confusion_matrices = jax.jit(metrics.confusion_matrices, static_argnums=2)


def counted(truth: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """The confusion matrix of two label maps, uint8 [H, W]: int64 [C, C], rows the truth."""
    counts = _confusion_matrices(truth[None], predicted[None], num_classes)
    return np.asarray(counts[0], np.int64)


class GroupsError(UserError):
    """The groups cannot be scored; the message says why and what to do."""


def truth_of(names: tuple[str, ...]) -> Callable[[Face], np.ndarray]:
    """The label map, uint8 [S, S], of a drawn face in a model's classes.

    Raises:
      GroupsError: drawn faces have no such classes.
    """
    if names == class_names.LAPA_AND_HELEN:
        return lambda face: face.lapa_label_map
    if names == class_names.CELEBAMASK_HQ:
        return lambda face: face.label_map
    if names == class_names.FACIAL_PARTS:
        parts = renamed_labels.class_table("facial_parts", class_names.LAPA_AND_HELEN)
        # pyrefly: ignore[unsupported-operation] - LaPa has other classes
        return lambda face: parts[face.lapa_label_map]
    raise GroupsError(
        f"the model has {len(names)} classes, {', '.join(names[:4])} …: drawn faces have the 11 of LaPa and Helen, "
        "the 9 of their facial parts or the 19 of CelebAMask-HQ"
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
        # pyrefly: ignore[bad-argument-type] - a person of `STYLE`
        groups.append({each.name: each.group_of(face.person) for each in ATTRIBUTES})
        matrices.append(counted(truth(face), label(labeller, face), len(labeller.class_names)))
    return Scored(groups, np.stack(matrices))


def write_csv(scores: Scores, path: pathlib.Path) -> None:
    """Writes the groups as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in dataclasses.fields(GroupScore))
    for score in scores.groups:
        writer.writerow((vars(score) | {"absent": score.absent_text}).values())
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
    of_faces = 100 * metrics.mean_f1(scored.matrices)
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


def check_set(flags: argparse.Namespace) -> None:
    """Refuses sets that cannot be drawn: `num_faces`, `image_size` and `seed`.

    Raises:
      GroupsError: says which, and what is allowed.
    """
    if not 2 <= flags.num_faces <= MOST_FACES:
        raise GroupsError(f"--num_faces={flags.num_faces}: must be 2 to {MOST_FACES}")
    if not _SIZES[0] <= flags.image_size <= _SIZES[1]:
        raise GroupsError(f"--image_size={flags.image_size}: must be {_SIZES[0]} to {_SIZES[1]}")
    if flags.seed < 0:
        raise GroupsError(f"--seed={flags.seed}: must be 0 or more")


def run(flags: argparse.Namespace) -> None:
    """Scores the groups and writes the results; the flags are those of `python -m experiments.groups`.

    Raises:
      UserError, OSError: what `command_line.run` ends with in one line.
    """
    compilation_cache.enable()
    check_set(flags)
    chosen = trained_model.load(flags)
    trained = chosen.trained
    refuse_swapped_sides(trained.sides_are_swapped, chosen.origin)
    truth_of(trained.class_names)  # before anything long begins
    output = trained_model.make_output_folder(flags, "groups")
    labeller = systems.of(trained.config).inference.make_labeller(trained)
    scored = score(labeller, flags.num_faces, flags.seed, flags.image_size)
    scores = Scores.of(scored, trained.class_names)
    results = {
        "model": chosen.origin,
        "checkpoint": chosen.checkpoint,
        "step": trained.step,
        "note": trained.note,
        "style": STYLE,
        "style_version": STYLE_VERSIONS[STYLE],
        "seed": flags.seed,
        "image_size": flags.image_size,
        **scores.as_json(),
    }
    write_json(output / "groups.json", results)
    write_matrices(scored, trained.class_names, output / "faces.npz")
    write_csv(scores, output / "groups.csv")
    write_sheet(labeller, scored, flags.seed, flags.image_size, output / "faces.png")
    print(scores.as_text())
    print(f"{flags.num_faces} drawn faces, {chosen.description}: {output}")
