"""Runs are read without trusting their files, and grouped by everything but the seed."""

import copy
import io
import json
import os
import pathlib
import re
import shutil
import tracemalloc
import zipfile
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from fpliif_jax.experiments.runs import arrays, bounded_files, run_log, runs
from fpliif_jax.experiments.runs.config import RunConfig
from fpliif_jax.experiments.runs.groups import group_runs
from fpliif_jax.experiments.runs.results import Results
from fpliif_jax.experiments.runs.run import Run, RunError

CLASSES = ("background", "skin", "nose")
# Two images; of class 1: 6 + 2 right, 1 + 0 missed, 2 + 1 too many; of class 2: 3 + 0 right, 2 + 1 missed,
# 1 + 0 too many; by hand F1_1 = 16 / (9 + 11) = 0.8, F1_2 = 6 / (6 + 4) = 0.6, IoU_1 = 8 / 12, IoU_2 = 3 / 7,
# IoU_0 = 1; of image 1 F1_1 = 12 / 15, F1_2 = 6 / 9, of image 2 F1_1 = 4 / 5, F1_2 = 0.
MATRICES = np.array(
    [[[5, 0, 0], [0, 6, 1], [0, 2, 3]], [[7, 0, 0], [0, 2, 0], [0, 1, 0]]], np.int32
)


def config_of(seed: int, **changes: Any) -> dict[str, Any]:
    config = {
        "seed": seed,
        "seeds": {"initialisation": seed, "data_order": seed, "augmentation": seed},
        "data": {"name": "lapa", "image_size": 64, "manual_dir": None, "data_dir": "d"},
        "model": {"name": "fp_liif", "features": 8},
        "train": {"epochs": 10, "stages": ["parsing"]},
        "eval": {"num_pictures": 8},
        "study": {"equivalence_margin": 0.5},
    }
    config["data"] |= {"cache_dir": None, "num_workers": 0}
    for field, value in changes.items():
        section, _, name = field.partition("__")
        if name:
            config[section][name] = value
        else:
            config[section] = value
    return config


def results_of(config: dict[str, Any], fingerprint: str = "abc") -> dict[str, Any]:
    return {
        "config": config,
        "seed": config["seed"],
        "model": "fp_liif",
        "parameters": 7,
        "dataset": {
            "name": "lapa",
            "builder_config": None,
            "complete": False,
            "counts": {"train": 4, "validation": 2, "test": 2},
            "fingerprint": fingerprint,
        },
        "evaluations": [
            {
                "split": "test",
                "checkpoint": "best",
                "step": 20,
                "row": "64",
                "images": 2,
                "mean_f1": 0.7,
                "class_f1": {"skin": 0.8, "nose": 0.6},
                "miou": (2 / 3 + 3 / 7) / 2,
                "miou_with_background": (1 + 2 / 3 + 3 / 7) / 3,
                "group_f1": {},
                "per_image_mean_f1": ((0.8 + 2 / 3) / 2 + (0.8 + 0) / 2) / 2,
            }
        ],
        "train": None,
        "notes": [],
    }


def write_run(
    folder: pathlib.Path,
    config: dict[str, Any] | None,
    results: Any = "as the config",
    fingerprint: str = "abc",
) -> pathlib.Path:
    folder.mkdir(parents=True)
    if results == "as the config":
        results = results_of(config, fingerprint)
    for name, content in (
        ("config.json", config),
        ("results.json", results),
        ("environment.json", {"data_fingerprint": fingerprint, "versions": {"jax": "0.10.2"}}),
    ):
        if content is not None:
            (folder / name).write_text(json.dumps(content))
    (folder / "evaluations").mkdir()
    write_matrices(folder)
    return folder


def write_matrices(folder: pathlib.Path, **changes: Any) -> None:
    arrays = {
        "example_ids": np.array(["a", "b"]),
        "confusion_matrices": MATRICES,
        "class_names": np.array(CLASSES),
    }
    np.savez_compressed(folder / "evaluations" / "test-best-64.npz", **(arrays | changes))


def only_run(root: pathlib.Path) -> Run:
    (run,) = runs.read_runs(root)
    return run


def test_a_finished_run_is_read_whole(tmp_path: pathlib.Path) -> None:
    folder = write_run(tmp_path / "lapa" / "seed3", config_of(3))
    (folder / "metrics.jsonl").write_text(
        '{"step": 1, "split": "train", "loss": 2.5}\n{"step": 2, "split": "train"}\n{"step": 3, "sp'
    )
    run = only_run(tmp_path)
    assert (run.path, run.name, run.status, run.problem) == (folder, "lapa/seed3", "finished", None)
    assert run.seed == 3
    assert run.config == RunConfig.of(config_of(3)) and run.results == Results.of(
        results_of(config_of(3))
    )
    assert run.environment.versions == {"jax": "0.10.2"}
    assert [record.step for record in run.metrics] == [1, 2]
    assert run.metrics[0].loss == 2.5


def test_runs_are_sorted_by_their_numbers_and_parts_of_runs_are_not_runs(
    tmp_path: pathlib.Path,
) -> None:
    for name in ("seed10", "seed2", "seed2/checkpoints/best", "seed2/robustness", "a/seed1"):
        write_run(tmp_path / name, config_of(0))
    names = [run.name for run in runs.read_runs(tmp_path)]
    assert names == ["a/seed1", "seed2", "seed2/robustness", "seed10"]


def test_the_folder_itself_may_be_a_run(tmp_path: pathlib.Path) -> None:
    write_run(tmp_path / "seed4", config_of(4))
    assert [run.name for run in runs.read_runs(tmp_path / "seed4")] == ["seed4"]


def test_no_folder_is_an_error_and_no_runs_are_none(tmp_path: pathlib.Path) -> None:
    assert runs.read_runs(tmp_path) == []
    with pytest.raises(RunError, match="elsewhere is not a folder"):
        runs.read_runs(tmp_path / "elsewhere")


def test_an_unfinished_run_tells_how_far_it_came(tmp_path: pathlib.Path) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0), results=None)
    assert only_run(tmp_path).problem == "no results.json: not finished; no step recorded"
    (folder / "metrics.jsonl").write_text(
        '{"step": 75, "split": "validation", "stage": "parsing", "epoch": 3}\n'
        '{"step": 90, "split": "train", "stage": "parsing", "epoch": 4}\n'
    )
    (folder / "run.log").write_text("started\nerror: loss is nan at step 91\n")
    run = only_run(tmp_path)
    assert (run.status, run.seed, len(run.metrics)) == ("unfinished", 0, 2)
    # 3 epochs are 75 steps, so 10 are 250.
    assert run.problem == (
        "no results.json: not finished; came to step 90 of 250, stage parsing; "
        "run.log has 'error: loss is nan at step 91'"
    )


