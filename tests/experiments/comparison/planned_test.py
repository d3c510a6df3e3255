"""Tests of experiments.comparison.planned: a study with a frozen plan, from its runs to the report."""

import dataclasses
import json
import pathlib
import shutil
import statistics
from typing import Any

import msgspec
import numpy as np
import pytest
import scipy.stats
from made_runs import config_of, write_run

from fpliif_jax.experiments import power
from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.comparison.planned_study import Answer, AnsweredQuestion, PlannedStudy
from fpliif_jax.experiments.comparison.spreads import spreads_of
from fpliif_jax.experiments.comparison.study import Study
from fpliif_jax.experiments.plans import plan_file, plan_version, study_file
from fpliif_jax.experiments.plans.frozen_plan import FrozenPlan
from fpliif_jax.experiments.plans.plan_version import Version
from fpliif_jax.experiments.plans.run_name import RunName
from fpliif_jax.experiments.plans.tables import plan_and_text
from fpliif_jax.experiments.report.plan_view import plan_view
from fpliif_jax.experiments.report.write import write_report
from fpliif_jax.experiments.runs.seed_sources import FOLLOWS
from fpliif_jax.experiments.runs.value_types import SEED_SOURCES
from fpliif_jax.experiments.stats import holm
from fpliif_jax.experiments.stats.power import runs_needed, sd_interval
from fpliif_jax.run_folder.run_config import config_fingerprint, flatten_config

_WEIGHTS = {"base": 10.0, "none": 0.0, "forty": 30.0, "half": 5.0, "near": 7.0, "far": 8.0}
_SCORES = {
    "base": (80.0, 80.5, 80.2, 80.4),
    "none": (76.1, 76.4, 76.3, 76.4),
    "forty": (80.1, 80.5, 80.3, 80.4),
}
_CONTENT: dict[str, Any] = {
    "title": "Edges",
    "config": "lapa",
    "baseline": "base",
    "seeds": "0-3",
    "margin": 0.5,
    "variants": {name: {"label": f"λ of {name}"} for name in _SCORES},
    "questions": {
        "none": {"text": "Lower without?", "variant": "none", "expects": "lower"},
        "raised": {"text": "Higher without?", "variant": "none", "expects": "higher"},
        "forty": {"text": "The same?", "variant": "forty", "expects": "equivalent"},
        "sizes": {
            "text": "Larger output higher?",
            "variant": "base",
            "against": "base",
            "expects": "higher",
            "row": "512",
            "against_row": "192->256",
        },
    },
}


def _version(content: dict[str, Any]) -> Version:
    table = plan_file.plan_of(content, "edges", "edges.toml")
    runs = [f"{one.name}/seed{seed}" for seed in table.seeds for one in table.variants]
    configs = {one.name: {"loss.edge_weight": _WEIGHTS[one.name]} for one in table.variants}
    return plan_version.version_of(table, "paper", "", configs, runs, "typed")


def _write_plan(root: pathlib.Path, *contents: dict[str, Any]) -> FrozenPlan:
    first, *later = map(_version, contents)
    plan = FrozenPlan(first, tuple(later))
    table = plan.last.table
    study_file.write_study(
        root, study_file.Study(str(root), table, "paper", "typed", plan.last.runs, plan)
    )
    return plan


def _write_run(
    root: pathlib.Path,
    name: str,
    seed: int,
    score: float,
    environment: dict[str, Any] | None = None,
    dataset: dict[str, Any] | None = None,
) -> None:
    config = config_of(seed=seed, loss__edge_weight=_WEIGHTS[name])
    scores = {"256": score, "512": score + 0.1 * seed, "192to256": score - 1}
    folder = root / name / f"seed{seed}"
    write_run(folder, config, scores, environment=environment, dataset=dataset)


def _write_runs(root: pathlib.Path, seeds: int = 4) -> None:
    for name, scores in _SCORES.items():
        for seed, score in enumerate(scores[:seeds]):
            _write_run(root, name, seed, score)


def _plan(root: pathlib.Path) -> tuple[PlannedStudy, dict[str, AnsweredQuestion], Study]:
    study, _ = analyse(root)
    (plan,) = study.plans
    return plan, {one.name: one for one in plan.questions if one.answer is not None}, study


def test_questions_are_answered_as_scipy_does_with_holm_over_all_of_them(
    tmp_path: pathlib.Path,
) -> None:
    frozen = _write_plan(tmp_path, _CONTENT)
    _write_runs(tmp_path)
    plan, questions, _ = _plan(tmp_path)
    assert (plan.digest, plan.planned, plan.finished) == (frozen.first.digest, 12, 12)
    assert {name: one.answer for name, one in questions.items()} == {
        "none": Answer.AS_EXPECTED,
        "raised": Answer.NOT_AS_EXPECTED,
        "forty": Answer.AS_EXPECTED,
        "sizes": Answer.AS_EXPECTED,
    }
    differences = {
        "none": [a - b for a, b in zip(_SCORES["none"], _SCORES["base"], strict=True)],
        "forty": [a - b for a, b in zip(_SCORES["forty"], _SCORES["base"], strict=True)],
        "sizes": [1 + 0.1 * seed for seed in range(4)],
    }
    p = {name: scipy.stats.ttest_1samp(differences[name], 0).pvalue for name in ("none", "sizes")}
    p["raised"] = p["none"]
    p["forty"] = max(
        scipy.stats.ttest_1samp(differences["forty"], 0.5, alternative="less").pvalue,
        scipy.stats.ttest_1samp(differences["forty"], -0.5, alternative="greater").pvalue,
    )
    # The scores of made runs are those that were asked for to the rounding of pixels.
    for name, one in questions.items():
        assert one.p == pytest.approx(p[name], rel=0.25), name
    ordered = sorted(one.p for one in questions.values())
    largest, expected = 0.0, []
    for rank, value in enumerate(ordered):
        largest = max(largest, value * (4 - rank))
        expected.append(largest)
    assert sorted(one.p_holm for one in questions.values()) == pytest.approx(expected)


