"""Tests of the command python -m fpliif_jax.main, as a person runs it."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from xla_flags import xla_flags

from fpliif_jax.experiments.runs.runs import read_runs

CONFIG = pathlib.Path(__file__).parent / "helpers/tiny_run.py"
ROOT = pathlib.Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "XLA_FLAGS": xla_flags()}


def _start(*arguments: str, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "fpliif_jax.main", f"--config={CONFIG}", *arguments],
        env={**ENVIRONMENT, **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _run(*arguments: str) -> tuple[int, str, str]:
    child = _start(*arguments)
    output, errors = child.communicate(timeout=240)
    return child.returncode, output, errors


def test_a_misspelt_field_is_told_with_the_right_one() -> None:
    code, _, errors = _run("--config.train.epoch=2")
    assert code == 1
    assert "there is no field 'epoch'" in errors
    assert 'Did you mean "epochs" instead of "epoch"' in errors
    assert f"python -m fpliif_jax.main --config={CONFIG} --fields" in errors
    assert "Traceback" not in errors


def test_the_fields_are_listed_without_waiting_for_jax() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "fpliif_jax.main", "--config=lapa", "--fields"],
        env={**ENVIRONMENT, "COLUMNS": "80"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "\n  train.epochs = 400 | a whole number from 1 | experiment\n" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "| jax" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config.train.schedule=linear"], "error: config.train.schedule is 'linear'"),
        (["--config.train.epochs=many"], "epochs"),
        (["--config=configs/nowhere.py"], "nowhere.py"),
        (["--mode=test"], "mode"),
        (["extra"], "error: unexpected argument 'extra'"),
        (["--num_processes=2"], "error: a run over several hosts needs"),
        (["--config.data.data_dir=NOWHERE"], "error: .*LaPa"),
        (["--workdir=pyproject.toml"], "error: --workdir=pyproject.toml: pyproject.toml is a file"),
    ],
)
def test_errors_are_for_the_person(
    tmp_path: pathlib.Path, arguments: list[str], message: str
) -> None:
    arguments = [argument.replace("NOWHERE", str(tmp_path)) for argument in arguments]
    code, _, errors = _run(*arguments)
    assert code == 1
    assert re.search(message, errors, re.DOTALL), errors
    assert "Traceback" not in errors


def test_a_start_that_there_is_not_is_told_before_anything_is_drawn(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "elsewhere"
    code, _, errors = _run(
        f"--config.train.init_from={folder}",
        f"--workdir={tmp_path / 'run'}",
        f"--config.data.manual_dir={tmp_path / 'raw'}",
        f"--config.data.data_dir={tmp_path / 'data'}",
    )
    assert code == 1
    assert errors == f"error: no 'best' checkpoint in {folder}; train first, or check the folder\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_train_then_eval(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    arguments = [
        f"--workdir={tmp_path}",
        f"--config.data.manual_dir={lapa_download}",
        f"--config.data.data_dir={data_dir}",
    ]
    code, _, errors = _run("--mode=eval", *arguments)
    assert code == 1
    assert "error: no checkpoint to evaluate" in errors
    fixed = "--config.seeds.augmentation=0"  # at the run's own seed
    code, _, errors = _run("--mode=train", "--config.train.epochs=1", fixed, *arguments)
    assert code == 0, errors
    assert not (tmp_path / "results.json").exists()
    # What it was trained with need not be said again, and is not another thing by being said.
    code, _, errors = _run("--mode=eval", "--config.train.learning_rate=0.1", *arguments)
    assert code == 1
    assert "error: config.train.learning_rate is 0.1, and the run in" in errors
    assert not (tmp_path / "results.json").exists()
    code, output, errors = _run("--mode=eval", "--config.eval.rows=('32',)", *arguments)
    assert code == 0, errors
    assert "mean F1" in output
    results = json.loads((tmp_path / "results.json").read_text())
    assert {found["checkpoint"] for found in results["evaluations"]} == {"best", "last"}
    assert {found["output_size"] for found in results["evaluations"]} == {32}
    environment = json.loads((tmp_path / "environment.json").read_text())
    assert environment["data_fingerprint"] == results["dataset"]["fingerprint"]
    assert environment["data_digest"] == results["dataset"]["digest"]["labels"]["all"]
    assert environment["data_drawn"] is results["dataset"]["drawn"] is True
    assert "--mode=train" in environment["command"]
    assert results["follows_seed"] == environment["follows_seed"]
    assert sorted(results["follows_seed"]) == ["data_order", "initialisation"]
    assert json.loads((tmp_path / "config.json").read_text())["train"]["epochs"] == 1
    (run,) = read_runs(tmp_path)
    assert (run.status, run.results.config.content["train"]["epochs"]) == ("finished", 1), (
        run.problem
    )


def test_a_platform_that_is_not_there_is_told_in_a_line() -> None:
    child = _start(JAX_PLATFORMS="nonsense")
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 1
    assert "error: JAX finds no device for JAX_PLATFORMS=nonsense" in errors
    assert "Traceback" not in errors


def test_processes_that_were_started_together_do_not_train_alone() -> None:
    # Open MPI 5 leaves no address, and JAX 0.10 finds none.
    child = _start(OMPI_COMM_WORLD_SIZE="2", OMPI_COMM_WORLD_RANK="0")
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 1
    assert "Open MPI has started this process as one of 2" in errors
    assert "--distributed=off" in errors
    assert "Traceback" not in errors
