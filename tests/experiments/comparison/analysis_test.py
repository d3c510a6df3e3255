"""Tests of experiments.comparison.analysis and what it is made of: measured, published_rows, study, costs."""

import copy
import json
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import scipy.stats
from made_benchmark import HEAD, measurement, not_measured
from made_runs import IMAGES, LAPA, OTHERS, config_of, write_run, write_seeds
from report_study import as_written
from statsmodels.stats import multitest

from fpliif_jax.experiments.comparison import published_rows
from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.plans import study_file
from fpliif_jax.experiments.plans.tables import plan_and_text
from fpliif_jax.experiments.published import PublishedValue
from fpliif_jax.experiments.report import write_report
from fpliif_jax.experiments.runs import arrays
from fpliif_jax.run_folder.run_config import config_fingerprint

# Their mean is 92.4, their SD √(0.02 / 4) = 0.0707; the paper has 92.41.
NEAR = [92.4, 92.5, 92.3, 92.4, 92.4]


def _analysed(root: pathlib.Path, *external: pathlib.Path) -> dict[str, Any]:
    return as_written(analyse(root, external)[0])


def _note(folder: pathlib.Path, table: str, scale: str, jobs: Sequence[str] = ()) -> None:
    command = f"python -m experiments.reproduce {table}"
    study_file.write_study(
        folder, study_file.Study(str(folder), plan_and_text(table)[0], scale, command, tuple(jobs))
    )


def _table(study: dict[str, Any], identifier: str) -> dict[str, Any]:
    return next(table for table in study["tables"] if table["id"] == identifier)


def test_published_runs_get_a_verdict(tmp_path: pathlib.Path) -> None:
    write_seeds(tmp_path, config_of(), NEAR)
    study = _analysed(tmp_path)
    table = _table(study, "table1")
    row = table["rows"][0]
    assert (row["label"], row["row"], row["published"]["value"]) == ("FP-LIIF, 256", "256", 92.41)
    assert row["values"] == {str(seed): pytest.approx(v) for seed, v in enumerate(NEAR)}
    assert row["summary"]["mean"] == pytest.approx(92.4)
    assert row["summary"]["sd"] == pytest.approx(0.02**0.5 / 2)
    # t(4, 97.5 %) = 2.7764: ± 2.7764 · 0.0707 / √5.
    assert row["t_interval"] == pytest.approx([92.4 - 0.0878, 92.4 + 0.0878], abs=1e-3)
    assert row["verdict"] == "reproduced"
    assert [test["name"] for test in row["tests"]][0] == "one-sample t-test"
    missing = next(row for row in table["rows"] if row["row"] == "512")
    assert (missing["values"], missing["verdict"]) == ({}, None)
    assert "no row 512" in missing["reason"]
    classes = {
        row["class"]: row for row in _table(study, "table1-classes")["rows"] if row["row"] == "256"
    }
    assert classes["hair"]["published"]["value"] == 96.0
    assert classes["hair"]["verdict"] == "not reproduced"
    assert classes["left_eye"]["verdict"] == "reproduced within margin"
    peers = {row["label"]: row for row in table["rows"] if row["system"] != "ours"}
    assert peers["DML-CSR"]["published"]["value"] == 92.38
    assert peers["DML-CSR"]["verdict"] is None
    assert study["groups"][0]["comparable"] is True
    assert study["groups"][0]["deviations"] == []
    # Nothing but that seeds 3 and 4 have the scores of seed 0.
    assert [run["status"] for run in study["incomplete_runs"]] == ["duplicate", "duplicate"]


def test_runs_scored_again_by_another_rule_enter_no_mean_of_the_others(
    quick: None, tmp_path: pathlib.Path
) -> None:
    write_seeds(tmp_path / "a", config_of(), [92.1, 92.4, 92.7])
    path = tmp_path / "a" / "seed2" / "results.json"
    results = json.loads(path.read_text())
    results["config"]["eval"]["upsampling"] = "labels"
    results["config_fingerprint"] = config_fingerprint(results["config"])
    path.write_text(json.dumps(results))
    study = _analysed(tmp_path)
    assert [group["seeds"] for group in study["groups"]] == [[0, 1], [2]]
    rules = [group["settings"]["eval.upsampling"] for group in study["groups"]]
    assert rules == ["logits", "labels"]
    (told,) = [text for text in study["summary"] if "different rules" in text]
    assert told == (
        "Runs of one experiment were scored by different rules, eval.upsampling: 'logits' in a; 'labels' in a/seed2. "
        "They are not pooled."
    )


