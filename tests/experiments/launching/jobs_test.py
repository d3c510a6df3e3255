"""Tests of experiments.launching.jobs: what counts as finished, and what a log says last."""

import copy
import dataclasses
import json
import pathlib
import sys
from typing import Any

import pytest
from tiny_run import tiny_config

from fpliif_jax.experiments.launching.jobs import Job, Step
from fpliif_jax.experiments.runs.run_log import last_words
from fpliif_jax.run_folder.run_config import flatten_config, json_config

CONFIG = json_config(tiny_config())


def _step(config: dict[str, Any] | None = CONFIG) -> Step:
    return Step("some.module", ("--flag",), "results.json", config)


def _changed(field: str, value: Any) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    node = config
    *groups, name = field.split(".")
    for group in groups:
        node = node[group]
    node[name] = value
    return config


# Written out, not read from the module: where things lie, how fast it goes, what is shown.
LEAVE_RESULTS_AS_THEY_ARE = {
    "data.manual_dir",
    "data.data_dir",
    "data.cache_dir",
    "eval.manual_dir",
    "eval.data_dir",
    "data.num_workers",
    "eval.batch_size",
    "eval.num_pictures",
}
# 'auto' in this config, which is whatever a run began with.
LEFT_TO_THE_PROGRAM = {"model.query_chunk", "train.microbatch"}


def test_a_run_of_any_other_setting_is_not_finished(tmp_path: pathlib.Path) -> None:
    fields = flatten_config(CONFIG)
    assert fields.keys() > LEAVE_RESULTS_AS_THEY_ARE
    for field in fields:
        config = _changed(field, "another value")
        (tmp_path / "results.json").write_text(json.dumps({"config": config}))
        is_kept = field in LEAVE_RESULTS_AS_THEY_ARE | LEFT_TO_THE_PROGRAM
        assert _step().is_finished(tmp_path) is is_kept, field


@pytest.mark.parametrize(("remat", "is_the_same"), [(False, True), (True, False)])
def test_a_run_from_before_a_field_did_what_was_done_then(
    tmp_path: pathlib.Path, remat: bool, is_the_same: bool
) -> None:
    earlier = copy.deepcopy(CONFIG)
    del earlier["model"]["remat"]
    (tmp_path / "results.json").write_text(json.dumps({"config": earlier}))
    (tmp_path / "config.json").write_text(json.dumps(earlier))
    step = _step(_changed("model.remat", remat))
    assert step.is_finished(tmp_path) is is_the_same
    assert (step.conflict(tmp_path) is None) is is_the_same


@pytest.mark.parametrize(
    ("field", "number"), [("model.query_chunk", 65536), ("train.microbatch", 0)]
)
def test_auto_goes_on_with_whatever_number_a_run_has(
    tmp_path: pathlib.Path, field: str, number: int
) -> None:
    earlier = _changed(field, number)
    (tmp_path / "results.json").write_text(json.dumps({"config": earlier}))
    (tmp_path / "config.json").write_text(json.dumps(earlier))
    assert _step().is_finished(tmp_path)
    assert _step().conflict(tmp_path) is None
    assert _step(_changed("model.query_chunk", 4096)).conflict(tmp_path) is not None


def test_a_run_goes_on_with_the_numbers_that_it_chose_itself(tmp_path: pathlib.Path) -> None:
    for name in ("results.json", "config.json"):
        content = CONFIG if name == "config.json" else {"config": CONFIG}
        (tmp_path / name).write_text(json.dumps(content))
    (tmp_path / "environment.json").write_text(json.dumps({"chosen": {"model.query_chunk": 4096}}))
    for number, is_its_own in ((4096, True), (8192, False)):
        step = _step(_changed("model.query_chunk", number))
        assert (step.conflict(tmp_path) is None) is is_its_own
        assert step.is_finished(tmp_path) is is_its_own


