"""Tests of fpliif_jax.training: gradients over devices, the loop, resuming, and failures."""

import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import draws
import jax
import ml_collections
import numpy as np
import pytest
from flax import traverse_util
from tiny_run import tiny_config

from fpliif_jax import systems
from fpliif_jax.commands import command_line
from fpliif_jax.commands.interruption import SAVED, Interruption
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.devices import parallel
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.inference_checkpoint import load_for_inference
from fpliif_jax.systems import create_model
from fpliif_jax.systems.step_numbers import fixed_microbatch
from fpliif_jax.training import loop, train_and_evaluate
from fpliif_jax.training.optimizer import learning_rate_schedule
from fpliif_jax.training.progress import Progress
from fpliif_jax.training.records import TrainingError
from fpliif_jax.training.step import init_variables, loss_and_gradients

NAMES = ("background", "skin", "left_brow", "right_brow", "left_eye", "right_eye", "nose") + (
    "upper_lip",
    "inner_mouth",
    "lower_lip",
    "hair",
)
ROOT = pathlib.Path(__file__).parents[2]
GOLDEN_LOSSES = (101.62714, 100.08067)
CHILD = [sys.executable, "-m", "fpliif_jax.main"]


def _batch(examples: int, rows: int) -> dict[str, np.ndarray]:
    """The same random examples, padded to `rows` (at most 8) as the loader does."""
    random = np.random.default_rng(0)
    batch = {
        "images": random.integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)[:rows],
        "labels": random.integers(0, 11, (8, 16, 16), dtype=np.uint8)[:rows],
        "example_ids": np.arange(rows, dtype=np.int32),
        "epoch": np.zeros(rows, np.int32),
        "seed": np.zeros(rows, np.int32),
        "weights": np.ones(rows, np.float32),
    }
    batch["images"][examples:] = batch["labels"][examples:] = 0
    batch["example_ids"][examples:] = -1
    batch["weights"][examples:] = 0
    return batch


def _gradients(
    config: ml_collections.ConfigDict, batch: dict[str, np.ndarray], devices: int
) -> Callable[[int], tuple[dict, dict, dict]]:
    """Loss, gradients and batch statistics on that many devices, of 16² images, as a function of the draw."""
    config.data.image_size = 16
    model = create_model(config.model, axis_name=parallel.AXIS)
    (stage,) = systems.of(config).training.make_stages(config, model, NAMES)
    variables = init_variables(model, config)
    microbatch = fixed_microbatch(config.train)
    shards = jax.tree.map(lambda leaf: leaf.reshape(devices, -1, *leaf.shape[1:]), batch)
    step = jax.pmap(
        lambda variables, batch: loss_and_gradients(
            stage,
            variables["params"],
            variables.get("batch_stats", {}),
            batch,
            microbatch,
        ),
        axis_name=parallel.AXIS,
        in_axes=(None, 0),
        devices=jax.devices()[:devices],
    )
    return lambda draw: jax.tree.map(
        lambda leaf: np.asarray(leaf)[0], step(draws.variables_of_draw(variables, draw), shards)
    )


def _difference(found: dict, wanted: dict) -> float:
    """The largest, relative to an entry and the largest one of its layer.

    Of each layer, not of each array: the gradient of a bias that a norm follows is exactly zero,
    so what is found there is the rounding of the terms that cancel.
    """
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    found, wanted = (traverse_util.flatten_dict(tree) for tree in (found, wanted))
    differences = []
    for path, array in wanted.items():
        layer = [other for name, other in wanted.items() if name[:-1] == path[:-1]]
        scale = max(np.abs(other).max() for other in layer)
        differences.append(np.max(np.abs(found[path] - array) / (np.abs(array) + scale)))
    return float(np.max(differences))


def _assert_same(found: Callable[[int], tuple], wanted: Callable[[int], tuple]) -> None:
    """Losses, gradients and statistics but for sums in another order, float32."""
    differences = []
    for draw in draws.DRAWS:
        one, other = found(draw), wanted(draw)
        differences.append(_difference(one[1], other[1]))
        assert _difference(one[0], other[0]) <= 1e-5
        assert not other[2] or _difference(one[2], other[2]) <= 1e-5
    print("gradients:", " ".join(f"{number:.1e}" for number in differences))
    draws.assert_all_but_jumps_agree(differences, rounding=1e-5, jump=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_one_and_four_devices_give_the_same_gradient(tmp_path: pathlib.Path, norm: str) -> None:
    config = tiny_config(tmp_path, tmp_path)
    config.model.norm = norm
    # The four devices hold 2, 2, 1 and 0 examples; the last one has only padding.
    alone = _gradients(config, _batch(5, 5), devices=1)
    spread = _gradients(config, _batch(5, 8), devices=4)
    _assert_same(spread, alone)


@pytest.mark.slow
def test_microbatches_give_the_gradient_of_the_whole_batch(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path, tmp_path)
    whole = _gradients(config, _batch(5, 5), devices=1)
    config.train.microbatch = 2
    parts = _gradients(config, _batch(5, 6), devices=1)
    _assert_same(parts, whole)


@pytest.mark.slow
def test_golden_first_loss(tmp_path: pathlib.Path) -> None:
    """At initialisation nearly all classes are equally likely: ln 11 for both terms, λ = 40."""
    config = tiny_config(tmp_path, tmp_path)
    values, gradients, _ = _gradients(config, _batch(5, 5), devices=1)(0)
    assert values["loss"] == pytest.approx(
        values["cross_entropy"] + 40 * values["edge_cross_entropy"], rel=1e-6
    )
    assert values["cross_entropy"] == pytest.approx(np.log(11), abs=0.3)
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradients["decoder"]))


