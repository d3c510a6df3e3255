"""The trainer in PyTorch from end to end, as a person runs it."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import ml_collections
import numpy as np
import pytest
from needs_torch import torch
from tiny_run import tiny_config
from xla_flags import xla_flags

import fpliif_jax.training.train_and_evaluate
from fpliif_jax.commands import command_line
from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.configs import stn_icnn_synthetic
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.experiments.pytorch import checkpoint, loop, train_and_evaluate
from fpliif_jax.experiments.pytorch.evaluation import evaluate_run
from fpliif_jax.experiments.runs.value_types import is_moment
from fpliif_jax.run_folder.checkpoint import CheckpointError, save
from fpliif_jax.run_folder.run_record import write_json

CPU = torch.device("cpu")
ROOT = pathlib.Path(__file__).parents[3]
TINY = f"--config={pathlib.Path(__file__).parents[2] / 'helpers/tiny_run.py'}"


def start(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.pytorch.train", TINY, *arguments],
        env={**os.environ, "XLA_FLAGS": xla_flags(), "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def train(workdir: pathlib.Path, *arguments: str) -> str:
    """Trains to the end and gives what was printed."""
    child = start(f"--workdir={workdir}", *arguments)
    output, errors = child.communicate(timeout=240)
    assert child.returncode == 0, output + errors
    return output


def records(workdir: pathlib.Path) -> list[dict]:
    """metrics.jsonl less timings."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [
        {key: value for key, value in json.loads(line).items() if key != "timing"} for line in lines
    ]


def results(workdir: pathlib.Path) -> dict:
    return json.loads((workdir / "results.json").read_text())


@pytest.fixture(scope="module")
def data(lapa_download: pathlib.Path, data_dir: pathlib.Path) -> list[str]:
    return [
        f"--config.data.manual_dir={lapa_download}",
        f"--config.data.data_dir={data_dir}",
        "--config.train.epochs=2",
        "--config.eval.checkpoints=('best', 'last', 'best')",  # each is scored once
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, data: list[str]) -> pathlib.Path:
    """A finished run of seed 0."""
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    output = train(workdir, *data)
    assert "16 → 32" in output and str(workdir / "results.json") in output
    return workdir


def test_a_run_leaves_what_a_run_of_jax_leaves(
    whole: pathlib.Path, tmp_path: pathlib.Path, data: list[str]
) -> None:
    """And the same numbers, as long as rounding has not grown."""
    config = command_line.config_of([TINY, *data])
    fpliif_jax.training.train_and_evaluate.run(
        config, tmp_path, "train_and_eval", None, Interruption()
    )
    theirs, ours = results(whole), results(tmp_path)
    assert list(theirs) == list(ours)
    assert (theirs["framework"], ours["framework"]) == ("pytorch", "jax")
    for field in (
        "config",
        "config_fingerprint",
        "follows_seed",
        "seed",
        "model",
        "parameters",
        "dataset",
        "notes",
    ):
        assert theirs[field] == ours[field], field
    assert theirs["train"].keys() == ours["train"].keys()
    assert theirs["train"]["steps"] == ours["train"]["steps"] == 8
    assert len(theirs["evaluations"]) == len(ours["evaluations"]) == 4
    for one, other in zip(theirs["evaluations"], ours["evaluations"], strict=True):
        assert list(one) == list(other)
        for field in ("split", "checkpoint", "step", "row", "input_size", "output_size", "images"):
            assert one[field] == other[field]
        # Of a few hundred pixels of the rarer classes some may change sides.
        assert one["mean_f1"] == pytest.approx(other["mean_f1"], abs=0.01)
    for one, other in zip(records(whole), records(tmp_path), strict=True):
        assert list(one) == list(other)
        if one["split"] == "train":
            # The augmentations differ by 1e-4 of a pixel's value, the loss is of size 100.
            assert one["loss"] == pytest.approx(other["loss"], abs=0.02)
            assert one["learning_rate"] == pytest.approx(other["learning_rate"], rel=1e-6)

    files = {path.relative_to(whole) for path in whole.rglob("*") if "events" not in path.name}
    wanted = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    wanted = {path for path in wanted if "events" not in path.name}
    own = {path for path in files | wanted if path.parts[0] == "checkpoints"}
    assert files - own == wanted - own
    for name in ("evaluations/test-last-32.npz", "examples.npz"):
        with np.load(whole / name) as one, np.load(tmp_path / name) as other:
            assert one.files == other.files
            assert all(one[key].dtype.kind == other[key].dtype.kind for key in one.files)
            assert all(one[key].shape == other[key].shape for key in one.files)
    environment = json.loads((whole / "environment.json").read_text())
    assert environment["framework"] == "pytorch"
    assert environment["versions"]["torch"] == torch.__version__
    assert environment["backend"] == "cpu" and environment["torch_threads"] == 1
    of_jax = json.loads((tmp_path / "environment.json").read_text())
    assert of_jax["framework"] == "jax"
    assert is_moment(environment["started"]) and is_moment(of_jax["started"])
    everything = ["initialisation", "data_order", "augmentation"]
    assert (
        sorted(environment["follows_seed"]) == sorted(of_jax["follows_seed"]) == sorted(everything)
    )