def test_classes_of_a_row_are_judged_together(quick: None, tmp_path: pathlib.Path) -> None:
    # Mean 92.4, SD 0.474: by themselves most classes would be 'not reproduced', one of them narrowly.
    write_seeds(tmp_path / "runs", config_of(), [91.8, 92.1, 92.4, 92.7, 93.0])
    study = _analysed(tmp_path / "runs")
    main = next(row for row in _table(study, "table1")["rows"] if row["row"] == "256")
    table = _table(study, "table1-classes")
    rows = [row for row in table["rows"] if row["row"] == "256"]
    assert len(rows) == 10
    of_row = [{test["name"]: test for test in row["tests"]} for row in rows]
    alone = [tests["not reproduced: larger p of two tests"]["p"] for tests in of_row]
    holm = [tests["not reproduced: Holm's p over the row's classes"]["p"] for tests in of_row]
    assert holm == pytest.approx(multitest.multipletests(alone, method="holm")[1])
    words = [row["verdict"] for row in rows]
    assert [word == "not reproduced" for word in words] == [p < 0.05 for p in holm]
    lost = [row for row, p, q in zip(rows, alone, holm, strict=True) if p < 0.05 <= q]
    assert [row["verdict"] for row in lost] == ["inconclusive"]
    assert all("Holm's correction over the 10 classes of its row" in r["reason"] for r in lost)
    # The row's mean is no class: it stands by itself.
    assert not any("Holm" in test["name"] for test in main["tests"])
    assert main["verdict"] == "reproduced"
    write_report(analyse(tmp_path / "runs")[0], {}, tmp_path / "report")
    for name in ("report.html", "report.md", "table1-classes.tex"):
        assert "correction over all of its row" in (tmp_path / "report" / name).read_text()
    assert "note" not in _table(study, "table1")


@pytest.mark.parametrize("value", [92.4, 80.0])
def test_two_runs_are_inconclusive_whatever_they_say(tmp_path: pathlib.Path, value: float) -> None:
    write_seeds(tmp_path, config_of(), [value, value + 0.1])
    rows = [
        row
        for table in _analysed(tmp_path)["tables"]
        for row in table["rows"]
        if row["published"] and row["values"]
    ]
    assert {row["verdict"] for row in rows} == {"inconclusive"}
    assert all(row["tests"] == [] for row in rows)


def test_the_papers_number_of_runs_is_used(tmp_path: pathlib.Path) -> None:
    # STN-iCNN's README has 90.0 as the mean of ten runs, its notebook 90.01 as one run.
    table = plan_and_text("stn_table2")[0]
    official = next(variant for variant in table.variants if variant.name == "official")
    _note(tmp_path, "stn_table2", "paper")
    for seed, percent in enumerate([89.8, 90.0, 90.2, 90.4, 90.6]):
        folder = tmp_path / "official" / f"seed{seed}"
        write_run(folder, config_of(official, seed), {"canvas": percent})
    rows = _table(_analysed(tmp_path), "stn_table2")["rows"]
    of_ten, of_one = (row for row in rows if row["system"] == "ours" and row["values"])
    assert [row["published"]["n"] for row in (of_ten, of_one)] == [10, None]
    mean, sd = (of_ten["summary"][name] for name in ("mean", "sd"))
    for row, runs in ((of_ten, 10), (of_one, 1)):
        test = next(t for t in row["tests"] if t["name"].startswith("not reproduced"))
        far = abs(mean - row["published"]["value"])
        p_new_run = 2 * scipy.stats.t.sf(far / (sd * (1 / 5 + 1 / runs) ** 0.5), 4)
        p_margin = min(1, 2 * scipy.stats.t.sf((far - 0.5) / (sd / 5**0.5), 4))
        assert test["p"] == pytest.approx(max(p_new_run, p_margin))
        assert p_new_run > p_margin


