"""Tests of docs/parity.md: what it says of whole runs follows from the committed ones, by SciPy."""

import json
import pathlib
import re

import numpy as np
import pytest
import scipy.stats

_ROOT = pathlib.Path(__file__).parents[1]
_PAGE = (_ROOT / "docs" / "parity.md").read_text("utf-8")
_README = (_ROOT / "README.md").read_text("utf-8")
_RESULTS = _ROOT / "experiments" / "results"
_SEEDS = range(10)


def _evaluation_of(run: pathlib.Path, row: str) -> dict:
    (one,) = (
        evaluation
        for evaluation in json.loads((run / "results.json").read_text("utf-8"))["evaluations"]
        if (evaluation["checkpoint"], evaluation["row"]) == ("best", row)
    )
    return one


def _evaluation(framework: str, seed: int, row: str) -> dict:
    return _evaluation_of(_RESULTS / "frameworks" / framework / f"seed{seed}", row)


def _scores_of(folder: str, runs: str) -> np.ndarray:
    """Points of the runs that a pattern finds, in the order of their names."""
    paths = sorted(path.parent for path in (_RESULTS / folder).glob(f"{runs}/results.json"))
    return np.array([100 * _evaluation_of(path, "64")["mean_f1"] for path in paths])


def _scores(framework: str, row: str = "64") -> np.ndarray:
    return np.array([100 * _evaluation(framework, seed, row)["mean_f1"] for seed in _SEEDS])


def _differences(row: str = "64") -> np.ndarray:
    return _scores("jax", row) - _scores("pytorch", row)


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def test_the_readme_has_the_largest_difference_of_the_papers_model() -> None:
    kept = _RESULTS / "amd-epyc-2-cores-parity" / "differences.json"
    largest = json.loads(kept.read_text("utf-8"))["largest"]
    logit = largest.pop("the paper's model, largest logit")
    difference = max(value for kind, value in largest.items() if "paper's model" in kind)
    assert f"| {difference:.1e} of {logit:.1f} |".replace("e-0", "e-") in _README


@pytest.mark.parametrize(("name", "framework"), [("JAX", "jax"), ("PyTorch", "pytorch")])
def test_every_seed_has_its_score(name: str, framework: str) -> None:
    scores = _scores(framework)
    cells = [f"{score:.2f}" for score in scores]
    mean = f"{scores.mean():.2f} ± {scores.std(ddof=1):.2f}"
    assert f"| {name} | {' | '.join(cells)} | {mean} |" in _PAGE


def test_seeds_on_the_h100_have_their_scores() -> None:
    kept = {name: _scores_of("frameworks-nvidia-h100", f"{name}/*") for name in ("jax", "pytorch")}
    for name, count in (("JAX", 10), ("PyTorch", 4)):
        scores = kept[name.lower()]
        assert len(scores) == count
        cells = [f"{score:.2f}" for score in scores] + ["–"] * (10 - count)
        mean = f"{scores.mean():.2f} ± {scores.std(ddof=1):.2f}"
        assert f"| {name}, H100 | {' | '.join(cells)} | {mean} |" in _PAGE
    difference = kept["jax"][:4] - kept["pytorch"]
    low, high = scipy.stats.ttest_1samp(difference, 0).confidence_interval()
    shown = f"{_signed(difference.mean())} ({_signed(low)} to {_signed(high)})"
    assert f"Over the four pairs JAX − PyTorch is {shown}" in _PAGE