@pytest.mark.slow
def test_interrupted_and_resumed_is_the_uninterrupted_run(
    whole: pathlib.Path, tmp_path: pathlib.Path, data: list[str]
) -> None:
    """SIGTERM in the first epoch, then a kill in the second. It keeps the number that it was begun with."""
    log, number_of_parts = tmp_path / "metrics.jsonl", "--config.train.microbatch=0"
    for lines, number, code in ((1, signal.SIGTERM, 143), (2, signal.SIGKILL, -9)):
        child = start(f"--workdir={tmp_path}", *data, number_of_parts)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and child.poll() is None:
            if log.exists() and len(log.read_text().splitlines()) >= lines:
                child.send_signal(number)
                break
            time.sleep(0.005)
        output, errors = child.communicate(timeout=120)
        assert child.returncode == code, output + errors
        assert not (tmp_path / "results.json").exists()
    environment, began = tmp_path / "environment.json", "2026-11-26T21:03:05+00:00"
    write_json(environment, json.loads(environment.read_text()) | {"started": began})
    (tmp_path / "results.json").write_text("{}")  # as where the state before was scored
    train(tmp_path, *data)
    assert (tmp_path / "earlier_results" / "1" / "results.json").read_text() == "{}"
    recorded = json.loads(environment.read_text())
    assert recorded["started"] == began
    assert recorded["follows_seed"] == results(whole)["follows_seed"] != []
    assert json.loads((tmp_path / "config.json").read_text())["train"]["microbatch"] == 0
    for which in ("last", "best"):
        one, other = (checkpoint.load(folder, which) for folder in (whole, tmp_path))
        assert one["progress"]["step"] == other["progress"]["step"]
        for name, tensor in one["model"].items():
            assert torch.equal(tensor, other["model"][name]), name
    assert results(whole)["evaluations"] == results(tmp_path)["evaluations"]
    assert records(whole) == records(tmp_path)


def test_another_seed_is_another_run(
    whole: pathlib.Path, tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir)
    config.seed, config.train.epochs = 1, 1
    train_and_evaluate.run(config, tmp_path, CPU, Interruption())
    assert records(tmp_path)[0]["loss"] != records(whole)[0]["loss"]
    assert results(tmp_path)["seed"] == 1


def test_errors_are_for_the_person(whole: pathlib.Path, data: list[str]) -> None:
    config = command_line.config_of([TINY, "--config.model.features=4", *data])
    with pytest.raises(
        SystemExit, match="^error: .*config.model.features was 8 and is now 4.*$"
    ) as ended:
        arguments = (config, whole, CPU, Interruption())
        command_line.run("experiments.pytorch.train", train_and_evaluate.run, *arguments)
    assert len(ended.value.code.splitlines()) == 1


