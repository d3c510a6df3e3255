"""Draws docs/model_card*_failures.jpg: of each of the worst groups on a card, the drawn face that is labelled worst.

python -m docs.faces.failures

Groups and confusion matrices are the kept ones of `experiments.groups`, whose sheet has the worst face of all.
"""

import pathlib
from collections.abc import Iterator

import numpy as np

from fpliif_jax import systems, weights
from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.groups import measure
from fpliif_jax.experiments.groups.scores import FEWEST_FACES, GroupScore, Scored, Scores
from fpliif_jax.pictures.sheet import prediction_sheet
from fpliif_jax.weights import model_cards

ROOT = pathlib.Path(__file__).parents[2]
_GROUPS = 4
_SEED, _SIDE, _TILE = 0, 256, 140


def read(name: str) -> tuple[Scored, tuple[str, ...]]:
    """The kept groups and matrices of some weights, and their class names."""
    path = ROOT / "experiments" / "results" / "weights" / name / "faces.npz"
    with np.load(path) as file:
        attributes = file["attributes"].tolist()
        groups = [dict(zip(attributes, row, strict=True)) for row in file["groups"].tolist()]
        return Scored(groups, file["confusion_matrices"]), tuple(file["class_names"].tolist())


def picture(name: str) -> pathlib.Path:
    """The file beside the card."""
    page = ROOT / model_cards.read(name).card
    return page.with_name(f"{page.stem}_failures.jpg")


def worst_groups(scores: Scores) -> list[GroupScore]:
    """The groups furthest below all faces, the worst first, of those with enough faces."""
    large = [one for one in scores.groups if FEWEST_FACES <= one.faces < scores.overall.faces]
    return sorted(large, key=lambda one: (one.mean_f1 or 0) - (one.all_f1 or 0))[:_GROUPS]


def worst_faces(scored: Scored, groups: list[GroupScore]) -> Iterator[tuple[GroupScore, int]]:
    """The worst face of each group by its own mean F1 that is neither the worst of all nor shown already."""
    order = np.argsort(metrics.mean_f1(scored.matrices), kind="stable").tolist()
    shown = {order[0]}
    for group in groups:
        members = (face for face in order if scored.groups[face][group.attribute] == group.group)
        face = next(face for face in members if face not in shown)
        shown.add(face)
        yield group, face


def draw(name: str) -> None:
    """Writes the picture of some weights."""
    scored, names = read(name)
    chosen = list(worst_faces(scored, worst_groups(Scores.of(scored, names, resamples=2))))
    trained = weights.load(name)
    labeller = systems.of(trained.config).inference.make_labeller(trained)
    truth = measure.truth_of(names)
    faces = [measure.draw(_SEED, face, _SIDE) for _, face in chosen]
    of_faces = 100 * metrics.mean_f1(scored.matrices)
    prediction_sheet(
        [face.image for face in faces],
        [truth(face) for face in faces],
        [measure.label(labeller, face) for face in faces],
        names,
        picture(name),
        titles=[
            f"{group.attribute}, {group.group}: face {face}, mean F1 {of_faces[face]:.1f}"
            for group, face in chosen
        ],
        tile_size=_TILE,
    )


if __name__ == "__main__":
    for _name in weights.NAMES:
        draw(_name)