def test_an_sd_is_of_the_class_that_it_is_printed_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    made = [
        PublishedValue(
            "FP-LIIF", "lapa", "256", name, metric, value, f"{value}", "percent", "FP-LIIF Table 1"
        )
        for name, metric, value in (
            ("hair", "f1", 96.0),
            ("nose", "f1", 92.5),
            ("nose", "f1_sd", 0.3),
        )
    ]
    monkeypatch.setattr(published_rows, "published_values", lambda: made)
    write_seeds(tmp_path, config_of(), NEAR)
    rows = _table(_analysed(tmp_path), "table1-classes")["rows"]
    assert [(row["class"], row["published"]["sd"]) for row in rows] == [
        ("hair", None),
        ("nose", 0.3),
    ]


def test_drawn_faces_are_never_beside_a_verdict(tmp_path: pathlib.Path) -> None:
    write_seeds(tmp_path, config_of(), NEAR, complete=False)
    study = _analysed(tmp_path)
    rows = [row for table in study["tables"] for row in table["rows"] if row["values"]]
    assert {row["verdict"] for row in rows} == {"not comparable"}
    assert all(row["tests"] == [] for row in rows)
    assert study["groups"][0]["comparable"] is False
    told = next(text for text in study["summary"] if "can be held against a paper" in text)
    assert told.startswith("No run here can be held against a paper: the data are not")


def test_each_reason_why_no_run_can_be_judged_is_told_and_verdicts_on_costs_are_counted(
    tmp_path: pathlib.Path,
) -> None:
    """Lines of one table have reasons of their own, and what was counted needs no run."""
    write_run(tmp_path / "few" / "seed0", config_of(), {"256": 92.0}, complete=False)
    wide = config_of(model__features=80)
    write_run(tmp_path / "wide" / "seed0", wide, {"256": 92.0}, parameters=3)
    _note(tmp_path, "table6", "paper")
    (tmp_path / "cost").mkdir()
    cost = {"parameters": 2285075, "rows": [{"output_size": 64, "gmacs": 27.44}]}
    (tmp_path / "cost" / "cost.json").write_text(json.dumps(cost))
    study = _analysed(tmp_path)
    (told,) = [text for text in study["summary"] if "can be held against a paper" in text]
    assert told == (
        "No run here can be held against a paper: the data are not the official set: 18,176 train, "
        "2,000 validation and 2,000 test images (few/seed0); another experiment: "
        "model.features is 80, not 64 (wide/seed0)."
    )
    assert any("1 reproduced" in text for text in study["summary"])


def test_another_reading_keeps_its_verdict_and_is_named(tmp_path: pathlib.Path) -> None:
    write_seeds(tmp_path, config_of(model__ensemble="area"), NEAR)
    study = _analysed(tmp_path)
    assert _table(study, "table1")["rows"][0]["verdict"] == "reproduced"
    (deviation,) = study["groups"][0]["deviations"]
    assert deviation["field"] == "model.ensemble"
    assert deviation["kind"] == "reading"


def test_the_margin_is_that_of_the_config(tmp_path: pathlib.Path) -> None:
    write_seeds(tmp_path, config_of(study__equivalence_margin=0.05), NEAR)
    study = _analysed(tmp_path)
    assert study["margin"] == 0.05
    assert _table(study, "table1")["rows"][0]["verdict"] == "inconclusive"


def test_validation_scores_are_not_the_papers(tmp_path: pathlib.Path) -> None:
    run = write_run(tmp_path / "seed0", config_of(), {"256": 92.4})
    results = json.loads((run / "results.json").read_text())
    results["evaluations"] = [one for one in results["evaluations"] if one["split"] != "test"]
    (run / "results.json").write_text(json.dumps(results))
    row = _table(_analysed(tmp_path), "table1")["rows"][0]
    assert row["values"] == {"0": pytest.approx(92.4 - OTHERS["validation", "best"][0], abs=0.1)}
    assert row["verdict"] == "not comparable"
    assert "validation" in row["reason"]


@pytest.mark.parametrize("differs", ["nothing", "label maps", "set"])
def test_lines_scored_on_other_images_are_not_compared(
    tmp_path: pathlib.Path, differs: str
) -> None:
    variants = {variant.name: variant for variant in plan_and_text("table5")[0].variants}
    for name, percents in (("lambda=0", [91.6, 91.9, 91.5]), ("lambda=40", NEAR[:3])):
        maps = "b" if differs == "label maps" and name == "lambda=0" else "a"
        digests = dict.fromkeys(("train", "validation", "test", "all"), maps * 64)
        dataset = {"digest": {"ids": digests, "labels": digests}}
        config = config_of(variants[name])
        if differs == "set" and name == "lambda=0":
            config["eval"]["dataset"] = dataset["name"] = "helen"
        write_seeds(tmp_path / name, config, percents, dataset=dataset)
    _note(tmp_path, "table5", "paper")
    compared = _table(_analysed(tmp_path), "table5")["comparisons"]
    assert len(compared) == (differs == "nothing")