@pytest.mark.parametrize(
    ("log", "error"),
    [
        ("$ python -m x\nerror: the disk is full\n 50%|##   | 1/2\n", "error: the disk is full"),
        ("$ python -m x\nerror: the disk is full\n$ python -m x\nstarted\n", ""),
        ("error: " + "x" * 1000, "error: " + "x" * 293),
    ],
)
def test_the_error_of_a_run_is_the_last_one_since_its_last_command(
    tmp_path: pathlib.Path, log: str, error: str
) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0), results=None)
    (folder / "run.log").write_text(log)
    assert run_log.last_error(folder / "run.log") == error
    assert only_run(tmp_path).problem == (
        "no results.json: not finished; no step recorded"
        + (f"; run.log has '{error}'" if error else "")
    )


def test_a_log_that_is_a_link_out_of_the_run_is_not_read(tmp_path: pathlib.Path) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0), results=None)
    (tmp_path / "secret").write_text("error: secret\n")
    (folder / "run.log").symlink_to(tmp_path / "secret")
    assert run_log.last_error(folder / "run.log") == ""


def test_results_without_config_are_of_a_model_from_elsewhere(tmp_path: pathlib.Path) -> None:
    write_run(tmp_path / "given", None, results=results_of(config_of(5)))
    run = only_run(tmp_path)
    assert (run.status, run.seed) == ("finished", 5)


def test_label_maps_from_elsewhere_are_of_a_named_system(tmp_path: pathlib.Path) -> None:
    config = config_of(5)
    config["model"] = {"name": "elsewhere"}
    write_run(tmp_path / "given", config, results=None)
    assert only_run(tmp_path).problem == "config.json: model has no 'system'"


def _change(*path: str | int, to: Any) -> Any:
    def change(results: dict[str, Any]) -> None:
        for part in path[:-1]:
            results = results[part]
        results[path[-1]] = to

    return change


def _remove(*path: str | int) -> Any:
    def remove(results: dict[str, Any]) -> None:
        for part in path[:-1]:
            results = results[part]
        del results[path[-1]]

    return remove


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_remove("evaluations"), "missing required field `evaluations`"),
        (_change("evaluations", to=[]), "evaluations: expected `array` of length >= 1"),
        (_change("evaluations", to=["x"]), r"evaluations\[0\]: expected `object`"),
        (_remove("evaluations", 0, "mean_f1"), r"evaluations\[0\]: .* field `mean_f1`"),
        (_change("evaluations", 0, "mean_f1", to=92.4), "mean_f1: expected `float` <= 1"),
        (
            _change("evaluations", 0, "mean_f1", to="0.9"),
            "mean_f1: expected `float | null`, got `str`",
        ),
        (
            _change("evaluations", 0, "mean_f1", to=True),
            "mean_f1: expected `float | null`, got `bool`",
        ),
        (
            _change("evaluations", 0, "class_f1", "skin", to=-0.1),
            r"class_f1\[...\]: expected `float` >= 0",
        ),
        (_change("evaluations", 0, "row", to="../../x"), "row: expected `str` matching"),
        (_change("evaluations", 0, "split", to="holdout"), "split: invalid enum value 'holdout'"),
        (_change("evaluations", 0, "split", to=["test"]), "split: expected `str`"),
        (_change("evaluations", 0, "images", to=1.5), "images: expected `int`"),
        (_change("dataset", to=None), "dataset: expected `object`"),
        (_change("dataset", "complete", to="yes"), "dataset: complete: expected `bool`"),
        (_change("notes", to="none"), "notes: expected `array`"),
        (_change("seed", to=1.0), "seed: expected `int`"),
        (_change("seed", to=9), "seed is 9, its config has 0"),
        (_change("model", to="stn_icnn"), "model is 'stn_icnn', its config has 'fp_liif'"),
        (_change("dataset", "name", to="helen"), "dataset.name is 'helen', its config has 'lapa'"),
        (_change("config", "model", "norm", to=["instance"]), "model.norm is not a text"),
        (_change("config", "model.norm", to="none"), "'model.norm' is not the name of a field"),
        (_change("config_fingerprint", to="0" * 64), "not the one of its config_fingerprint"),
        (_change("train", to={"seconds": "long"}), "train.seconds: expected `float | null`"),
        (_change("train", to={"seconds": 1e300}), "train.seconds: expected `float` <= 1e"),
        # Each score is that of the matrices.
        (_change("evaluations", 0, "mean_f1", to=0.99), "has mean_f1 0.99, these matrices 0.7"),
        (_change("evaluations", 0, "miou", to=0.99), "has miou 0.99, these matrices 0.547"),
        (
            _change("evaluations", 0, "miou_with_background", to=None),
            "has miou_with_background None",
        ),
        (_change("evaluations", 0, "per_image_mean_f1", to=0.99), "these matrices 0.566"),
        (_change("evaluations", 0, "group_f1", to={"overall": 0.99}), "has groups"),
        (_change("evaluations", 0, "class_f1", "nose", to=0.99), "has F1 of nose 0.99"),
        (_change("evaluations", 0, "images", to=3), r"example_ids is <U1 \[2\], not texts \[3\]"),
        (_change("evaluations", 0, "row", to="65"), "test-best-65.npz is missing"),
        (_remove("config", "model"), "config: .* field `model`"),
        (_change("framework", to="tensorflow"), "framework: invalid enum value 'tensorflow'"),
        (_change("framework", to=["jax"]), "framework: expected `str | null`"),
    ],
)
def test_results_of_another_form_are_broken(
    tmp_path: pathlib.Path, change: Any, problem: str
) -> None:
    results = copy.deepcopy(results_of(config_of(0)))
    change(results)
    write_run(tmp_path / "seed0", config_of(0), results=results)
    run = only_run(tmp_path)
    assert run.status == "broken"
    assert run.problem.startswith(("results.json: ", "evaluations/", "test-best-64.npz: "))
    assert re.search(problem, run.problem)