def test_the_difference_and_the_equivalence_are_those_of_the_runs() -> None:
    differences = _differences()
    paired = scipy.stats.ttest_1samp(differences, 0)
    low, high = paired.confidence_interval()
    within = max(
        scipy.stats.ttest_1samp(differences, bound, alternative=side).pvalue
        for bound, side in ((-0.5, "greater"), (0.5, "less"))
    )
    correlation = np.corrcoef(_scores("jax"), _scores("pytorch"))[0, 1]
    text = " ".join(_PAGE.split())
    mean, p, equivalence = (
        _signed(differences.mean()), f"{paired.pvalue:.2f}"[1:], f"{within:.3f}"[1:],
    )  # fmt: skip
    assert f"**{mean}**, 95 % t-interval {_signed(low)} to {_signed(high)}, p {p};" in text
    assert f"**equivalent within half a point**, p {equivalence}" in text
    assert f"correlation of {correlation:.2f}".replace("0.", ".") in text
    own = _scores("jax")
    jax, difference = (
        f"{own.mean():.2f}, SD {own.std(ddof=1):.2f}",
        f"{mean} [{_signed(low)}, {_signed(high)}]",
    )
    assert f"| {jax} | {difference} | 100 drawn faces |" in _README


def test_other_rows_and_classes_are_told() -> None:
    text = " ".join(_PAGE.split())
    at_128, at_48, at_32 = (
        _signed(_differences(row).mean()) for row in ("128", "48to64", "32to64")
    )
    assert at_48 == at_32
    told = f"At 128² the difference is {at_128}, at 48² and at 32², enlarged to 64², {at_48}."
    assert told in text
    classes = _evaluation("jax", 0, "64")["class_f1"]
    of_classes = {
        name: np.array(
            [
                100 * _evaluation("jax", seed, "64")["class_f1"][name]
                - 100 * _evaluation("pytorch", seed, "64")["class_f1"][name]
                for seed in _SEEDS
            ]
        )
        for name in classes
    }
    assert len(of_classes) == 10
    largest = max(of_classes, key=lambda name: abs(of_classes[name].mean()))
    low, high = scipy.stats.ttest_1samp(of_classes[largest], 0).confidence_interval()
    said = re.search(r"largest difference is that of the ([a-z ]+), (\S+) \((\S+) to (\S+)\)", text)
    assert said
    assert said.groups() == (
        largest.replace("_", " "), _signed(of_classes[largest].mean()), _signed(low), _signed(high),
    )  # fmt: skip
    lowest_p = min(scipy.stats.ttest_1samp(one, 0).pvalue for one in of_classes.values())
    assert 10 * lowest_p > 1  # Holm's smallest


def test_what_rounding_alone_does_is_that_of_the_runs() -> None:
    text = " ".join(_PAGE.split())
    of_seeds = [_scores_of("rounding", f"*/seed{seed}") for seed in range(3)]
    for seed, (scores, count) in enumerate(zip(of_seeds, ("ten", "nine", "two"), strict=True)):
        assert len(scores) == {"ten": 10, "nine": 9, "two": 2}[count]
        mean, sd = scores.mean(), scores.std(ddof=1)
        runs = "ten runs" if seed == 0 else count
        said = f"eed {seed}: {mean:.2f} ± {sd:.2f} over {runs} ({scores.min():.2f} to {scores.max():.2f})"
        assert said in text
    assert f"Of the 30 runs of the plan {sum(map(len, of_seeds))} were finished" in text
    squares = sum(((scores - scores.mean()) ** 2).sum() for scores in of_seeds)
    pooled = np.sqrt(squares / sum(len(scores) - 1 for scores in of_seeds))
    assert f"that is an SD of {pooled:.2f}".replace("0.", ".") in text
    between = _scores_of("frameworks-nvidia-h100", "jax/*").std(ddof=1)
    assert f"/{between:.2f}² = {100 * pooled**2 / between**2:.0f} % of the variance" in text
    assert f"differ by {np.sqrt(2) * pooled:.2f} points".replace("0.", ".") in text


def test_the_published_decoder_has_logits_of_the_size_that_is_said() -> None:
    rows = json.loads((_RESULTS / "liif_decoder" / "differences.json").read_text("utf-8"))["rows"]
    assert f"logits up to {max(row['logits'] for row in rows):.2f} from" in " ".join(_PAGE.split())