def test_variants_may_be_trained_on_other_data_but_not_scored_on_other_label_maps(
    tmp_path: pathlib.Path,
) -> None:
    for scored_on, reason in (
        ({"base": "e", "none": "e"}, None),
        ({"base": "e", "none": "f"}, "the two are scored on other label maps of test"),
    ):
        root = tmp_path / "-".join(scored_on.values())
        content = _CONTENT | {"questions": {"none": _CONTENT["questions"]["none"]}}
        _write_plan(root, content)
        for name, test_digest in scored_on.items():
            own = {"base": "1" * 64, "none": "2" * 64}[name]
            labels = {"train": own, "validation": None, "test": test_digest * 64, "all": own}
            digest = {"ids": labels, "labels": labels}
            for seed, score in enumerate(_SCORES[name]):
                _write_run(root, name, seed, score, dataset={"digest": digest})
        (question,) = _plan(root)[1].values()
        expected = Answer.INCONCLUSIVE if reason else Answer.AS_EXPECTED
        assert question.answer == expected, question.reason
        assert reason is None or question.reason == reason


def test_means_over_other_classes_are_not_compared(tmp_path: pathlib.Path) -> None:
    content = _CONTENT | {"questions": {"none": _CONTENT["questions"]["none"]}}
    _write_plan(tmp_path, content)
    _write_runs(tmp_path)
    for path in (tmp_path / "none").glob("*/results.json"):
        results = json.loads(path.read_text())
        for one in results["evaluations"]:
            one["class_f1"]["cheek"] = one["class_f1"].pop("hair")
        path.write_text(json.dumps(results))
    for path in (tmp_path / "none").glob("*/evaluations/*.npz"):
        arrays = dict(np.load(path))
        arrays["class_names"] = np.where(
            arrays["class_names"] == "hair", "cheek", arrays["class_names"]
        )
        np.savez_compressed(path, **arrays)
    plan, questions, study = _plan(tmp_path)
    assert (plan.finished, study.incomplete_runs) == (12, [])
    assert questions["none"].answer == Answer.INCONCLUSIVE
    assert questions["none"].reason == "the two are scored in other classes"


def test_nothing_is_judged_before_all_planned_runs_are_there(tmp_path: pathlib.Path) -> None:
    _write_plan(tmp_path, _CONTENT)
    _write_runs(tmp_path, seeds=3)
    plan, questions, study = _plan(tmp_path)
    assert plan.missing == ["base/seed3", "none/seed3", "forty/seed3"]
    assert {one.answer for one in questions.values()} == {Answer.INCONCLUSIVE}
    assert questions["none"].reason == "1 of 4 planned pairs of runs are missing"
    assert questions["none"].difference == pytest.approx(-3.97, abs=0.1)
    assert any("9 of 12 planned runs" in sentence for sentence in study.summary)


def test_the_sentence_on_scores_has_every_setting(tmp_path: pathlib.Path) -> None:
    _write_plan(tmp_path, _CONTENT | {"baseline": "none", "questions": {}})
    _write_runs(tmp_path)
    study, _ = analyse(tmp_path)
    (sentence,) = (text for text in study.summary if "over 4 seeds" in text)
    mean, sd = np.mean(_SCORES["none"]), np.std(_SCORES["none"], ddof=1)
    assert sentence.startswith("Mean F1 of each setting, mean ± SD over 4 seeds: ")
    assert f"λ of none: {mean:.2f} ± {sd:.2f}" in sentence
    assert sentence.count(": ") == 1 + len(_SCORES)


def test_what_was_added_later_is_shown_and_not_judged(tmp_path: pathlib.Path) -> None:
    later = json.loads(json.dumps(_CONTENT))
    later["seeds"] = "0-4"
    later["variants"]["half"] = {}
    later["questions"]["half"] = {"text": "Half?", "variant": "half", "expects": "lower"}
    _write_plan(tmp_path, _CONTENT, later)
    _write_runs(tmp_path)
    before = _plan(tmp_path)[1]
    for name, score in (("base", 95.0), ("none", 70.0), ("forty", 60.0)):
        _write_run(tmp_path, name, 4, score)
    for seed in range(5):
        _write_run(tmp_path, "half", seed, 70.0 + seed)
    _write_run(tmp_path, "base", 9, 50.0)
    plan, questions, _ = _plan(tmp_path)
    assert questions == before
    shown = [one for one in plan.questions if one.answer is None]
    assert {one.name for one in shown} == {"half", "none", "raised", "forty", "sizes"}
    assert all(one.added and one.p_holm is None for one in shown)
    (addition,) = plan.additions
    assert addition.what.startswith("variants half; questions half; runs half/seed0")
    assert plan.unplanned == ["base/seed9"]


