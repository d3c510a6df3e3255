"""Tests of runs over several processes: two train as one does, and go on when one of them was killed."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from flax import traverse_util
from xla_flags import xla_flags

from fpliif_jax.devices import supervision
from fpliif_jax.run_folder import checkpoint

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]
CONFIG = pathlib.Path(__file__).parents[1] / "helpers/tiny_run.py"
STEPS = 15  # 13 examples in batches of 5, five times
# The workflow installs Open MPI and sets the variable: there it is an error if it is missing.
_HAS_MPIRUN = pytest.mark.skipif(
    shutil.which("mpirun") is None and not os.environ.get("FPLIIF_JAX_REQUIRE_MPI"),
    reason="Open MPI is not installed",
)


@pytest.fixture(scope="module")
def arguments(lapa_download: pathlib.Path, data_dir: pathlib.Path) -> list[str]:
    """What all processes of this file are started with."""
    return [
        f"--config={CONFIG}",
        f"--config.data.manual_dir={lapa_download}",
        f"--config.data.data_dir={data_dir}",
        "--config.train.epochs=5",
        "--config.train.batch_size=5",
        "--config.eval.rows=('32',)",
        # Plain steps: Adam divides by the size of the gradient, and where that is rounding alone
        # (a bias before a norm) it makes steps of full size out of it.
        "--config.train.learning_rate=1e-6",
    ]


def _start(
    arguments: list[str],
    devices: int | None = 2,
    launcher: tuple[str, ...] = (),
    **environment: str,
) -> subprocess.Popen:
    return subprocess.Popen(
        [*launcher, sys.executable, "-m", "fpliif_jax.main", *arguments],
        env={**os.environ, "XLA_FLAGS": xla_flags(devices), **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def _start_two(workdir: pathlib.Path, arguments: list[str]) -> list[subprocess.Popen]:
    """Two processes that are told of each other on the command line."""
    own = [f"--workdir={workdir}", f"--coordinator_address=localhost:{_free_port()}"]
    own.append("--num_processes=2")
    places = [f"--config.data.cache_dir={workdir}-resized-by-{index}" for index in range(2)]
    return [
        _start([*arguments, *own, f"--process_id={index}", place])
        for index, place in enumerate(places)
    ]


def _as_mpirun_starts(workdir: pathlib.Path, arguments: list[str]) -> list[subprocess.Popen]:
    """Two processes with the variables that Open MPI 4 leaves in each."""
    port = str(_free_port())
    return [
        _start(
            [*arguments, f"--workdir={workdir}"],
            JAX_COORDINATOR_PORT=port,
            OMPI_MCA_orte_hnp_uri="1531576320.0;tcp://127.0.0.1:34911",
            OMPI_COMM_WORLD_SIZE="2",
            OMPI_COMM_WORLD_LOCAL_SIZE="2",
            OMPI_COMM_WORLD_RANK=str(index),
            OMPI_COMM_WORLD_LOCAL_RANK=str(index),
        )
        for index in range(2)
    ]


def _ends(processes: list[subprocess.Popen]) -> list[tuple[str, str]]:
    try:
        return [process.communicate(timeout=240) for process in processes]
    finally:
        for process in processes:
            process.kill()


def _killed(processes: list[subprocess.Popen]) -> list[tuple[str, str]]:
    for process in processes:
        process.kill()
    return _ends(processes)


def _end_well(processes: list[subprocess.Popen]) -> None:
    outputs = _ends(processes)
    assert not any(process.returncode for process in processes), outputs


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, arguments: list[str]) -> pathlib.Path:
    """The folder of a run that one process has trained and evaluated, on one device."""
    workdir = tmp_path_factory.mktemp("alone")
    _end_well([_start([*arguments, f"--workdir={workdir}"], devices=None)])
    return workdir


@pytest.fixture(scope="module")
def alone_on_four(tmp_path_factory: pytest.TempPathFactory, arguments: list[str]) -> pathlib.Path:
    """As `alone`, on four devices: as many as two processes have together."""
    workdir = tmp_path_factory.mktemp("alone_on_four")
    _end_well([_start([*arguments, f"--workdir={workdir}"], devices=4)])
    return workdir


@pytest.fixture(scope="module")
def by_two(tmp_path_factory: pytest.TempPathFactory, arguments: list[str]) -> pathlib.Path:
    """The folder of the same run by two processes, on two devices each."""
    workdir = tmp_path_factory.mktemp("by_two")
    _end_well(_as_mpirun_starts(workdir, arguments))
    return workdir


@pytest.fixture(scope="module")
def by_mpirun(tmp_path_factory: pytest.TempPathFactory, arguments: list[str]) -> pathlib.Path:
    """As `by_two`, started by Open MPI."""
    workdir = tmp_path_factory.mktemp("by_mpirun")
    launcher = ("mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2")
    _end_well([_start([*arguments, f"--workdir={workdir}"], launcher=launcher)])
    return workdir


def _records(workdir: pathlib.Path) -> list[dict]:
    """metrics.jsonl less timings."""
    records = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return [{key: value for key, value in record.items() if key != "timing"} for record in records]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("alone", "by_two"),
        pytest.param("alone", "by_mpirun", marks=_HAS_MPIRUN),
        ("alone_on_four", "by_two"),
        pytest.param("alone_on_four", "by_mpirun", marks=_HAS_MPIRUN),
    ],
)
def test_two_processes_train_as_one(one: str, two: str, request: pytest.FixtureRequest) -> None:
    folders = (request.getfixturevalue(one), request.getfixturevalue(two))
    counts = [
        json.loads((folder / "environment.json").read_text())["process_count"] for folder in folders
    ]
    assert counts == [1, 2]
    expected, records = (_records(folder) for folder in folders)
    assert len(expected) == len(records)
    for found, wanted in zip(records, expected, strict=True):
        if wanted["split"] == "train":
            assert found["loss"] == pytest.approx(wanted["loss"], rel=1e-5)
            assert found["gradient_norm"] == pytest.approx(wanted["gradient_norm"], rel=1e-4)
    assert [checkpoint.saved_step(folder, "last") for folder in folders] == [STEPS] * 2
    matrices = []
    for folder in folders:
        with np.load(folder / "evaluations" / "test-last-32.npz") as file:
            matrices.append(file["confusion_matrices"])
    # Nearly equal parameters give the same labels but for pixels where two classes tie.
    assert np.abs(matrices[0] - matrices[1]).sum() <= 0.01 * matrices[0].sum()


def _two_that_have_saved(workdir: pathlib.Path, arguments: list[str]) -> list[subprocess.Popen]:
    """Two processes after their first checkpoint."""
    for _ in range(3):  # on a busy machine they may miss each other: Gloo waits 30 s for a process
        processes = _start_two(workdir, arguments)
        deadline = time.monotonic() + 240
        while not checkpoint.saved_step(workdir, "last") and processes[0].poll() is None:
            assert time.monotonic() < deadline, _killed(processes)
            time.sleep(0.02)
        if processes[0].poll() is None:
            break
        _ends(processes)
    return processes


def test_a_run_goes_on_after_one_of_its_processes_was_killed(
    tmp_path: pathlib.Path, by_two: pathlib.Path, arguments: list[str]
) -> None:
    arguments = [*arguments, "--mode=train"]
    survivor, victim = _two_that_have_saved(tmp_path, arguments)
    victim.kill()
    killed_at = time.monotonic()
    victim.communicate()
    _, errors = survivor.communicate(timeout=60)
    assert time.monotonic() - killed_at < 45  # of which JAX waits 20; 100 by default
    assert survivor.returncode == supervision.LOST_PEER, errors
    last = errors.splitlines()[-1]
    assert "another process of this run ended: " in last, errors
    assert last.endswith("start the same command in every process again to go on")
    assert "coordination_service" not in errors and "Fatal Python" not in errors
    assert checkpoint.saved_step(tmp_path, "last") < STEPS

    ends = _ends(_start_two(tmp_path, arguments))
    assert checkpoint.saved_step(tmp_path, "last") == STEPS, ends
    whole, resumed = (_state(folder) for folder in (by_two, tmp_path))
    assert whole.keys() == resumed.keys()
    for name in whole:
        np.testing.assert_array_equal(whole[name], resumed[name], err_msg=name)
    assert _records(by_two) == _records(tmp_path)


def test_a_run_that_is_ended_saves_and_goes_on(
    tmp_path: pathlib.Path, by_two: pathlib.Path, arguments: list[str]
) -> None:
    """SIGTERM to one of them, as a cluster sends it before it takes a machine away."""
    arguments = [*arguments, "--mode=train"]
    processes = _two_that_have_saved(tmp_path, arguments)
    processes[1].terminate()
    ends = _ends(processes)
    assert [process.returncode for process in processes] == [143, 143], ends
    assert checkpoint.saved_step(tmp_path, "last") < STEPS, ends
    _end_well(_start_two(tmp_path, arguments))
    assert _records(by_two) == _records(tmp_path)


def test_a_folder_that_the_processes_do_not_share_is_told(
    tmp_path: pathlib.Path, arguments: list[str]
) -> None:
    arguments = [*arguments, "--mode=train", "--workdir=~/run", "--num_processes=2"]
    arguments += [f"--coordinator_address=localhost:{_free_port()}"]
    processes = [
        _start([*arguments, f"--process_id={index}"], HOME=str(tmp_path / str(index)))
        for index in range(2)
    ]
    ends = _ends(processes)
    assert [process.returncode for process in processes] == [1, 1], ends
    for _, errors in ends:
        assert "not every process of this run sees what the main one writes there" in errors
    assert [path.name for path in (tmp_path / "0" / "run").iterdir()] == [".lock"]


def _state(workdir: pathlib.Path) -> dict[str, np.ndarray]:
    arrays, _ = checkpoint.read(workdir, "last")
    return traverse_util.flatten_dict(arrays, sep="/")