def _from_weights() -> ml_collections.ConfigDict:
    config = tiny_config().copy_and_resolve_references()
    config.train.init_from = "weights:drawn"
    return config.lock()


@pytest.mark.parametrize(
    ("config", "device", "message"),
    [
        (stn_icnn_synthetic.get_config(), None, "config.model.name is 'stn_icnn'"),
        (tiny_config(), "abacus", "--device=abacus cannot be used"),
        (
            _from_weights(),
            None,
            "config.train.init_from is 'weights:drawn': the trainer of PyTorch",
        ),
    ],
    ids=["a system without a twin", "no device", "a field that is not read"],
)
def test_what_cannot_be_trained_is_refused_at_once(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    config: ml_collections.ConfigDict,
    device: str | None,
    message: str,
) -> None:
    monkeypatch.setattr(train_and_evaluate, "check_settings", lambda _: None)  # has its own tests
    with pytest.raises(SettingsError, match=message):
        train_and_evaluate.main(config, "tiny", str(tmp_path / "run"), device)
    assert not (tmp_path / "run").exists()


def test_a_damaged_checkpoint_is_told_and_a_pickle_is_not_executed(tmp_path: pathlib.Path) -> None:
    path = checkpoint.path_of(tmp_path, "last")
    path.parent.mkdir()
    assert checkpoint.load(tmp_path, "last") is None
    for content in (b"", b"not a checkpoint"):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"last\.pt cannot be read"):
            checkpoint.load(tmp_path, "last")

    class Harmful:
        def __reduce__(self) -> tuple:
            return (os.mkdir, (str(tmp_path / "executed"),))

    torch.save({"model": {}, "progress": Harmful()}, path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint.load(tmp_path, "last")
    assert not (tmp_path / "executed").exists()
    checkpoint.save(tmp_path, "last", {"model": {}, "progress": {"step": 3, "best_score": None}})
    assert checkpoint.load(tmp_path, "last")["progress"]["step"] == 3


def test_an_earlier_run_with_the_other_sides_is_neither_scored_nor_gone_on_with(
    whole: pathlib.Path, tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    saved = checkpoint.load(whole, "last")
    assert saved["progress"].pop("whose_left") == "picture"
    assert json.loads((whole / "environment.json").read_text())["whose_left"] == "picture"
    saved["progress"]["config"]["data"]["synthetic"]["num_train"] = 600
    checkpoint.path_of(tmp_path, "last").parent.mkdir()
    checkpoint.save(tmp_path, "last", saved)
    config = tiny_config(lapa_download, data_dir)
    dataset = load_dataset(config.data)
    with pytest.raises(CheckpointError, match="its left_… .* Train it again"):
        evaluate_run(config, tmp_path, dataset, CPU)
    with pytest.raises(CheckpointError, match="its left_… .* Train it again"):
        loop.train(config, tmp_path, dataset, CPU, Interruption())


def test_neither_framework_goes_on_with_a_run_of_the_other(
    whole: pathlib.Path, tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir)
    config.train.epochs = 2
    before = (whole / "config.json").read_bytes()
    with pytest.raises(CheckpointError, match=f"{whole} holds a run of PyTorch"):
        fpliif_jax.training.train_and_evaluate.run(
            config, whole, "train_and_eval", None, Interruption()
        )
    assert (whole / "config.json").read_bytes() == before and (whole / "results.json").exists()
    save(tmp_path, "last", 3, {"params": {"bias": np.zeros(1, np.float32)}}, {})
    with pytest.raises(CheckpointError, match=f"{tmp_path} holds a run of JAX"):
        train_and_evaluate.run(config, tmp_path, CPU, Interruption())
