"""Tests of fpliif_jax.training.progress: what is counted, and the JSON that a run goes on from."""

import json
import types

import pytest

from fpliif_jax.run_folder.checkpoint import CheckpointError
from fpliif_jax.training import progress as progress_module
from fpliif_jax.training.progress import Interval, Progress, StageSteps, Stopwatch, Totals


def _progress() -> Progress:
    return Progress({"seed": 0}, "f00d", ["background", "skin"], "person")


def test_a_checkpoint_gives_back_the_same_progress() -> None:
    before = _progress()
    before.count_step({"loss": 2.0}, 4, None)
    before.count_step({"loss": 1.0}, 3, 0.5)
    before.step, before.stage, before.stage_step, before.best_score = 7, 1, 2, 0.25
    before.chosen = {"train.microbatch": 2}
    after = Progress.from_json(json.loads(json.dumps(before.to_json())), "run")
    assert after == before
    assert (after.interval, after.train) == (Interval(2, {"loss": 3.0}), Totals(0, 2, 6.0, 0.5))


def test_what_is_saved_is_a_copy() -> None:
    progress = _progress()
    saved = progress.to_json()
    progress.count_step({"loss": 1.0}, 4, 1.0)
    assert saved["interval"] == {"steps": 0, "sums": {}} and saved["train"]["steps"] == 0
    assert "chosen" not in saved  # None would be a choice to `check_same_run`


# As the trainers saved them before they shared a class.
_EARLIER = {
    "config": {"seed": 0},
    "fingerprint": "f00d",
    "class_names": ["background"],
    "step": 7,
    "best_score": 0.5,
    "interval": {"steps": 1, "sums": {"loss": 2.0}},
    "train": {"epochs": 1, "steps": 7, "images_per_second": 3.0, "seconds": 2.0},
    "timed_images": 6,
}


def test_earlier_checkpoints_of_jax_are_read() -> None:
    saved = {**_EARLIER, "stage": 1, "stage_step": 3}  # and neither whose_left nor chosen
    progress = Progress.from_json(saved, "run")
    assert (progress.step, progress.stage, progress.stage_step) == (7, 1, 3)
    assert (progress.whose_left, progress.chosen, progress.best_score) == (None, None, 0.5)
    assert progress.train == Totals(1, 7, 3.0, 2.0)


def test_earlier_checkpoints_of_pytorch_are_read() -> None:
    """They have one stage, whose steps are the run's."""
    progress = Progress.from_json(_EARLIER, "run")
    assert (progress.step, progress.stage, progress.stage_step) == (7, 0, 7)


@pytest.mark.parametrize(
    "content",
    [
        {name: value for name, value in _EARLIER.items() if name != "step"},
        {**_EARLIER, "train": {"epoch": 1}},
        {**_EARLIER, "interval": None},
        [],
    ],
)
def test_what_is_no_progress_is_told_in_a_line(content: object) -> None:
    with pytest.raises(CheckpointError, match="runs/a: its checkpoint does not say how far it is"):
        Progress.from_json(content, "runs/a")


def test_the_first_step_and_what_is_left_out_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    clock = types.SimpleNamespace(monotonic=lambda: now)
    monkeypatch.setattr(progress_module, "time", clock)
    stopwatch = Stopwatch()
    now = 50.0  # compiling
    assert stopwatch.lap() is None
    now = 51.0
    assert stopwatch.lap() == 1
    with stopwatch.stopped():
        now = 100.0
    now = 102.0
    assert stopwatch.lap() == 2


def test_steps_of_a_stage() -> None:
    """13 examples in batches of 4: 4, 4, 4 and 1."""
    steps = StageSteps(examples=13, batch_size=4, epochs=3)
    assert (steps.per_epoch, steps.last) == (4, 12)
    taken = range(1, 13)
    assert [steps.images(step) for step in taken] == [4, 4, 4, 1] * 3
    assert [steps.epoch(step) for step in taken] == [1] * 4 + [2] * 4 + [3] * 4
    assert [step for step in taken if steps.ends_epoch(step)] == [4, 8, 12]


def test_of_equal_scores_the_first_is_the_best() -> None:
    progress = _progress()
    assert [progress.is_best(score) for score in (None, 0.2, 0.2, 0.1, 0.3)] == [
        False,
        True,
        False,
        False,
        True,
    ]
    assert progress.best_score == 0.3


def test_an_interval_is_the_mean_of_its_steps() -> None:
    progress = _progress()
    for loss in (1.0, 3.0):
        progress.count_step({"loss": loss}, 4, None)
    assert progress.end_interval() == {"loss": 2.0}
    assert progress.interval == Interval()
    assert progress.train.steps == 2 and progress.timed_images == 0


@pytest.mark.parametrize("name", ["class_names", "best_score", "timed_images", "train"])
def test_a_checkpoint_that_lacks_a_field_is_not_made_up(name: str) -> None:
    saved = {key: value for key, value in _EARLIER.items() if key != name}
    with pytest.raises(CheckpointError, match=f"does not say how far it is.*{name}"):
        Progress.from_json(saved, "run")
