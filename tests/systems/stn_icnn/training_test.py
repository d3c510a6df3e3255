"""Tests of training and evaluating STN-iCNN: the stages of a run, resuming in each, the rows of its results."""

import contextlib
import functools
import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import jax
import ml_collections
import numpy as np
import pytest
from scipy import ndimage
from tiny_icnn_run import tiny_icnn_config

from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.data.batches import Batch
from fpliif_jax.data.dataset import Dataset, load_dataset
from fpliif_jax.data.resized_split import load_split
from fpliif_jax.data_builders.class_names import FACIAL_PARTS
from fpliif_jax.evaluation import metrics, scoring
from fpliif_jax.evaluation.evaluate import evaluate
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.inference_checkpoint import load_for_inference
from fpliif_jax.systems import create_model
from fpliif_jax.systems.stage import Stage
from fpliif_jax.systems.stn_icnn.model import STNICNN
from fpliif_jax.training import loop, prepare, step
from fpliif_jax.training.prepare import variables_to_start_from
from fpliif_jax.training.step import init_variables

pytestmark = pytest.mark.slow  # all but a few need the run of four stages

STAGES = ("coarse", "localisation", "fine", "end_to_end")
STEPS = 5  # of a stage: two copies of 9 images in batches of 4


class StopAfter:
    """An interruption that comes with the batch after so many."""

    def __init__(self, batches: int) -> None:
        self._left = batches + 1

    @property
    def requested(self) -> bool:
        return self._left <= 0

    @contextlib.contextmanager
    def deferred(self, _: str) -> Iterator[None]:
        train_batches = prepare.train_batches

        def counted(*arguments: Any) -> Iterator[Batch]:
            for batch in train_batches(*arguments):
                self._left -= 1
                yield batch

        with mock.patch.object(prepare, "train_batches", counted):
            yield


@pytest.fixture(scope="module", autouse=True)
def _programs_are_built_once() -> Iterator[None]:
    """What each session of a run builds again is the same: to trace it took most of the time of an interrupted run."""

    def once(build: Callable[..., Any], key: Callable[..., str]) -> Callable[..., Any]:
        built: dict[str, Any] = {}

        @functools.wraps(build)
        def build_once(*arguments: Any) -> Any:
            asked = key(*arguments)
            if asked not in built:
                built[asked] = build(*arguments)
            return built[asked]

        return build_once

    def key_of_step(stage: Stage, _: object, microbatch: int) -> str:
        return f"{stage.name} {stage.settings} {stage.learning_rates} {microbatch}"

    def key_of_variables(_: object, config: ml_collections.ConfigDict) -> str:
        return f"{config.model} {config.seeds}"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "make_train_step", once(step.make_train_step, key_of_step))
        eval_step = once(scoring.make_eval_step, lambda *arguments: f"{arguments[1:]}")
        patch.setattr(scoring, "make_eval_step", eval_step)
        patch.setattr(prepare, "init_variables", once(init_variables, key_of_variables))
        yield


