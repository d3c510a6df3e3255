"""Tests of the command python -m fpliif_jax.main, as a person runs it."""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys

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


@pytest.mark.slow
def test_two_processes_train_as_one(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
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
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        address = f"localhost:{probe.getsockname()[1]}"
    children = [
        _start(
            f"--workdir={tmp_path / 'two'}",
            f"--coordinator_address={address}",
            "--num_processes=2",
            f"--process_id={index}",
            *arguments,
            XLA_FLAGS=xla_flags(devices=2),
        )
        for index in range(2)
    ]
    outputs = [child.communicate(timeout=240) for child in children]
    assert [child.returncode for child in children] == [0, 0], outputs
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