def test_runs_of_other_code_or_another_machine_are_named(tmp_path: pathlib.Path) -> None:
    frozen = _write_plan(tmp_path, _CONTENT)
    moment = frozen.first.moment
    own = {
        "git_commit": moment.commit,
        "python": moment.python,
        "versions": dict(moment.versions),
        "devices": ["cpu"],
        "cpu_count": 2,
    }
    _write_run(tmp_path, "base", 0, 80.0, own)  # of an earlier version, which recorded no processor
    own["processor"] = "AMD EPYC 7763"
    _write_run(tmp_path, "base", 1, 80.0, own)
    _write_run(tmp_path, "base", 3, 80.0, own | {"processor": "AMD EPYC 9654"})
    moved = own | {"devices": ["NVIDIA H100", "NVIDIA H100"], "git_commit": "abc"}
    moved["versions"] = own["versions"] | {"jax": "0.1"}
    _write_run(tmp_path, "base", 2, 80.0, moved)
    plan, _, study = _plan(tmp_path)
    assert {(one.field, one.value, one.planned, *one.runs) for one in plan.marks} == {
        ("commit", "abc", moment.commit, "base/seed2"),
        ("jax", "0.1", moment.versions["jax"], "base/seed2"),
        ("devices", "2 × NVIDIA H100", "cpu", "base/seed2"),
        ("processor", "AMD EPYC 9654", "AMD EPYC 7763", "base/seed3"),
    }
    named = (
        "Not as planned (Edges): another commit of the code in base/seed2; other versions (jax) in base/seed2; another "
        "machine (devices, processor) in base/seed2, base/seed3."
    )
    assert named in study.summary
    assert any(line.startswith("Edges (planned on 20") for line in study.summary)


_FROZEN = ("2024-11-26T21:03:05+00:00", "2024-11-26, 21:03:05 UTC")
_LATER = ("2024-11-26T21:03:06+00:00", "2024-11-26, 21:03:06 UTC")
_BEFORE = ("2024-11-25T23:00:00+00:00", "2024-11-25, 23:00:00 UTC")
_TO_COME = ("9000-01-01T00:00:00+00:00", "9000-01-01, 00:00:00 UTC")


@pytest.mark.parametrize(
    ("frozen", "starts", "note"),
    [
        (
            _FROZEN,
            (_FROZEN, _LATER),
            f"The plan is older than its first run (frozen {_FROZEN[1]}, first run began {_FROZEN[1]}).",
        ),
        (
            _FROZEN,
            (_LATER, _BEFORE),
            f"The plan is not older than its first run (frozen {_FROZEN[1]}, first run began {_BEFORE[1]}): before it "
            "was frozen began base/seed1.",
        ),
        (
            _FROZEN,
            (None, _LATER),
            f"The plan is older than the runs whose start is recorded (frozen {_FROZEN[1]}, first run began "
            f"{_LATER[1]}). Of others it is not recorded when they began: base/seed0.",
        ),
        (
            _FROZEN,
            (None, None),
            f"Whether the plan is older than its runs (frozen {_FROZEN[1]}) is not known: when they began is not "
            "recorded.",
        ),
        (
            ("<some day>", ""),
            (_LATER,),
            "Whether the plan is older than its runs is not known: its date is '<some day>'.",
        ),
        (_FROZEN, (), ""),
        (
            _FROZEN,
            (_LATER, _TO_COME),
            "Whether the plan is older than its runs is not known: of base/seed1 the date is still to come, so that a "
            "clock is or was wrong.",
        ),
        (
            _TO_COME,
            (_LATER,),
            "Whether the plan is older than its runs is not known: of the plan the date is still to come, so that a "
            "clock is or was wrong.",
        ),
    ],
)
def test_a_plan_is_compared_with_when_its_runs_began(
    tmp_path: pathlib.Path,
    frozen: tuple[str, str],
    starts: tuple[tuple[str, str] | None, ...],
    note: str,
) -> None:
    _write_plan(tmp_path, _CONTENT)
    path = tmp_path / "plan.json"
    content = json.loads(path.read_text("utf-8"))
    content["frozen"]["date"] = frozen[0]
    path.write_text(json.dumps(content), "utf-8")
    _write_run(tmp_path, "base", 9, 80.0, {"started": _BEFORE[0]})  # in no plan
    for seed, started in enumerate(starts):
        _write_run(tmp_path, "base", seed, 80.0, {"started": started[0]} if started else None)
    plan, _, study = _plan(tmp_path)
    assert plan.age == note
    assert "started" not in str(study.environments)  # runs do not differ by it
    assert not note or note in plan_view(plan).notes


def test_a_study_without_a_plan_says_so(tmp_path: pathlib.Path) -> None:
    table = plan_and_text("table5")[0]
    study_file.write_study(tmp_path, study_file.Study(str(tmp_path), table, "paper", "typed", ()))
    _write_run(tmp_path, "base", 0, 80.0)
    study, _ = analyse(tmp_path)
    assert study.plans == []
    assert study.summary[-1].startswith("No plan was frozen before the first run: what was")


def test_verdicts_on_published_numbers_rest_on_the_planned_seeds(tmp_path: pathlib.Path) -> None:
    table = plan_and_text("table5")[0]
    variant = table.variants[-1]

    def version(seeds: int) -> Version:
        seeded = dataclasses.replace(table, seeds=tuple(range(seeds)))
        runs = [f"{variant.name}/seed{seed}" for seed in range(seeds)]
        return plan_version.version_of(seeded, "paper", None, {variant.name: {}}, runs, "typed")

    plan = FrozenPlan(version(3), (version(4),))
    study_file.write_study(
        tmp_path, study_file.Study(str(tmp_path), table, "paper", "typed", plan.last.runs, plan)
    )
    for seed, score in enumerate((92.3, 92.4, 92.5, 60.0)):
        folder = tmp_path / variant.name / f"seed{seed}"
        write_run(folder, config_of(variant, seed=seed), {"256": score})
    study, _ = analyse(tmp_path)
    row = study.tables[0].rows[0]
    assert row.verdict == "reproduced"
    assert len(row.statistics.values) == 4


