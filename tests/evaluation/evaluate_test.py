"""Tests of fpliif_jax.evaluation: scoring, and results.json with what lies beside it."""

import dataclasses
import itertools
import json
import pathlib
import shutil
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from ml_collections import ConfigDict
from needs_torch import torch
from tiny_icnn_run import tiny_icnn_config
from tiny_run import tiny_config

from fpliif_jax.data.dataset import Dataset, load_dataset
from fpliif_jax.data.resized_split import load_split
from fpliif_jax.data_builders.errors import DataError, SettingsError
from fpliif_jax.devices import parallel
from fpliif_jax.evaluation import examples, metrics, scoring
from fpliif_jax.evaluation.evaluate import check_same_model, evaluate
from fpliif_jax.evaluation.results import Evaluation, RunFacts, evaluate_models, score_checkpoint
from fpliif_jax.evaluation.score_table import table
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.evaluation_files import EXAMPLES, SHEET
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint, load_for_inference
from fpliif_jax.run_folder.run_config import flatten_config, json_config
from fpliif_jax.systems import create_model, parse_protocols
from fpliif_jax.systems.fp_liif import protocols
from fpliif_jax.systems.protocol import Measure, Prediction, Protocol
from fpliif_jax.training.step import init_variables


def test_logits_are_enlarged_as_by_pytorch() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 6, 5, 7)).astype(np.float32)
    found = protocols.predict_labels(jnp.asarray(logits), (24, 15), "logits")
    enlarged = torch.nn.functional.interpolate(
        torch.from_numpy(logits).permute(0, 3, 1, 2), (24, 15), mode="bilinear"
    )
    np.testing.assert_array_equal(found, enlarged.argmax(dim=1).numpy())


def test_label_maps_are_enlarged_by_nearest() -> None:
    logits = jax.nn.one_hot(jnp.array([[[0, 1], [2, 1]]]), 3)
    found = protocols.predict_labels(logits, (4, 4), "labels")
    np.testing.assert_array_equal(
        found[0], [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 1, 1], [2, 2, 1, 1]]
    )


def _trained(
    config: ConfigDict, workdir: pathlib.Path, spoilt: str = "", epochs: int | None = None
) -> Dataset:
    """A run's folder with fresh parameters as its checkpoints: evaluation does not mind.

    All parameters of the network of the name `spoilt` are no numbers. It has taken all epochs but where `epochs` says
    how many.
    """
    dataset = load_dataset(config.data)
    state = init_variables(create_model(config.model), config)
    if spoilt:
        state["params"][spoilt] = jax.tree.map(lambda leaf: leaf * np.nan, state["params"][spoilt])
    progress = {
        "config": json_config(config),
        "class_names": list(dataset.class_names),
        "step": 4,
        "fingerprint": dataset.metadata.fingerprint,
        "train": {
            "epochs": config.train.epochs if epochs is None else epochs,
            "steps": 4,
            "images_per_second": 1.0,
            "seconds": 4.0,
        },
    }
    checkpoint.save(workdir, "last", 4, state, progress)
    return dataset


def test_results_can_be_recomputed_from_the_matrices(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir)
    dataset = _trained(config, tmp_path)
    evaluate(config, tmp_path, dataset)
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["parameters"] == sum(
        leaf.size for leaf in jax.tree.leaves(load_for_inference(tmp_path, "last").variables)
    )
    assert results["dataset"]["counts"] == {"train": 13, "validation": 5, "test": 5}
    assert results["dataset"]["complete"] is False
    assert results["dataset"]["drawn"] is True
    assert results["dataset"]["drawing"]["num_train"] == 13
    assert results["dataset"]["official_ids"] is None
    assert results["dataset"]["digest"] == dataset.digest
    assert table(results).count("the faces are drawn") == 1
    assert results["notes"] == ["there is no 'best' checkpoint"]
    assert [found["output_size"] for found in results["evaluations"]] == [32, 16]
    for found in results["evaluations"]:
        assert (found["split"], found["checkpoint"], found["images"]) == ("test", "last", 5)
        with np.load(tmp_path / "evaluations" / f"test-last-{found['row']}.npz") as file:
            matrices, ids = file["confusion_matrices"], file["example_ids"]
        assert matrices.shape == (5, 11, 11)
        assert len(set(ids)) == 5
        np.testing.assert_array_equal(matrices.sum(axis=(1, 2)), 32 * 32)
        assert metrics.scores(matrices, dataset.class_names)["mean_f1"] == found["mean_f1"]
    assert (tmp_path / "predictions.png").exists()
    _check_examples(tmp_path, results, dataset)