def test_an_evaluation_may_not_occur_twice(tmp_path: pathlib.Path) -> None:
    results = results_of(config_of(0))
    results["evaluations"] *= 2
    write_run(tmp_path / "seed0", config_of(0), results=results)
    assert "is a second one of test best 64" in only_run(tmp_path).problem


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        *(("environment.json", field, "x" * 1001) for field in ("processor", "platform", "python")),
        ("environment.json", "command", "x" * 20_001),
        ("environment.json", "devices", ["x" * 1001]),
        ("environment.json", "devices", [f"kind {kind}" for kind in range(200)]),
        ("environment.json", "versions", {"jax": "x" * 1001}),
        ("environment.json", "data_fingerprint", "x" * 1001),
        ("environment.json", "of_later_code", {"a": ["x" * 20_001]}),
        ("environment.json", "x" * 20_001, 3),
        ("config.json", "of_later_code", "x" * 20_001),
        ("results.json", "notes", ["x" * 20_001]),
    ],
)
def test_texts_that_nobody_wrote_are_refused(
    tmp_path: pathlib.Path, name: str, field: str, value: Any
) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0))
    content = json.loads((folder / name).read_text("utf-8"))
    (folder / name).write_text(json.dumps(content | {field: value}), "utf-8")
    run = only_run(tmp_path)
    assert run.status == "broken" and run.problem.startswith(name)
    assert re.search("characters|of length <=", run.problem) and len(run.problem) < 400


@pytest.mark.parametrize(
    "started",
    [
        *(
            5,
            True,
            "",
            "yesterday",
            "2026-11-26",
            "2026-11-26T21:03:05",
            "2026-13-26T21:03:05+00:00",
        ),
        *("2026-11-26T21:03:05+01:00", "<b>2026-11-26T21:03:05+00:00", "x" * 2000),
    ],
)
def test_a_start_that_is_no_moment_is_refused(tmp_path: pathlib.Path, started: Any) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0))
    (folder / "environment.json").write_text(json.dumps({"started": started}), "utf-8")
    assert re.match(
        "environment.json: started(: expected `str| is not a moment)", only_run(folder).problem
    )


def test_long_commands_and_thousands_of_devices_are_read(tmp_path: pathlib.Path) -> None:
    paths = " ".join(
        "/" + "x" * 4095 for _ in range(4)
    )  # of four fields, each as long as Linux has them
    folder = write_run(tmp_path / "seed0", config_of(0))
    own = {"command": paths, "devices": ["TPU v5"] * 9000, "processor": "x" * 1000}
    content = json.loads((folder / "environment.json").read_text("utf-8"))
    (folder / "environment.json").write_text(json.dumps(content | own), "utf-8")
    assert only_run(tmp_path).status == "finished"


@pytest.mark.parametrize("name", ["config.json", "results.json", "environment.json"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1, 2]",
        b"null",
        b"\xff\xfe",
        b'{"seed": NaN}',
        b'{"seed": 1e999}',
        b'{"seed": ' + b"9" * 5000 + b"}",
        b'{"seed": 0, "more": ' + b"9" * 30 + b"}",
        b'{"seed": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 100 + b"1" + b"}" * 100,
    ],
)
def test_files_that_are_no_json_are_broken_in_one_line(
    tmp_path: pathlib.Path, name: str, content: bytes
) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0))
    (folder / name).write_bytes(content)
    run = only_run(tmp_path)
    assert run.status == "broken"
    assert run.problem.startswith(name)
    assert "\n" not in run.problem and len(run.problem) < 400


@pytest.mark.parametrize("where", ["results.config_fingerprint", "runs.check_same_settings"])
def test_a_bug_is_no_broken_run(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("a bug")

    write_run(tmp_path / "seed0", config_of(0))
    monkeypatch.setattr(f"fpliif_jax.experiments.runs.{where}", fail)
    with pytest.raises(ValueError, match="a bug"):
        runs.read_runs(tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        config_of(0, data="lapa"),
        config_of(0, study={"equivalence_margin": 0}),
        config_of(0, study={"equivalence_margin": "wide"}),
        config_of(0, seeds=[1, 2, 3]),
        config_of(0, seeds={"initialisation": "first"}),
        config_of(True),
        {"hidden_size": 768},
    ],
)
def test_a_config_of_another_form_is_broken(tmp_path: pathlib.Path, config: Any) -> None:
    write_run(tmp_path / "seed0", config, results=None)
    run = only_run(tmp_path)
    assert (run.status, run.config, run.seed) == ("broken", None, None)
    assert run.problem.startswith("config.json")


def test_files_too_large_are_not_read(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0))
    monkeypatch.setattr(runs, "_LOG_LIMIT", 2**20)
    (folder / "metrics.jsonl").write_bytes(b" " * (2**20 + 1))
    assert (
        only_run(tmp_path).problem
        == "metrics.jsonl cannot be read: larger than the 1 MiB that are read"
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"x", "is not valid JSON"),
        (b'{"step": 5, "split": "train", "loss": NaN}', "is not valid JSON"),
        (b"[]", "expected `object`"),
        (b'{"split": "train"}', "field `step`"),
        (b'{"step": 5, "split": "holdout"}', "split: invalid enum value"),
        (b'{"step": 5, "split": "train", "stage": ["a"]}', "stage: expected `str"),
        (b'{"step": 5, "split": "train", "stage": {}}', "stage: expected `str"),
        (b'{"step": 5, "split": "train", "loss": "low"}', "loss: expected `float"),
        (b'{"step": 5, "split": "train", "loss": 1e300}', "loss: expected `float"),
        (b'{"step": 5, "split": "train", "epoch": -1}', "epoch: expected `int` >= 0"),
        (b'{"step": 5, "split": "validation", "mean_f1": 7}', "mean_f1: expected `float` <= 1"),
        (
            b'{"step": 5, "split": "validation", "window_error": 1}',
            "window_error: expected `object",
        ),
        (b'{"step": 5, "split": "validation", "timing": [1]}', "timing: expected `object"),
        (b'{"step": 1, "split": "train"}', "is of an earlier step than the line before it"),
    ],
)
def test_a_log_with_a_line_that_is_no_record_is_broken(
    tmp_path: pathlib.Path, line: bytes, problem: str
) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0))
    good = b'{"step": 4, "split": "train", "stage": "parsing", "loss": 2.5}\n'
    (folder / "metrics.jsonl").write_bytes(good + line + b"\n" + good)
    run = only_run(tmp_path)
    assert (run.status, run.metrics) == ("broken", ())
    assert run.problem.startswith("metrics.jsonl: line 2")
    assert problem in run.problem
    # A kill cuts off the last line alone.
    (folder / "metrics.jsonl").write_bytes(good + line)
    assert (only_run(tmp_path).status, len(only_run(tmp_path).metrics)) == ("finished", 1)


