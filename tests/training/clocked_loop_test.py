"""Tests of the loop of fpliif_jax.training.loop without networks: what it counts, logs and hands to the step."""

import collections
import itertools
import json
import pathlib
import types
from typing import Any

import ml_collections
import numpy as np
import pytest
from clocked_loop import ClockedLoop
from tiny_icnn_run import tiny_icnn_config
from tiny_run import tiny_config

from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.devices import parallel
from fpliif_jax.evaluation import scoring
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.systems.stn_icnn.windows import WINDOW_ERROR
from fpliif_jax.training import loop, prepare, step, step_bar


class Loop(ClockedLoop):
    """A run of `loop.train`.

    Attributes:
      epochs: by the epoch's number, (example, copy) in the order in which they were learned.
      train: the run's totals, as they were last saved.
    """

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        workdir: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
        stop_at: int | None = None,
    ) -> None:
        """`stop_at`: a signal comes while this step is dispatched."""
        super().__init__(monkeypatch)
        self._stop_at, self._interruption = stop_at, Interruption()
        self._num_classes = config.model.num_classes
        self.epochs: dict[int, list[tuple[int, int]]] = collections.defaultdict(list)
        networks = ("coarse", "localisation", "fine")
        initial = {"params": {network: np.zeros(1, np.float32) for network in networks}}
        monkeypatch.setattr(prepare, "init_variables", lambda *_: initial)
        monkeypatch.setattr(prepare, "variables_to_start_from", lambda *_: initial)
        monkeypatch.setattr(step, "make_train_step", lambda *_: self._step)
        monkeypatch.setattr(scoring, "score_split", self._score)
        monkeypatch.setattr(checkpoint, "save", self._save)
        dataset = load_dataset(config.data)
        clock = types.SimpleNamespace(perf_counter=lambda: self._now)
        monkeypatch.setattr(prepare, "time", clock)
        self.saving: list[float] = []
        is_finished = loop.train(config, workdir, dataset, self._interruption, self.saving)
        assert is_finished == (stop_at is None)
        self.read_records(workdir)

    def _step(self, state: dict, batch: dict[str, np.ndarray]) -> tuple[dict, dict]:
        self._now += 1
        self._interruption.requested |= self._now == self._stop_at
        epochs, examples, copies, weights = (
            batch[name].ravel().tolist() for name in ("epoch", "example_ids", "copy", "weights")
        )
        for epoch, example, copy, weight in zip(epochs, examples, copies, weights, strict=True):
            if weight:
                self.epochs[epoch].append((example, copy))
        return state, parallel.replicate({"loss": np.float32(1), "stop": np.float32(0)})

    def _score(self, score: object, split: object, rows: tuple, *_, **__):  # noqa: ANN202
        self._now += 100
        matrices = np.ones((1, self._num_classes, self._num_classes), np.int32)
        errors = {WINDOW_ERROR: np.ones((1, 6), np.float32)}
        return {rows[0]: scoring.ProtocolScores(matrices, errors)}

    def _save(self, workdir: object, which: str, step: int, state: object, progress: dict) -> None:
        self._now += 1_000
        self.train: dict[str, Any] = json.loads(json.dumps(progress["train"]))


@pytest.fixture
def config(lapa_download: pathlib.Path, data_dir: pathlib.Path) -> ml_collections.ConfigDict:
    """13 examples in batches of 4, three epochs."""
    return tiny_config(lapa_download, data_dir)


def test_time_is_that_of_the_steps_alone_and_images_are_those_learned(
    config: ml_collections.ConfigDict, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.train.log_every_steps = 1
    run = Loop(config, tmp_path, monkeypatch)
    # The first step compiles, and does not count.
    batches = [4, 4, 4, 1] * 3
    for record, taken in zip(run.records, range(1, 13), strict=True):
        seconds, images = taken - 1, sum(batches[1:taken])
        rate = images / seconds if seconds else None
        assert record["timing"] == {"seconds": seconds, "images_per_second": rate}
    expected = {"epochs": 3, "steps": 12, "seconds": 11, "images_per_second": 35 / 11}
    assert run.train == expected
    assert run.saving == [1_000] * 4  # the last of each epoch, and the best, which is the first


def test_alone_it_stops_after_the_step_that_was_dispatched_when_the_signal_came(
    config: ml_collections.ConfigDict, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a run of several processes each step says whether to stop, and so the next one does."""
    assert Loop(config, tmp_path, monkeypatch, stop_at=2).train["steps"] == 2


def test_a_stage_of_days_is_told_after_the_first_timed_step(
    config: ml_collections.ConfigDict,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(step_bar, "_DAY", 4.0)
    Loop(config, tmp_path, monkeypatch)
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("stage ")]
    assert told == [
        "stage parsing: 10 steps of 1 s are left, about 2.5 days on this CPU, without validation; docs/training.md has "
        "what a GPU takes, and configs/synthetic.py is done in minutes"
    ]


def test_the_logged_rate_is_that_of_the_step(
    config: ml_collections.ConfigDict, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.train.log_every_steps = config.train.decay_every_epochs = 1
    records = Loop(config, tmp_path, monkeypatch).records
    assert [record["epoch"] for record in records] == [1] * 4 + [2] * 4 + [3] * 4
    rates = [1e-3] * 4 + [1e-4] * 4 + [1e-5] * 4
    np.testing.assert_allclose([record["learning_rate"] for record in records], rates, rtol=1e-6)


def test_no_epoch_of_any_stage_has_the_order_of_another(
    tmp_path: pathlib.Path,
    helen_download: pathlib.Path,
    data_dir: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tiny_icnn_config(helen_download, data_dir)
    config.train.stages = ("coarse", "localisation", "fine", "end_to_end")
    config.train.localisation.epochs = 2
    config.train.next_stage_from = "last"  # nothing is saved here
    epochs = Loop(config, tmp_path, monkeypatch).epochs
    assert list(epochs) == [0, 1, 2, 3, 4]  # of the run: one of each stage, and two of the second
    for order in epochs.values():
        assert sorted(order) == list(itertools.product(range(9), range(2)))
    assert len(set(map(tuple, epochs.values()))) == 5
