"""Tests of experiments.multi_seed: real runs of a tiny model."""

import importlib.util
import json
import pathlib
from typing import Any

import pytest
from made_runs import write_run

from fpliif_jax.experiments import multi_seed
from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.launching import launch
from fpliif_jax.experiments.launching.jobs import Job, Outcome

TINY = str(pathlib.Path(__file__).parents[1] / "helpers/tiny_run.py")
TINY_ICNN = str(pathlib.Path(__file__).parents[1] / "helpers/tiny_icnn_run.py")


@pytest.mark.slow
def test_seeds_are_runs_of_their_own_and_a_failed_one_stops_no_other(
    tmp_path: pathlib.Path,
    lapa_download: pathlib.Path,
    data_dir: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")  # a launcher of several processes has started the study
    workdir = tmp_path / "study"
    workdir.mkdir()
    (workdir / "seed0").write_text("a file where the run's folder should be")
    command = [
        f"--config={TINY}",
        "--seeds=0,1,2",
        f"--workdir={workdir}",
        f"--config.data.manual_dir={lapa_download}",
        f"--config.data.data_dir={data_dir}",
        "--config.train.epochs=1",
        "--config.eval.rows=('32',)",
        "--config.seeds.augmentation=9",
    ]
    with pytest.raises(SystemExit) as ended:
        multi_seed.main(command)
    assert ended.value.code == 1
    told = capsys.readouterr()
    assert "2 finished, 1 failed" in told.out
    assert "failed: seed0: cannot be started" in told.err
    scores = []
    for seed in (1, 2):
        results = json.loads((workdir / f"seed{seed}" / "results.json").read_text())
        assert results["seed"] == seed
        assert results["config"]["seeds"] == {
            "initialisation": seed,
            "data_order": seed,
            "augmentation": 9,
        }
        assert set(results["follows_seed"]) == {"initialisation", "data_order"}
        scores.append(results["evaluations"][0]["mean_f1"])
    assert scores[0] != scores[1]
    line = next(
        line for line in told.out.splitlines() if line.split()[1:5] == ["best", "32", "mean", "F1"]
    )
    assert float(line.split()[5]) == pytest.approx(50 * sum(scores), abs=0.006)
    # The report of what there is.
    study, examples = analyse(workdir)
    (group,) = study.groups
    assert group.seeds == [1, 2]
    assert group.fixed_seeds == {"augmentation": 9}
    assert examples["g0"].seed == 1
    assert [run.name for run in study.incomplete_runs] == ["seed0"]
    # The same command starts nothing that is finished.
    (workdir / "seed0").unlink()
    with pytest.raises(SystemExit, match="seed1: .*config.train.epochs was 1 and is now 2"):
        multi_seed.main([text.replace("epochs=1", "epochs=2") for text in command])
    assert "epochs=2" not in (workdir / "study.json").read_text()
    written = (workdir / "seed1" / "results.json").stat().st_mtime_ns
    multi_seed.main(command[:1] + ["--seeds=1-2"] + command[2:])
    assert "2 finished before" in capsys.readouterr().out
    assert (workdir / "seed1" / "results.json").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--seeds=0,0"], "error: --seeds is '0,0'"),
        (["--seeds=0-99999999999"], "error: --seeds is '0-99999999999'; it may name at most 1,000"),
        (["--seeds=0-9999"], "error: --seeds is '0-9999'; it may name at most 1,000"),
        (["--config.deterministic=maybe"], "error: --config: .*deterministic"),
        (["--config.model.norm=layer"], "error: .*norm"),
        (["--config.train.epoch=3"], 'error: --config: .*Did you mean "epochs"'),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: pathlib.Path, flags: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        launch, "start", lambda *_: [Outcome(Job("x", tmp_path, ()), "failed", "it ran")]
    )
    with pytest.raises(SystemExit, match=message):
        multi_seed.main([f"--config={TINY}", f"--workdir={tmp_path}", *flags])


def test_where_no_run_finished_there_is_no_table(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        launch, "start", lambda *_: [Outcome(Job("x", tmp_path, ()), "failed", "it ran")]
    )
    with pytest.raises(SystemExit):
        multi_seed.main([f"--config={TINY}", f"--workdir={tmp_path}"])
    assert capsys.readouterr().out == "1 failed\n"


def test_runs_of_pytorch_are_started_and_skipped_like_those_of_jax(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[Job] = []

    def note(jobs: list[Job], *_: Any) -> list[Outcome]:
        started.extend(jobs)
        return [Outcome(job, "finished") for job in jobs]

    def find(name: str) -> str:
        assert name == "torch"
        return "somewhere"

    command = [f"--config={TINY}", f"--workdir={tmp_path}", "--seeds=0-2", "--framework=pytorch"]
    monkeypatch.setattr(importlib.util, "find_spec", find)
    for seed in range(3):
        config = multi_seed.seed_job(command[:1], tmp_path, seed).steps[0].config
        folder = tmp_path / f"seed{seed}"
        write_run(folder, config, {"32": 60.0 + seed}, framework="jax" if seed == 1 else "pytorch")
    with pytest.raises(SystemExit, match="seed1: .* holds a run of the framework 'jax'"):
        multi_seed.main(command)
    for name in ("results.json", "environment.json"):
        path = tmp_path / "seed1" / name
        path.write_text(path.read_text().replace('"framework": "jax"', '"framework": "pytorch"'))
    multi_seed.main(command)
    assert "3 finished before" in capsys.readouterr().out
    assert "--framework=pytorch" in (tmp_path / "study.json").read_text()
    monkeypatch.setattr(launch, "start", note)
    multi_seed.main(command)
    assert [str(job.steps[0]) for job in started] == [
        f"python -m fpliif_jax.experiments.pytorch.train --config={TINY} --config.seed={seed} "
        f"--workdir={tmp_path}/seed{seed}"
        for seed in range(3)
    ]


def test_pytorch_must_be_there_and_know_the_model_and_its_settings(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [f"--workdir={tmp_path / 'study'}", "--framework=pytorch"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="error: --framework=pytorch needs torch: pip"):
        multi_seed.main([f"--config={TINY}", *command])
    with pytest.raises(SystemExit, match="error: .*config.model.name is 'stn_icnn'"):
        multi_seed.main([f"--config={TINY_ICNN}", *command])
    with pytest.raises(SystemExit, match="error: config.augment.noise is"):
        multi_seed.main([f"--config={TINY}", "--config.augment.noise=(0.0, 0.1)", *command])
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("flag", ["--config.seed=3", "--wordkir=x", "extra"])
def test_flags_that_are_none_are_refused(
    tmp_path: pathlib.Path, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        multi_seed.main([f"--config={TINY}", f"--workdir={tmp_path}", flag])
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_missing_data_are_told_once_and_before_any_run(tmp_path: pathlib.Path) -> None:
    command = [
        f"--config={TINY}",
        f"--workdir={tmp_path / 'study'}",
        f"--config.data.manual_dir={tmp_path / 'nowhere'}",
        f"--config.data.data_dir={tmp_path / 'prepared'}",
    ]
    with pytest.raises(SystemExit, match="error: .*nowhere"):
        multi_seed.main(command)
    assert not (tmp_path / "study").exists()
