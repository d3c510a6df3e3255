"""Tests of experiments.launching with steps that take no time."""

import argparse
import dataclasses
import importlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import types

import pytest
from tiny_run import tiny_config

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments import launching
from fpliif_jax.experiments.launching import launch, local, options, slurm
from fpliif_jax.experiments.launching.jobs import Job, Outcome, Step
from fpliif_jax.experiments.plans.seeds import read_seeds
from fpliif_jax.experiments.plans.study_file import Study
from fpliif_jax.run_folder.run_config import json_config
from fpliif_jax.run_folder.run_record import write_json


@pytest.fixture(autouse=True)
def _steps_can_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(pathlib.Path(__file__).parents[2] / "helpers"))


def _job(root: pathlib.Path, name: str, *steps: tuple[str, ...], needs: str | None = None) -> Job:
    folder = root / name
    made = tuple(
        Step("fake_step", (what, str(folder), *rest), rest[0] if rest else "never")
        for what, *rest in steps
    )
    return Job(name, folder, made, needs)


def _ends(outcomes: list[Outcome]) -> dict[str, str]:
    return {outcome.job.name: outcome.status for outcome in outcomes}


def test_a_failure_stops_no_other_and_says_why(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = [
        _job(tmp_path, "a", ("write", "done")),
        _job(tmp_path, "b", ("fail",)),
        _job(tmp_path, "c", ("write", "done")),
    ]
    outcomes = local.run(jobs, 1)
    assert _ends(outcomes) == {"a": "finished", "b": "failed", "c": "finished"}
    assert "error: it is broken; mend it (exit code 1; " in outcomes[1].problem
    log = (tmp_path / "b" / "run.log").read_text()
    assert log.startswith("$ python -m fake_step fail ")
    capsys.readouterr()
    again = local.run(jobs, 1)
    assert _ends(again) == {"a": "skipped", "b": "failed", "c": "skipped"}
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == ["2 of 3 finished before", "b: started, 3 of 3"]
    assert (tmp_path / "a" / "starts").read_text().count("write") == 1


def test_steps_follow_each_other_and_finished_ones_are_not_repeated(
    tmp_path: pathlib.Path,
) -> None:
    job = _job(tmp_path, "a", ("write", "first"), ("write", "second"))
    assert _ends(local.run([job], 1)) == {"a": "finished"}
    (tmp_path / "a" / "second").unlink()
    assert _ends(local.run([job], 1)) == {"a": "finished"}
    starts = (tmp_path / "a" / "starts").read_text().split("\n")
    assert starts == ["write first", "write second", "write second", ""]


def test_a_step_is_asked_for_again_after_the_one_before_it(tmp_path: pathlib.Path) -> None:
    """As a test of an unfinished network is none of the one that training leaves."""
    job = _job(tmp_path, "a", ("write", "one"), ("write", "two"))
    job.workdir.mkdir()
    (job.workdir / "two").write_text("of before")

    def unlike(workdir: pathlib.Path) -> list[str]:
        is_old = (workdir / "two").read_text() == "of before" and (workdir / "one").exists()
        return ["of before"] if is_old else []

    first, second = job.steps
    job = dataclasses.replace(job, steps=(first, dataclasses.replace(second, unlike=unlike)))
    assert _ends(local.run([job], 1)) == {"a": "finished"}
    starts = (job.workdir / "starts").read_text().splitlines()
    assert starts == ["write one", "write two"]


def test_what_needs_a_failed_job_is_blocked_and_what_needs_another_waits(
    tmp_path: pathlib.Path,
) -> None:
    jobs = [
        _job(tmp_path, "after", ("write", "done"), needs="before"),
        _job(tmp_path, "stuck", ("write", "done"), needs="broken"),
        _job(tmp_path, "broken", ("fail",)),
        _job(tmp_path, "before", ("write", "done")),
    ]
    outcomes = local.run(jobs, 2)
    assert _ends(outcomes) == {
        "after": "finished",
        "stuck": "blocked",
        "broken": "failed",
        "before": "finished",
    }
    assert "needs broken" in outcomes[1].problem
    assert not (tmp_path / "stuck").exists()


@pytest.mark.parametrize("needs", [{"b": "left_out"}, {"a": "b", "b": "a"}])
def test_a_job_that_could_never_start_is_refused_and_not_waited_for(
    needs: dict[str, str], tmp_path: pathlib.Path
) -> None:
    jobs = [_job(tmp_path, name, ("write", "done"), needs=needs.get(name)) for name in "ab"]
    with pytest.raises(ValueError, match="never ends"):
        local.run(jobs, 1)
    with pytest.raises(ValueError, match="never ends"):
        slurm.run(jobs, tmp_path / "slurm", {"timeout_min": 5}, "local")
    assert list(tmp_path.iterdir()) == []


def test_jobs_run_at_the_same_time(tmp_path: pathlib.Path) -> None:
    jobs = [
        _job(tmp_path, "a", ("meet", "done", "b")),
        _job(tmp_path, "b", ("meet", "done", "a")),
    ]
    assert set(_ends(local.run(jobs, 2)).values()) == {"finished"}


def test_a_folder_that_cannot_be_made_is_a_failure_of_that_job_alone(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "a").write_text("a file is in the way")
    jobs = [_job(tmp_path, "a", ("write", "done")), _job(tmp_path, "b", ("write", "done"))]
    outcomes = local.run(jobs, 1)
    assert _ends(outcomes) == {"a": "failed", "b": "finished"}
    assert "cannot be started" in outcomes[0].problem


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_handed_on_as_sigterm_and_nothing_new_starts(
    number: signal.Signals, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = [_job(tmp_path, "a", ("save", "done")), _job(tmp_path, "b", ("write", "done"))]

    def interrupt() -> None:
        deadline = time.monotonic() + 20
        while not (tmp_path / "a" / "ready").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(os.getpid(), number)

    threading.Thread(target=interrupt).start()
    before = signal.getsignal(number)
    outcomes = local.run(jobs, 1)
    assert _ends(outcomes) == {"a": "interrupted", "b": "not started"}
    assert outcomes[0].problem == f"saved ({tmp_path / 'a' / 'run.log'})"
    assert (tmp_path / "a" / "saved").exists()
    assert not (tmp_path / "b").exists()
    assert signal.getsignal(number) == before
    said = "interrupted: 1 run to save and end after the steps under way; a second Ctrl-C ends them at once"
    assert capsys.readouterr().err.splitlines() == ["a: started, 1 of 2", said]


def test_no_later_step_starts_after_a_signal(tmp_path: pathlib.Path) -> None:
    job = _job(tmp_path, "a", ("late", "done"), ("write", "more"))
    (outcome,) = local.run([job], 1)
    assert (outcome.status, outcome.problem) == (
        "interrupted",
        "the study was interrupted before fake_step",
    )
    assert (tmp_path / "a" / "starts").read_text() == "late done\n"
    assert _ends(local.run([job], 1)) == {"a": "finished"}


def test_a_run_that_started_as_a_signal_came_is_told(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = local.start

    def start(*arguments: object) -> subprocess.Popen:
        process = begin(*arguments)
        _wait_for(tmp_path / "a" / "ready")
        os.kill(os.getpid(), signal.SIGTERM)
        return process

    monkeypatch.setattr(local, "start", start)
    (outcome,) = local.run([_job(tmp_path, "a", ("save", "done"))], 1)
    assert outcome.status == "interrupted" and (tmp_path / "a" / "saved").exists()


@pytest.mark.parametrize("code", [129, 130, -15])  # the others may be ignored here, as by nohup
def test_a_run_that_a_signal_ended_by_itself_is_interrupted(
    code: int, tmp_path: pathlib.Path
) -> None:
    jobs = [_job(tmp_path, "a", ("end", str(code))), _job(tmp_path, "b", ("write", "done"))]
    outcomes = local.run(jobs, 1)
    assert _ends(outcomes) == {"a": "interrupted", "b": "finished"}
    log = tmp_path / "a" / "run.log"
    assert outcomes[0].problem == f"ended by a signal before it saved more ({log})"


def test_jobs_that_ended_alike_are_told_in_one_line(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = [
        Outcome(_job(tmp_path, "a"), "interrupted", "saved (a/run.log)"),
        *(Outcome(_job(tmp_path, name), "not started", "why") for name in "bc"),
    ]
    with pytest.raises(SystemExit):
        launch.finish(outcomes, tmp_path)
    assert capsys.readouterr().err.splitlines() == [
        "interrupted: a: saved (a/run.log)",
        "not started: b, c: why",
        "the same command goes on with what is not finished",
    ]


def test_of_a_run_that_sigterm_ended_nobody_claims_that_it_was_saved(
    tmp_path: pathlib.Path,
) -> None:
    """It may have been preparing its data, or scoring: there was nothing to save."""
    (outcome,) = local.run([_job(tmp_path, "a", ("end", "143"))], 1)
    told = f"ended by a signal before it saved more ({tmp_path / 'a' / 'run.log'})"
    assert (outcome.status, outcome.problem) == ("interrupted", told)


def test_runs_save_when_the_study_is_killed(tmp_path: pathlib.Path) -> None:
    program = (
        "import pathlib, sys; sys.path.insert(0, sys.argv[2]); import launch_test as t\n"
        "from fpliif_jax.experiments.launching import local; folder = pathlib.Path(sys.argv[1])\n"
        "local.run([t._job(folder, 'a', ('train', 'done'))], 1)"
    )
    here = pathlib.Path(__file__).parent
    study = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), str(here)], cwd=here.parents[2]
    )
    _wait_for(tmp_path / "a" / "ready")
    study.kill()
    study.wait()
    _wait_for(tmp_path / "a" / "saved")


def _wait_for(path: pathlib.Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} did not come"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("slots", "gpus", "visible", "fraction"),
    [
        (1, ["0", "1", "2", "3"], ["0,1,2,3"], None),
        (2, ["0", "1", "2", "3"], ["0,1", "2,3"], None),
        (3, ["4", "5", "6", "7"], ["4", "5", "6"], None),
        (4, ["2", "7"], ["2", "7", "2", "7"], "0.450"),
        (3, ["0"], ["0", "0", "0"], "0.300"),
        (3, ["0", "1"], ["0", "1", "0"], "0.450"),  # two of them have to fit on the first
    ],
)
def test_gpus_are_shared_out(
    slots: int, gpus: list[str], visible: list[str], fraction: str | None
) -> None:
    found = local.shares(slots, gpus)
    assert [share["CUDA_VISIBLE_DEVICES"] for share in found] == visible
    assert {share.get("XLA_PYTHON_CLIENT_MEM_FRACTION") for share in found} == {fraction}