def test_a_run_is_finished_with_the_sources_that_are_to_follow_its_seed(
    tmp_path: pathlib.Path,
) -> None:
    follows = dataclasses.replace(_step(), follows_seed=("initialisation", "data_order"))
    for recorded, is_kept in (
        (["data_order", "initialisation"], True),
        (
            ["initialisation"],
            False,
        ),  # fixed at the seed of the run: the same bits, another experiment
        (None, True),  # of an earlier version
    ):
        content = {"config": CONFIG} | ({} if recorded is None else {"follows_seed": recorded})
        (tmp_path / "results.json").write_text(json.dumps(content))
        assert follows.is_finished(tmp_path) is is_kept
        assert _step().is_finished(tmp_path)
    (tmp_path / "results.json").write_text(json.dumps({"config": CONFIG, "follows_seed": [{}]}))
    assert not follows.is_finished(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"config": 3}', '{"config": {"a": 1', "null"])
def test_half_a_file_is_not_finished(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "results.json").write_text(text)
    assert not _step().is_finished(tmp_path)


def test_a_job_is_finished_when_all_its_steps_are(tmp_path: pathlib.Path) -> None:
    job = Job("a", tmp_path, (_step(), Step("other", (), "robustness.json")))
    assert not job.is_finished
    (tmp_path / "results.json").write_text(json.dumps({"config": CONFIG}))
    assert not job.is_finished
    (tmp_path / "robustness.json").write_text("anything")
    assert job.is_finished


def test_a_run_of_a_study_joins_no_other_run_and_the_person_reads_the_command_without_that() -> (
    None
):
    run, other = (Step(module, ("--seed=1",), "x") for module in ("fpliif_jax.main", "some.module"))
    assert run.command == [sys.executable, "-m", "fpliif_jax.main", "--seed=1", "--distributed=off"]
    assert other.command == [sys.executable, "-m", "some.module", "--seed=1"]
    assert str(run) == "python -m fpliif_jax.main --seed=1"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("one\ntwo\n\n", "two"),
        ("training:  10%\rtraining: 100%\r\x1b[A\r", "training: 100%"),
        ("error: bad\n$ python -m again\n", "error: bad"),
        ("x" * 9000 + "\nend", "end"),
        ("", ""),
    ],
)
def test_last_words(tmp_path: pathlib.Path, written: str, said: str) -> None:
    log = tmp_path / "run.log"
    log.write_text(written)
    assert last_words(log) == said
    assert last_words(tmp_path / "missing.log") == ""


def test_a_run_of_other_settings_is_in_the_way_and_moved_data_are_not(
    tmp_path: pathlib.Path,
) -> None:
    config = _changed("train.epochs", 9)
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert "config.train.epochs was 9 and is now 3" in _step().conflict(tmp_path)
    config = _changed("data.manual_dir", "elsewhere")
    config["eval"]["rows"] = ["32"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert _step().conflict(tmp_path) is None
    (tmp_path / "config.json").write_text("{")
    assert "cannot be read" in _step().conflict(tmp_path)
    assert _step().conflict(tmp_path / "nothing there") is None


def test_a_run_of_another_framework_is_neither_finished_nor_gone_on_with(
    tmp_path: pathlib.Path,
) -> None:
    in_jax = _step()
    in_pytorch = dataclasses.replace(in_jax, framework="pytorch")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "environment.json").write_text("{}")
    (tmp_path / "results.json").write_text(json.dumps({"config": CONFIG}))  # of an older run
    assert in_jax.is_finished(tmp_path) and in_jax.conflict(tmp_path) is None
    assert not in_pytorch.is_finished(tmp_path)
    assert "'jax', and this one is of 'pytorch'" in in_pytorch.conflict(tmp_path)
    for name in ("environment.json", "results.json"):
        (tmp_path / name).write_text(json.dumps({"config": CONFIG, "framework": "pytorch"}))
    assert in_pytorch.is_finished(tmp_path) and in_pytorch.conflict(tmp_path) is None
    assert not in_jax.is_finished(tmp_path)
    assert "'pytorch', and this one is of 'jax'" in in_jax.conflict(tmp_path)
    (tmp_path / "environment.json").write_text("[")
    assert "environment.json cannot be read" in in_jax.conflict(tmp_path)
