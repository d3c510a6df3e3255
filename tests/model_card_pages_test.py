"""Tests of what the model cards say beside their tables: it is in the kept confusion matrices and runs."""

import pathlib
import re

import numpy as np
import pytest
import scipy.stats
from kept_studies import scores_of

from fpliif_jax.data_builders.class_names import FACIAL_PARTS
from fpliif_jax.experiments.stats.image_bootstrap import (
    Resampled,
    image_bootstrap,
    paired_difference,
)
from fpliif_jax.weights import NAMES, model_cards

_ROOT = pathlib.Path(__file__).parents[1]
_RESULTS = _ROOT / "experiments" / "results"
_SMALL, _STN = "drawn_small", "drawn_stn_icnn"


def _kept(weights: str, file: str) -> tuple[np.ndarray, list[str]]:
    return _read(_RESULTS / "weights" / weights / f"{file}.npz")


def _read(path: pathlib.Path) -> tuple[np.ndarray, list[str]]:
    with np.load(path) as kept:
        return kept["confusion_matrices"].astype(np.int64), kept["class_names"].tolist()


def _words(page: str) -> str:
    return " ".join((_ROOT / "docs" / page).read_text("utf-8").split())


def _card(weights: str) -> str:
    return _words(pathlib.Path(model_cards.read(weights).card).name)


def _mean(matrices: np.ndarray) -> Resampled:
    bootstrap = image_bootstrap(matrices[None])
    assert bootstrap is not None and bootstrap.mean is not None
    return bootstrap.mean


def _difference(first: np.ndarray, second: np.ndarray) -> Resampled:
    difference = paired_difference(np.stack([first, second]))
    assert difference is not None
    return difference


def _short(value: float, digits: int = 2) -> str:
    return re.sub(r"^(-?)0\.", r"\1.", f"{value:.{digits}f}").replace("-", "−")


def _in_parts(matrices: np.ndarray, names: list[str]) -> np.ndarray:
    """In STN-iCNN's classes: skin and hair belong to the background."""
    becomes = np.zeros((len(FACIAL_PARTS), len(names)), np.int64)
    for index, name in enumerate(names):
        becomes[FACIAL_PARTS.index(name) if name in FACIAL_PARTS else 0, index] = 1
    return np.einsum("ij,njk,lk->nil", becomes, matrices, becomes)


@pytest.mark.parametrize("weights", NAMES)
def test_scores_of_single_photographs(weights: str) -> None:
    matrices, _ = _kept(weights, "photographs")
    seen = matrices.sum(axis=1) + matrices.sum(axis=2)
    right = np.diagonal(matrices, axis1=1, axis2=2)
    with np.errstate(invalid="ignore"):
        scores = np.nanmean((200 * right / seen)[:, 1:], axis=1)
    low, twentieth, quarter, half, high = np.percentile(scores, [0, 5, 25, 50, 100])
    said = f"a photograph has from {low:.0f} to {high:.0f}: one in twenty below {twentieth:.0f}, a quarter below "
    assert f"{said}{quarter:.0f}, half of them below {half:.0f}." in _card(weights)


def test_the_recipe_for_two_cpu_cores_beside_that_for_a_gpu() -> None:
    small, drawn = (str(model_cards.read(name).scores[2].f1["mean"]) for name in (_SMALL, "drawn"))
    assert f"has {small} on the photographs, where `drawn` has {drawn}." in _card("drawn")


def test_the_main_command_on_photographs() -> None:
    drawn, small = (_kept(name, "photographs_resized_256")[0] for name in ("drawn", _SMALL))
    of_drawn, of_small, more = _mean(drawn), _mean(small), _difference(drawn, small)
    assert f"a mean F1 of {of_drawn.estimate:.2f}." in _card("drawn")
    said = f"the mean F1 is {of_small.estimate:.2f} ({of_small.low:.1f}–{of_small.high:.1f}), and that of `drawn` "
    said += f"{of_drawn.estimate:.2f} ({of_drawn.low:.1f}–{of_drawn.high:.1f}): {_short(more.estimate)} points more "
    assert f"{said}({_short(more.low)} to {_short(more.high)}," in _card(_SMALL)
    at_64, _ = _kept("drawn", "photographs_from_64")
    said = f"the weights have {_mean(at_64).estimate:.2f} where photographs come in at 64²"
    assert said in _words("photographs.md")
    assert f"they have {of_drawn.estimate:.2f}." in _words("photographs.md")


@pytest.mark.parametrize("weights", ["drawn", _SMALL, _STN])
def test_sizes_of_eyes(weights: str) -> None:
    matrices, names = _kept(weights, "photographs")
    total = matrices.sum(axis=0)
    ratios = dict(zip(names, total.sum(axis=0) / total.sum(axis=1), strict=True))
    eyes = (ratios["left_eye"] + ratios["right_eye"]) / 2
    said = {
        "drawn": f"eyes come out {eyes:.2f} times too large and inner mouths {ratios['inner_mouth']:.2f} times",
        _SMALL: f"Eyes come out {eyes:.2f} times too large",
        _STN: f"STN-iCNN's eyes have {eyes:.1f} times as many pixels",
    }
    assert said[weights] in _card(weights)


def test_stn_icnn_beside_fp_liif_on_the_same_photographs() -> None:
    own, _ = _kept(_STN, "photographs")
    drawn = _in_parts(*_kept("drawn", "photographs_resized_128"))
    more = _difference(own, drawn)
    card = _card(_STN)
    assert f"at 128² FP-LIIF has {_mean(drawn).estimate:.2f} (" in card
    said = f"The difference, {_short(more.estimate)} ({_short(more.low)} to {_short(more.high)},"
    assert said in card


def test_the_systems_of_table_2() -> None:
    card, evaluations = _card(_STN), _RESULTS / _STN / "seed0" / "evaluations"
    rows = {
        "image": r"predicted windows[^|]*",
        "centroid_windows": r"windows around the coarse[^|]*",
        "true_windows": r"windows around the true[^|]*",
        "coarse": r"the coarse network alone[^|]*",
    }
    kept = {}
    for row, name in rows.items():
        last, before = (
            _read(evaluations / f"test-{checkpoint}-{row}.npz")[0]
            for checkpoint in ("last", "after_fine")
        )
        photographs = _kept(_STN, "photographs" if row == "image" else f"photographs_{row}")[0]
        kept[row] = last, photographs
        means = r" \| ".join(
            f"{_mean(matrices).estimate:.2f}" for matrices in (last, before, photographs)
        )
        assert re.search(rf"\| {name} \| {means} \|", card)
    faces, photographs = map(_difference, kept["centroid_windows"], kept["image"])
    said = f"are {faces.estimate:.1f} points better than those of the localisation network (paired 95 % interval "
    assert f"{said}{faces.low:.1f} to {faces.high:.1f})" in card
    said = f"On photographs the difference is {_short(photographs.estimate)} ({_short(photographs.low)} to "
    assert f"{said}{_short(photographs.high)}): undecided" in card


@pytest.mark.parametrize(("weights", "variant"), [("drawn", "photographic"), (_SMALL, "mild")])
def test_three_seeds_of_a_smaller_training(weights: str, variant: str) -> None:
    scores = scores_of("drawings", variant, "256")
    assert len(scores) == 3
    half = scipy.stats.t.ppf(0.975, 2) * scipy.stats.sem(scores)
    low, high = scores.mean() - half, scores.mean() + half
    said = f"had {scores.mean():.2f} on the photographs, 95 % t-interval {low:.1f} to {high:.1f}."
    assert said in _card(weights)