def test_without_gpus_nothing_is_set_and_the_choice_of_the_person_holds() -> None:
    assert local.shares(2, []) == [{}, {}]
    assert local.visible_gpus({"CUDA_VISIBLE_DEVICES": "3, 5"}) == ["3", "5"]
    assert local.visible_gpus({"CUDA_VISIBLE_DEVICES": "-1"}) == []
    assert local.visible_gpus({"CUDA_VISIBLE_DEVICES": "0", "JAX_PLATFORMS": "cpu"}) == []


def test_gpus_are_counted_and_not_their_parts(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    lines = ("GPU 0: A100 (UUID: a)", "  MIG 3g.20gb Device 0: (UUID: b)", "GPU 1: A100 (UUID: c)")
    program.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert local.visible_gpus({}) == ["0", "1"]


def test_a_step_sees_its_share(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "6,7")
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    jobs = [_job(tmp_path, name, ("meet", "done", other)) for name, other in ("ab", "ba")]
    local.run(jobs, 2)
    assert {(tmp_path / name / "done").read_text() for name in "ab"} == {"6 -", "7 -"}


def test_slurm_submits_an_array_and_tells_each_end(tmp_path: pathlib.Path) -> None:
    jobs = [
        _job(tmp_path, "a", ("write", "done")),
        _job(tmp_path, "b", ("fail",)),
        _job(tmp_path, "c", ("write", "done"), needs="a"),
        _job(tmp_path, "d", ("write", "done"), needs="b"),
    ]
    outcomes = slurm.run(jobs, tmp_path / "slurm", {"timeout_min": 5}, "local")
    assert _ends(outcomes) == {"a": "finished", "b": "failed", "c": "finished", "d": "blocked"}
    assert "error: it is broken" in outcomes[1].problem
    again = slurm.run(jobs[:1], tmp_path / "slurm", {"timeout_min": 5}, "local")
    assert _ends(again) == {"a": "skipped"}


def test_slurm_refuses_unknown_parameters_and_a_machine_without_slurm(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    jobs = [_job(tmp_path, "a", ("write", "done"))]
    with pytest.raises(slurm.SlurmError, match="submitit"):
        slurm.run(jobs, tmp_path / "slurm", {"colour": "red"}, "local")
    with pytest.raises(slurm.SlurmError, match="submitit"):
        slurm.run(jobs, tmp_path / "slurm", {}, "slurm")


def test_a_task_about_to_end_saves_and_is_queued_again(tmp_path: pathlib.Path) -> None:
    job = _job(tmp_path, "a", ("save", "done"))
    task = slurm.JobTask()
    again = []
    # As submitit does it: in a handler of the thread that waits for the step.
    signal.signal(signal.SIGUSR2, lambda *_: again.append(task.checkpoint(job)))

    def signal_when_ready() -> None:
        _wait_for(tmp_path / "a" / "ready")
        os.kill(os.getpid(), signal.SIGUSR2)

    threading.Thread(target=signal_when_ready).start()
    try:
        status, *_ = task(job)
    finally:
        signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    assert (tmp_path / "a" / "saved").exists()
    assert status == "interrupted"
    assert again[0].args == (job,)


def test_submitit_is_needed_for_slurm_alone_and_missing_before_anything_is_made(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    for module in (launch, slurm):
        monkeypatch.delitem(sys.modules, module.__name__)
        monkeypatch.delattr(launching, module.__name__.rpartition(".")[2])
    fresh = importlib.import_module(launch.__name__)
    parser = argparse.ArgumentParser()
    options.add_options(parser)
    jobs = [_job(tmp_path, "a", ("write", "done"))]
    study = Study(str(tmp_path / "study"), None, "", "", ("a",))
    with pytest.raises(ModuleNotFoundError, match="submitit"):
        fresh.start(jobs, parser.parse_args(["--launcher=slurm"]), study, [])
    assert not list(tmp_path.iterdir())
    assert _ends(fresh.start(jobs, parser.parse_args([]), study, [])) == {"a": "finished"}


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("0,1,2", [0, 1, 2]),
        ("0-4", [0, 1, 2, 3, 4]),
        ("7", [7]),
        ("0-1,5", [0, 1, 5]),
        ("1-1000", list(range(1, 1001))),
        ("2147483647", [2147483647]),
    ],
)
def test_seeds_are_read(text: str, seeds: list[int]) -> None:
    assert read_seeds(text) == seeds


@pytest.mark.parametrize(
    "text", ["", "a", "1,,2", "-1", "1-", "0,0", "3-1", "0-2,1", "0-1000", "2147483648"]
)
def test_other_seeds_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--seeds is"):
        read_seeds(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs=0"], "--jobs is 0"),
        (["--launcher=slurm", "--jobs=2"], "--jobs is for"),
        (["--slurm=gpu"], "it must be NAME=VALUE"),
    ],
)
def test_impossible_options_are_refused(arguments: list[str], message: str) -> None:
    parser = argparse.ArgumentParser()
    options.add_options(parser)
    with pytest.raises(UserError, match=message):
        options.check_options(parser.parse_args(arguments))