def test_the_report_has_the_plan(tmp_path: pathlib.Path) -> None:
    more = json.loads(json.dumps(_CONTENT))
    more["variants"]["half"] = {}
    more["questions"]["half"] = {"text": "Half?", "variant": "half", "expects": "lower"}
    plan = _write_plan(tmp_path, _CONTENT, more)
    _write_runs(tmp_path)
    for seed in range(10, 18):
        _write_run(tmp_path, "base", seed, 80.0)
    study, _ = analyse(tmp_path)
    write_report(study, {}, tmp_path / "report")
    pages = [(tmp_path / "report" / f"report.{end}").read_text("utf-8") for end in ("md", "html")]
    for page in (page.replace("\\", "") for page in pages):
        assert "What was planned" in page
        assert "Lower without?" in page
        assert study.plans[0].digest in page
        assert "equivalent (± 0.5)" in page
        assert "Run, but in no plan: base/seed10, " in page and "base/seed15 and 2 more." in page
        assert (
            f"Frozen on {plan.first.moment.date[:10]}, {plan.first.moment.date[11:16]} UTC" in page
        )
        assert "+00:00" not in page
        assert (plan.first.moment.commit or "") not in page or plan.first.moment.commit is None
        assert "–: added later" not in page
    assert "✕ not as expected: lower" in pages[0]
    assert '<span class="verdict off">' in pages[1] and "not as expected</span>" in pages[1]
    content = json.loads((tmp_path / "report" / "report.json").read_text("utf-8"))
    assert content["plans"][0]["questions"][0]["answer"] == "as expected"
    assert len(content["plans"][0]["unplanned"]) == 8


def test_a_plan_that_was_changed_by_hand_is_no_plan(tmp_path: pathlib.Path) -> None:
    _write_plan(tmp_path, _CONTENT)
    _write_runs(tmp_path)
    path = tmp_path / "plan.json"
    path.write_text(path.read_text("utf-8").replace('"lower"', '"higher"'), "utf-8")
    study, _ = analyse(tmp_path)
    assert study.plans == []
    problems = [run.problem or "" for run in study.incomplete_runs]
    assert any("was changed after" in problem for problem in problems)
    assert not any(str(tmp_path) in problem for problem in problems)  # reports name no places


