"""Tests of the files that the model cards are made of: they are those of the kept confusion matrices, by NumPy."""

import json
import pathlib

import numpy as np
import pytest

from fpliif_jax.weights import NAMES, model_cards

_RESULTS = pathlib.Path(__file__).parents[1] / "experiments" / "results" / "weights"


def _f1(matrices: np.ndarray) -> np.ndarray:
    """In percent, of int64 [N, C, C] with the truth in rows; NaN where a class is neither there nor seen."""
    total = matrices.sum(axis=0)
    right = np.diagonal(total)
    with np.errstate(invalid="ignore"):
        return 200 * right / (total.sum(axis=0) + total.sum(axis=1))


@pytest.mark.parametrize("weights", NAMES)
def test_groups_and_classes_are_those_of_the_faces(weights: str) -> None:
    kept = json.loads((_RESULTS / weights / "groups.json").read_text("utf-8"))
    faces = np.load(_RESULTS / weights / "faces.npz")
    assert kept["model"] == f"--weights={weights}"
    matrices, names = faces["confusion_matrices"], faces["class_names"]
    assert list(kept["attributes"]) == faces["attributes"].tolist()
    for own_groups, measured in zip(faces["groups"].T, kept["attributes"].values(), strict=True):
        assert sum(score["faces"] for score in measured.values()) == len(matrices) == 400
        for group, score in measured.items():
            members = own_groups == group
            there = np.flatnonzero(matrices[members].sum(axis=(0, 2))[1:]) + 1
            own, everyone = (_f1(matrices[chosen])[there] for chosen in (members, slice(None)))
            found = [score["faces"], score["mean_f1"], score["all_f1"], score["lowest_f1"]]
            assert found == pytest.approx([members.sum(), own.mean(), everyone.mean(), own.min()])
            assert score["lowest_class"] == names[there[own.argmin()]]
    classes = kept["classes"]
    assert list(classes) == names[1:].tolist()
    f1 = _f1(matrices)[1:]
    assert [score["f1"] for score in classes.values()] == pytest.approx(f1)
    overall = kept["overall"]
    assert overall["mean_f1"] == pytest.approx(f1.mean())
    drawn = model_cards.read(weights).scores[1]
    assert list(drawn.f1.values()) == [
        (round(f1, 2), round(score["low"], 1), round(score["high"], 1))
        for f1, score in zip([*f1, f1.mean()], [*classes.values(), overall], strict=True)
    ]


@pytest.mark.parametrize("weights", ["drawn_small", "drawn_19_classes"])
def test_classes_of_the_photographs_are_theirs(weights: str) -> None:
    with np.load(_RESULTS / weights / "photographs.npz") as file:
        names, matrices = file["class_names"].tolist(), file["confusion_matrices"]
    assert len(matrices) == 248
    scores, f1 = model_cards.read(weights).scores[2].f1, _f1(matrices)[1:]
    assert list(scores) == [*names[1:], "mean"]
    assert [score.f1 for score in scores.values()] == [round(one, 2) for one in [*f1, f1.mean()]]