@pytest.mark.parametrize(
    ("make", "spoilt", "row"),
    [
        (tiny_config, "encoder", "32"),
        (tiny_config, "encoder", "16->32"),
        (tiny_icnn_config, "coarse", "image"),
        (tiny_icnn_config, "coarse", "centroid_windows"),
        (tiny_icnn_config, "coarse", "coarse"),
        (tiny_icnn_config, "localisation", "image"),
        (tiny_icnn_config, "fine", "true_windows"),
    ],
)
def test_values_that_are_no_numbers_are_not_scored_as_background(
    tmp_path: pathlib.Path,
    lapa_download: pathlib.Path,
    helen_download: pathlib.Path,
    data_dir: pathlib.Path,
    make: Callable[..., ConfigDict],
    spoilt: str,
    row: str,
) -> None:
    config = make(lapa_download if make is tiny_config else helen_download, data_dir)
    config.eval.rows = (row,)
    dataset = _trained(config, tmp_path, spoilt)
    with pytest.raises(
        scoring.ScoringError,
        match=rf"evaluating last on test by {row}: .* not finite numbers on (\d) of \1 images of a batch, first ",
    ):
        evaluate(config, tmp_path, dataset)
    assert not (tmp_path / "results.json").exists()


def _check_examples(run: pathlib.Path, results: dict, dataset: Dataset) -> None:
    """All five images of the split, worst first, with predictions whose matrices are those scored."""
    with np.load(run / "examples.npz", allow_pickle=False) as file:
        kept = dict(file)
    split = load_split(dataset, "test", (32,))
    np.testing.assert_array_equal(kept["rank"], np.arange(5))
    assert kept["split_size"] == 5
    assert np.all(np.diff(kept["per_image_f1"]) >= 0)
    assert list(kept["rows"]) == [found["row"] for found in results["evaluations"]]
    positions = [list(split.ids).index(identifier) for identifier in kept["ids"]]
    np.testing.assert_array_equal(kept["images"], split.images[positions])
    for index, row in enumerate(kept["rows"]):
        truths = kept[f"truth_{index}"]
        np.testing.assert_array_equal(truths, split.labels[32][positions])
        with np.load(run / "evaluations" / f"test-last-{row}.npz") as file:
            matrices = file["confusion_matrices"][positions]
        for truth, prediction, matrix in zip(
            truths, kept[f"prediction_{index}"], matrices, strict=True
        ):
            counted = np.bincount(truth.ravel() * 11 + prediction.ravel(), minlength=121)
            np.testing.assert_array_equal(counted.reshape(11, 11), matrix)


@pytest.mark.parametrize(
    ("total", "wanted"),
    [
        (1, [0]),
        (5, [0, 1, 2, 3, 4]),
        (8, [0, 1, 2, 3, 4, 5, 6, 7]),
        (101, [0, 1, 2, 49, 50, 51, 98, 99, 100]),
    ],
)
def test_worst_median_and_best_are_chosen(total: int, wanted: list[int]) -> None:
    assert list(examples.worst_median_best(total)) == wanted


def test_padding_and_batch_size_change_nothing(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir)
    dataset = load_dataset(config.data)
    split = load_split(dataset, "test", (32,))
    model = create_model(config.model)
    variables = parallel.replicate(init_variables(model, config))
    rows = parse_protocols(config, ("32",))
    eval_step = scoring.make_eval_step(model, config, rows)
    score = scoring.make_scorer(eval_step, variables)
    found = [
        scoring.score_split(score, split, rows, batch_size)[rows[0]].matrices
        for batch_size in (4, 5)  # 4: a full batch, then one example and padding
    ]
    # Another batch size is another program: a few of 5,120 pixels may tie within its rounding.
    assert np.abs(found[0] - found[1]).sum() <= 2 * 5
    # The truth's histogram is that of the label maps, counted here without the model.
    np.testing.assert_array_equal(
        found[0].sum(axis=2),
        [np.bincount(label.ravel(), minlength=11) for label in split.labels[32]],
    )


