"""Tests of the command python -m fpliif_jax.main, as a person runs it."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from xla_flags import xla_flags

from fpliif_jax.run_folder import checkpoint

CONFIG = pathlib.Path(__file__).parent / "tiny_run.py"
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
    assert 'Did you mean "epochs" instead of "epoch"' in errors
    assert "Traceback" not in errors


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


@pytest.mark.slow
def test_train_then_eval(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    arguments = [
        f"--workdir={tmp_path}",
        f"--config.data.manual_dir={lapa_download}",
        f"--config.data.data_dir={data_dir}",
        "--config.train.epochs=1",
    ]
    code, _, errors = _run("--mode=eval", *arguments)
    assert code == 1
    assert "error: no checkpoint to evaluate" in errors
    code, _, errors = _run("--mode=train", *arguments)
    assert code == 0, errors
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
    assert json.loads((tmp_path / "config.json").read_text())["train"]["epochs"] == 1


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def _as_mpirun_starts(*arguments: str) -> list[subprocess.Popen]:
    """Two processes with the variables that Open MPI 4 leaves in each."""
    port = str(_free_port())
    return [
        _start(
            *arguments,
            XLA_FLAGS=xla_flags(devices=2),
            JAX_COORDINATOR_PORT=port,
            OMPI_MCA_orte_hnp_uri="1531576320.0;tcp://127.0.0.1:34911",
            OMPI_COMM_WORLD_SIZE="2",
            OMPI_COMM_WORLD_LOCAL_SIZE="2",
            OMPI_COMM_WORLD_RANK=str(index),
            OMPI_COMM_WORLD_LOCAL_RANK=str(index),
        )
        for index in range(2)
    ]


def _by_mpirun(*arguments: str) -> list[subprocess.Popen]:
    command = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2", sys.executable]
    return [
        subprocess.Popen(
            [*command, "-m", "fpliif_jax.main", f"--config={CONFIG}", *arguments],
            env={**ENVIRONMENT, "XLA_FLAGS": xla_flags(devices=2)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    ]


_HAS_MPIRUN = pytest.mark.skipif(shutil.which("mpirun") is None, reason="Open MPI is not installed")


@pytest.mark.slow
@pytest.mark.parametrize("start", [_as_mpirun_starts, pytest.param(_by_mpirun, marks=_HAS_MPIRUN)])
def test_two_processes_train_as_one(
    tmp_path: pathlib.Path,
    lapa_download: pathlib.Path,
    data_dir: pathlib.Path,
    start: Callable[..., list[subprocess.Popen]],
) -> None:
    arguments = [
        f"--config.data.manual_dir={lapa_download}",
        f"--config.data.data_dir={data_dir}",
        "--config.train.epochs=1",
        "--config.train.batch_size=5",
        "--config.eval.rows=('32',)",
        # Plain steps: Adam divides by the size of the gradient, and where that is rounding alone
        # (a bias before a norm) it makes steps of full size out of it.
        "--config.train.learning_rate=1e-6",
    ]
    assert _run(f"--workdir={tmp_path / 'one'}", *arguments)[0] == 0
    children = start(f"--workdir={tmp_path / 'two'}", *arguments)
    outputs = [child.communicate(timeout=240) for child in children]
    assert not any(child.returncode for child in children), outputs
    environment = json.loads((tmp_path / "two" / "environment.json").read_text())
    assert environment["process_count"] == 2
    one, two = (
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    )
    assert len(one) == len(two)
    for found, wanted in zip(two, one, strict=True):
        if wanted["split"] == "train":
            assert found["loss"] == pytest.approx(wanted["loss"], rel=1e-5)
            assert found["gradient_norm"] == pytest.approx(wanted["gradient_norm"], rel=1e-4)
    steps = [checkpoint.saved_step(tmp_path / name, "last") for name in ("one", "two")]
    assert steps == [3, 3]
    matrices = []
    for name in ("one", "two"):
        with np.load(tmp_path / name / "evaluations" / "test-last-32.npz") as file:
            matrices.append(file["confusion_matrices"])
    # Nearly equal parameters give the same labels but for pixels where two classes tie.
    assert np.abs(matrices[0] - matrices[1]).sum() <= 0.01 * matrices[0].sum()


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