def test_results_with_other_settings_than_the_run_was_trained_with_are_broken(
    tmp_path: pathlib.Path,
) -> None:
    for index, (changes, differs) in enumerate(
        (
            ({"train__epochs": 400}, "train.epochs"),
            ({"study": {"equivalence_margin": 2.0}}, "study.equivalence_margin"),
            ({"model__features": 64}, "model.features"),
            ({"data__data_dir": "elsewhere"}, None),
            ({"eval__num_pictures": 0}, None),
            ({"train__microbatch": 4}, None),
        )
    ):
        root = tmp_path / str(index)
        write_run(root / "seed0", config_of(0), results=results_of(config_of(0, **changes)))
        problem = only_run(root).problem
        assert (problem is None) == (differs is None)
        assert differs is None or problem.startswith(f"config.json has {differs} ")


def test_links_and_special_files_are_not_followed(tmp_path: pathlib.Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps(config_of(0)))
    root = tmp_path / "runs"
    write_run(root / "a", config_of(0), results=None)
    for name in "bcd":
        (root / name).mkdir()
    (root / "a" / "results.json").symlink_to(secret)
    os.mkfifo(root / "b" / "config.json")  # opening it would wait for a writer
    (root / "c" / "config.json").mkdir()
    (root / "d" / "config.json").symlink_to("config.json")
    write_run(tmp_path / "outside", config_of(0))
    (root / "e").symlink_to(tmp_path / "outside")
    (root / "again").symlink_to(root)  # endless, if it were followed
    found = {run.name: run for run in runs.read_runs(root)}
    assert set(found) == {"a", "b", "c", "d", "e"}
    assert all(run.status == "broken" for run in found.values())
    assert "is a link out of" in found["a"].problem
    assert found["b"].problem == "config.json cannot be read: not a file but a named pipe"
    assert found["c"].problem == "config.json cannot be read: not a file but a folder"
    assert found["d"].problem.startswith("config.json cannot be read")
    assert found["e"].problem.startswith("the folder is a link")


def test_what_may_not_be_read_is_broken(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "seed0", config_of(0))
    (tmp_path / "locked").mkdir()

    def refuse(path: Any, *_: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    scandir, stat = os.scandir, os.stat
    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(
        os,
        "stat",
        lambda path, **options: refuse(path) if "locked/" in str(path) else stat(path, **options),
    )
    monkeypatch.setattr(
        os, "scandir", lambda path: refuse(path) if "locked" in str(path) else scandir(path)
    )
    locked, run = runs.read_runs(tmp_path)
    assert locked.problem == "the folder cannot be read: Permission denied"
    assert (locked.name, locked.status, run.status) == ("locked", "broken", "broken")
    assert run.problem == "config.json cannot be read: Permission denied (and 2 more)"


def test_names_that_are_no_text_can_still_be_written(tmp_path: pathlib.Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/se\xffed\n0")
    write_run(pathlib.Path(folder), config_of(0))
    run = only_run(tmp_path)
    assert run.status == "finished"
    assert run.name.encode() and "\n" not in run.name


def test_matrices_are_those_of_the_evaluation(tmp_path: pathlib.Path) -> None:
    write_run(tmp_path / "seed0", config_of(0))
    run = only_run(tmp_path)
    found = arrays.load_matrices(run, run.evaluations[0])
    assert found.example_ids == ("a", "b")
    assert found.class_names == CLASSES
    np.testing.assert_array_equal(found.confusion_matrices, MATRICES)


def test_matrices_that_are_kept_are_not_read_again(tmp_path: pathlib.Path) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0))
    (kept,), left = runs.read_runs(tmp_path, keep_matrices=True), only_run(tmp_path)
    (folder / kept.evaluations[0].file).unlink()
    found = arrays.load_matrices(kept, kept.evaluations[0])
    np.testing.assert_array_equal(found.confusion_matrices, MATRICES)
    with pytest.raises(RunError, match=r"evaluations/test-best-64\.npz is missing"):
        arrays.load_matrices(left, left.evaluations[0])


def test_scores_alone_count_where_they_are_asked_for(tmp_path: pathlib.Path) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0))
    (file,) = (folder / "evaluations").iterdir()
    assert runs.read_runs(tmp_path, without_matrices=True)[0].has_matrices
    file.unlink()
    (refused,), (taken,) = (
        runs.read_runs(tmp_path, without_matrices=choice) for choice in (False, True)
    )
    assert (refused.status, taken.status, taken.has_matrices) == ("broken", "finished", False)
    assert taken.evaluations == refused.evaluations


@pytest.mark.parametrize("kind", ["file", "link"])
def test_evaluations_that_cannot_be_seen_are_not_missing(kind: str, tmp_path: pathlib.Path) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0)) / "evaluations"
    shutil.rmtree(folder)
    folder.touch() if kind == "file" else folder.symlink_to(tmp_path / "gone")
    (run,) = runs.read_runs(tmp_path, without_matrices=True)
    assert run.status == "broken"


@pytest.mark.parametrize("name", ["mean_f1", "miou"])
def test_means_that_are_not_of_the_classes_are_no_scores(name: str, tmp_path: pathlib.Path) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0))
    (file,) = (folder / "evaluations").iterdir()
    file.unlink()
    results = json.loads((folder / "results.json").read_text("utf-8"))
    results["evaluations"][0][name] += 0.01
    (folder / "results.json").write_text(json.dumps(results), "utf-8")
    (run,) = runs.read_runs(tmp_path, without_matrices=True)
    assert run.status == "broken"
    assert f"results.json has {name} 0." in run.problem and "its classes 0." in run.problem


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"confusion_matrices": MATRICES + np.eye(3, dtype=int)}, "has mean_f1 0.7"),
        ({"confusion_matrices": MATRICES[:, ::-1, ::-1]}, "has mean_f1 0.7"),
        ({"class_names": np.array(["background", "nose", "skin"])}, "has classes"),
        ({"confusion_matrices": MATRICES[[1, 0]][:, [0, 2, 1]][:, :, [0, 2, 1]]}, "F1 of skin"),
        (
            {"confusion_matrices": MATRICES.astype(float)},
            r"float64 \[2, 3, 3\], not integers \[2, 3, 3\]",
        ),
        ({"confusion_matrices": -MATRICES}, "no counts"),
        ({"confusion_matrices": MATRICES.astype(np.uint64) + 2**63}, "no counts"),
        ({"confusion_matrices": MATRICES[:1]}, r"\[1, 3, 3\], not integers \[2, 3, 3\]"),
        ({"example_ids": np.array(["a", "a"])}, "example_ids are not a list of different texts"),
        ({"example_ids": np.array([1, 2])}, r"example_ids is int64 \[2\], not texts \[2\]"),
        ({"class_names": np.array(CLASSES[:2])}, r"class_names is <U10 \[2\], not texts \[3\]"),
        ({"example_ids": np.array(["a", None], object)}, "not an array of numbers or text"),
    ],
)
def test_other_matrices_are_refused(
    tmp_path: pathlib.Path, changes: dict[str, Any], problem: str
) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0))
    write_matrices(folder, **changes)
    run = only_run(tmp_path)
    with pytest.raises(RunError, match=problem) as error:
        arrays.load_matrices(run, run.evaluations[0])
    assert str(error.value).startswith("seed0: ")
    assert "test-best-64.npz" in str(error.value)