@pytest.mark.slow
def test_golden_loss_of_one_step(one_epoch: pathlib.Path) -> None:
    """From drawn faces to the loss after one step of Adam; changes only when a result would.

    Recorded with jax 0.10.2 on a CPU. 1e-4 leaves room for other versions' order of summation, and
    is far below what any other seed, order, augmentation, loss or update makes of it.
    """
    losses = [record["loss"] for record in _records(one_epoch) if record["split"] == "train"]
    np.testing.assert_allclose(losses[:2], GOLDEN_LOSSES, rtol=1e-4)


def test_learning_rate_is_divided_by_ten_after_every_twenty_epochs(tmp_path: pathlib.Path) -> None:
    settings = tiny_config(tmp_path, tmp_path).train
    schedule = learning_rate_schedule(settings, 5e-4, steps_per_epoch=7)
    found = [float(schedule(jax.numpy.int32(7 * epoch))) for epoch in (0, 19, 20, 40)]
    np.testing.assert_allclose(found, [5e-4, 5e-4, 5e-5, 5e-6], rtol=1e-6)
    assert float(schedule(jax.numpy.int32(7 * 20 - 1))) == pytest.approx(5e-4)


def _train(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, validates: bool = False
) -> tuple[dict, dict]:
    workdir.mkdir(exist_ok=True)
    dataset = load_dataset(config.data)
    if not validates:
        dataset.metadata.counts["validation"] = 0
    assert loop.train(config, workdir, dataset, Interruption())
    loaded = load_for_inference(workdir, "last")
    return loaded.variables, checkpoint.read_progress(workdir, "last")