def test_lines_of_a_table_are_compared_with_its_baseline(tmp_path: pathlib.Path) -> None:
    table = plan_and_text("table5")[0]
    variants = {variant.name: variant for variant in table.variants}
    percents = {
        "lambda=0": [91.6, 91.9, 91.5, 91.7, 91.8],  # 0.7 ± 0.1581 below, seed by seed
        "lambda=30": [92.5, 92.4, 92.4, 92.3, 92.4],  # no difference on the mean
        "lambda=40": [92.4, 92.5, 92.3, 92.4, 92.4],
    }
    for name, values in percents.items():
        write_seeds(tmp_path / "t5" / name, config_of(variants[name]), values)
    jobs = [f"{name}/seed{seed}" for name in (*percents, "lambda=20") for seed in range(5)]
    _note(tmp_path / "t5", "table5", "paper", jobs)
    study = _analysed(tmp_path)
    found = _table(study, "table5")
    assert [row["label"] for row in found["rows"]] == ["λ = 0", "λ = 30", "λ = 40"]
    # The paper's 91.73, 92.34 and 92.4.
    assert [row["verdict"] for row in found["rows"]] == ["reproduced"] * 3
    first, second = found["comparisons"]
    assert (first["a"], first["b"], first["test"], first["n"]) == ("λ = 0", "λ = 40", "paired t", 5)
    assert first["difference"] == pytest.approx(-0.7)
    # differences −.8 −.6 −.8 −.7 −.6: SD 0.1; t = −0.7 / (0.1 / √5) = −15.65, p = 9.7e-5.
    assert first["p"] == pytest.approx(9.7e-5, rel=0.02)
    assert first["p_holm"] == pytest.approx(2 * first["p"])
    assert second["difference"] == pytest.approx(0.0)
    assert "python -m experiments.reproduce table5" in study["commands"]
    missing = [run for run in study["incomplete_runs"] if run["status"] == "not started"]
    assert [run["name"] for run in missing] == [f"t5/lambda=20/seed{seed}" for seed in range(5)]
    differing = {group["folder"]: group["settings"] for group in study["groups"]}
    assert differing["t5/lambda=0"] == {"loss.edge_weight": 0.0}


def test_numbers_measured_elsewhere_are_tested_against_ours(tmp_path: pathlib.Path) -> None:
    write_seeds(tmp_path / "runs", config_of(), NEAR)
    lines = ["system,dataset,protocol,class,metric,value,source,seed"]
    for seed, value in enumerate([92.2, 92.2, 92.1, 92.3, 92.1]):
        lines.append(f"PyTorch port,lapa,256,mean,mean_f1,{value},our cluster,{seed}")
    lines.append("Other,helen,256,overall,group_f1,91.0,a blog,")
    lines.append("PyTorch port,celebamask_hq,256,mean,mean_f1,86.1,our cluster,0")
    lines.append("PyTorch port,lapa,1024,mean,mean_f1,92.9,our cluster,0")
    path = tmp_path / "pytorch.csv"
    path.write_text("\n".join(lines) + "\n")
    study = _analysed(tmp_path / "runs", path)
    table = _table(study, "table1")
    place = next(i for i, row in enumerate(table["rows"]) if row["system"] == "PyTorch port")
    row = table["rows"][place]
    assert row["verdict"] is None
    assert row["summary"]["mean"] == pytest.approx(92.18)
    assert table["rows"][row["against"]]["label"] == "FP-LIIF, 256"
    welch, paired = table["comparisons"]
    assert (welch["test"], paired["test"]) == ("Welch t", "paired t")
    assert [one["difference"] for one in (welch, paired)] == pytest.approx([0.22, 0.22])
    # differences .2 .3 .2 .1 .3: SD 0.08367, t = 0.22 / (0.08367 / √5) = 5.880.
    assert paired["p"] == pytest.approx(0.00417, rel=0.01)
    rest = _table(study, "external")["rows"]
    assert [(row["label"], row["summary"]["mean"], row["verdict"]) for row in rest] == [
        ("Other helen 256 overall", 91.0, None),
        ("PyTorch port celebamask_hq 256 mean", 86.1, None),
        ("PyTorch port lapa 1024 mean", 92.9, None),
    ]
    assert study["external"] == ["pytorch.csv"]


