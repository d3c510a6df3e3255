"""Tests of docs/photographs.md: its numbers and verdicts are those of the committed runs, by SciPy and statsmodels."""

import json
import pathlib
import tomllib
from typing import Any

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

_ROOT = pathlib.Path(__file__).parents[1]
_RESULTS = _ROOT / "experiments" / "results"
_PAGE = (_ROOT / "docs" / "photographs.md").read_text("utf-8")
_MARGIN = 0.5


def _plan(name: str) -> dict[str, Any]:
    return tomllib.loads((_ROOT / "experiments" / "plans" / f"{name}.toml").read_text("utf-8"))


def _scores(study: str, variant: str, row: str) -> np.ndarray:
    """F1 points, one a seed."""
    scores = []
    for path in sorted((_RESULTS / study / variant).glob("seed*/results.json")):
        evaluations = json.loads(path.read_text("utf-8"))["evaluations"]
        scores += [100 * one["mean_f1"] for one in evaluations if one["row"] == row]
    return np.array(scores)


def _differences(study: str, plan: dict[str, Any], question: dict[str, Any]) -> np.ndarray:
    rows = question.get("row", plan["rows"][0]), question.get("against_row", question.get("row"))
    first, second = ((row or plan["rows"][0]).replace("->", "to") for row in rows)
    against = question.get("against", plan["baseline"])
    return _scores(study, question["variant"], first) - _scores(study, against, second)


def _p(differences: np.ndarray, expects: str) -> float:
    if expects != "equivalent":
        return scipy.stats.ttest_1samp(differences, 0).pvalue
    sides = (("greater", -_MARGIN), ("less", _MARGIN))
    return max(
        scipy.stats.ttest_1samp(differences, bound, alternative=side).pvalue
        for side, bound in sides
    )


def _shown(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _cells_of(first: str) -> list[str]:
    (line,) = (line for line in _PAGE.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("study", ["photographs", "fine_tuning"])
def test_questions_have_the_differences_and_verdicts_of_the_runs(study: str) -> None:
    plan = _plan(study)
    questions = list(plan["questions"].values())
    seeds = 5 if study == "photographs" else 3
    differences = [_differences(study, plan, question) for question in questions]
    assert {len(one) for one in differences} == {seeds}
    p = [_p(one, question["expects"]) for one, question in zip(differences, questions, strict=True)]
    holm = multipletests(p, method="holm")[1]
    for question, difference, p_holm in zip(questions, differences, holm, strict=True):
        cells = _cells_of(question["text"])
        mean, sd = difference.mean(), difference.std(ddof=1)
        error = sd / np.sqrt(seeds)
        low, high = scipy.stats.t.interval(0.95, seeds - 1, mean, error)
        shown = f"{_shown(mean)} [{_shown(low)}, {_shown(high)}]"
        numbers = [shown, f"{sd:.2f}"] if study == "photographs" else [shown, f"{p_holm:.3f}"]
        assert cells[-3:-1] == numbers
        verdict = "undecided"
        if question["expects"] == "equivalent":
            half = scipy.stats.t.ppf(1 - 0.025 / len(questions), seeds - 1) * error
            verdict = "contradicted" if abs(mean) - half > _MARGIN else verdict
            verdict = "supported" if p_holm < 0.05 else verdict
        elif p_holm < 0.05:
            is_expected = question["expects"] == ("higher" if mean > 0 else "lower")
            verdict = "supported" if is_expected else "contradicted"
        assert cells[-1].strip("*").startswith(verdict), question["text"]


def test_scores_are_those_of_the_runs() -> None:
    plan = _plan("photographs")
    for name, variant in plan["variants"].items():
        cells = _cells_of(variant["label"])[1:]
        for row, cell in zip(plan["rows"], cells, strict=True):
            scores = _scores("photographs", name, row.replace("->", "to"))
            assert cell.partition(" ± ")[0] == f"{scores.mean():.2f}"
        first = _scores("photographs", name, plan["rows"][0])
        assert cells[0] == f"{first.mean():.2f} ± {first.std(ddof=1):.2f}"
    for count in (50, 200, 1000, 4000):
        columns = [
            _scores("fine_tuning", f"{start}_{count}", "256") for start in ("scratch", "drawn")
        ]
        shown = [f"{scores.mean():.2f} ± {scores.std(ddof=1):.2f}" for scores in columns]
        assert _cells_of(f"{count:,}")[1:] == shown


@pytest.mark.parametrize("study", ["photographs", "fine_tuning"])
def test_all_planned_runs_are_there_and_of_the_frozen_commit(study: str) -> None:
    plan = json.loads((_RESULTS / study / "plan.json").read_text("utf-8"))
    runs = {path.parent for path in (_RESULTS / study).rglob("results.json")}
    variants = _plan(study)["variants"]
    seeds = range(5 if study == "photographs" else 3)
    assert runs == {_RESULTS / study / name / f"seed{seed}" for name in variants for seed in seeds}
    commits = {
        json.loads((run / "environment.json").read_text("utf-8"))["git_commit"] for run in runs
    }
    assert len(commits) == 1
    assert commits.pop() in json.dumps(plan)
    assert any(f"`{commit[:7]}`" in _PAGE for commit in json.dumps(plan).split('"'))
