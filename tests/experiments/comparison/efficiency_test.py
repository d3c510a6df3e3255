"""Tests of STN-iCNN's table of milliseconds and hours (experiments.comparison.training_times and costs)."""

import copy
import json
import pathlib
from typing import Any

import pytest
from made_benchmark import HEAD
from made_runs import config_of, write_run
from report_study import as_written

from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.plans import study_file
from fpliif_jax.experiments.plans.tables import plan_and_text
from fpliif_jax.experiments.report import write_report

TABLE = plan_and_text("stn_efficiency")[0]
VARIANTS = {variant.name: variant for variant in TABLE.variants}
GTX = "NVIDIA GeForce GTX 1080 Ti"


def _analysed(root: pathlib.Path) -> dict[str, Any]:
    study_file.write_study(root, study_file.Study(str(root), TABLE, "paper", "", ()))
    return as_written(analyse(root)[0])


def _rows(root: pathlib.Path, metric: str) -> dict[str, dict[str, Any]]:
    tables = [t for t in _analysed(root)["tables"] if t["id"] == f"stn_efficiency-{metric}"]
    return {row["label"]: row for table in tables for row in table["rows"]}


def _run(root: pathlib.Path, name: str, devices: list[str], **hours: float) -> pathlib.Path:
    """A finished run of seed 0 whose stages took so many hours, half of each by its first record."""
    folder = root / name / "seed0"
    changes = {"train__init_from": str(root / "helen" / "seed0")} if name == "finetuned" else {}
    config = config_of(VARIANTS[name], **changes)
    write_run(folder, config, {"canvas": 90.0}, environment={"devices": devices})
    lines, step, seconds = [], 0, 0.0
    for stage, duration in hours.items():
        for _ in range(2):
            step, seconds = step + 5, seconds + duration * 3600 / 2
            record = {"step": step, "split": "train", "stage": stage, "epoch": 1, "loss": 1.0}
            lines.append({**record, "timing": {"seconds": seconds, "images_per_second": 9.0}})
        lines.append({"step": step, "split": "validation", "stage": stage, "epoch": 1})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_hours_of_the_stages_stand_beside_the_papers(quick: None, tmp_path: pathlib.Path) -> None:
    _run(tmp_path, "helen", [GTX], coarse=0.2, localisation=0.32, end_to_end=2.9)
    _run(tmp_path, "celebamask_hq", ["cpu"], coarse=2, localisation=3, end_to_end=40)
    _run(tmp_path, "finetuned", [GTX], localisation=0.5, end_to_end=1.5)
    rows = _rows(tmp_path, "hours")
    found = {
        label: (row["published"]["printed"], row["values"]["0"], row["verdict"])
        for label, row in rows.items()
    }
    finetuned = "Helen, then 2,000 images of CelebAMask-HQ: fine-tuning"
    assert found == {
        "Helen: pre-training": ("0.5", pytest.approx(0.52), "reproduced within margin"),
        "Helen: end-to-end": ("2.2", pytest.approx(2.9), "not reproduced"),
        "CelebAMask-HQ: pre-training": ("1.6", pytest.approx(5), "not comparable"),
        "CelebAMask-HQ: end-to-end": ("10.2", pytest.approx(40), "not comparable"),
        finetuned: ("2.1", pytest.approx(2), "reproduced within margin"),
    }
    assert rows["Helen: end-to-end"]["reason"] == "2.9 against 2.2; the margin is 10%."
    assert (
        "trained on cpu, in the paper on 4 GTX 1080 Ti"
        in (rows["CelebAMask-HQ: end-to-end"]["reason"])
    )
    write_report(analyse(tmp_path)[0], {}, tmp_path / "report")
    assert "not comparable" in (tmp_path / "report" / "stn_efficiency-hours.csv").read_text()


def test_one_gpu_of_four_is_another_machine(tmp_path: pathlib.Path) -> None:
    _run(tmp_path, "celebamask_hq", [GTX], coarse=1, localisation=0.6, end_to_end=10.2)
    assert {row["verdict"] for row in _rows(tmp_path, "hours").values()} == {"not comparable"}


@pytest.mark.parametrize("timing", [None, {}, {"steps": 3}])
def test_logs_without_times_leave_a_reason(tmp_path: pathlib.Path, timing: Any) -> None:
    folder = _run(tmp_path, "helen", [GTX], coarse=0.2, localisation=0.3)
    row = _rows(tmp_path, "hours")["Helen: end-to-end"]
    assert (row["values"], row["verdict"]) == ({}, None)
    assert "do not have the times" in row["reason"]
    record = {"step": 1, "split": "train", "stage": "end_to_end", "timing": timing}
    (folder / "metrics.jsonl").write_text(json.dumps(record) + "\n")
    assert all(row["values"] == {} for row in _rows(tmp_path, "hours").values())


def test_milliseconds_of_both_croppers(tmp_path: pathlib.Path) -> None:
    def entry(system: str, milliseconds: float | None) -> dict[str, Any]:
        taken = {"map-back": 1.0, "whole": milliseconds}
        steps = [{"step": step, "seconds": [], "milliseconds": ms} for step, ms in taken.items()]
        return {"system": system, "photo": [80, 60], "canvas": 96, "steps": steps}

    content = copy.deepcopy(HEAD)
    content["environment"]["device"] = GTX
    content["one_face"] = [entry("STN-iCNN", 75.0), entry("baseline", 60.0)]
    path = tmp_path / "one_face" / "benchmark.json"
    path.parent.mkdir()

    def verdicts() -> dict[str, tuple[str, str | None]]:
        path.write_text(json.dumps(content))
        rows = _rows(tmp_path, "milliseconds")
        return {label: (row["published"]["printed"], row["verdict"]) for label, row in rows.items()}

    found = {"iCNN": ("86", "not reproduced"), "STN-iCNN": ("80", "reproduced within margin")}
    assert verdicts() == found
    content["environment"]["device"] = "cpu"
    assert {verdict for _, verdict in verdicts().values()} == {"not comparable"}
    content["one_face"] = [entry("STN-iCNN", None)]
    assert {verdict for _, verdict in verdicts().values()} == {None}
    content["one_face"] = [entry("STN-iCNN", 75.0), "baseline"]  # a damaged row hides no other
    assert {name: verdict for name, (_, verdict) in verdicts().items()} == {
        "iCNN": None,
        "STN-iCNN": "not comparable",
    }