@pytest.mark.parametrize(
    ("system", "protocol", "label"),
    [
        ("PyTorch port", "lambda=40", "λ = 40"),
        ("PyTorch port", "256", None),  # which λ?
        ("FP-LIIF in PyTorch", "lambda=0", "λ = 0"),
        ("iCNN", "lambda=0", None),
    ],
)
def test_what_was_measured_elsewhere_finds_its_line_or_stands_alone(
    tmp_path: pathlib.Path, system: str, protocol: str, label: str | None
) -> None:
    variants = {variant.name: variant for variant in plan_and_text("table5")[0].variants}
    for name in ("lambda=0", "lambda=40"):
        write_run(tmp_path / "t" / name / "seed0", config_of(variants[name]), {"256": 92.0})
    _note(tmp_path / "t", "table5", "paper")
    path = tmp_path / "other.csv"
    path.write_text(
        "system,dataset,protocol,class,metric,value,source,seed\n"
        f"{system},lapa,{protocol},mean,mean_f1,92.1,here,0\n"
    )
    study = _analysed(tmp_path / "t", path)
    found = [row for table in study["tables"] for row in table["rows"] if row["system"] == system]
    assert len(found) == 1
    if label is None:
        assert found[0]["against"] is None
    else:
        ours = _table(study, "table5")["rows"][found[0]["against"]]
        assert ours["label"] == label


def test_one_run_is_inconclusive_and_a_doubled_seed_is_told(tmp_path: pathlib.Path) -> None:
    write_run(tmp_path / "a" / "seed0", config_of(), {"256": 92.4})
    write_run(tmp_path / "a" / "again", config_of(), {"256": 92.4})
    study = _analysed(tmp_path)
    row = _table(study, "table1")["rows"][0]
    assert (row["verdict"], row["t_interval"]) == ("inconclusive", None)
    (told,) = study["incomplete_runs"]
    assert told["status"] == "duplicate"


def test_seeds_with_the_same_scores_are_told(tmp_path: pathlib.Path) -> None:
    """As of one file of weights that was scored under two seeds."""
    write_seeds(tmp_path / "a", config_of(), [92.4, 92.3, 92.4])
    (told,) = _analysed(tmp_path / "a")["incomplete_runs"]
    assert told["status"] == "duplicate" and told["problem"].startswith(
        "seeds 0 and 2 have exactly"
    )


def test_what_is_broken_is_listed_and_hides_nothing(tmp_path: pathlib.Path) -> None:
    write_seeds(tmp_path, config_of(), NEAR[:3])
    (tmp_path / "seed1" / "results.json").write_text("{")
    (tmp_path / "seed2" / "evaluations" / "test-best-256.npz").write_bytes(b"not an archive")
    unfinished = write_run(tmp_path / "seed3", config_of(seed=3), {"256": 92.0})
    (unfinished / "results.json").unlink()
    (tmp_path / "study.json").write_text('{"table": "none"}')
    study = _analysed(tmp_path)
    told = {(entry["name"], entry["status"]) for entry in study["incomplete_runs"]}
    assert ("seed1", "broken") in told
    assert ("seed2", "broken") in told
    assert ("seed3", "unfinished") in told
    loss = study["groups"][0]["curves"]["stages"][0]["loss"]
    assert [one["seed"] for one in loss if not one["is_finished"]] == [3]
    assert ("study.json", "broken") in told
    row = _table(study, "table1")["rows"][0]
    assert list(row["values"]) == ["0"]


