"""A run that is scored on another set than it is trained on: what is scored, and what its files say."""

import json
import pathlib

import ml_collections
import numpy as np
import pytest
from tiny_run import tiny_config

from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.data.dataset import evaluation_data, load_dataset, load_datasets
from fpliif_jax.data.resized_split import load_split
from fpliif_jax.data.set_names import is_scored_drawn
from fpliif_jax.data_builders.errors import DataError, SettingsError
from fpliif_jax.data_builders.synthetic_faces import write_dataset
from fpliif_jax.evaluation.score_table import table
from fpliif_jax.experiments import multi_seed
from fpliif_jax.experiments.runs.runs import read_runs
from fpliif_jax.experiments.runs.training_data import training_data
from fpliif_jax.training import preflight, train_and_evaluate


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A raw CelebAMask-HQ download without test split that passes for photographs: nothing says that it is drawn."""
    folder = tmp_path_factory.mktemp("photographs")
    root = write_dataset("celebamask_hq", folder, 2, 6, 0, image_size=48, num_workers=1)
    (root / "synthetic_faces.json").unlink()
    return folder


@pytest.fixture
def config(
    lapa_download: pathlib.Path, data_dir: pathlib.Path, photographs: pathlib.Path
) -> ml_collections.ConfigDict:
    config = tiny_config(lapa_download, data_dir)
    config.train.epochs = 1
    config.eval.dataset, config.eval.labels = "celebamask_hq", "lapa"
    config.eval.manual_dir, config.eval.data_dir = str(photographs), str(data_dir)
    config.eval.checkpoints = ("last",)
    return config


def _run(config: ml_collections.ConfigDict, workdir: pathlib.Path, mode: str) -> dict:
    train_and_evaluate.run(config, workdir, mode, None, Interruption())
    return json.loads((workdir / "results.json").read_text())


def test_a_run_is_scored_on_the_other_set_and_says_so(
    config: ml_collections.ConfigDict, tmp_path: pathlib.Path
) -> None:
    results = _run(config, tmp_path, "train_and_eval")
    assert [(one["split"], one["images"]) for one in results["evaluations"]] == [
        ("validation", 6)
    ] * 2
    told = "scored on celebamask_hq, trained on drawn faces in the layout of lapa"
    assert results["notes"][0] == told
    # So does each command that shows the scores.
    assert f"note: {told}" in table(results)
    assert f"note: {told}" in multi_seed.table([tmp_path])
    assert any(note.startswith("trained on other data") for note in results["notes"])
    assert results["dataset"]["name"] == "celebamask_hq"
    assert results["dataset"]["counts"] == {"train": 2, "validation": 6, "test": 0}
    assert results["dataset"]["drawn"] is False
    environment = json.loads((tmp_path / "environment.json").read_text())
    assert environment["data_drawn"] is True
    assert environment["data_counts"] == {"train": 13, "validation": 5, "test": 5}
    assert environment["data_drawing"]["num_train"] == 13
    assert environment["data_fingerprint"] != results["dataset"]["fingerprint"]
    # The truth that was counted is that of the other set, in the classes of the run's own.
    split = load_split(load_dataset(evaluation_data(config)), "validation", (32,))
    with np.load(tmp_path / "evaluations" / "validation-last-32.npz") as file:
        found = file["confusion_matrices"]
        assert file["example_ids"].tolist() == split.ids.tolist()
    truth = [np.bincount(label.ravel(), minlength=11) for label in split.labels[32]]
    np.testing.assert_array_equal(found.sum(axis=2), truth)
    # A study reads the run, and knows what it was trained and scored on.
    (run,) = read_runs(tmp_path)
    assert run.status == "finished", run.problem
    assert run.data.is_of_other_data
    training = training_data(run)
    assert (training.title, training.counts) == (
        "drawn faces in the layout of lapa",
        {"train": 13, "validation": 5},
    )
    run.config.content["data"]["synthetic"]["num_train"] = 13  # as of a run that drew its faces
    assert not is_scored_drawn(run.config.content, run.results.dataset.drawn)


def test_a_finished_run_is_scored_on_the_other_set_without_its_own(
    config: ml_collections.ConfigDict, tmp_path: pathlib.Path
) -> None:
    own = config.copy_and_resolve_references()
    own.eval.dataset = own.eval.labels = None
    assert _run(own, tmp_path, "train_and_eval")["dataset"]["name"] == "lapa"
    config.data.manual_dir = config.data.data_dir = str(tmp_path / "nowhere")
    results = _run(config, tmp_path, "eval")
    assert results["dataset"]["name"] == "celebamask_hq"
    (run,) = read_runs(tmp_path)
    assert run.status == "finished", run.problem
    # Its scores on its own set are a run's own, to be read from where they are kept.
    (kept,) = read_runs(tmp_path / "earlier_results" / "1")
    assert kept.status == "finished", kept.problem
    assert kept.results.dataset.name == "lapa"


def test_both_sets_are_there_before_training_begins(
    config: ml_collections.ConfigDict, tmp_path: pathlib.Path
) -> None:
    trained, scored = load_datasets(config, trains=True)
    assert (trained.metadata.name, scored.metadata.name) == ("lapa", "celebamask_hq")
    config.eval.manual_dir = config.eval.data_dir = str(tmp_path / "nowhere")
    with pytest.raises(DataError, match="nowhere"):
        _run(config, tmp_path / "run", "train_and_eval")
    assert not (tmp_path / "run").exists()


def test_other_classes_of_the_same_number_are_told_before_training_begins(
    config: ml_collections.ConfigDict, tmp_path: pathlib.Path
) -> None:
    """A set of one's own whose eleven classes are in another order."""
    root = write_dataset("own_data", tmp_path / "own", 2, 2, 1, image_size=48, num_workers=1)
    classes = root / "classes.txt"
    names = classes.read_text().split()
    assert len(names) == 11
    classes.write_text("\n".join([*names[:-2], names[-1], names[-2]]) + "\n")
    config.eval.dataset, config.eval.labels = "own_data", None
    config.eval.manual_dir = str(tmp_path / "own")
    with pytest.raises(SettingsError, match="class 9 of lapa is '.*', of own_data '"):
        _run(config, tmp_path / "run", "train_and_eval")
    assert not (tmp_path / "run").exists()


def test_the_other_set_is_whole_and_shown_as_the_runs_own(
    config: ml_collections.ConfigDict,
) -> None:
    config.data.split, config.data.train_subset, config.data.label_resize = "random", 3, "nearest"
    config.data.synthetic.num_train = 8000
    data = evaluation_data(config)
    assert (data.split, data.train_subset, data.synthetic.num_train) == ("official", 0, 0)
    assert (data.label_resize, data.image_size) == ("nearest", 32)
    assert config.data.name == "lapa" and config.data.synthetic.num_train == 8000


def test_settings_of_no_set_or_with_other_classes_are_refused(
    config: ml_collections.ConfigDict, tmp_path: pathlib.Path
) -> None:
    config.eval.labels = None  # CelebAMask-HQ's own 19 classes
    with pytest.raises(SettingsError, match="num_classes is 11; celebamask_hq has 19"):
        _run(config, tmp_path, "train_and_eval")
    config.eval.dataset, config.eval.labels = None, "lapa"
    with pytest.raises(SettingsError, match=r"eval\.dataset names no set"):
        preflight.check_settings(config)
