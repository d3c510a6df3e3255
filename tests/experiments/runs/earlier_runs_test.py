"""A run and a study of an earlier version are still read: what they hold is what that version wrote."""

import json
import pathlib
import shutil

import numpy as np
import pytest

from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.report.write import write_report

_DATA = pathlib.Path(__file__).parent / "data"


def test_a_study_of_before_the_seeds_were_recorded_is_read(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "study"
    shutil.copytree(_DATA / "study", root)
    folder = root / "seed3" / "evaluations"
    folder.mkdir()
    evaluations = json.loads((root / "seed3" / "evaluations.json").read_text())
    for name, arrays in evaluations.items():
        np.savez_compressed(
            folder / name, **{key: np.array(value) for key, value in arrays.items()}
        )
    study, _ = analyse(root)
    write_report(study, {}, tmp_path / "report")
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    (group,) = report["groups"]
    assert (group["framework"], group["parameters"], group["seeds"]) == ("jax", 6459, [3])
    assert group["fixed_seeds"] == {"augmentation": 9}
    (run,) = group["runs"]
    assert (run["name"], run["seed"], run["git_commit"][:7]) == ("seed3", 3, "4f916be")
    assert run["seconds"] == pytest.approx(0.027980128001217963)
    assert run["images_per_second"] == pytest.approx(142.95860261346488)
    recorded = json.loads((root / "seed3" / "results.json").read_text())["dataset"]
    assert group["dataset"] == recorded
    main = {
        "split": "test",
        "checkpoint": "best",
        "row": "32",
        "metric": "mean_f1",
        "class": "mean",
    }
    assert group["main"] == main
    values = [
        score["values"]
        for score in group["scores"]
        if {field: score[field] for field in main} == main
    ]
    assert values == [{"3": pytest.approx(2.885793871866295)}]
    (missing,) = report["incomplete_runs"]
    assert (missing["name"], missing["status"]) == ("seed4", "not started")
    assert report["commands"][0].startswith("python -m experiments.multi_seed")