def test_an_edited_score_takes_its_run_out(quick: None, tmp_path: pathlib.Path) -> None:
    write_seeds(tmp_path, config_of(), NEAR[:3])
    path = tmp_path / "seed1" / "results.json"
    results = json.loads(path.read_text())
    for found in results["evaluations"]:
        found["mean_f1"] = 0.99
    path.write_text(json.dumps(results))
    analysed, shown = analyse(tmp_path)
    study = as_written(analysed)
    (told,) = study["incomplete_runs"]
    assert (told["name"], told["status"]) == ("seed1", "broken")
    assert "results.json has mean_f1 0.99, these matrices 0." in told["problem"]
    write_report(analysed, {}, tmp_path / "report")
    page = (tmp_path / "report" / "report.md").read_text()
    assert "99.00" not in page
    assert list(_table(study, "table1")["rows"][0]["values"]) == ["0", "2"]
    assert [run["name"] for run in study["groups"][0]["runs"]] == ["seed0", "seed2"]
    assert {one["seed"] for one in study["groups"][0]["curves"]["stages"][0]["loss"]} == {0, 2}


def test_every_file_of_matrices_is_read_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_seeds(tmp_path, config_of(), NEAR[:3])
    read = []

    class Counted(arrays.ArrayFile):
        def __init__(self, path: pathlib.Path, *others: Any) -> None:
            read.append(path)
            super().__init__(path, *others)

    monkeypatch.setattr(arrays, "ArrayFile", Counted)
    assert _analysed(tmp_path)["groups"][0]["scores"][0]["image_interval"]
    assert sorted(path for path in read if path.parent.name == "evaluations") == sorted(
        tmp_path.rglob("evaluations/*.npz")
    )


def test_runs_of_different_images_have_no_image_interval(tmp_path: pathlib.Path) -> None:
    write_seeds(tmp_path, config_of(), NEAR[:3])
    path = tmp_path / "seed1" / "evaluations" / "test-best-256.npz"
    with np.load(path) as members:
        changed = dict(members)
    changed["example_ids"] = np.array([f"other {index}" for index in range(IMAGES)])
    np.savez_compressed(path, **changed)
    study = _analysed(tmp_path)
    (told,) = study["incomplete_runs"]
    assert (told["status"], told["problem"]) == (
        "evaluation",
        "the runs were evaluated on different images",
    )
    row = _table(study, "table1")["rows"][0]
    assert (len(row["values"]), row["image_interval"]) == (3, None)


def test_an_unfinished_line_of_our_own_is_no_other_system(tmp_path: pathlib.Path) -> None:
    variants = {variant.name: variant for variant in plan_and_text("stn_table2")[0].variants}
    write_seeds(tmp_path / "icnn", config_of(variants["icnn"]), [86.0, 86.5])
    write_seeds(tmp_path / "stn_icnn_apart", config_of(variants["stn_icnn_apart"]), [89.0])
    (tmp_path / "stn_icnn_apart" / "seed0" / "results.json").unlink()
    _note(tmp_path, "stn_table2", "paper", ["icnn/seed0", "stn_icnn_apart/seed0"])
    rows = _table(_analysed(tmp_path), "stn_table2")["rows"]
    told = {row["label"]: (row["system"], row["reason"]) for row in rows if not row["values"]}
    assert told == {
        "STN-iCNN*": ("ours", "no finished run of it here"),
        "STN-iCNN": ("ours", "no finished run of it here"),
        "iCNN (Zhou et al.)": ("iCNN (Zhou et al.)", "another system, as the paper has it"),
    }
    ours = next(row for row in rows if row["values"])
    assert (ours["label"], ours["published"]["value"]) == ("iCNN", pytest.approx(86.5))


def test_a_checkpoint_before_the_last_stage_is_not_the_papers(tmp_path: pathlib.Path) -> None:
    variant = plan_and_text("stn_table2")[0].variants[2]
    run = write_run(tmp_path / "seed0", config_of(variant), {"canvas": 91.0})
    results = json.loads((run / "results.json").read_text())
    results["evaluations"] = results["evaluations"][-1:]
    results["evaluations"][0]["checkpoint"] = "after_fine"
    (run / "results.json").write_text(json.dumps(results))
    folder = run / "evaluations"
    (folder / "test-best-canvas.npz").rename(folder / "test-after_fine-canvas.npz")
    row = _table(_analysed(tmp_path), "stn_table2")["rows"][0]
    assert row["verdict"] == "not comparable"
    assert "scored with the checkpoint after_fine, before the last stage" in row["reason"].lower()


def test_nothing_at_all_is_a_report_too(tmp_path: pathlib.Path) -> None:
    study = _analysed(tmp_path)
    assert study["summary"] == ["There is no finished run here."]
    assert study["tables"] == []


