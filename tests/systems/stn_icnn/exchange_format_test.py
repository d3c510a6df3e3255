"""Tests of fpliif_jax.systems.stn_icnn.exchange_format: weights of any STN-iCNN as a state dict, and back."""

import pathlib
from typing import Any

import jax
import numpy as np
import pytest
from tiny_icnn_run import tiny_icnn_config

from fpliif_jax import systems
from fpliif_jax.data_builders.class_names import FACIAL_PARTS
from fpliif_jax.interop import InteropError, read_weights, run_weights
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems import create_model
from fpliif_jax.systems.stn_icnn import exchange_format


@pytest.fixture(scope="module")
def variables() -> dict[str, Any]:
    """Random, no two leaves alike."""
    shapes = systems.variable_shapes(tiny_icnn_config())
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: rng.random(leaf.shape, np.float32) + 0.1, dict(shapes))


def test_there_and_back(variables: dict[str, Any]) -> None:
    entries = exchange_format.stn_icnn_to_torch(variables)
    kernel = variables["params"]["fine"]["brows"]["input_1"]["conv"]["kernel"]
    np.testing.assert_array_equal(
        entries["fine.brows.input_1.conv.weight"], kernel.transpose(3, 2, 0, 1)
    )
    counters = {"coarse.input_0.norm.num_batches_tracked": np.int64(3)}
    found = systems.of(tiny_icnn_config()).exchange.from_torch(entries | counters)
    assert jax.tree.structure(found) == jax.tree.structure(variables)
    jax.tree.map(np.testing.assert_array_equal, found, variables)
    assert exchange_format.settings_of_weights(found) == {
        "row_features": (3, 4),
        "interlinked_layers": 1,
    }


def test_a_file_gives_the_same_label_probabilities(
    tmp_path: pathlib.Path, variables: dict[str, Any]
) -> None:
    config = tiny_icnn_config()
    path = tmp_path / "model.safetensors"
    trained = InferenceCheckpoint(config, variables, FACIAL_PARTS, 3, None, "", "picture")
    run_weights.write_model(trained, "best", "run", path)
    found = read_weights(path, config).variables
    model, rng = create_model(config.model), np.random.default_rng(1)
    images = [rng.random((1, side, side, 3), np.float32) for side in (32, 48)]
    probabilities = [
        np.asarray(model.apply(each, *images)["label_probabilities"]) for each in (variables, found)
    ]
    np.testing.assert_array_equal(*probabilities)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coarse.input_0.conv.gain": np.zeros(3)}, "1 unknown: coarse.input_0.conv.gain"),
        ({"coarse.input_0.scale.weight": np.zeros(3)}, "1 unknown: coarse.input_0.scale.weight"),
        ({"coarse.input_0.conv.bias": np.full(3, np.nan)}, "coarse.input_0.conv.bias"),
        ({"coarse.input_0.conv.bias": "text"}, "coarse.input_0.conv.bias"),
    ],
)
def test_what_is_no_such_state_dict_is_refused(
    variables: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    entries = exchange_format.stn_icnn_to_torch(variables) | changes
    with pytest.raises(InteropError, match=message):
        systems.of(tiny_icnn_config()).exchange.from_torch(entries)


@pytest.mark.parametrize("value", [{}, {"params": {"encoder": {"head": {"kernel": np.ones(2)}}}}])
def test_variables_of_no_stn_icnn_are_refused(value: dict[str, Any]) -> None:
    with pytest.raises(InteropError, match="not the variables of an STN-iCNN"):
        exchange_format.stn_icnn_to_torch(value)