def _array_file(shape: str, content: bytes, dtype: str = "<i4") -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        (_array_file("(1000000000000,)", b""), "not as long as its shape"),
        (_array_file("(1,)", b"12345678"), "not as long as its shape"),
        (_array_file("(-1,)", b""), "not an array of numbers or text"),
        (_array_file("(1000000000000,)", b"", dtype="<U0"), "not an array of numbers or text"),
        (_array_file("__import__('os')", b""), "is damaged"),
        (b"not an array", "is damaged"),
        (b"", "is damaged"),
    ],
)
def test_arrays_that_lie_about_themselves_are_refused(
    tmp_path: pathlib.Path, member: bytes, problem: str
) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0))
    path = folder / "evaluations" / "test-best-64.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("example_ids", "confusion_matrices", "class_names"):
            archive.writestr(f"{name}.npy", member)
    run = only_run(tmp_path)
    with pytest.raises(RunError, match=problem):
        arrays.load_matrices(run, run.evaluations[0])


_ZEROS = bounded_files.ArrayForm("u", (None,))


def test_an_archive_is_not_unpacked_beyond_the_limit(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, zeros=np.zeros(2 * 2**20, np.uint8), one=np.ones(1))
    limit = 2**20
    assert path.stat().st_size < limit
    with pytest.raises(bounded_files.UnreadableError, match="unpacks to more than 1 MiB"):
        bounded_files.ArrayFile(path, tmp_path, limit).read({"zeros": _ZEROS})
    # What is not wanted is not unpacked.
    one = bounded_files.ArrayForm("f", (None,))
    assert bounded_files.ArrayFile(path, tmp_path, limit).read({"one": one})["one"] == [1.0]

    # The directory of the archive says 100 bytes, the data have 2 MiB.
    content = bytearray(path.read_bytes())
    true_size = len(_npy(np.zeros(2 * 2**20, np.uint8))).to_bytes(4, "little")
    assert content.count(true_size)
    path.write_bytes(bytes(content).replace(true_size, (100).to_bytes(4, "little")))
    with pytest.raises(bounded_files.UnreadableError, match="is damaged"):
        bounded_files.ArrayFile(path, tmp_path, limit).read({"zeros": _ZEROS})