def test_curves_confusion_and_environments(tmp_path: pathlib.Path) -> None:
    write_run(tmp_path / "seed0", config_of(), {"256": 90.0})
    write_run(tmp_path / "seed1", config_of(seed=1), {"256": 90.0}, environment={"backend": "gpu"})
    study = _analysed(tmp_path)
    group = study["groups"][0]
    (stage,) = group["curves"]["stages"]
    loss = {"seed": 0, "steps": [10, 20], "values": [3.5, 2.5], "is_finished": True}
    assert stage["loss"][0] == loss
    validation = {"seed": 1, "steps": [10], "values": [80.0], "is_finished": True}
    assert stage["validation"][1] == validation
    matrix = group["confusion"]["matrix"]
    # Skin and brows are a point easier than the mean, and taken for each other in one direction.
    assert matrix[1][1] == pytest.approx(0.91)
    assert matrix[1][2] == pytest.approx(0.09)
    assert matrix[2][1] == 0
    assert matrix[7][8] == pytest.approx(0.11)
    assert all(sum(line) == pytest.approx(1) for line in matrix)
    environments = study["environments"]
    assert environments["common"]["versions.jax"] == "0.10.2"
    (difference,) = environments["differences"]
    assert difference == {"field": "backend", "values": {"seed0": "cpu", "seed1": "gpu"}}


def test_counted_costs_are_reproduced_in_their_printed_digits(
    quick: None, tmp_path: pathlib.Path
) -> None:
    _note(tmp_path, "table6", "paper", ["cost"])
    (tmp_path / "cost").mkdir()
    gmacs = {64: 27.443, 96: 32.251, 128: 38.99, 192: 58.241, 256: 85.4}
    rows = [{"output_size": size, "gmacs": value} for size, value in gmacs.items()]
    cost = {"parameters": 2285075, "rows": rows}
    (tmp_path / "cost" / "cost.json").write_text(json.dumps(cost))
    measurements = [
        measurement("latency", "JAX", 64, 1 / 900, dtype="bfloat16"),
        measurement("latency", "PyTorch eager", 64, 1 / 300),
        measurement("throughput", "JAX", 64, 1 / 2000),
        measurement("latency", "JAX", 64, 1 / 450),
        measurement("latency", "JAX", 96, 1 / 500),
        not_measured("latency", "JAX", 128, "out of memory"),
    ]
    speed = copy.deepcopy({**HEAD, "measurements": measurements})
    (tmp_path / "cost" / "benchmark.json").write_text(json.dumps(speed))

    def verdicts() -> dict[tuple[str, str], str | None]:
        study = _analysed(tmp_path)
        assert [table["id"] for table in study["tables"]] == ["table6-gmacs", "table6-fps"]
        rows = [row for table in study["tables"] for row in table["rows"]]
        sizes = {row["label"].removeprefix("FP-LIIF, output ").rstrip("²") for row in rows}
        assert sizes == {"64", "96", "128", "192", "256"}
        return {
            (row["metric"], row["label"].removeprefix("FP-LIIF, output ").rstrip("²")): row[
                "verdict"
            ]
            for row in rows
        }

    write_report(analyse(tmp_path)[0], {}, tmp_path / "report")
    assert "reproduced" in (tmp_path / "report" / "table6-gmacs.csv").read_text()
    found = verdicts()
    # Printed: 27.44, 32.25, 39, 58.24, 85.2.
    assert [found["gmacs", str(size)] for size in gmacs] == ["reproduced"] * 4 + ["not reproduced"]
    # 445 and 332 in the paper.
    assert found["fps", "64"] == "reproduced within margin"
    assert found["fps", "96"] == "not reproduced"
    assert found["fps", "128"] is None
    assert found["fps", "256"] is None
    speed["environment"]["device"] = "cpu"
    (tmp_path / "cost" / "benchmark.json").write_text(json.dumps(speed))
    assert verdicts()["fps", "64"] == "not comparable"
    del measurements[4]["batch"]
    (tmp_path / "cost" / "benchmark.json").write_text(
        json.dumps({**HEAD, "measurements": measurements, "ratios": ["fast"]})
    )
    assert verdicts()["fps", "64"] == "reproduced within margin"
    assert verdicts()["fps", "96"] is None
    reasons = {row["reason"] for row in _table(_analysed(tmp_path), "table6-fps")["rows"][1:]}
    assert reasons == {
        "the files do not have this number; damaged rows were left out: "
        "benchmark.json: measurements[4]: object missing required field `batch`, "
        "benchmark.json: ratios[0]: expected `object`, got `str`"
    }
    (tmp_path / "cost" / "cost.json").write_text(json.dumps({**cost, "rows": [3, *rows]}))
    assert verdicts()["gmacs", "64"] == "reproduced"
    (tmp_path / "cost" / "benchmark.json").write_text(json.dumps({"measurements": measurements}))
    fps = _table(_analysed(tmp_path), "table6-fps")["rows"]
    assert {row["reason"] for row in fps} == {
        "benchmark.json: object missing required field `config_name`"
    }
    (tmp_path / "cost" / "cost.json").write_text("[]")
    assert verdicts()["gmacs", "64"] is None
    (tmp_path / "cost" / "benchmark.json").unlink()
    assert verdicts()["fps", "64"] is None


