"""Tests of docs/photographs.md: its numbers and verdicts are those of the committed runs, by SciPy and statsmodels."""

import datetime
import json
import pathlib
import tomllib
from typing import Any

import numpy as np
import pytest
import scipy.stats
from kept_studies import RESULTS, evaluations, scores_of, signed, with_interval
from statsmodels.stats.multitest import multipletests

from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.comparison.planned_study import Answer
from fpliif_jax.run_folder.run_config import config_fingerprint
from fpliif_jax.systems.protocol import Protocol

_ROOT = pathlib.Path(__file__).parents[1]
_PAGE = (_ROOT / "docs" / "photographs.md").read_text("utf-8")
_AHEAD = "; ahead by three other scores, below"
_OTHER_WAY = "; the other way"
_MARGIN = 0.5
_STUDIES = (
    *("photographs", "photographs_stn_icnn", "fine_tuning", "drawings", "window_drift"),
    *("camera", "more_things"),
)
_OF_FIVE_SEEDS = _STUDIES[:2]
_UNDECIDED = dict(zip(_STUDIES, (9, 0, 1, 8, 5, 2, 1), strict=True))


def _plan(name: str) -> dict[str, Any]:
    return tomllib.loads((_ROOT / "experiments" / "plans" / f"{name}.toml").read_text("utf-8"))


def _differences(study: str, plan: dict[str, Any], question: dict[str, Any]) -> np.ndarray:
    rows = question.get("row", plan["rows"][0]), question.get("against_row", question.get("row"))
    first, second = (Protocol.of_key(row or plan["rows"][0]).key for row in rows)
    against = question.get("against", plan["baseline"])
    return scores_of(study, question["variant"], first) - scores_of(study, against, second)


def _p(differences: np.ndarray, expects: str) -> float:
    if expects != "equivalent":
        return scipy.stats.ttest_1samp(differences, 0).pvalue
    sides = (("greater", -_MARGIN), ("less", _MARGIN))
    return max(
        scipy.stats.ttest_1samp(differences, bound, alternative=side).pvalue
        for side, bound in sides
    )


