"""Tests of docs/measured.md: what it says of nineteen classes is in the committed confusion matrices, by NumPy."""

import json
import pathlib

import numpy as np
import pytest

from fpliif_jax.data_builders.class_names import (
    CELEBAMASK_HQ,
    CELEBAMASK_HQ_FACIAL_PARTS,
    LAPA_AND_HELEN,
)

_ROOT = pathlib.Path(__file__).parents[1]
_RESULTS = _ROOT / "experiments" / "results"
_SHIPPED, _SCRATCH = _RESULTS / "drawn_19_classes", _RESULTS / "drawn_19_classes_from_scratch"
_DRAWN = "drawn/seed0/evaluations/test-best-256.npz"
_PHOTOGRAPHS = "photographs/seed0/evaluations/validation-best-256.npz"


def _matrices(path: pathlib.Path) -> np.ndarray:
    with np.load(path) as file:
        return file["confusion_matrices"].astype(np.int64)


def _mean_f1(total: np.ndarray) -> float:
    f1 = 200 * np.diagonal(total) / (total.sum(axis=0) + total.sum(axis=1))
    return f1[1:].mean()


def _in_lapas_classes(matrices: np.ndarray) -> np.ndarray:
    """[…, 19, 19] → […, 11, 11]: glasses become skin, whatever LaPa has no class for the background."""
    becomes = np.zeros((11, 19), np.int64)
    for index, name in enumerate(CELEBAMASK_HQ):
        name = "skin" if name == "eye_g" else CELEBAMASK_HQ_FACIAL_PARTS.get(name, name)
        becomes[LAPA_AND_HELEN.index(name) if name in LAPA_AND_HELEN else 0, index] = 1
    return np.einsum("ij,...jk,lk->...il", becomes, matrices, becomes)


def _words(path: str) -> str:
    return " ".join((_ROOT / "docs" / path).read_text("utf-8").split())


@pytest.mark.parametrize("runs", [_SHIPPED, _SCRATCH], ids=["shipped", "from scratch"])
def test_nineteen_classes_are_those_of_the_matrices(runs: pathlib.Path) -> None:
    section = _words("measured.md").partition("### Nineteen classes")[2].partition(" ## ")[0]
    for evaluation in (_DRAWN, _PHOTOGRAPHS):
        with np.load(runs / evaluation) as file:
            assert file["class_names"].tolist() == list(CELEBAMASK_HQ)
        assert f"{_mean_f1(_matrices(runs / evaluation).sum(axis=0)):.2f}" in section
    shared = _mean_f1(_in_lapas_classes(_matrices(runs / _PHOTOGRAPHS).sum(axis=0)))
    assert f"{shared:.2f}" in section


def test_the_card_compares_the_same_label_maps_in_pairs() -> None:
    nineteen, small = (
        _matrices(_RESULTS / "weights" / name / "photographs.npz")
        for name in ("drawn_19_classes", "drawn_small")
    )
    nineteen = _in_lapas_classes(nineteen)
    np.testing.assert_array_equal(nineteen.sum(axis=2), small.sum(axis=2))  # the same truth
    means = [_mean_f1(matrices.sum(axis=0)) for matrices in (nineteen, small)]
    generator = np.random.default_rng(0)
    differences = []
    for _ in range(2000):
        chosen = generator.integers(0, len(small), len(small))
        one, other = (_mean_f1(matrices[chosen].sum(axis=0)) for matrices in (nineteen, small))
        differences.append(one - other)
    low, high = np.percentile(differences, [2.5, 97.5])
    card = _words("model_card_19_classes.md")
    assert (
        f"{means[0]:.2f} over the ten classes that both know, `drawn_small` {means[1]:.2f}" in card
    )
    difference = f"{means[0] - means[1]:+.2f} ({low:+.2f} to {high:+.2f},"
    assert f"the difference {difference}".replace("0.", ".").replace("-", "−") in card


@pytest.mark.parametrize(
    ("runs", "commit", "step"), [(_SHIPPED, "36d5e90", 3250), (_SCRATCH, "6a482d3", 3500)]
)
def test_the_runs_are_those_that_the_pages_name(runs: pathlib.Path, commit: str, step: int) -> None:
    for run in ("drawn", "photographs"):
        folder = runs / run / "seed0"
        environment = json.loads((folder / "environment.json").read_text("utf-8"))
        results = json.loads((folder / "results.json").read_text("utf-8"))
        assert environment["git_commit"].startswith(commit)
        steps = {one["step"] for one in results["evaluations"] if one["checkpoint"] == "best"}
        assert steps == {step}