def test_a_missing_test_split_is_replaced_and_told(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir)
    dataset = _trained(config, tmp_path)
    dataset.metadata.counts["test"] = 0
    folders = [checkpoint.directory(tmp_path, which) for which in ("last", "best")]
    shutil.copytree(*folders)
    results = evaluate(config, tmp_path, dataset)
    assert {found["split"] for found in results["evaluations"]} == {"validation"}
    replaced = "the test split is missing: validation is evaluated instead"
    assert results["notes"] == [replaced, "the best checkpoint was chosen on validation"]
    assert replaced in table(results)
    # What is not of this run chose nothing on these images.
    other = dataclasses.replace(load_for_inference(tmp_path, "best"), fingerprint="0" * 64)
    notes = evaluate(config, tmp_path, dataset, external=other)["notes"]
    assert replaced in notes and not any("chosen" in note for note in notes)
    dataset.metadata.counts["validation"] = 0
    with pytest.raises(DataError, match="no split to evaluate"):
        evaluate(config, tmp_path, dataset)


def test_what_is_named_twice_is_scored_once(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    """A report takes a second one of the same for a mistake, and the run for broken."""
    config = tiny_config(lapa_download, data_dir)
    config.eval.rows, config.eval.splits = ("32", "032"), ("test", "test")
    config.eval.checkpoints = ("last", "last")
    results = evaluate(config, tmp_path, _trained(config, tmp_path))
    assert [one["row"] for one in results["evaluations"]] == ["32"]


def test_a_checkpoint_of_another_model_is_refused(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir)
    dataset = _trained(config, tmp_path)
    config.model.ensemble = "area"  # the same arrays, another function
    with pytest.raises(checkpoint.CheckpointError, match="config.model.ensemble was 'average'"):
        evaluate(config, tmp_path, dataset)


def test_a_run_is_not_scored_under_settings_that_it_was_not_trained_with(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    """As where its folder has no config.json; results.json would state them."""
    config = tiny_config(lapa_download, data_dir)
    dataset = _trained(config, tmp_path)
    config.train.learning_rate = 0.1
    with pytest.raises(SettingsError, match=r"learning_rate is 0\.1, .* trained with 0\.001"):
        evaluate(config, tmp_path, dataset)
    assert not (tmp_path / "results.json").exists()
    given = load_for_inference(tmp_path, "last")  # of which no run is stated
    evaluate(config, tmp_path, dataset, external=given)


# The settings that leave a model the same function: memory, time and rounding. Written out, not read from the module.
COSTS = {"model.query_chunk", "model.remat", "model.dtype", "model.initializer"}


@pytest.mark.parametrize("config", [tiny_config(), tiny_icnn_config()], ids=["fp_liif", "stn_icnn"])
def test_every_setting_of_the_model_and_its_input_is_compared(
    config: ConfigDict, tmp_path: pathlib.Path
) -> None:
    fields = flatten_config(json_config(config))

    def check(saved: dict[str, object]) -> None:
        trained = ConfigDict(traverse_util.unflatten_dict(saved, sep="."))
        state = InferenceCheckpoint(trained, {}, (), 4, "")
        check_same_model(state, config, {}, tmp_path)  # arrays have tests of their own

    compared = {field for field in fields if field.startswith("model.")} - COSTS
    compared |= {"data.input_scaling"} & fields.keys()  # STN-iCNN has one scaling
    for field in compared:
        with pytest.raises(checkpoint.CheckpointError) as raised:
            check({**fields, field: "another value"})
        assert f"config.{field} was 'another value'" in str(raised.value)
    others = {field: "another value" for field in fields.keys() - compared}
    check({**fields, **others, "data.synthetic.num_train": 0})


def _fake_model(
    protocols: tuple[Protocol, ...], fingerprint: str | None = None
) -> scoring.TrainedModel:
    """Of five images the first row labels the last best, the second row the first."""

    def score(batch: dict[str, np.ndarray]) -> dict[str, scoring.ProtocolScores]:
        found = {}
        for protocol, sign in zip(protocols, (1, -1), strict=True):
            matrices = np.zeros((len(batch["weights"]), 11, 11), np.int32)
            for matrix, position in zip(matrices, batch["example_ids"], strict=True):
                matrix[1, 1] = 10 + sign * position
                matrix[1, 2] = 10 - sign * position
            found[protocol.key] = scoring.ProtocolScores(matrices, {})
        return found

    def predict(batch: dict[str, np.ndarray]) -> dict[str, Prediction]:
        labels = batch["labels_32"]
        return {protocol.key: Prediction(labels, labels, {}) for protocol in protocols}

    return scoring.TrainedModel("last", 4, 1, fingerprint, score, predict)


def _evaluate_models(
    config: ConfigDict,
    workdir: pathlib.Path,
    fingerprint: Callable[[str], str | None],
    loaded: list[str] | None = None,
) -> dict:
    """Of the checkpoints 'best' and 'last'; their names are added to `loaded` when they are loaded."""
    dataset = load_dataset(config.data)
    model = _fake_model(parse_protocols(config), fingerprint(dataset.metadata.fingerprint))

    def models() -> Iterator[scoring.TrainedModel]:
        for which in ("best", "last"):
            if loaded is not None:
                loaded.append(which)
            yield model._replace(name=which)

    facts = RunFacts("jax", train=None, notes=[])
    return evaluate_models(config, workdir, dataset, models(), facts)


def test_a_checkpoint_is_loaded_once_for_all_splits(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    """And the evaluations are in the order of the splits all the same."""
    config = tiny_config(lapa_download, data_dir)
    config.eval.splits = ("test", "validation")
    loaded: list[str] = []
    results = _evaluate_models(config, tmp_path, lambda own: own, loaded)
    assert loaded == ["best", "last"]
    scored = [(one["split"], one["checkpoint"], one["row"]) for one in results["evaluations"]]
    splits, checkpoints, rows = ("test", "validation"), ("best", "last"), ("32", "16to32")
    assert scored == list(itertools.product(splits, checkpoints, rows))
    with np.load(tmp_path / "examples.npz") as file:
        assert (file["split"], file["checkpoint"]) == ("test", "best")


class Killed(BaseException):
    """As by a signal."""


def _kill(*_: object) -> None:
    raise Killed


def test_what_is_scored_again_leaves_the_run_as_it_is_until_all_is_scored(
    tmp_path: pathlib.Path,
    lapa_download: pathlib.Path,
    data_dir: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tiny_config(lapa_download, data_dir)
    _evaluate_models(config, tmp_path, lambda own: own)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert tmp_path / "examples.npz" in before and tmp_path / "predictions.png" in before
    config.eval.splits = ("validation",)
    loaded: list[str] = []
    monkeypatch.setattr(
        "fpliif_jax.evaluation.results.score_checkpoint",
        lambda *given: _kill() if len(loaded) > 1 else score_checkpoint(*given),
    )
    with pytest.raises(Killed):
        _evaluate_models(config, tmp_path, lambda own: own, loaded)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_kill_while_results_are_written_leaves_none_of_other_scores(
    tmp_path: pathlib.Path,
    lapa_download: pathlib.Path,
    data_dir: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where those that are replaced were kept by an evaluation before."""
    config = tiny_config(lapa_download, data_dir)
    for split in ("test", "validation", "test"):
        config.eval.splits = (split,)
        _evaluate_models(config, tmp_path, lambda own: own)
    config.eval.splits = ("validation",)
    monkeypatch.setattr(Evaluation, "write", _kill)
    with pytest.raises(Killed):
        _evaluate_models(config, tmp_path, lambda own: own)
    assert not (tmp_path / "results.json").exists()
    kept = [
        json.loads((copy / "results.json").read_text())["evaluations"][0]["split"]
        for copy in sorted((tmp_path / "earlier_results").iterdir())
    ]
    assert kept == ["test", "validation"]


def test_pictures_of_other_scores_do_not_stay(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir)
    _evaluate_models(config, tmp_path, lambda own: own)
    pictures = [tmp_path / "examples.npz", tmp_path / "predictions.png"]
    config.eval.num_pictures = 0
    _evaluate_models(config, tmp_path, lambda own: own)
    assert all(path.exists() for path in pictures)
    config.eval.splits = ("validation",)
    _evaluate_models(config, tmp_path, lambda own: own)
    assert not any(path.exists() for path in pictures)


def test_scores_that_the_new_ones_lack_are_kept_before_any_file_is_replaced(
    tmp_path: pathlib.Path,
    lapa_download: pathlib.Path,
    data_dir: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = tiny_config(lapa_download, data_dir)
    _evaluate_models(config, tmp_path, lambda own: own)
    _evaluate_models(config, tmp_path, lambda own: own)
    assert not (tmp_path / "earlier_results").exists() and not caplog.messages
    before = (tmp_path / "results.json").read_bytes()
    tested = {path.name: path.read_bytes() for path in (tmp_path / "evaluations").iterdir()}
    pictures = {name: (tmp_path / name).read_bytes() for name in (EXAMPLES, SHEET)}
    config.eval.splits = ("validation", "test")
    config.eval.num_pictures = 0
    config.eval.rows = ("32", "32->16")

    with monkeypatch.context() as patch:
        patch.setattr(Evaluation, "write", _kill)
        with pytest.raises(Killed):
            _evaluate_models(config, tmp_path, lambda own: own)
    results = _evaluate_models(config, tmp_path, lambda own: own)
    assert len(results["evaluations"]) == 8
    (kept,) = (tmp_path / "earlier_results").iterdir()
    assert caplog.messages == [f"the run's earlier scores are kept in {kept}"]
    assert (kept / "results.json").read_bytes() == before
    found = {path.name: path.read_bytes() for path in (kept / "evaluations").iterdir()}
    assert found == tested and "test-last-16to32.npz" in found
    assert {name: (kept / name).read_bytes() for name in pictures} == pictures
    assert not any(
        (tmp_path / name).exists() for name in pictures
    )  # of the new scores there are none


def test_pictures_are_of_the_first_checkpoint_ranked_by_the_first_row(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir)
    _evaluate_models(config, tmp_path, lambda own: own)
    split = load_split(load_dataset(config.data), "test", (32,))
    with np.load(tmp_path / "examples.npz") as file:
        assert file["ids"].tolist() == split.ids.tolist()
        assert np.all(np.diff(file["per_image_f1"]) > 0)
        assert file["checkpoint"] == "best"


def test_only_other_data_are_noted(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir)
    config.eval.num_pictures = 0
    other = "0" * 64
    notes = [
        _evaluate_models(config, tmp_path, fingerprint)["notes"]
        for fingerprint in (lambda _: other, lambda own: own, lambda _: None)
    ]
    assert notes == [[f"trained on other data (fingerprint {other})"], [], []]


def test_measures_are_means_of_what_is_there() -> None:
    nan, inf = float("nan"), float("inf")
    measure = Measure("distance", tuple("abcdef"))
    errors = np.array(
        [[1, 4, nan, inf, nan, 0], [2, nan, nan, 1, nan, 0], [6, 6, nan, 1, 5, 0]], np.float32
    )
    found = scoring.ProtocolScores(np.ones((3, 2, 2), np.int32), {measure: errors})
    means = scoring.protocol_scores(found, ("background", "nose"))["distance"]
    assert list(means) == ["mean", *"abcdef"]
    assert list(means.values()) == [None, 3, 5, None, None, 5, 0]
    finite = scoring.ProtocolScores(found.matrices, {measure: errors[1:]})
    assert scoring.protocol_scores(finite, ("background", "nose"))["distance"]["mean"] == 21 / 8
    json.dumps(means, allow_nan=False)


def test_an_earlier_run_with_the_other_sides_is_not_scored(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir)
    dataset = _trained(config, tmp_path / "downloaded")  # does not say whose left it means
    evaluate(config, tmp_path / "downloaded", dataset)
    results = json.loads((tmp_path / "downloaded" / "results.json").read_text())
    assert results["dataset"]["whose_left"] == "picture"
    with config.unlocked():
        config.data.synthetic.num_train = 600
    state = init_variables(create_model(config.model), config)
    progress = checkpoint.read_progress(tmp_path / "downloaded", "last")
    progress["config"] = json_config(config)
    checkpoint.save(tmp_path / "drawn", "last", 4, state, progress)
    with pytest.raises(checkpoint.CheckpointError, match="drawn: its left_… .* Train it again"):
        evaluate(config, tmp_path / "drawn", dataset)
    assert not (tmp_path / "drawn" / "results.json").exists()


def test_checkpoint_arrays_that_do_not_fit_are_refused(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir)
    model = create_model(config.model)
    expected, variables = (init_variables(model, config) for _ in range(2))
    variables["params"]["decoder"]["mlp_2"]["bias"] = np.zeros(4, np.float32)
    state = InferenceCheckpoint(config, variables, (), 4, "")
    with pytest.raises(checkpoint.CheckpointError, match=r"mlp_2/bias is float32\[4\].*\[8\]"):
        check_same_model(state, config, expected, tmp_path)


def test_nothing_to_evaluate(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir)
    with pytest.raises(checkpoint.CheckpointError, match="train first"):
        evaluate(config, tmp_path, load_dataset(config.data))