def _cells_of(first: str) -> list[str]:
    (line,) = (line for line in _PAGE.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("study", _STUDIES)
def test_questions_have_the_differences_and_verdicts_of_the_runs(study: str) -> None:
    plan = _plan(study)
    questions = list(plan["questions"].values())
    seeds = 5 if study in _OF_FIVE_SEEDS else 3
    differences = [_differences(study, plan, question) for question in questions]
    assert {len(one) for one in differences} == {seeds}
    p = [_p(one, question["expects"]) for one, question in zip(differences, questions, strict=True)]
    holm = multipletests(p, method="holm")[1]
    for question, difference, p_holm in zip(questions, differences, holm, strict=True):
        cells = _cells_of(question["text"])
        mean, sd = difference.mean(), difference.std(ddof=1)
        error = sd / np.sqrt(seeds)
        last = f"{sd:.2f}" if seeds == 5 else f"{p_holm:.3f}"
        numbers = [with_interval(difference), last]
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


@pytest.mark.parametrize("study", _STUDIES)
def test_the_report_of_the_committed_runs_is_the_page(study: str) -> None:
    report, _ = analyse(RESULTS / study, without_matrices=True)
    (plan,) = report.plans
    assert not report.incomplete_runs and plan.finished == plan.planned
    assert plan.age.startswith(f"The plan is older than all {plan.planned} finished runs: ")
    verdicts = {
        Answer.AS_EXPECTED: "supported",
        Answer.NOT_AS_EXPECTED: "contradicted",
        Answer.INCONCLUSIVE: "undecided",
    }
    for question in plan.questions:
        cells = _cells_of(question.text)
        low, high = question.interval
        assert f"{signed(question.difference)} [{signed(low)}, {signed(high)}]" in cells
        assert cells[-1].strip("*").startswith(verdicts[question.answer])


@pytest.mark.parametrize(("study", "undecided"), _UNDECIDED.items())
def test_undecided_names_the_runs_that_would_find_half_a_point(study: str, undecided: int) -> None:
    plan = _plan(study)
    level = 0.05 / len(plan["questions"])
    verdicts = {
        name: _cells_of(question["text"])[-1] for name, question in plan["questions"].items()
    }
    asked = {name: one for name, one in verdicts.items() if one.startswith("undecided")}
    assert len(asked) == undecided
    for name, verdict in asked.items():
        question = plan["questions"][name]
        if question["expects"] == "equivalent":
            assert verdict == "undecided; no number: equivalence is asked"
            continue
        effect = _MARGIN / _differences(study, plan, question).std(ddof=1)

        def power(runs: int, effect: float = effect) -> float:
            limit = scipy.stats.t.ppf(1 - level / 2, runs - 1)
            shift = effect * np.sqrt(runs)
            return scipy.stats.nct.sf(limit, runs - 1, shift) + scipy.stats.nct.cdf(
                -limit, runs - 1, shift
            )

        runs = next(runs for runs in range(3, 10_000) if power(runs) >= 0.8)
        said = verdict.removesuffix(_AHEAD).removesuffix(_OTHER_WAY)
        assert said == f"undecided; {runs} runs", question["text"]


def test_the_other_way_is_said_where_the_difference_is() -> None:
    (row,) = (line for line in _PAGE.splitlines() if _OTHER_WAY in line)
    assert "| higher | −" in row


def test_other_scores_are_those_of_the_runs() -> None:
    plan = _plan("photographs")
    names = [name for name in plan["variants"] if name != plan["baseline"]]
    for name in names:
        label = plan["variants"][name]["label"].partition(",")[0]
        cells = _cells_of(f"{label} − FP-LIIF")
        for cell, kind in zip(cells[1:4], ("common", "miou", "per_image_mean_f1"), strict=True):
            own, other = (
                scores_of("photographs", one, "64", kind) for one in (name, plan["baseline"])
            )
            expected = with_interval(own - other).replace("−0.00 ", "0.00 ")
            assert cell == expected, (name, kind)


def test_a_question_that_is_said_to_be_ahead_by_other_scores_is() -> None:
    (row,) = (line for line in _PAGE.splitlines() if _AHEAD in line)
    assert "Conv U-Net decoder" in row
    for kind in ("common", "miou", "per_image_mean_f1"):
        own, other = (scores_of("photographs", name, "64", kind) for name in ("unet", "fp_liif"))
        assert scipy.stats.ttest_1samp(own - other, 0).confidence_interval().low > 0, kind


def test_scores_are_those_of_the_runs() -> None:
    plan = _plan("photographs")
    for name, variant in plan["variants"].items():
        cells = _cells_of(variant["label"])[1:]
        for row, cell in zip(plan["rows"], cells, strict=True):
            scores = scores_of("photographs", name, Protocol.of_key(row).key)
            assert cell.partition(" ± ")[0] == f"{scores.mean():.2f}"
        first = scores_of("photographs", name, plan["rows"][0])
        assert cells[0] == f"{first.mean():.2f} ± {first.std(ddof=1):.2f}"
    for count in (50, 200, 1000, 4000):
        columns = [
            scores_of("fine_tuning", f"{start}_{count}", "256") for start in ("scratch", "drawn")
        ]
        shown = [f"{scores.mean():.2f} ± {scores.std(ddof=1):.2f}" for scores in columns]
        assert _cells_of(f"{count:,}")[-2:] == shown


def _mean_and_sd(values: np.ndarray) -> str:
    return f"{values.mean():.2f} ± {values.std(ddof=1):.2f}"


def test_scores_and_windows_of_stn_icnn_are_those_of_the_runs() -> None:
    study = "photographs_stn_icnn"
    rows = ("image", "centroid_windows", "true_windows", "coarse")
    for name, variant in _plan(study)["variants"].items():
        shown = [_mean_and_sd(scores_of(study, name, row)) for row in rows]
        for row in rows[:2]:
            errors = [one["window_error"]["mean"] for one in evaluations(study, name, row)]
            shown.append(_mean_and_sd(np.array(errors)))
        assert _cells_of(variant["label"])[1:] == shown


@pytest.mark.parametrize("study", _STUDIES)
def test_all_planned_runs_are_there_and_of_the_frozen_commit(study: str) -> None:
    plan = json.loads((RESULTS / study / "plan.json").read_text("utf-8"))
    runs = {path.parent for path in (RESULTS / study).rglob("results.json")}
    variants = _plan(study)["variants"]
    seeds = range(5 if study in _OF_FIVE_SEEDS else 3)
    assert runs == {RESULTS / study / name / f"seed{seed}" for name in variants for seed in seeds}
    commits = {
        json.loads((run / "environment.json").read_text("utf-8"))["git_commit"] for run in runs
    }
    assert commits == {plan["frozen"]["commit"]}
    assert f"commit `{commits.pop()[:7]}`" in _PAGE
    for run in runs:  # readers refuse a run whose config is another one than it says
        results = json.loads((run / "results.json").read_text("utf-8"))
        assert results["config_fingerprint"] == config_fingerprint(results["config"])


def test_windows_are_as_far_off_as_the_runs_say() -> None:
    plan, start = _plan("window_drift"), _PAGE.index("| joint training | window error |")
    lines = _PAGE[start:].splitlines()[2:]
    for line, (name, variant) in zip(lines, plan["variants"].items(), strict=False):
        own = evaluations("window_drift", name, "image")
        columns = (
            [one["window_error"]["mean"] for one in own],
            [one["window_size_error"]["mean"] for one in own],
            scores_of("window_drift", name, "image"),
            scores_of("window_drift", name, "true_windows"),
        )
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert variant["label"].replace("before", "none: before it") == cells[0]
        assert [
            f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}" for values in columns
        ] == cells[1:]
    errors = {
        name: np.array(
            [one["window_error"]["mean"] for one in evaluations("window_drift", name, "image")]
        )
        for name in ("apart", "helen", "helen_true_labels")
    }
    for against, text in (("apart", "7.8 [4.0, 11.5]"), ("helen_true_labels", "7.2 [3.5, 11.0]")):
        further = errors["helen"] - errors[against]
        low, high = scipy.stats.ttest_1samp(further, 0).confidence_interval(0.95)
        assert f"{further.mean():.1f} [{low:.1f}, {high:.1f}]" == text and text in _PAGE


