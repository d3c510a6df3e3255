"""Tests of the PyTorch loop without a network: what it counts, logs, keeps and hands to the step."""

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import ml_collections
import numpy as np
import pytest
from clocked_loop import ClockedLoop
from needs_torch import torch
from tiny_run import tiny_config

from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.data.batches import EpochOrder, train_batches
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data.resized_split import load_split
from fpliif_jax.evaluation import scoring
from fpliif_jax.experiments.pytorch import checkpoint, loop, step
from fpliif_jax.experiments.pytorch.fp_liif import FPLIIF
from fpliif_jax.experiments.pytorch.protocols import make_predictor
from fpliif_jax.systems import parse_protocols
from fpliif_jax.training import step_bar

CPU = torch.device("cpu")
ROOT = pathlib.Path(__file__).parents[3]


class Loop(ClockedLoop):
    """A run of `loop.train`.

    Attributes:
      batches: positions of the examples, in the order in which they were learned.
      saved: which checkpoints were saved at which step.
      train: the run's totals, as they were last saved.
    """

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        workdir: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        super().__init__(monkeypatch)
        self.batches: list[list[int]] = []
        self.saved: list[tuple[str, int]] = []
        monkeypatch.setattr(loop, "new_model", lambda _: torch.nn.Linear(1, 1))
        monkeypatch.setattr(loop, "make_prepare", lambda *_: self._prepare)
        monkeypatch.setattr(loop, "train_step", self._step)
        monkeypatch.setattr(scoring, "score_split", self._score)
        monkeypatch.setattr(loop.checkpoint, "save", self._save)
        self.dataset = load_dataset(config.data)
        assert loop.train(config, workdir, self.dataset, CPU, Interruption())
        self.read_records(workdir)

    def _prepare(self, batch: dict[str, np.ndarray]) -> None:
        self.batches.append(batch["example_ids"].tolist())

    def _step(
        self, model: object, optimizer: Any, scheduler: Any, inputs: object, config: object
    ) -> dict[str, float]:
        self._now += 1
        optimizer.step()
        scheduler.step()
        return {"loss": 1.0}

    def _score(self, score: object, split: object, rows: tuple, *_: object, **__: object) -> dict:
        self._now += 100
        return {rows[0]: scoring.ProtocolScores(np.ones((1, 11, 11), np.int32), {})}

    def _save(self, workdir: object, which: str, content: dict[str, Any]) -> None:
        self._now += 1_000
        self.saved.append((which, content["progress"]["step"]))
        self.train = json.loads(json.dumps(content["progress"]["train"]))


@pytest.fixture
def config(lapa_download: pathlib.Path, data_dir: pathlib.Path) -> ml_collections.ConfigDict:
    """13 examples in batches of 4, three epochs."""
    return tiny_config(lapa_download, data_dir)


