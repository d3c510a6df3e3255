"""Tests of FaceParser.from_run and from_file: what is there is read, and what a file says is checked."""

import dataclasses
import functools
import json
import pathlib
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
import safetensors.numpy
import untrained_models
from blotchy_photos import make_photo, save_run
from untrained_models import CLASS_NAMES

from fpliif_jax import FaceParser
from fpliif_jax.data_builders.class_names import LAPA_AND_HELEN
from fpliif_jax.interop import InteropError, write_weights
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.run_folder.run_config import json_config
from fpliif_jax.systems.labeller import LabellerError


@pytest.fixture(scope="module")
def trained() -> InferenceCheckpoint:
    checkpoint = untrained_models.fp_liif_checkpoint(num_classes=len(LAPA_AND_HELEN))
    return dataclasses.replace(checkpoint, class_names=LAPA_AND_HELEN)


@pytest.fixture(scope="module")
def run(trained: InferenceCheckpoint, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    workdir = tmp_path_factory.mktemp("of_parser") / "run"
    save_run(workdir, trained)
    return workdir


@pytest.fixture(scope="module")
def weights(run: pathlib.Path) -> pathlib.Path:
    path = run.parent / "model.safetensors"
    write_weights(run, "best", path)
    return path


def with_settings(
    weights: pathlib.Path, path: pathlib.Path, changes: dict[str, Any]
) -> pathlib.Path:
    """The same arrays in a file that says other settings."""
    with safetensors.safe_open(weights, "np") as file:
        metadata = json.loads(file.metadata()["fpliif_jax"])
    for field, value in changes.items():
        *groups, name = field.split(".")
        functools.reduce(dict.__getitem__, groups, metadata["config"])[name] = value
    arrays = safetensors.numpy.load_file(weights)
    safetensors.numpy.save_file(arrays, path, {"fpliif_jax": json.dumps(metadata)})
    return path


def test_a_parser_comes_from_a_run_or_a_file(
    trained: InferenceCheckpoint, run: pathlib.Path, weights: pathlib.Path
) -> None:
    from_run, from_file = FaceParser.from_run(run), FaceParser.from_file(weights)
    expected = FaceParser(trained)(make_photo(), 20)
    for parser, origin in ((from_run, run), (from_file, weights)):
        np.testing.assert_array_equal(parser(make_photo(), 20).labels, expected.labels)
        assert repr(parser).startswith("FaceParser(FP-LIIF, 11 classes, ")
        assert repr(parser).endswith(f"from {origin})")
    assert repr(expected).startswith("ParsedPhoto(20x20: ")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("data.image_size", 10**9, "config.data.image_size is 1000000000"),
        ("model.name", "other", "its metadata cannot be read"),
        ("model", [1], "its metadata cannot be read"),
        ("loss.temperature", "hot", "config.loss.temperature is 'hot'"),
    ],
)
def test_settings_in_a_file_are_checked(
    field: str, value: Any, message: str, tmp_path: pathlib.Path
) -> None:
    config = json_config(untrained_models.fp_liif_checkpoint().config)
    *groups, name = field.split(".")
    functools.reduce(dict.__getitem__, groups, config)[name] = value
    path = tmp_path / "model.safetensors"
    metadata = {"fpliif_jax": json.dumps({"config": config, "class_names": list(CLASS_NAMES)})}
    safetensors.numpy.save_file({"weight": np.zeros(1, np.float32)}, path, metadata)
    with pytest.raises(InteropError, match=message):
        FaceParser.from_file(path)


def test_a_file_without_settings_needs_a_config(run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    write_weights(run, "best", tmp_path / "model.pth")
    with pytest.raises(InteropError, match="give the config that the weights were trained with"):
        FaceParser.from_file(tmp_path / "model.pth")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model.group_blocks", [1000] * 100),
        ("model.group_blocks", [1, 2]),
        ("model.mlp_features", [16] * 3000),
        ("model.rcmlp_features", [8] * 3000),
        ("model.features", 9),
        ("model.decoder", "conv_unet"),
        ("model.rcmlp", False),
    ],
)
def test_settings_that_the_arrays_deny_are_told_before_any_network_is_traced(
    field: str, value: Any, weights: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path, start = (
        with_settings(weights, tmp_path / "m.safetensors", {field: value}),
        time.process_time(),
    )
    with pytest.raises(InteropError, match=f"does not fit the config: config.{field} is ") as error:
        FaceParser.from_file(path)
    assert time.process_time() - start < 5
    assert len(str(error.value)) < 700


@pytest.mark.parametrize("field", ["data.image_size", "data.longest_side"])
def test_images_of_a_file_are_bounded(
    field: str, weights: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = with_settings(weights, tmp_path / "m.safetensors", {field: 4096})
    with pytest.raises(
        InteropError, match=f"config.{field} is 4096; .* it may be 2048: give the config"
    ):
        FaceParser.from_file(path)


def test_layers_of_a_file_are_bounded(weights: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with safetensors.safe_open(weights, "np") as file:
        metadata = file.metadata()
    arrays = {
        f"encoder.groups.0.blocks.{i}.conv1.weight": np.zeros((1, 1, 3, 3), np.float32)
        for i in range(300)
    }
    safetensors.numpy.save_file(arrays, tmp_path / "deep.safetensors", metadata)
    with pytest.raises(InteropError, match="holds 300 layers; .* may have 256: give the config"):
        FaceParser.from_file(tmp_path / "deep.safetensors")


def test_settings_of_time_and_memory_are_not_the_file_s(
    weights: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    changes = {"model.query_chunk": 10**9, "model.remat": True, "eval.batch_size": 1000}
    config = FaceParser.from_file(
        with_settings(weights, tmp_path / "m.safetensors", changes)
    ).config
    assert config.model.query_chunk == "auto" and config.eval.batch_size < 1000


@pytest.mark.parametrize("size", [None, 20])
@pytest.mark.parametrize(
    "make", [untrained_models.fp_liif_checkpoint, untrained_models.stn_icnn_checkpoint]
)
def test_a_model_whose_values_are_no_numbers_gives_no_background(
    make: Callable[[], InferenceCheckpoint], size: int | None
) -> None:
    """Weights so large that a float32 does not hold what they make: finite themselves."""
    trained = make()
    huge = jax.tree.map(lambda leaf: np.full_like(leaf, 1e30), trained.variables)
    parser = FaceParser(dataclasses.replace(trained, variables=huge, note="weights of a.pth"))
    with pytest.raises(LabellerError, match="weights of a.pth: its values are not finite numbers"):
        parser(make_photo(), size)


def test_windows_that_are_no_numbers_give_no_background() -> None:
    trained = untrained_models.stn_icnn_checkpoint()
    parameters = dict(trained.variables["params"])
    parameters["localisation"] = jax.tree.map(
        lambda leaf: np.full_like(leaf, np.nan), parameters["localisation"]
    )
    variables = {**trained.variables, "params": parameters}
    parser = FaceParser(dataclasses.replace(trained, variables=variables, note="weights of a.pth"))
    with pytest.raises(LabellerError, match="weights of a.pth: its values are not finite numbers"):
        parser(make_photo())