def _records(workdir: pathlib.Path) -> list[dict]:
    """metrics.jsonl less timings."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [
        {key: value for key, value in json.loads(line).items() if key != "timing"} for line in lines
    ]


def _one_epoch_config(
    lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> ml_collections.ConfigDict:
    config = tiny_config(lapa_download, data_dir)
    config.train.epochs, config.train.log_every_steps = 1, 1
    return config


@pytest.fixture(scope="module")
def one_epoch(
    tmp_path_factory: pytest.TempPathFactory, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> pathlib.Path:
    """A run of one epoch without validation, which is finished: tests leave it as it is."""
    workdir = tmp_path_factory.mktemp("one_epoch")
    _train(_one_epoch_config(lapa_download, data_dir), workdir)
    return workdir


@pytest.mark.slow
def test_a_run_leaves_checkpoints_and_metrics(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir)
    (tmp_path / "results.json").write_text("{}")  # of an earlier state, as where that was scored
    _, progress = _train(config, tmp_path, validates=True)
    assert not (tmp_path / "results.json").exists()
    assert (tmp_path / "earlier_results" / "1" / "results.json").read_text() == "{}"
    records = _records(tmp_path)
    # 13 examples in batches of 4: 4 steps an epoch, the smaller last batch included.
    assert progress["train"]["steps"] == 12
    assert progress["train"]["epochs"] == 3
    trained = [record for record in records if record["split"] == "train"]
    assert [record["step"] for record in trained] == [3, 6, 9, 12]
    validated = [record for record in records if record["split"] == "validation"]
    assert [record["step"] for record in validated] == [4, 8, 12]
    assert checkpoint.saved_step(tmp_path, "last") == 12
    best = max(validated, key=lambda record: record["mean_f1"])
    assert checkpoint.saved_step(tmp_path, "best") == best["step"]
    assert progress["best_score"] == best["mean_f1"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    one_epoch: pathlib.Path,
    tmp_path: pathlib.Path,
    lapa_download: pathlib.Path,
    data_dir: pathlib.Path,
) -> None:
    config = _one_epoch_config(lapa_download, data_dir)
    first = load_for_inference(one_epoch, "last").variables
    second, _ = _train(config, tmp_path / "second")
    config.seed = 1
    other, _ = _train(config, tmp_path / "other")
    assert jax.tree.all(jax.tree.map(np.array_equal, first, second))
    assert not jax.tree.all(jax.tree.map(np.array_equal, first, other))


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_with_step_and_ids(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir)
    config.train.learning_rate = 1e30
    with pytest.raises(TrainingError, match=r"at step \d+ .*epoch 1.*no earlier.*batch ids: \w+"):
        _train(config, tmp_path)
    assert checkpoint.saved_step(tmp_path, "last") is None


@pytest.mark.slow
def test_another_config_in_the_same_folder_is_refused(
    one_epoch: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = _one_epoch_config(lapa_download, data_dir)
    config.model.features = 4
    with pytest.raises(
        checkpoint.CheckpointError, match="config.model.features was 8 and is now 4"
    ):
        _train(config, one_epoch)


@pytest.mark.slow
def test_a_run_killed_before_it_had_a_last_checkpoint_begins_anew(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    """Its best one of then, which is saved first, is made again."""
    config = _one_epoch_config(lapa_download, data_dir)
    first, _ = _train(config, tmp_path, validates=True)
    shutil.rmtree(checkpoint.directory(tmp_path, "last"))
    second, _ = _train(config, tmp_path, validates=True)
    assert jax.tree.all(jax.tree.map(np.array_equal, first, second))
    assert checkpoint.saved_step(tmp_path, "best") == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": {"epochs": 2}}, "has a 'best' checkpoint, of step 8, and no 'last' one"),
        ({"stage": 1}, "has a 'best' checkpoint, of step 8, and no 'last' one"),
        ({"fingerprint": "0" * 64}, "holds a run on other data"),
        ({"fingerprint": None}, r"weights that no run trained there.*--config\.train\.init_from="),
    ],
    ids=["of more epochs", "of a later stage", "on other data", "imported"],
)
def test_training_does_not_replace_what_it_does_not_go_on_from(
    tmp_path: pathlib.Path,
    lapa_download: pathlib.Path,
    data_dir: pathlib.Path,
    changes: dict,
    message: str,
) -> None:
    """As where the last checkpoint was damaged, and deleted; its best one would be taken for that of the new run."""
    config = tiny_config(lapa_download, data_dir)
    progress = Progress.at_start(config, load_dataset(config.data)).to_json()
    progress |= {"step": 8, "train": {"epochs": 1}} | changes
    checkpoint.save(tmp_path, "best", 8, {"params": {"a": np.zeros(1)}}, progress)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(checkpoint.CheckpointError, match=message):
        _train(config, tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_without_a_training_split_nothing_is_trained(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir)
    dataset = load_dataset(config.data)
    dataset.metadata.counts["train"] = 0
    with pytest.raises(DataError, match="without a training split"):
        loop.train(config, tmp_path, dataset, Interruption())


@pytest.mark.slow
def test_without_validation_the_last_state_is_all_there_is(one_epoch: pathlib.Path) -> None:
    assert checkpoint.saved_step(one_epoch, "last") == 4
    assert checkpoint.saved_step(one_epoch, "best") is None


def _command(workdir: pathlib.Path, manual_dir: pathlib.Path, data_dir: pathlib.Path) -> list[str]:
    config_file = pathlib.Path(__file__).parents[1] / "helpers/tiny_run.py"
    return [
        *CHILD,
        f"--workdir={workdir}",
        f"--config={config_file}",
        f"--config.data.manual_dir={manual_dir}",
        f"--config.data.data_dir={data_dir}",
        "--config.train.epochs=4",
        "--config.eval.rows=('32',)",
    ]


def _run(command: list[str], stop: tuple[pathlib.Path, int, signal.Signals] | None = None) -> int:
    """Runs a command; signals it once metrics.jsonl has that many lines."""
    child = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if stop is not None:
        path, lines, number = stop
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline and child.poll() is None:
            if path.exists() and len(path.read_text().splitlines()) >= lines:
                child.send_signal(number)
                break
            time.sleep(0.01)
    output, errors = child.communicate(timeout=240)
    assert child.returncode <= 0 or child.returncode == SAVED, output + errors
    return child.returncode


def _assert_same_run(one: pathlib.Path, other: pathlib.Path) -> None:
    for which in ("last", "best"):
        first, second = (checkpoint.read(folder, which) for folder in (one, other))
        assert first[1]["step"] == second[1]["step"]
        assert jax.tree.all(jax.tree.map(np.array_equal, first[0], second[0]))
    first, second = (json.loads((folder / "results.json").read_text()) for folder in (one, other))
    assert first["evaluations"] == second["evaluations"]
    assert _records(one) == _records(other)


@pytest.mark.slow
def test_sigterm_and_kill_change_nothing(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    whole, ended = tmp_path / "whole", tmp_path / "ended"
    command, log = _command(ended, lapa_download, data_dir), ended / "metrics.jsonl"
    whole.mkdir()
    train_and_evaluate.run(
        command_line.config_of(command[4:]), whole, "train_and_eval", None, Interruption()
    )

    assert _run(command, stop=(log, 3, signal.SIGTERM)) == SAVED
    assert not (ended / "results.json").exists()
    assert checkpoint.saved_step(ended, "last") is not None
    # Three lines later: in another epoch, where the checkpoint of the one before may or may not be finished.
    lines = len(log.read_text().splitlines()) + 3
    assert _run(command, stop=(log, lines, signal.SIGKILL)) == -signal.SIGKILL
    assert _run(command) == 0
    _assert_same_run(whole, ended)
