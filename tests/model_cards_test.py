"""Tests of the files that the model cards are made of: they are those of the kept confusion matrices, by NumPy."""

import json
import pathlib

import numpy as np
import pytest

from fpliif_jax.experiments.groups.scores import Score
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


# Where the run is kept, the matrices of its own 200 faces are there.
_OF_RUNS = {
    "drawn_19_classes": "../../drawn_19_classes/drawn/seed0/evaluations/test-best-256.npz",
    "drawn_stn_icnn": "../../drawn_stn_icnn/seed0/evaluations/test-last-image.npz",
}


@pytest.mark.parametrize(
    ("weights", "column", "file", "images"),
    [
        (name, column, file, images)
        for name in NAMES
        for column, file, images in (
            (0, _OF_RUNS.get(name, "test_faces.npz"), 200),
            (2, "photographs.npz", 248),
        )
    ],
)
def test_f1_and_intervals_are_those_of_the_kept_matrices(
    weights: str, column: int, file: str, images: int
) -> None:
    with np.load(_RESULTS / weights / file) as kept:
        names, matrices = kept["class_names"].tolist(), kept["confusion_matrices"].astype(np.int64)
        assert len(set(kept["example_ids"])) == len(matrices) == images
    scored = model_cards.read(weights).scores[column]
    assert scored.images == images
    assert list(scored.f1) == [*names[1:], "mean"]
    classes = range(1, len(names))
    f1 = _f1(matrices)[1:]
    for chosen, own, score in zip(
        [*([one] for one in classes), classes], [*f1, f1.mean()], scored.f1.values(), strict=True
    ):
        interval = Score.of(matrices, chosen, resamples=2000)
        assert score == (round(own, 2), round(interval.low, 1), round(interval.high, 1))