def test_the_main_row_of_a_smaller_experiment_is_the_same_share_of_its_images(
    tmp_path: pathlib.Path,
) -> None:
    small = config_of(LAPA, data__image_size=64)
    write_run(tmp_path / "seed0", small, {"64": 80.0, "48to64": 70.0})
    rows = _table(_analysed(tmp_path), "table1")["rows"]
    means = {row["label"]: row["summary"]["mean"] for row in rows if row["values"]}
    assert means == {
        "FP-LIIF, 256": pytest.approx(80.0),
        "FP-LIIF, 192 → 256": pytest.approx(70.0),
    }


def test_two_groups_about_the_same_number_are_told_apart(tmp_path: pathlib.Path) -> None:
    write_seeds(tmp_path / "bilinear", config_of(), NEAR[:2])
    write_seeds(tmp_path / "nearest", config_of(model__sampling="nearest"), NEAR[:2])
    rows = [row for row in _table(_analysed(tmp_path), "table1")["rows"] if row["values"]]
    assert [row["label"] for row in rows] == [
        "bilinear: FP-LIIF, 256",
        "nearest: FP-LIIF, 256",
    ]


def test_hidden_parts_stand_beside_each_other_by_seed(tmp_path: pathlib.Path) -> None:
    _note(tmp_path, "stn_fig5", "small")
    for seed, (stn, centroid) in enumerate([(3.0, 17.0), (4.0, 16.0)]):
        folder = tmp_path / "stn_icnn" / f"seed{seed}" / "robustness"
        folder.mkdir(parents=True)
        overall = {
            "stn": {"distance_before": {"mean": 1.5}, "distance_after": {"mean": stn}},
            "centroid": {"distance_before": {"mean": None}, "distance_after": {"mean": centroid}},
        }
        (folder / "robustness.json").write_text(json.dumps({"overall": overall}))
    for seed, damaged in enumerate(("[1]", '{"overall": {"stn": {}}}', "{"), start=2):
        folder = tmp_path / "stn_icnn" / f"seed{seed}" / "robustness"
        folder.mkdir(parents=True)
        (folder / "robustness.json").write_text(damaged)
    # The run of seed 0 once more, as if it were of seed 5.
    copied = shutil.copytree(tmp_path / "stn_icnn" / "seed0", tmp_path / "stn_icnn" / "seed5")
    (copied / "config.json").write_text(json.dumps(config_of(seed=0)))
    study = _analysed(tmp_path)
    (table,) = study["tables"]
    values = {row["label"]: row["values"] for row in table["rows"]}
    assert values == {
        "STN-iCNN: STN, before": {"0": 1.5, "1": 1.5},
        "STN-iCNN: STN, hidden": {"0": 3.0, "1": 4.0},
        "STN-iCNN: centroids, hidden": {"0": 17.0, "1": 16.0},
    }
    told = [one for one in study["incomplete_runs"] if one["status"] == "hidden parts"]
    assert [one["name"] for one in told] == [f"stn_icnn/seed{seed}" for seed in (2, 3, 4, 5)]
    assert told[3]["problem"].startswith("its config.json has seed 0: ")
    again = "; measure it again with experiments.robustness"
    assert told[0]["problem"] == f"robustness.json: expected `object`, got `array`{again}"
    missing = "robustness.json: overall.stn: object missing required field `distance_before`"
    assert told[1]["problem"] == missing + again
    assert told[2]["problem"].startswith("robustness.json is not valid JSON: ")