def test_time_is_that_of_the_steps_alone_and_images_are_those_learned(
    config: ml_collections.ConfigDict,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As `training/clocked_loop_test` has it for JAX."""
    monkeypatch.setattr(step_bar, "_DAY", 4.0)
    found = Loop(config, tmp_path, monkeypatch)
    # The first step, which warms up, does not count.
    expected = {"epochs": 3, "steps": 12, "seconds": 11, "images_per_second": 35 / 11}
    assert found.train == expected
    told = "stage parsing: 10 steps of 1 s are left, about 2.5 days on this CPU, without validation"
    assert told in capsys.readouterr().err


def test_the_logged_rate_is_that_of_the_step(
    config: ml_collections.ConfigDict, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.train.log_every_steps = config.train.decay_every_epochs = 1
    records = Loop(config, tmp_path, monkeypatch).records
    assert [record["epoch"] for record in records] == [1] * 4 + [2] * 4 + [3] * 4
    rates = [1e-3] * 4 + [1e-4] * 4 + [1e-5] * 4
    np.testing.assert_allclose([record["learning_rate"] for record in records], rates, rtol=1e-6)


def test_of_equal_scores_the_first_is_the_best(
    config: ml_collections.ConfigDict, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = Loop(config, tmp_path, monkeypatch).saved
    assert saved == [("best", 4), ("last", 4), ("last", 8), ("last", 12)]


def test_after_a_kill_between_both_checkpoints_no_worse_one_takes_the_best_s_place(
    config: ml_collections.ConfigDict, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is learned again may be another, as on a GPU: here it scores worse, but better than what was best before."""
    config.train.checkpoint_every_epochs = 2
    hits, save = iter([5, 4, 8, 6]), checkpoint.save  # the last one is of the third epoch, again

    def step(model: object, optimizer: Any, scheduler: Any, *_: object) -> dict[str, float]:
        optimizer.step()
        scheduler.step()
        return {"loss": 1.0}

    def score(score: object, split: object, rows: tuple, *_: object, **__: object) -> dict:
        matrices = np.ones((1, 11, 11), np.int32) + next(hits) * np.eye(11, dtype=np.int32)
        return {rows[0]: scoring.ProtocolScores(matrices, {})}

    def save_until_killed(workdir: pathlib.Path, which: str, content: checkpoint.Saved) -> None:
        if (which, content["progress"]["step"]) == ("last", 12):
            raise KeyboardInterrupt
        save(workdir, which, content)

    monkeypatch.setattr(loop, "new_model", lambda _: torch.nn.Linear(1, 1))
    monkeypatch.setattr(loop, "make_prepare", lambda *_: lambda batch: None)
    monkeypatch.setattr(loop, "train_step", step)
    monkeypatch.setattr(scoring, "score_split", score)
    monkeypatch.setattr(checkpoint, "save", save_until_killed)
    dataset = load_dataset(config.data)
    with pytest.raises(KeyboardInterrupt):
        loop.train(config, tmp_path, dataset, CPU, Interruption())
    steps = [checkpoint.load(tmp_path, which)["progress"]["step"] for which in ("last", "best")]
    assert steps == [8, 12]
    best = checkpoint.path_of(tmp_path, "best").read_bytes()
    monkeypatch.setattr(checkpoint, "save", save)
    assert loop.train(config, tmp_path, dataset, CPU, Interruption())
    assert checkpoint.path_of(tmp_path, "best").read_bytes() == best


def test_order_and_augmentations_have_seeds_of_their_own(
    config: ml_collections.ConfigDict, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.seed, config.seeds.data_order, config.seeds.augmentation = 3, 5, 7
    found = Loop(config, tmp_path, monkeypatch)
    split = load_split(found.dataset, "train", (32,))
    expected = train_batches(
        split, 32, EpochOrder(batch_size=4, seed=5), local_slice=slice(0, 4), steps=range(12)
    )
    assert found.batches == [batch["example_ids"].tolist() for batch in expected]
    seeds: list[int] = []
    monkeypatch.setattr(step, "make_sampler", lambda seed, *_: seeds.append(seed))
    step.make_prepare(config, (), CPU)
    assert seeds == [7]


def test_predicting_leaves_a_model_as_it_is() -> None:
    """Batch norm has to use its running statistics, whatever the model did before."""
    config = tiny_config().unlock()
    config.model.norm = "batch"
    model = FPLIIF(config.model).train()
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    protocols = parse_protocols(config)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    batch = {"images": images, "labels_32": np.zeros((2, 32, 32), np.uint8)}
    predict = make_predictor(model, config, protocols, CPU)
    together = predict(batch)
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, before[name]), name
    alone = predict({name: leaf[1:] for name, leaf in batch.items()})
    for protocol in protocols:
        # The sums of another batch size may be rounded differently, and a pixel or two be a tie.
        differs = together[protocol.key].labels[1] != alone[protocol.key].labels[0]
        assert differs.mean() < 0.01


def test_matrix_precision_is_that_of_jax_on_gpus() -> None:
    """In a process of its own: the command defines flags, and these settings are PyTorch's for all."""
    program = (
        "import torch; from tiny_run import tiny_config\n"
        "from fpliif_jax.experiments.pytorch import train_and_evaluate\n"
        "config = tiny_config().unlock(); config.deterministic = False\n"
        "for precision in ('default', 'high', 'highest'):\n"
        "    config.matmul_precision = precision; train_and_evaluate.apply_to_torch(config)\n"
        "    print(torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests/helpers")))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["high True", "high True", "highest False"], done.stderr