@pytest.fixture(scope="module")
def initial(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """The networks before the first step."""
    return init_variables(create_model(config.model), config)


@pytest.fixture(scope="module")
def config(helen_download: pathlib.Path, data_dir: pathlib.Path) -> ml_collections.ConfigDict:
    config = tiny_icnn_config(helen_download, data_dir)
    config.train.stages = STAGES
    config.train.batch_size = 4
    config.train.end_to_end.fresh_fine = False
    config.train.end_to_end.coarse_learning_rate = 0.0
    return config


@pytest.fixture(scope="module")
def dataset(config: ml_collections.ConfigDict) -> Dataset:
    return load_dataset(config.data)


@pytest.fixture(scope="module")
def run(
    config: ml_collections.ConfigDict,
    dataset: Dataset,
    tmp_path_factory: pytest.TempPathFactory,
) -> pathlib.Path:
    """An uninterrupted run of all four stages."""
    workdir = tmp_path_factory.mktemp("whole")
    assert loop.train(config, workdir, dataset, Interruption())
    return workdir


def _records(workdir: pathlib.Path) -> list[dict]:
    """metrics.jsonl less timings."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [
        {key: value for key, value in json.loads(line).items() if key != "timing"} for line in lines
    ]


def _variables(workdir: pathlib.Path, which: str) -> dict[str, Any]:
    return load_for_inference(workdir, which).variables


def _is_same(one: Any, other: Any) -> bool:
    return jax.tree.all(jax.tree.map(np.array_equal, one, other))


def test_stages_follow_one_another(run: pathlib.Path) -> None:
    records = _records(run)
    validated = [record for record in records if record["split"] == "validation"]
    assert [record["stage"] for record in validated] == list(STAGES)
    assert [record["step"] for record in validated] == [STEPS * (n + 1) for n in range(4)]
    assert checkpoint.saved_step(run, "last") == 4 * STEPS
    progress = checkpoint.read_progress(run, "last")
    assert progress["stage"] == 4
    # Each stage is chosen by a score of its own, the last one's is kept.
    assert progress["best_score"] == validated[-1]["mean_f1"]
    assert validated[1]["window_error"]["mean"] > 0
    rates = [record["learning_rate"] for record in records if "learning_rate" in record]
    assert rates[0] == pytest.approx({"coarse": 0.0023})
    assert rates[-1] == pytest.approx({"coarse": 0, "localisation": 1e-4, "fine": 1e-3})


def test_a_stage_changes_its_networks_alone(run: pathlib.Path, initial: dict[str, Any]) -> None:
    states = [
        initial,
        *(_variables(run, f"after_{stage}") for stage in STAGES[:-1]),
        _variables(run, "last"),
    ]
    # The learning rate of K is 0 in the joint training.
    trained = [{"coarse"}, {"localisation"}, {"fine"}, {"localisation", "fine"}]
    for before, after, networks in zip(states, states[1:], trained, strict=False):
        for collection in ("params", "batch_stats"):
            changed = {
                network
                for network in before[collection]
                if not _is_same(before[collection][network], after[collection][network])
            }
            assert changed == networks


def test_interrupted_in_every_stage_it_is_the_same_run(
    run: pathlib.Path,
    config: ml_collections.ConfigDict,
    dataset: Dataset,
    tmp_path: pathlib.Path,
) -> None:
    # Asked to stop at a stage's first or second batch, it saves after the second.
    stopped_at = []
    for batches in (1, 3, 3, 3):
        assert not loop.train(config, tmp_path, dataset, StopAfter(batches))
        progress = checkpoint.read_progress(tmp_path, "last")
        stopped_at.append((progress["stage"], progress["stage_step"]))
    assert stopped_at == [(0, 2), (1, 2), (2, 2), (3, 2)]
    assert loop.train(config, tmp_path, dataset, Interruption())
    for which in ("last", "best", *(f"after_{stage}" for stage in STAGES[:-1])):
        first, second = (checkpoint.read(folder, which) for folder in (run, tmp_path))
        assert _is_same(first[0], second[0]), which
    assert _records(run) == _records(tmp_path)
    assert loop.train(config, tmp_path, dataset, Interruption())  # nothing is left to do


def test_interrupted_between_stages_the_next_one_does_not_begin(
    config: ml_collections.ConfigDict, dataset: Dataset, tmp_path: pathlib.Path
) -> None:
    with config.unlocked():
        config = config.copy_and_resolve_references()
    config.train.stages = ("coarse", "localisation")
    assert not loop.train(config, tmp_path, dataset, StopAfter(STEPS - 1))
    progress = checkpoint.read_progress(tmp_path, "last")
    assert (progress["stage"], progress["stage_step"]) == (1, 0)


def test_the_next_stage_starts_from_the_best_state_or_the_last(
    config: ml_collections.ConfigDict,
    dataset: Dataset,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = config.copy_and_resolve_references()
    config.train.stages = ("localisation", "coarse")
    config.train.localisation.epochs = 3
    for choice, epoch in (("best", 2), ("last", 3)):
        errors = iter((2.0, 1.0, 3.0))
        monkeypatch.setattr(
            scoring, "protocol_scores", lambda *_, e=errors: {"window_error": {"mean": next(e)}}
        )
        config.train.next_stage_from = choice
        workdir = tmp_path / choice
        workdir.mkdir()
        loop.train(config, workdir, dataset, StopAfter(3 * STEPS - 1))
        assert checkpoint.saved_step(workdir, "after_localisation") == epoch * STEPS
        assert load_for_inference(workdir, "after_localisation").step == epoch * STEPS


def test_joint_training_starts_with_fresh_fine_networks(
    run: pathlib.Path, config: ml_collections.ConfigDict, initial: dict[str, Any]
) -> None:
    started = variables_to_start_from(config, run, initial, "fine", ("fine",), FACIAL_PARTS)
    before = _variables(run, "after_fine")
    for collection in ("params", "batch_stats"):
        assert _is_same(started[collection]["fine"], initial[collection]["fine"])
        for network in ("coarse", "localisation"):
            assert _is_same(started[collection][network], before[collection][network])


def test_a_run_can_start_from_another(
    run: pathlib.Path,
    config: ml_collections.ConfigDict,
    initial: dict[str, Any],
    tmp_path: pathlib.Path,
) -> None:
    config = config.copy_and_resolve_references()
    config.train.init_from = str(run)
    started = variables_to_start_from(config, tmp_path, initial, None, (), FACIAL_PARTS)
    assert _is_same(started, _variables(run, "best"))
    config.model.row_features = (3, 5)
    initial = init_variables(create_model(config.model), config)
    with pytest.raises(checkpoint.CheckpointError, match="does not fit the config"):
        variables_to_start_from(config, tmp_path, initial, None, (), FACIAL_PARTS)
    config.train.init_from = str(tmp_path)
    with pytest.raises(checkpoint.CheckpointError, match="no 'best' checkpoint"):
        variables_to_start_from(config, tmp_path, initial, None, (), FACIAL_PARTS)


def test_no_run_starts_from_an_earlier_one_with_the_other_sides(
    run: pathlib.Path,
    config: ml_collections.ConfigDict,
    initial: dict[str, Any],
    tmp_path: pathlib.Path,
) -> None:
    progress = checkpoint.read_progress(run, "best")
    assert progress["whose_left"] == "picture"
    del progress["whose_left"]
    progress["config"]["data"]["name"] = "celebamask_hq"
    checkpoint.save(tmp_path, "best", progress["step"], _variables(run, "best"), progress)
    config = config.copy_and_resolve_references()
    config.train.init_from = str(tmp_path)
    with pytest.raises(checkpoint.CheckpointError, match="left and right of brows and eyes are"):
        variables_to_start_from(config, tmp_path, initial, None, (), FACIAL_PARTS)


@pytest.fixture(scope="module")
def results(
    run: pathlib.Path, config: ml_collections.ConfigDict, dataset: Dataset
) -> dict[str, Any]:
    return evaluate(config, run, dataset)


def _arrays(run: pathlib.Path, row: str) -> dict[str, np.ndarray]:
    with np.load(run / "evaluations" / f"test-best-{row}.npz") as file:
        return dict(file)


def test_every_row_is_scored_on_its_own_pixels(
    run: pathlib.Path,
    config: ml_collections.ConfigDict,
    dataset: Dataset,
    results: dict[str, Any],
) -> None:
    split = load_split(dataset, "test", (48,))
    pixels = {
        "image": split.image_sizes.prod(axis=1),
        "true_windows": split.image_sizes.prod(axis=1),
        "centroid_windows": split.image_sizes.prod(axis=1),
        "canvas": np.full(4, 48 * 48),
        "coarse": np.full(4, 32 * 32),
    }
    for row, wanted in pixels.items():
        found = _arrays(run, row)
        np.testing.assert_array_equal(found["confusion_matrices"].sum(axis=(1, 2)), wanted)
        (scores,) = (
            e for e in results["evaluations"] if (e["row"], e["checkpoint"]) == (row, "best")
        )
        assert scores["mean_f1"] == pytest.approx(
            metrics.mean_f1(found["confusion_matrices"].sum(axis=0)), nan_ok=True
        )
    truth = _arrays(run, "canvas")["confusion_matrices"].sum(axis=2)
    np.testing.assert_array_equal(
        truth, [np.bincount(labels.ravel(), minlength=9) for labels in split.labels[48]]
    )
    assert (run / "predictions.png").exists()


def test_window_errors_are_distances_in_pixels(
    run: pathlib.Path,
    config: ml_collections.ConfigDict,
    dataset: Dataset,
    results: dict[str, Any],
) -> None:
    split = load_split(dataset, "test", (48,))
    model, variables = create_model(config.model), _variables(run, "best")

    @jax.jit
    def windows(image: jax.Array) -> jax.Array:
        def localise(model: STNICNN) -> jax.Array:
            return model.localise(model.label_coarsely(image), 48)

        return model.apply(variables, method=localise)

    found = _arrays(run, "image")
    for index, labels in enumerate(split.labels[48]):
        canvas = split.images[index : index + 1].astype(np.float32) / 255
        window = [slice((48 - n) // 2, (48 - n) // 2 + n) for n in split.image_sizes[index]]
        image = jax.image.resize(
            canvas[:, *window], (1, 32, 32, 3), "linear", antialias=False, precision="highest"
        )
        theta = windows(image)[0]
        for part, own in enumerate([(1,), (2,), (3,), (4,), (5,), (6, 7, 8)]):
            own = [label for label in own if (labels == label).any()]
            if not own:
                assert np.isnan(found["window_error"][index, part])
                continue
            centroids = ndimage.center_of_mass(np.ones((48, 48)), labels, own)
            centre = np.floor(np.mean(centroids, axis=0))
            moved = (np.array([theta[part, 1, 2], theta[part, 0, 2]]) + 1) / 2 * 47 - centre
            assert found["window_error"][index, part] == pytest.approx(
                float(np.linalg.norm(moved)), abs=1e-3
            )
            side = float(theta[part, 0, 0] + theta[part, 1, 1]) / 2 * 47
            assert found["window_size_error"][index, part] == pytest.approx(
                abs(side - 12), abs=1e-3
            )
    (scores,) = (
        e for e in results["evaluations"] if (e["row"], e["checkpoint"]) == ("image", "best")
    )
    assert scores["window_error"]["mean"] == pytest.approx(np.nanmean(found["window_error"]))
    assert scores["window_error"]["nose"] == pytest.approx(np.nanmean(found["window_error"][:, 4]))