def test_what_is_not_expected_is_not_unpacked(tmp_path: pathlib.Path) -> None:
    """The header says more than the results do: nothing is decompressed."""
    folder = write_run(tmp_path / "seed0", config_of(0))
    run = only_run(tmp_path)
    large = 64 * 2**20
    for changes, problem in (
        ({"confusion_matrices": np.zeros((large, 1, 1), np.uint8)}, r"\[67108864, 1, 1\], not"),
        ({"confusion_matrices": np.zeros((2, large // 6, 3), np.uint8)}, "not integers"),
        ({"example_ids": np.array(["a", "b" * (large // 8)])}, "has more than 8 MiB"),
        ({"class_names": np.zeros(large // 4, "U1")}, r"class_names is <U1 \[16777216\]"),
    ):
        write_matrices(folder, **changes)
        with pytest.raises(RunError, match=problem) as error:
            _check_memory(lambda: arrays.load_matrices(run, run.evaluations[0]))
        assert str(error.value).startswith("seed0: test-best-64.npz: ")
    for changes, problem in (
        ({"images": np.zeros((2, large // 6, 1, 4), np.uint8)}, "images is uint8"),
        ({"prediction_0": np.zeros((1, 1, large), np.uint8)}, "prediction_0 is uint8"),
        ({"rows": np.zeros(large // 4, "U1")}, "rows has more than 8 MiB"),
    ):
        np.savez_compressed(folder / "examples.npz", **_examples(**changes))
        with pytest.raises(RunError, match=problem):
            _check_memory(lambda: arrays.load_examples(run))


def test_more_images_than_there_can_be_are_not_looked_for(tmp_path: pathlib.Path) -> None:
    write_run(tmp_path / "seed0", config_of(0))
    run = only_run(tmp_path)
    evaluation = msgspec.structs.replace(run.evaluations[0], images=2**21)
    with pytest.raises(RunError, match=r"results.json says .* 2097152 images of 3 classes"):
        arrays.load_matrices(run, evaluation)


def _check_memory(read: Callable[[], object]) -> None:
    """At most 4 MiB may be allocated at any moment."""
    tracemalloc.start()
    try:
        read()
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 * 2**20, peak


@pytest.mark.parametrize("kind", ["twice", "bzip2"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_numpy_does_not_write_are_refused(tmp_path: pathlib.Path, kind: str) -> None:
    path = tmp_path / "odd.npz"
    compression = zipfile.ZIP_BZIP2 if kind == "bzip2" else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w", compression) as archive:
        for _ in range(2 if kind == "twice" else 1):
            archive.writestr("a.npy", _npy(np.ones(1)))
    problem = {"twice": "has two arrays 'a'", "bzip2": "compressed in an unknown way"}[kind]
    with pytest.raises(bounded_files.UnreadableError, match=problem):
        bounded_files.ArrayFile(path, tmp_path, 2**20).read(
            {"a": bounded_files.ArrayForm("f", (1,))}
        )


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_truncated_archives_never_raise_anything_else(tmp_path: pathlib.Path) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0))
    run = only_run(tmp_path)
    path = folder / "evaluations" / "test-best-64.npz"
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    for length in range(0, len(whole), 37):
        damaged = bytearray(whole)
        damaged[length] ^= int(generator.integers(1, 256))
        for content in (whole[:length], bytes(damaged)):
            path.write_bytes(content)
            try:
                arrays.load_matrices(run, run.evaluations[0])
            except RunError as error:
                assert "\n" not in str(error)
    path.unlink()
    with pytest.raises(RunError, match="is missing"):
        arrays.load_matrices(run, run.evaluations[0])


def _examples(**changes: Any) -> dict[str, Any]:
    return {
        "images": np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3),
        "ids": np.array(["best", "worst"]),
        "per_image_f1": np.array([0.9, 0.1]),
        "rank": np.array([4, 0]),
        "split_size": np.array(5),
        "split": np.array("test"),
        "checkpoint": np.array("best"),
        "rows": np.array(["64"]),
        "class_names": np.array(CLASSES),
        "truth_0": np.array([[[1, 255]], [[0, 0]]], np.uint8),
        "prediction_0": np.array([[[1, 2]], [[0, 1]]], np.uint8),
    } | changes


def test_examples_are_read_from_disk_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0))
    np.savez_compressed(folder / "examples.npz", **_examples())
    run, read, names = only_run(tmp_path), bounded_files.read_bytes, []

    def counted(path: pathlib.Path, *arguments: Any) -> bytes:
        names.append(path.name)
        return read(path, *arguments)

    monkeypatch.setattr(bounded_files, "read_bytes", counted)
    arrays.load_examples(run)
    assert names == ["examples.npz"]


def test_examples_are_read_from_the_worst_to_the_best(tmp_path: pathlib.Path) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0))
    assert arrays.load_examples(only_run(tmp_path)) is None
    np.savez_compressed(folder / "examples.npz", **_examples())
    found = arrays.load_examples(only_run(tmp_path))
    assert found.ids == ("worst", "best")
    assert (found.split_size, found.split, found.checkpoint) == (5, "test", "best")
    assert (found.rows, found.class_names) == (("64",), CLASSES)
    np.testing.assert_array_equal(found.images, _examples()["images"][::-1])
    np.testing.assert_array_equal(found.per_image_f1, [0.1, 0.9])
    np.testing.assert_array_equal(found.rank, [0, 4])
    np.testing.assert_array_equal(found.truths[0][1], [[1, 255]])
    np.testing.assert_array_equal(found.predictions[0][1], [[1, 2]])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"images": np.zeros((2, 4, 4), np.uint8)}, "images is uint8"),
        ({"images": np.zeros((2, 4, 4, 4), np.uint8)}, r"not unsigned .*2, any, any, 3"),
        ({"images": np.zeros((1, 4, 4, 3), np.uint8)}, r"images is uint8 \[1, 4, 4, 3\], not"),
        ({"images": np.zeros((2, 4, 4, 3), np.uint16)}, "images are not uint8"),
        ({"ids": np.array(["a", "a"])}, "ids are not a list of different texts"),
        ({"per_image_f1": np.array([0.5, np.nan])}, "per_image_f1 is not between"),
        ({"rank": np.array([5, 0])}, "rank is not a place"),
        ({"rank": np.array([0, 0])}, "rank is not a place"),
        ({"prediction_0": np.full((2, 1, 2), 3, np.uint8)}, "prediction_0 has classes without"),
        ({"prediction_0": np.zeros((2, 2, 2), np.uint8)}, "prediction_0 is not uint8"),
        ({"rows": np.array(["64", "128"])}, "has no array 'truth_1'"),
        ({"split": np.array(3)}, "split is int64"),
    ],
)
def test_examples_that_do_not_fit_together_are_refused(
    tmp_path: pathlib.Path, changes: dict[str, Any], problem: str
) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0))
    np.savez_compressed(folder / "examples.npz", **_examples(**changes))
    with pytest.raises(RunError, match=problem):
        arrays.load_examples(only_run(tmp_path))


def grouped(root: pathlib.Path) -> dict[str, list[str]]:
    return {g.name: [run.name for run in g.runs] for g in group_runs(runs.read_runs(root))}


def test_seeds_and_places_do_not_separate_runs_and_settings_do(tmp_path: pathlib.Path) -> None:
    write_run(tmp_path / "lapa" / "seed0", config_of(0))
    write_run(tmp_path / "lapa" / "seed1", config_of(1, data__data_dir="e", data__num_workers=3))
    write_run(tmp_path / "lapa" / "seed2", config_of(2, eval__num_pictures=0))
    write_run(tmp_path / "wide" / "seed0", config_of(0, model__features=16))
    write_run(tmp_path / "wide" / "seed1", config_of(1, model__features=16), results=None)
    assert grouped(tmp_path) == {
        "lapa": ["lapa/seed0", "lapa/seed1", "lapa/seed2"],
        "wide": ["wide/seed0", "wide/seed1"],
    }
    narrow, wide = group_runs(runs.read_runs(tmp_path))
    assert [run.seed for run in wide.finished] == [0]
    assert "seed" not in narrow.config and "data_dir" not in narrow.config["data"]
    assert narrow.config["seeds"] == dict.fromkeys(
        ("initialisation", "data_order", "augmentation"), "follows"
    )


def test_runs_from_before_auto_belong_to_those_with_it(tmp_path: pathlib.Path) -> None:
    before = {"model__query_chunk": 65536, "train__microbatch": 0}
    write_run(tmp_path / "a" / "seed0", config_of(0, **before))
    write_run(
        tmp_path / "a" / "seed1",
        config_of(1, model__query_chunk="auto", train__microbatch="auto"),
    )
    assert grouped(tmp_path) == {"a": ["a/seed0", "a/seed1"]}
    # One seed twice: somebody compares the numbers.
    other = {"model__query_chunk": 4096, "train__microbatch": 0}
    write_run(tmp_path / "b" / "seed0", config_of(0, **other))
    write_run(tmp_path / "b" / "seed1", config_of(1, **other))
    assert len(grouped(tmp_path)) == 3


def test_a_field_that_earlier_versions_did_not_have_parts_no_group(tmp_path: pathlib.Path) -> None:
    write_run(tmp_path / "seed0", config_of(0))
    write_run(tmp_path / "seed1", config_of(1) | {"new": {"style": None}})
    write_run(tmp_path / "seed2", config_of(2) | {"new": {"style": "another"}})
    names = [[run.name for run in g.runs] for g in group_runs(runs.read_runs(tmp_path))]
    assert names == [["seed0", "seed1"], ["seed2"]]


def test_runs_from_before_a_field_belong_to_those_that_do_what_was_done_then(
    tmp_path: pathlib.Path,
) -> None:
    for seed, fields in enumerate(
        ({}, {"labels_from": "predicted_windows"}, {"labels_from": "true_windows"})
    ):
        config = config_of(seed)
        write_run(
            tmp_path / f"seed{seed}", config | {"train": {**config["train"], "end_to_end": fields}}
        )
    names = [[run.name for run in g.runs] for g in group_runs(runs.read_runs(tmp_path))]
    assert names == [["seed0", "seed1"], ["seed2"]]


def test_runs_scored_by_other_rules_are_another_group(tmp_path: pathlib.Path) -> None:
    """Trained alike; seed 2 was scored again. Seed 3 has no results yet, and is of those scored as it says."""
    for seed in range(4):
        config = config_of(seed, eval__upsampling="logits")
        results = results_of(config)
        if seed == 2:
            results["config"] = config_of(seed, eval__upsampling="labels")
        write_run(tmp_path / f"seed{seed}", config, results=None if seed == 3 else results)
    groups = group_runs(runs.read_runs(tmp_path))
    assert [[run.name for run in group.runs] for group in groups] == [
        ["seed0", "seed1", "seed3"],
        ["seed2"],
    ]
    assert [group.config["eval"]["upsampling"] for group in groups] == ["logits", "labels"]


def test_other_data_are_another_group(tmp_path: pathlib.Path) -> None:
    for seed, fingerprint in enumerate(("abc", "abc", "def")):
        write_run(tmp_path / f"seed{seed}", config_of(seed), fingerprint=fingerprint)
    results = results_of(config_of(3))
    results["parameters"] = 8
    write_run(tmp_path / "seed3", config_of(3), results=results)
    # Unfinished, and of data that only one group has; or of data that two groups have.
    write_run(tmp_path / "seed4", config_of(4), results=None, fingerprint="def")
    write_run(tmp_path / "seed5", config_of(5), results=None, fingerprint="abc")
    names = [[run.name for run in g.runs] for g in group_runs(runs.read_runs(tmp_path))]
    assert names == [["seed0", "seed1"], ["seed2", "seed4"], ["seed3"], ["seed5"]]


def test_runs_on_parts_with_other_sides_are_another_group(tmp_path: pathlib.Path) -> None:
    """Earlier runs, which do not say whose left they mean, are put beside new ones where it is the same."""
    for name, sides_now, names in (
        ("celebamask_hq", "picture", [["seed0", "seed1"], ["seed2", "seed3"]]),  # its facial parts
        ("celebamask_hq", "person", [["seed0", "seed1", "seed2", "seed3"]]),  # all of its classes
        ("helen", "picture", [["seed0", "seed1", "seed2", "seed3"]]),
    ):
        root = tmp_path / f"{name}-{sides_now}"
        for seed in range(4):
            config = config_of(seed, data__name=name)
            results = results_of(config) if seed % 2 == 0 else None
            if results:
                results["dataset"]["name"] = name
            if seed >= 2 and results:
                results["dataset"]["whose_left"] = sides_now
            folder = write_run(root / f"seed{seed}", config, results)
            if seed >= 2:
                environment = json.loads((folder / "environment.json").read_text())
                environment["whose_left"] = sides_now
                (folder / "environment.json").write_text(json.dumps(environment))
        groups = group_runs(runs.read_runs(root))
        assert [[run.name for run in group.runs] for group in groups] == names


@pytest.mark.parametrize("whose_left", ["mine", 3, [], True])
def test_sides_that_are_none_are_refused(tmp_path: pathlib.Path, whose_left: Any) -> None:
    results = results_of(config_of(0))
    results["dataset"]["whose_left"] = whose_left
    write_run(tmp_path / "seed0", config_of(0), results)
    run = only_run(tmp_path)
    assert "dataset: whose_left: " in run.problem


def test_drawn_faces_whose_settings_are_none_are_refused(tmp_path: pathlib.Path) -> None:
    write_run(tmp_path / "seed0", config_of(0, data__synthetic=7))
    assert "data.synthetic: expected `object`" in only_run(tmp_path).problem


def test_runs_evaluated_on_other_data_than_trained_on_are_another_group(
    tmp_path: pathlib.Path,
) -> None:
    write_run(tmp_path / "seed0", config_of(0))
    write_run(tmp_path / "seed1", config_of(1), results=results_of(config_of(1), "other"))
    assert grouped(tmp_path) == {"seed0": ["seed0"], "seed1": ["seed1"]}


def _fixed(seed: int, **fixed: int) -> dict[str, Any]:
    config = config_of(seed)
    config["seeds"] |= fixed
    return config


def test_a_fixed_source_of_variation_is_a_group_of_its_own(tmp_path: pathlib.Path) -> None:
    for seed in range(3):
        write_run(tmp_path / "all" / f"seed{seed}", config_of(seed))
        # Seed 0 with its initialisation at 0 looks like a run in which all follow the seed.
        write_run(tmp_path / "fixed" / f"seed{seed}", _fixed(seed, initialisation=0))
    everything, fixed = group_runs(runs.read_runs(tmp_path))
    assert [run.name for run in everything.runs] == ["all/seed0", "all/seed1", "all/seed2"]
    assert [run.name for run in fixed.runs] == ["fixed/seed0", "fixed/seed1", "fixed/seed2"]
    assert fixed.config["seeds"] == {
        "initialisation": 0,
        "data_order": "follows",
        "augmentation": "follows",
    }


def _record_followers(folder: pathlib.Path, *sources: str, name: str = "results.json") -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | {"follows_seed": list(sources)}))


def test_a_run_that_says_what_follows_its_seed_is_believed(tmp_path: pathlib.Path) -> None:
    # All three look alike, and without the record are one group: as if the initialisation followed.
    for name in ("a", "b", "c"):
        write_run(tmp_path / name, config_of(0))
    _record_followers(tmp_path / "b", "data_order", "augmentation")
    _record_followers(tmp_path / "c", "initialisation", "data_order", "augmentation")
    found = group_runs(runs.read_runs(tmp_path))
    assert [[run.name for run in group.runs] for group in found] == [["a", "c"], ["b"]]
    assert [group.config["seeds"]["initialisation"] for group in found] == ["follows", 0]
    for sources, problem in (
        (["seed"], "follows_seed[0]: invalid enum value 'seed'"),
        ([["seed"]], "follows_seed[0]: expected `str`"),
    ):
        _record_followers(tmp_path / "a", *sources)
        (run,) = [run for run in runs.read_runs(tmp_path) if run.name == "a"]
        assert run.problem.startswith(f"results.json: {problem}")


def test_of_a_run_without_results_its_training_says_what_follows_its_seed(
    tmp_path: pathlib.Path,
) -> None:
    for name in ("a", "b"):
        (write_run(tmp_path / name, config_of(0)) / "results.json").unlink()
    everything = ("initialisation", "data_order", "augmentation")
    _record_followers(tmp_path / "a", *everything, name="environment.json")
    _record_followers(tmp_path / "b", *everything[1:], name="environment.json")
    found = group_runs(runs.read_runs(tmp_path))
    assert [group.config["seeds"]["initialisation"] for group in found] == ["follows", 0]
    _record_followers(tmp_path / "b", "seed", name="environment.json")
    (run,) = [run for run in runs.read_runs(tmp_path) if run.name == "b"]
    assert run.problem.startswith("environment.json: follows_seed[0]: invalid enum value")
    config = config_of(0) | {"seeds": {"data_order": 7}}
    (tmp_path / "b" / "config.json").write_text(json.dumps(config))
    _record_followers(tmp_path / "b", "data_order", name="environment.json")
    (run,) = [run for run in runs.read_runs(tmp_path) if run.name == "b"]
    told = "environment.json: follows_seed has data_order, whose seed is not the run's"
    assert run.problem == told


def test_what_follows_the_seed_has_its_value(tmp_path: pathlib.Path) -> None:
    folder = write_run(tmp_path / "seed1", _fixed(1, initialisation=0))
    _record_followers(folder, "initialisation")
    told = "results.json: follows_seed has initialisation, whose seed is not the run's"
    assert only_run(tmp_path).problem == told


def test_runs_from_before_sources_could_be_fixed_follow_their_seed(tmp_path: pathlib.Path) -> None:
    old = config_of(0)
    del old["seeds"]
    write_run(tmp_path / "seed0", old)
    write_run(tmp_path / "seed1", config_of(1))
    (group,) = group_runs(runs.read_runs(tmp_path))
    assert len(group.runs) == 2


def test_the_same_seed_twice_is_told(tmp_path: pathlib.Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_run(tmp_path / name, config_of(seed))
    write_run(tmp_path / "d", config_of(1), results=None)
    (group,) = group_runs(runs.read_runs(tmp_path))
    assert group.duplicates == (0,)
    assert len(group.runs) == 4


def test_broken_runs_without_a_config_are_in_no_group(tmp_path: pathlib.Path) -> None:
    write_run(tmp_path / "seed0", config_of(0))
    write_run(tmp_path / "seed1", {"seed": 1}, results=None)
    assert grouped(tmp_path) == {"seed0": ["seed0"]}


def test_runs_that_go_on_from_the_run_of_their_own_seed_are_one_group(
    tmp_path: pathlib.Path,
) -> None:
    for seed, start in ((0, "helen/seed0"), (1, "helen/seed1"), (2, "helen/seed0")):
        write_run(tmp_path / f"seed{seed}", config_of(seed, train__init_from=start))
    groups = group_runs(runs.read_runs(tmp_path))
    assert [[run.seed for run in group.runs] for group in groups] == [[0, 1], [2]]


def test_runs_of_before_there_was_another_start_are_of_the_same_group(
    tmp_path: pathlib.Path,
) -> None:
    for seed in (0, 1, 2):
        config = config_of(seed, **({"train__init_from": None} if seed else {}))
        if not seed:
            config["train"].pop("init_from", None)
        write_run(tmp_path / f"seed{seed}", config)
    write_run(tmp_path / "other", config_of(3, train__init_from="weights:drawn"))
    groups = group_runs(runs.read_runs(tmp_path))
    assert sorted([run.seed for run in group.runs] for group in groups) == [[0, 1, 2], [3]]


def _state_framework(folder: pathlib.Path, file_name: str, framework: Any) -> None:
    path = folder / file_name
    path.write_text(json.dumps(json.loads(path.read_text()) | {"framework": framework}))


def test_runs_of_two_frameworks_are_two_groups(tmp_path: pathlib.Path) -> None:
    for name in ("jax", "pytorch"):
        for seed in range(3):
            write_run(tmp_path / name / f"seed{seed}", _fixed(seed, initialisation=0))
    for seed, file_name in enumerate(("results.json", "environment.json", "results.json")):
        _state_framework(tmp_path / "pytorch" / f"seed{seed}", file_name, "pytorch")
    unfinished = write_run(tmp_path / "pytorch" / "seed3", _fixed(3, initialisation=0), None)
    _state_framework(unfinished, "environment.json", "pytorch")
    groups = group_runs(runs.read_runs(tmp_path))
    assert [(group.name, group.framework) for group in groups] == [
        ("jax", "jax"),
        ("pytorch", "pytorch"),
    ]
    assert [len(group.runs) for group in groups] == [3, 4]
    assert groups[0].config == groups[1].config
    _state_framework(tmp_path / "jax" / "seed0", "results.json", "jax")  # as those that say nothing
    assert len(group_runs(runs.read_runs(tmp_path))) == 2


def test_a_fixed_source_is_known_from_the_runs_of_the_other_framework(
    tmp_path: pathlib.Path,
) -> None:
    for seed in range(3):
        write_run(tmp_path / "jax" / f"seed{seed}", _fixed(seed, initialisation=0))
    write_run(tmp_path / "pytorch" / "seed0", _fixed(0, initialisation=0))
    _state_framework(tmp_path / "pytorch" / "seed0", "results.json", "pytorch")
    first, second = group_runs(runs.read_runs(tmp_path))
    assert first.config == second.config


def test_files_that_contradict_each_other_about_the_framework_are_broken(
    tmp_path: pathlib.Path,
) -> None:
    folder = write_run(tmp_path / "seed0", config_of(0))
    _state_framework(folder, "environment.json", "jax")
    _state_framework(folder, "results.json", "pytorch")
    run = only_run(tmp_path)
    assert run.status == "broken"
    assert "results.json has pytorch, environment.json has jax" in run.problem
    _state_framework(folder, "environment.json", 3)
    assert "environment.json: framework: " in only_run(tmp_path).problem


def test_examples_are_of_the_evaluation(tmp_path: pathlib.Path) -> None:
    right = {
        "ids": np.array(["a", "b"]),
        "per_image_f1": np.array([(0.8 + 2 / 3) / 2, 0.4]),
        "rank": np.array([1, 0]),
        "split_size": np.array(2),
    }
    for index, (changes, problem) in enumerate(
        (
            ({}, None),
            ({"per_image_f1": np.array([0.99, 0.4])}, "has per_image_f1 0.99 of 'a'"),
            ({"ids": np.array(["a", "c"])}, "its images or classes are not those"),
            ({"split_size": np.array(5)}, "its images or classes are not those"),
            ({"class_names": np.array(["background", "nose", "skin"])}, "images or classes"),
            ({"images": np.zeros(3)}, "examples.npz: images is float64"),
        )
    ):
        folder = write_run(tmp_path / str(index) / "seed0", config_of(0))
        np.savez_compressed(folder / "examples.npz", **_examples(**(right | changes)))
        run = only_run(tmp_path / str(index))
        assert run.status == ("finished" if problem is None else "broken")
        assert problem is None or problem in run.problem