def test_the_joint_runs_of_both_studies_are_the_same_to_the_last_digit() -> None:
    for row in ("image", "centroid_windows", "true_windows", "coarse"):
        anew, earlier = (
            evaluations(study, "joint", row) for study in ("window_drift", "photographs_stn_icnn")
        )
        assert len(anew) == 3 and anew == earlier[:3]


def test_the_baseline_of_more_things_has_the_scores_of_that_of_the_camera() -> None:
    for row in ("256", "64"):
        later, earlier = (
            scores_of(study, name, row)
            for study, name in (("more_things", "photographic"), ("camera", "drawn_camera"))
        )
        np.testing.assert_array_equal(later, earlier)
    for study, name, said in (
        ("more_things", "photographic", "65.84 ± 1.70"),
        ("more_things", "all", "65.87 ± 0.51"),
    ):
        assert _mean_and_sd(scores_of(study, name, "256")) == said and said in _PAGE


@pytest.mark.parametrize("study", _STUDIES)
def test_what_shows_that_a_plan_came_first_is_what_its_files_have(study: str) -> None:
    plan = json.loads((RESULTS / study / "plan.json").read_text("utf-8"))
    frozen = datetime.datetime.fromisoformat(plan["frozen"]["date"])
    committed, shown, _ = _cells_of(f"`{study}`")[1:]
    assert shown == f"{frozen:%H:%M}"
    assert committed == "the same" or committed.startswith(f"{frozen.day} November, ")
    environments = [
        json.loads(path.read_text("utf-8")) for path in (RESULTS / study).rglob("environment.json")
    ]
    started = [one["started"] for one in environments if "started" in one]
    assert environments and len(started) == (len(environments) if study in _STUDIES[5:] else 0)
    assert all(datetime.datetime.fromisoformat(one) > frozen for one in started)