def test_power_of_a_study_is_that_of_its_questions(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write_plan(tmp_path, _CONTENT)
    _write_runs(tmp_path)
    plan, questions, study = _plan(tmp_path)
    (group,) = spreads_of(tmp_path)
    assert (group.title, group.family) == ("Edges", 4)
    one = group.spreads[0]
    assert (one.name, one.pairs, one.run_df, one.margin) == ("none", 4, 6, 0.5)
    expected = statistics.stdev(
        a - b for a, b in zip(_SCORES["none"], _SCORES["base"], strict=True)
    )
    assert one.paired_sd == pytest.approx(expected, abs=0.03)
    power.main([str(tmp_path), "--difference=0.3"])
    printed = capsys.readouterr().out
    runs = [
        runs_needed(sd, 0.3, 0.8, 0.05 / 4)
        for sd in (one.paired_sd, *sd_interval(one.paired_sd, 3))
    ]
    assert f"{runs[0]} [{runs[1]}–{runs[2]}]" in printed
    assert "0.0125 = 0.05 / 4 questions" in printed
    line, rests = plan.power
    assert line in study.summary and rests not in study.summary
    assert "experiments.power STUDY" in line
    assert "at level 0.013, 0.05 shared by 4 planned questions" in rests
    assert "Left out, as equivalence needs another test: forty." in rests


def test_power_by_scores_alone_is_that_of_the_study(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write_plan(tmp_path, _CONTENT)
    _write_runs(tmp_path)
    power.main([str(tmp_path)])
    whole = capsys.readouterr().out
    for folder in tmp_path.glob("*/seed*/evaluations"):
        shutil.rmtree(folder)
    with pytest.raises(SystemExit, match="give --without_matrices here too"):
        power.main([str(tmp_path)])
    power.main([str(tmp_path), "--without_matrices"])
    assert capsys.readouterr().out == whole and "Lower without?" not in whole


def test_a_setting_of_which_one_run_has_no_matrices_is_shown_and_says_so(
    tmp_path: pathlib.Path,
) -> None:
    _write_plan(tmp_path, _CONTENT)
    _write_runs(tmp_path)
    shutil.rmtree(tmp_path / "none" / "seed1" / "evaluations")
    study, _ = analyse(tmp_path, without_matrices=True)
    said = "1 run (none/seed1) came without confusion matrices"
    assert any(text.startswith(said) for text in study.summary)
    assert all(said in table.note for table in study.tables)
    shown = {group.folder: group for group in study.groups}
    assert shown["none"].confusion is None and shown["base"].confusion is not None
    assert shown["none"].main_score.statistics.image_interval is None
    assert shown["base"].main_score.statistics.image_interval is not None
    assert not study.incomplete_runs


def test_power_of_one_question_says_one_number(tmp_path: pathlib.Path) -> None:
    content = json.loads(json.dumps(_CONTENT))
    content["questions"] = {"none": content["questions"]["none"]}
    _write_plan(tmp_path, content)
    _write_runs(tmp_path)
    line, rests = _plan(tmp_path)[0].power
    needed = runs_needed(_plan(tmp_path)[1]["none"].sd, 0.5, 0.8, 0.05)
    assert f", {needed} seeds of each setting (question none: margin 0.5 points, 4 seeds" in line
    assert line.count("margin 0.5") == 1 and rests.count("differences in") == 1
    assert "at level 0.05." in rests and "questions" not in rests


def test_margins_of_questions_are_their_own(tmp_path: pathlib.Path) -> None:
    _write_plan(tmp_path, _CONTENT)
    for name, scores in _SCORES.items():
        for seed, score in enumerate(scores):
            margin = 0.25 if name == "none" else 0.5
            config = config_of(
                seed=seed, loss__edge_weight=_WEIGHTS[name], study__equivalence_margin=margin
            )
            percents = {"256": score, "512": score + 0.1 * seed, "192to256": score - 1}
            write_run(tmp_path / name / f"seed{seed}", config, percents)
    line, _ = _plan(tmp_path)[0].power
    assert "margin 0.25 points" in line and "margin 0.5 points" in line


def test_power_of_several_studies_has_a_table_for_each_plan(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = json.loads(json.dumps(_CONTENT))
    one["title"], one["questions"] = "One", {"none": one["questions"]["none"]}
    for name, content in (("first", _CONTENT), ("second", one)):
        _write_plan(tmp_path / name, content)
    _write_runs(tmp_path / "first", seeds=3)
    for name in ("base", "none"):
        for seed, score in enumerate(_SCORES[name][:2]):
            config = config_of(seed=seed, loss__edge_weight=_WEIGHTS[name], train__epochs=7)
            write_run(tmp_path / "second" / name / f"seed{seed}", config, {"256": score})
    table = plan_and_text("table5")[0]
    study = study_file.Study("", table, "paper", "typed", ())
    for name in ("third", "fourth"):
        study_file.write_study(tmp_path / name, study)
    (tmp_path / "fourth" / "plan.json").write_text("{", "utf-8")
    power.main([str(tmp_path)])
    printed = capsys.readouterr().out
    assert "they have no plan: third\n" in printed
    assert "the plan of fourth cannot be read: plan.json is not valid JSON" in printed
    assert "Edges (first)" in printed and "One (second)" in printed
    assert "0.0125 = 0.05 / 4 questions" in printed and "t-test at 0.05" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--difference=0"], "--difference is 0"),
        (["--alpha=1"], "--alpha is 1"),
        (["--family=0"], "--family is 0"),
        ([], "has no SD to go by: it has no two settings with two finished runs"),
    ],
)
def test_mistakes_of_power_are_one_line(
    tmp_path: pathlib.Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit, match=message):
        power.main([str(tmp_path), *arguments])


def test_power_says_why_no_question_has_a_line(tmp_path: pathlib.Path) -> None:
    content = json.loads(json.dumps(_CONTENT))
    content["variants"]["half"] = {}
    content["questions"] = {"forty": content["questions"]["forty"]}
    for name in ("none", "half"):
        content["questions"][name] = {"text": "Other?", "variant": name, "expects": "different"}
    _write_plan(tmp_path, content)
    for seed, score in enumerate(_SCORES["base"]):
        _write_run(tmp_path, "base", seed, score)
        _write_run(tmp_path, "forty", seed, score)
        _write_run(tmp_path, "none", seed, score)
    with pytest.raises(SystemExit) as caught:
        power.main([str(tmp_path)])
    assert str(caught.value.code).endswith(
        "has no SD to go by: left out, as equivalence needs another test: forty; left out, as their scores or "
        "differences are the same for all seeds (SD 0): none; left out, as no run of half is finished: half"
    )


def test_interim_p_values_of_unanswered_questions_leave_the_family_alone(
    tmp_path: pathlib.Path,
) -> None:
    _write_plan(tmp_path, _CONTENT)
    _write_runs(tmp_path)
    shutil.rmtree(tmp_path / "none" / "seed3")
    _, questions, _ = _plan(tmp_path)
    assert questions["none"].p < 0.001 and questions["none"].p_holm is None
    answered = [questions["forty"], questions["sizes"]]
    # The two that have no answer count as p = 1.
    expected = holm.holm([1.0, 1.0, *(one.p for one in answered)])[2:]
    assert [one.p_holm for one in answered] == pytest.approx(expected)
    assert min(one.p_holm for one in answered) == pytest.approx(4 * min(one.p for one in answered))


def test_beyond_the_margin_is_judged_at_the_level_of_the_family(tmp_path: pathlib.Path) -> None:
    content = json.loads(json.dumps(_CONTENT))
    scores = {"near": (81.0, 82.0, 81.5, 81.6), "far": (84.0, 84.6, 84.1, 84.5)}
    content["variants"] = {name: {} for name in ("base", *scores)}
    content["questions"] = {
        f"{name}{number}": {"text": "The same?", "variant": name, "expects": "equivalent"}
        for name in scores
        for number in range(5)
    }
    _write_plan(tmp_path, content)
    for name, values in {"base": _SCORES["base"], **scores}.items():
        for seed, score in enumerate(values):
            _write_run(tmp_path, name, seed, score)
    _, questions, _ = _plan(tmp_path)
    near, far = questions["near0"], questions["far0"]
    assert near.interval[0] > near.margin  # at 95 %, as one question alone would be judged
    assert near.answer == Answer.INCONCLUSIVE
    assert far.answer == Answer.NOT_AS_EXPECTED
    differences = [a - b for a, b in zip(scores["near"], _SCORES["base"], strict=True)]
    p = scipy.stats.ttest_1samp(differences, 0.5, alternative="greater").pvalue
    assert 0.005 / 2 < p < 0.05 / 2


def test_runs_of_another_config_than_the_frozen_one_are_not_judged(tmp_path: pathlib.Path) -> None:
    _write_plan(tmp_path, _CONTENT)
    _write_runs(tmp_path, seeds=3)
    for name in _SCORES:
        config = config_of(seed=3, loss__edge_weight=3.0 if name == "forty" else _WEIGHTS[name])
        score = _SCORES[name][3]
        scores = {"256": score, "512": score + 0.3, "192to256": score - 1}
        write_run(tmp_path / name / "seed3", config, scores)
    plan, questions, study = _plan(tmp_path)
    marks = {(one.field, one.value, one.planned, *one.runs) for one in plan.marks}
    assert ("config.loss.edge_weight", "3.0", "30.0", "forty/seed3") in marks
    assert questions["forty"].answer == Answer.INCONCLUSIVE
    assert questions["forty"].reason == (
        "1 of 4 planned pairs of runs are missing or of other settings"
    )
    assert questions["none"].answer == Answer.AS_EXPECTED
    told = "Not as planned (Edges): other settings (config.loss.edge_weight) in forty/seed3"
    assert any(text.startswith(told) for text in study.summary)


def test_a_variant_whose_runs_all_have_another_config_has_no_answer(
    tmp_path: pathlib.Path,
) -> None:
    _write_plan(tmp_path, _CONTENT)
    _write_runs(tmp_path)
    for seed, score in enumerate(_SCORES["none"]):
        shutil.rmtree(tmp_path / "none" / f"seed{seed}")
        config = config_of(seed=seed, loss__edge_weight=3.0)
        scores = {"256": score, "512": score, "192to256": score}
        write_run(tmp_path / "none" / f"seed{seed}", config, scores)
    plan, questions, _ = _plan(tmp_path)
    assert {questions[name].answer for name in ("none", "raised")} == {Answer.INCONCLUSIVE}
    assert questions["forty"].answer == Answer.AS_EXPECTED
    (mark,) = [one for one in plan.marks if one.field == "config.loss.edge_weight"]
    assert len(mark.runs) == 4


def _settings() -> dict[str, Any]:
    """Of a plan: all sources of variation follow the seed."""
    seeds = {f"seeds.{source}": FOLLOWS for source in SEED_SOURCES}
    return flatten_config(config_of(seed=0)) | seeds


def test_what_follows_the_seed_or_the_study_is_as_planned() -> None:
    content = json.loads(json.dumps(_CONTENT))
    content["variants"]["none"]["needs"] = "base"
    table = plan_file.plan_of(content, "edges", "edges.toml")
    configs = {one.name: _settings() for one in table.variants}
    version = plan_version.version_of(table, "paper", "", configs, ["none/seed3"], "typed")
    run = flatten_config(config_of(seed=3))
    moved = run | {"data.manual_dir": "elsewhere", "train.init_from": "study/base/seed3"}
    assert run["seeds.data_order"] == 3
    assert version.differences(RunName("none", 3), moved) == []
    assert version.differences(RunName("none", 3), moved | {"seeds.data_order": 5}) == [
        ("seeds.data_order", 5, "config.seed's")
    ]
    assert version.differences(RunName("base", 3), moved)[0][0] == "train.init_from"


_FIXED = "seeds.data_order"


@pytest.mark.parametrize(
    ("planned", "seed", "value", "follows", "difference"),
    [
        # What the run recorded decides, even where seed and value are the same.
        (FOLLOWS, 0, 0, True, None),
        (FOLLOWS, 0, 0, False, (0, "config.seed's")),
        (FOLLOWS, 3, 0, False, (0, "config.seed's")),
        (FOLLOWS, 3, 3, True, None),
        (0, 0, 0, False, None),
        (0, 0, 0, True, ("config.seed's", 0)),
        (0, 3, 0, False, None),
        (0, 3, 3, True, ("config.seed's", 0)),
        (0, 3, 3, False, (3, 0)),
        # A run of an earlier version recorded none of it.
        (FOLLOWS, 0, 0, None, None),
        (FOLLOWS, 3, 3, None, None),
        (FOLLOWS, 3, 0, None, (0, "config.seed's")),
        (FOLLOWS, 3, None, None, None),
        (0, 0, 0, None, None),
        (0, 3, 0, None, None),
        (0, 3, 3, None, (3, 0)),
    ],
)
def test_a_run_whose_seed_is_fixed_is_not_one_whose_seed_follows(
    planned: Any, seed: int, value: int | None, follows: bool | None, difference: Any
) -> None:
    table = plan_file.plan_of(_CONTENT, "edges", "edges.toml")
    name = RunName("none", seed)
    configs = {"none": {_FIXED: planned}}
    version = plan_version.version_of(table, "paper", "", configs, [str(name)], "")
    recorded = None if follows is None else ["data_order"] * follows
    differences = version.differences(name, {"seed": seed, _FIXED: value}, recorded)
    assert differences == ([] if difference is None else [(_FIXED, *difference)])


def test_a_study_with_runs_of_a_fixed_seed_is_not_the_planned_one(tmp_path: pathlib.Path) -> None:
    table = plan_file.plan_of(_CONTENT, "edges", "edges.toml")
    runs = [f"{one.name}/seed{seed}" for seed in table.seeds for one in table.variants]
    configs = {one.name: {_FIXED: FOLLOWS} for one in table.variants}
    plan = FrozenPlan(plan_version.version_of(table, "paper", "", configs, runs, "typed"))
    study_file.write_study(
        tmp_path, study_file.Study(str(tmp_path), table, "paper", "typed", tuple(runs), plan)
    )
    _write_runs(tmp_path)
    for seed in range(4):
        path = tmp_path / "none" / f"seed{seed}" / "results.json"
        results = json.loads(path.read_text("utf-8"))
        results["config"]["seeds"]["data_order"] = 0
        results["follows_seed"] = ["initialisation", "augmentation"]
        results["config_fingerprint"] = config_fingerprint(results["config"])
        path.write_text(json.dumps(results), "utf-8")
        path = path.with_name("config.json")
        path.write_text(json.dumps(results["config"]), "utf-8")
    study, questions, _ = _plan(tmp_path)
    (mark,) = [one for one in study.marks if one.field == f"config.{_FIXED}"]
    assert (mark.value, mark.planned, len(mark.runs)) == ("0", "config.seed's", 4)
    assert questions["none"].answer == Answer.INCONCLUSIVE


@pytest.mark.parametrize("change", ["missing", "settings", "data"])
def test_verdicts_on_published_numbers_wait_for_all_planned_runs(
    tmp_path: pathlib.Path, change: str
) -> None:
    table = plan_and_text("table5")[0]
    variant = table.variants[-1]
    names = [f"{variant.name}/seed{seed}" for seed in range(4)]
    configs = {variant.name: {"train.epochs": config_of(variant)["train"]["epochs"]}}
    seeded = dataclasses.replace(table, seeds=tuple(range(4)))
    version = plan_version.version_of(seeded, "paper", None, configs, names, "typed")
    plan = FrozenPlan(version)
    study_file.write_study(
        tmp_path, study_file.Study(str(tmp_path), table, "paper", "typed", tuple(names), plan)
    )
    for seed, score in enumerate((92.3, 92.4, 92.5)):
        write_run(tmp_path / names[seed], config_of(variant, seed=seed), {"256": score})
    if change == "settings":
        config = config_of(variant, seed=3, train__epochs=401)
        write_run(tmp_path / names[3], config, {"256": 92.4})
    if change == "data":
        folder = write_run(tmp_path / names[3], config_of(variant, seed=3), {"256": 92.4})
        results = json.loads((folder / "results.json").read_text("utf-8"))
        results["parameters"] += 1
        (folder / "results.json").write_text(json.dumps(results), "utf-8")
    row = analyse(tmp_path)[0].tables[0].rows[0]
    assert row.verdict == "not comparable"
    why = "missing or of other settings"
    if change == "data":
        why = "apart from the others (of other data, parameters or framework)"
    assert row.reason == f"1 of 4 planned runs are {why}."


@pytest.mark.parametrize("table", ["table5", "edges"])
def test_a_plan_that_cannot_be_read_gives_no_verdicts(tmp_path: pathlib.Path, table: str) -> None:
    variant = plan_and_text("table5")[0].variants[-1]
    study = study_file.Study(str(tmp_path), plan_and_text("table5")[0], "paper", "typed", ())
    study_file.write_study(tmp_path, study)
    path = tmp_path / "study.json"
    path.write_text(path.read_text("utf-8").replace("table5", table), "utf-8")
    (tmp_path / "plan.json").write_text("{", "utf-8")
    for seed, score in enumerate((92.3, 92.4, 92.5)):
        folder = tmp_path / variant.name / f"seed{seed}"
        write_run(folder, config_of(variant, seed=seed), {"256": score})
    report, _ = analyse(tmp_path)
    text = " ".join(report.summary)
    assert "No plan was frozen" not in text
    assert "plan of the study cannot be read" in text and "nothing is judged" in text
    rows = [row for table in report.tables for row in table.rows if row.system == "ours"]
    assert {row.verdict for row in rows} <= {None, "not comparable"}
    assert not report.groups[0].comparable
    assert "its plan.json cannot be read" in report.groups[0].reasons


def test_studies_with_runs_of_one_config_keep_their_own_runs(tmp_path: pathlib.Path) -> None:
    for folder, shift in (("first", 0.0), ("second", 1.0)):
        _write_plan(tmp_path / folder, _CONTENT)
        for name, scores in _SCORES.items():
            for seed, score in enumerate(scores):
                _write_run(tmp_path / folder, name, seed, score + shift)
    report, _ = analyse(tmp_path)
    assert [plan.folder for plan in report.plans] == ["first", "second"]
    for plan in report.plans:
        assert (plan.finished, plan.missing) == (12, [])
        assert [one.answer for one in plan.questions].count(Answer.AS_EXPECTED) == 3
        assert {one.pairs for one in plan.questions} == {4}
    assert len(report.groups) == 6
    assert all(not group.duplicate_seeds for group in report.groups)


@pytest.mark.parametrize("copy", ["none/a copy of seed1", "none-old/seed1", "backup/none/seed1"])
def test_a_copy_of_a_planned_run_does_not_take_its_place(tmp_path: pathlib.Path, copy: str) -> None:
    _write_plan(tmp_path, _CONTENT)
    _write_runs(tmp_path)
    shutil.copytree(tmp_path / "none" / "seed1", tmp_path / copy)
    plan, questions, study = _plan(tmp_path)
    assert (plan.finished, plan.missing, plan.unplanned) == (12, [], [])
    assert questions["none"].answer == Answer.AS_EXPECTED
    told = [one.problem for one in study.incomplete_runs if one.status == "duplicate"]
    assert told == [f"seed 1 was run more than once: none/seed1 counts, not {copy}"]
    curves = next(one.curves for one in study.groups if 1 in one.duplicate_seeds)
    assert [one.seed for one in curves.stages[0].loss] == [0, 1, 2, 3]


def test_a_run_of_another_seed_than_its_name_says_is_not_the_planned_one(
    tmp_path: pathlib.Path,
) -> None:
    _write_plan(tmp_path, _CONTENT)
    _write_runs(tmp_path)
    shutil.rmtree(tmp_path / "none" / "seed1")
    config = config_of(seed=7, loss__edge_weight=_WEIGHTS["none"])
    scores = {"256": 76.4, "512": 76.5, "192to256": 75.4}
    write_run(tmp_path / "none" / "seed1", config, scores)
    plan, questions, _ = _plan(tmp_path)
    marks = {(one.field, one.value, one.planned, *one.runs) for one in plan.marks}
    assert ("config.seed", "7", "1", "none/seed1") in marks
    assert questions["none"].answer == Answer.INCONCLUSIVE
    assert questions["forty"].answer == Answer.AS_EXPECTED


@pytest.mark.parametrize(
    "start", [None, "", "study/base/seed2", "study/other/seed3", "seed3", "study/base/seed3/x"]
)
def test_a_run_starts_from_the_run_of_the_plan_that_it_needs(start: str | None) -> None:
    content = json.loads(json.dumps(_CONTENT))
    content["variants"]["none"]["needs"] = "base"
    table = plan_file.plan_of(content, "edges", "edges.toml")
    configs = {one.name: _settings() for one in table.variants}
    version = plan_version.version_of(table, "paper", "", configs, ["none/seed3"], "typed")
    run = flatten_config(config_of(seed=3)) | {"train.init_from": "study/base/seed3"}
    assert version.differences(RunName("none", 3), run) == []
    run["train.init_from"] = start
    assert version.differences(RunName("none", 3), run) == [
        ("train.init_from", start, "base/seed3")
    ]
    del run["train.init_from"]
    assert version.differences(RunName("none", 3), run) == [("train.init_from", None, "base/seed3")]


@pytest.mark.parametrize("content", [None, "{", '{"table": "none"}'])
def test_a_plan_is_read_without_its_study_file(tmp_path: pathlib.Path, content: str | None) -> None:
    _write_plan(tmp_path, _CONTENT)
    _write_runs(tmp_path)
    expected = _plan(tmp_path)[:2]
    if content is None:
        (tmp_path / "study.json").unlink()
    else:
        (tmp_path / "study.json").write_text(content, "utf-8")
    assert _plan(tmp_path)[:2] == expected
    ((study,), problems) = study_file.read_studies(tmp_path)
    assert (study.scale, study.command, len(study.jobs)) == ("paper", "typed", 12)
    assert len(problems) == (content is not None)


@pytest.mark.parametrize("content", [None, "{"])
def test_a_plan_that_cannot_be_read_counts_without_its_study_file(
    tmp_path: pathlib.Path, content: str | None
) -> None:
    (tmp_path / "plan.json").write_text("{", "utf-8")
    if content is not None:
        (tmp_path / "study.json").write_text(content, "utf-8")
    variant = plan_and_text("table5")[0].variants[-1]
    for seed, score in enumerate((92.3, 92.4, 92.5)):
        folder = tmp_path / variant.name / f"seed{seed}"
        write_run(folder, config_of(variant, seed=seed), {"256": score})
    report, _ = analyse(tmp_path)
    assert "nothing is judged" in " ".join(report.summary)
    assert "its plan.json cannot be read" in report.groups[0].reasons
    rows = [row for table in report.tables for row in table.rows if row.system == "ours"]
    assert {row.verdict for row in rows} <= {None, "not comparable"}


def test_lists_of_settings_and_devices_are_written_in_full(tmp_path: pathlib.Path) -> None:
    version = _version(_CONTENT)
    configs = {"base": {"eval.sizes": [48, 48]}, "none": {}, "forty": {}}
    content = msgspec.structs.replace(version.content, configs=configs)
    plan = FrozenPlan(dataclasses.replace(version, content=content))
    study = study_file.Study("", version.table, "paper", "typed", version.runs, plan)
    study_file.write_study(tmp_path, study)
    for seed, devices in ((0, ["H100"]), (1, ["H100"] * 4)):
        config = config_of(seed=seed) | {}
        config["eval"] = {**config["eval"], "sizes": [48] * 3}
        write_run(
            tmp_path / "base" / f"seed{seed}", config, {"256": 80}, environment={"devices": devices}
        )
    marks = {one.field: (one.value, one.planned) for one in _plan(tmp_path)[0].marks}
    assert marks["devices"] == ("4 × H100", "H100")
    assert marks["config.eval.sizes"] == ("48, 48, 48", "48, 48")


@pytest.mark.parametrize("first", [0, 3])
def test_planned_runs_on_other_data_are_said_to_be_so(tmp_path: pathlib.Path, first: int) -> None:
    _write_plan(tmp_path, _CONTENT)
    _write_runs(tmp_path)
    path = tmp_path / "none" / f"seed{first}" / "results.json"
    results = json.loads(path.read_text("utf-8"))
    results["parameters"] += 1
    path.write_text(json.dumps(results), "utf-8")
    _, questions, _ = _plan(tmp_path)
    assert questions["none"].reason == (
        "1 of 4 planned pairs of runs are apart from the others (of other data, parameters or framework)"
    )
    assert questions["none"].pairs == 3
    assert questions["forty"].answer == Answer.AS_EXPECTED