def test_settings_may_name_the_seed_of_a_single_source_but_not_the_seed_itself() -> None:
    parser = argparse.ArgumentParser()
    options.add_options(parser)
    settings = ["--config.seeds.data_order=0", "--config.seed_of_nothing=1"]
    assert options.parse(parser, settings)[1] == settings
    with pytest.raises(SystemExit):
        options.parse(parser, ["--config.seed=1"])


def test_all_data_sets_of_a_study_are_prepared_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that have the same name, and those that runs are only scored on."""
    configs = [tiny_config(manual_dir, tmp_path) for manual_dir in ("a", "b", "a")]
    for config in configs:
        config.eval.dataset, config.eval.manual_dir = "celebamask_hq", "photographs"
    prepared: list[str] = []
    monkeypatch.setattr(launch, "load_dataset", lambda data: prepared.append(data.manual_dir))
    monkeypatch.setattr(launch, "write_study", lambda *_: None)
    monkeypatch.setattr(local, "run", lambda *_: [])
    parser = argparse.ArgumentParser()
    options.add_options(parser)
    study = types.SimpleNamespace(folder=tmp_path)
    launch.start([_job(tmp_path, "a", ("fail",))], parser.parse_args([]), study, configs)
    assert sorted(prepared) == ["a", "b", "photographs"]


def test_a_signal_that_ended_a_step_is_named(tmp_path: pathlib.Path) -> None:
    step = Step("fake_step", (), "never")
    assert local.unfinished(step, tmp_path, -9).startswith("it printed nothing (signal 9; ")


def test_of_a_step_that_ended_well_with_other_settings_these_are_named(
    tmp_path: pathlib.Path,
) -> None:
    """As after an edit of a config file while a study runs."""
    config = json_config(tiny_config())
    step = Step("fake_step", (), "results.json", config)
    longer = config | {"train": config["train"] | {"epochs": 4}}
    write_json(tmp_path / "results.json", {"config": longer, "framework": "pytorch"})
    (tmp_path / "run.log").write_text("the table of results")
    problem = local.unfinished(step, tmp_path, 0)
    assert problem.startswith(
        "finished, but its settings are not the study's: config.train.epochs, the framework;"
    )
    write_json(tmp_path / "results.json", {"config": config})
    assert local.unfinished(step, tmp_path, 0) is None
    assert local.unfinished(step, tmp_path, 1).startswith("the table of results (exit code 1")


def test_of_the_log_that_two_processes_write_the_own_error_is_told(tmp_path: pathlib.Path) -> None:
    log = tmp_path / "run.log"
    log.write_text(
        "$ python -m fake_step a\nerror: an old one\n"
        "$ python -m fake_step b\ntraining: 16% 119/750error: another process is at work\n"
        "\rtraining: 17% 120/750"
    )
    step = Step("fake_step", (), "never")
    assert local.unfinished(step, tmp_path, 1).startswith("error: another process is at work (exit")
