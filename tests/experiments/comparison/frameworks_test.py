"""Runs of JAX and of PyTorch in one study: groups, labels, and their difference seed by seed."""

import json
import pathlib
import shutil
from typing import Any

import pytest
import scipy.stats
from made_runs import config_of, write_run, write_seeds
from report_study import as_written

from fpliif_jax.experiments.comparison import measured
from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.plans import study_file
from fpliif_jax.experiments.plans.tables import plan_and_text
from fpliif_jax.experiments.report import write_report

JAX = [92.4, 92.5, 92.3]
TORCH = [92.3, 92.2, 92.2]


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The intervals over images are not what these tests are about, and they take a moment."""
    monkeypatch.setattr(measured, "_RESAMPLES", 20)


def _analysed(root: pathlib.Path) -> dict[str, Any]:
    return as_written(analyse(root)[0])


def _tables(study: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {table["id"]: table for table in study["tables"]}


def _both(root: pathlib.Path, jax: list[float] = JAX, torch: list[float] = TORCH) -> None:
    write_seeds(root / "jax", config_of(), jax)
    write_seeds(root / "pytorch", config_of(), torch, framework="pytorch")


def test_the_difference_is_that_of_pairs_of_seeds(tmp_path: pathlib.Path) -> None:
    _both(tmp_path)
    tables = _tables(_analysed(tmp_path))
    ours, theirs = tables["frameworks"]["rows"]
    assert (ours["label"], theirs["label"]) == ("JAX", "PyTorch")
    for row, values in ((ours, JAX), (theirs, TORCH)):
        assert row["values"] == {str(seed): pytest.approx(v) for seed, v in enumerate(values)}
        assert row["summary"]["sd"] == pytest.approx(scipy.stats.tstd(values))
        interval = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert row["t_interval"] == pytest.approx([interval.low, interval.high])
        assert (row["verdict"], row["published"]) == (None, None)
    (found,) = tables["frameworks"]["comparisons"]
    expected = scipy.stats.ttest_rel(JAX, TORCH)
    interval = expected.confidence_interval(0.95)
    assert (found["a"], found["b"], found["test"], found["n"]) == ("JAX", "PyTorch", "paired t", 3)
    assert found["difference"] == pytest.approx(0.5 / 3)
    assert found["interval"] == pytest.approx([interval.low, interval.high])
    assert found["p"] == found["p_holm"] == pytest.approx(expected.pvalue)
    # Two one-sided tests against ± 0.5 points.
    lower = scipy.stats.ttest_rel([v + 0.5 for v in JAX], TORCH, alternative="greater").pvalue
    upper = scipy.stats.ttest_rel([v - 0.5 for v in JAX], TORCH, alternative="less").pvalue
    assert found["equivalent_p"] == pytest.approx(max(lower, upper))


def test_classes_have_a_table_and_a_correction_of_their_own(tmp_path: pathlib.Path) -> None:
    _both(tmp_path)
    table = _tables(_analysed(tmp_path))["frameworks-classes"]
    assert table["rows"][1]["label"] == "PyTorch: skin"
    assert len(table["rows"]) == 20
    compared = table["comparisons"]
    assert [one["class"] for one in compared] == [row["class"] for row in table["rows"][::2]]
    # All classes of these runs are alike: each p is the least of ten.
    p = scipy.stats.ttest_rel(JAX, TORCH).pvalue
    assert [one["p"] for one in compared] == pytest.approx([p] * 10)
    assert [one["p_holm"] for one in compared] == pytest.approx([min(1, 10 * p)] * 10)


@pytest.mark.parametrize(
    ("torch", "told"),
    [
        (
            [92.3, 92.2, 92.2],
            "[−0.12, +0.45] (JAX − PyTorch, 95 % interval): smaller than the margin",
        ),
        ([92.2, 92.3, 92.1], "smaller than the margin of 0.5 points, but beyond the seeds' noise"),
        (
            JAX,
            "by 0.00 points of mean F1 [0.00, 0.00] (JAX − PyTorch, 95 % interval): smaller than",
        ),
        ([91.1, 91.5, 91.2], "larger than the margin of 0.5 points"),
        ([92.9, 91.5, 92.4], "within the seeds' noise, and not shown to be smaller"),
        ([91.9, 91.8, 91.8], "beyond the seeds' noise, and not shown to be smaller"),
    ],
)
def test_the_summary_says_it_plainly(tmp_path: pathlib.Path, torch: list[float], told: str) -> None:
    _both(tmp_path, torch=torch)
    summary = _analysed(tmp_path)["summary"]
    assert summary[0] == "6 finished runs of one setting, 3 in JAX and 3 in PyTorch."
    (sentence,) = [text for text in summary if "JAX − PyTorch" in text]
    assert sentence.startswith("On the same 3 seeds, JAX and PyTorch differ by ")
    assert told in sentence


def test_two_runs_are_shown_and_not_tested(tmp_path: pathlib.Path) -> None:
    _both(tmp_path, JAX[:2], TORCH[:2])
    study = _analysed(tmp_path)
    table = _tables(study)["frameworks"]
    assert (len(table["rows"]), table["comparisons"]) == (2, [])
    assert any("JAX and PyTorch: too few runs" in text for text in study["summary"])


def test_common_seeds_that_are_too_few_for_pairs_are_named(tmp_path: pathlib.Path) -> None:
    write_seeds(tmp_path / "jax", config_of(), JAX)
    write_seeds(tmp_path / "pytorch", config_of(), [*TORCH, 92.0], framework="pytorch")
    shutil.rmtree(tmp_path / "pytorch" / "seed0")
    shutil.rmtree(tmp_path / "jax" / "seed1")
    write_run(tmp_path / "jax" / "seed5", config_of(seed=5), {"256": JAX[1]})
    summary = _analysed(tmp_path)["summary"]
    (sentence,) = [text for text in summary if "JAX − PyTorch" in text]
    assert sentence.startswith("Unpaired, with 1 common seed, JAX and PyTorch differ by ")


@pytest.mark.parametrize(
    ("changes", "options", "told"),
    [
        ({"loss__edge_weight": 10.0}, {}, None),
        ({}, {"parameters": 2283020}, "2,283,019 and 2,283,020 parameters"),
        ({}, {"environment": {"data_fingerprint": "e" * 64}}, "their data are not the same"),
    ],
)
def test_only_what_differs_in_nothing_else_is_compared(
    tmp_path: pathlib.Path, changes: dict[str, Any], options: dict[str, Any], told: str | None
) -> None:
    write_seeds(tmp_path / "jax", config_of(), JAX)
    write_seeds(tmp_path / "torch", config_of(**changes), TORCH, framework="pytorch", **options)
    study = _analysed(tmp_path)
    assert "frameworks" not in _tables(study)
    found = [text for text in study["summary"] if "are not compared" in text]
    assert [told in text for text in found] == ([True] if told else [])


def test_evaluating_more_rows_or_in_larger_batches_changes_nothing(tmp_path: pathlib.Path) -> None:
    write_seeds(tmp_path / "jax", config_of(), JAX)
    config = config_of(eval__batch_size=3, eval__rows=("256",))
    write_seeds(tmp_path / "pytorch", config, TORCH, framework="pytorch")
    assert _tables(_analysed(tmp_path))["frameworks"]["comparisons"][0]["n"] == 3


def test_published_numbers_stand_beside_both_by_name(tmp_path: pathlib.Path) -> None:
    _both(tmp_path)
    study = _analysed(tmp_path)
    rows = [row for row in _tables(study)["table1"]["rows"] if row["values"]]
    assert [row["label"] for row in rows] == ["JAX: FP-LIIF, 256", "PyTorch: FP-LIIF, 256"]
    assert [group["name"] for group in study["groups"]] == ["JAX", "PyTorch"]
    assert [group["framework"] for group in study["groups"]] == ["jax", "pytorch"]
    assert [group["settings"] for group in study["groups"]] == [
        {"framework": "JAX"},
        {"framework": "PyTorch"},
    ]
    (difference,) = study["environments"]["differences"]
    assert difference["values"] == {
        f"{name}/seed{seed}": name for name in ("jax", "pytorch") for seed in range(3)
    }


def test_pytorch_alone_is_named_and_jax_alone_is_not(tmp_path: pathlib.Path) -> None:
    write_seeds(tmp_path / "torch" / "lapa", config_of(), TORCH, framework="pytorch")
    study = _analysed(tmp_path / "torch")
    assert study["groups"][0]["name"] == "lapa (PyTorch)"
    assert _tables(study)["table1"]["rows"][0]["label"] == "PyTorch: FP-LIIF, 256"
    assert study["summary"][0] == "3 finished runs of one setting, 3 in PyTorch."
    write_seeds(tmp_path / "jax" / "lapa", config_of(), JAX, framework="jax")
    study = _analysed(tmp_path / "jax")
    assert study["groups"][0]["name"] == "lapa"
    assert "JAX" not in json.dumps(study, ensure_ascii=False)


def test_lines_of_a_table_are_compared_within_their_framework(tmp_path: pathlib.Path) -> None:
    table = plan_and_text("table5")[0]
    for variant in table.variants:
        if variant.name not in ("lambda=0", "lambda=40"):
            continue
        lower = 1.0 * (variant.name == "lambda=0")
        for framework, values in (("jax", JAX), ("pytorch", TORCH)):
            write_seeds(
                tmp_path / variant.name / framework,
                config_of(variant),
                [value - lower for value in values],
                framework=framework,
            )
    command = "python -m experiments.reproduce table5"
    study_file.write_study(tmp_path, study_file.Study(str(tmp_path), table, "paper", command, ()))
    study = _analysed(tmp_path)
    found = _tables(study)["table5"]["comparisons"]
    assert [(one["a"], one["b"]) for one in found] == [
        ("λ = 0 (JAX)", "λ = 40 (JAX)"),
        ("λ = 0 (PyTorch)", "λ = 40 (PyTorch)"),
    ]
    assert [one["difference"] for one in found] == pytest.approx([-1, -1])
    pairs = _tables(study)["frameworks"]["comparisons"]
    assert [(one["a"], one["b"]) for one in pairs] == [
        ("λ = 0 (JAX)", "λ = 0 (PyTorch)"),
        ("λ = 40 (JAX)", "λ = 40 (PyTorch)"),
    ]
    assert [one["p_holm"] for one in pairs] == pytest.approx([2 * one["p"] for one in pairs])
    assert study["summary"][0] == "12 finished runs of 2 settings, 6 in JAX and 6 in PyTorch."


def test_the_study_of_one_framework_does_not_confuse_that_of_both(tmp_path: pathlib.Path) -> None:
    _both(tmp_path)
    told = study_file.Study("", None, "", "python -m experiments.multi_seed", ("seed0", "seed3"))
    study_file.write_study(tmp_path / "jax", told)
    study = _analysed(tmp_path)
    assert [table["id"] for table in study["tables"]][:2] == ["frameworks", "frameworks-classes"]
    missing = [run for run in study["incomplete_runs"] if run["status"] != "duplicate"]
    assert [run["name"] for run in missing] == ["jax/seed3"]


def test_the_report_names_both(tmp_path: pathlib.Path) -> None:
    _both(tmp_path / "runs")
    write_report(analyse(tmp_path / "runs")[0], {}, tmp_path / "report")
    forest = (tmp_path / "report" / "forest-frameworks.svg").read_text(encoding="utf-8")
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert ">JAX<" in forest and ">PyTorch<" in forest
    for name in ("JAX", "PyTorch"):
        assert f"<h3>{name}</h3>" in page
        assert page.count(f"<figcaption>{name}<") == 3  # curves, classes, confusion
        assert f"**{name}**" in text
    assert "JAX − PyTorch" in page
    # Nothing is published of their difference: columns for it would be empty.
    table = page.partition('<article id="table-0">')[2].partition("</article>")[0]
    assert "Every seed" in table and "Verdict" not in table and "Published" not in table
    assert "| JAX | 92.40 ± 0.10 | 3 runs | mean" in text
    assert "published" not in forest.lower()
    assert "PyTorch: FP-LIIF, 256" in page


def test_one_folder_may_hold_both(tmp_path: pathlib.Path) -> None:
    for seed, (ours, theirs) in enumerate(zip(JAX, TORCH, strict=True)):
        config = config_of(seed=seed)
        write_run(tmp_path / "lapa" / f"jax{seed}", config, {"256": ours}, framework="jax")
        write_run(tmp_path / "lapa" / f"torch{seed}", config, {"256": theirs}, framework="pytorch")
    study = _analysed(tmp_path)
    assert [group["name"] for group in study["groups"]] == ["lapa (JAX)", "lapa (PyTorch)"]
    assert _tables(study)["frameworks"]["comparisons"][0]["n"] == 3
