"""Training that starts from weights that come with the package, or from another run: config.train.init_from."""

import pathlib
from typing import Any

import jax
import ml_collections
import numpy as np
import pytest
import safetensors.numpy
from tiny_run import tiny_config

from fpliif_jax import systems
from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.configs import drawn_faces, drawn_faces_small
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data_builders.class_names import CELEBAMASK_HQ
from fpliif_jax.devices import parallel
from fpliif_jax.interop import fpliif_to_torch
from fpliif_jax.nn.variables import Variables
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.run_config import json_config
from fpliif_jax.run_folder.same_run import check_same_run
from fpliif_jax.training import loop
from fpliif_jax.training.other_networks import check_start
from fpliif_jax.training.preflight import check_settings
from fpliif_jax.training.prepare import Run, variables_to_start_from
from fpliif_jax.training.step import init_variables
from fpliif_jax.weights import WeightsError, shipped, shipped_model


def started(config: ml_collections.ConfigDict, start: str | None) -> ml_collections.ConfigDict:
    config = config.copy_and_resolve_references()
    config.train.init_from = start
    return config.lock()


@pytest.fixture
def config(lapa_download: pathlib.Path, data_dir: pathlib.Path) -> ml_collections.ConfigDict:
    """The network of the weights, on few and small images."""
    config = drawn_faces.get_config()
    config.data.manual_dir, config.data.data_dir = str(lapa_download), str(data_dir)
    config.data.synthetic.num_train = 0
    config.data.image_size = 32
    config.train.batch_size = 4
    return started(config, "weights:drawn")


def test_a_run_begins_with_the_weights_bit_for_bit_and_says_so(
    config: ml_collections.ConfigDict, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = []

    def stop_before_the_first_step(run: Run, prepared: Any, state: Any, stop: Any) -> bool:
        states.append(parallel.unreplicate(state))
        run.save("last", state)
        return True

    monkeypatch.setattr(loop, "run_stage", stop_before_the_first_step)
    dataset = load_dataset(config.data)
    assert not loop.train(config, tmp_path, dataset, Interruption())
    params = fpliif_to_torch({"params": jax.tree.map(np.asarray, states[0]["params"])})
    file = safetensors.numpy.load_file(shipped.path("drawn"))
    assert params.keys() == file.keys()
    for name, array in file.items():
        np.testing.assert_array_equal(params[name], array)
    moments = [leaf for leaf in jax.tree.leaves(states[0]["opt_state"]) if np.ndim(leaf) > 0]
    assert not any(np.any(leaf) for leaf in moments)  # those of Adam are new

    # It is recorded, and the run goes on as what it began as.
    progress = checkpoint.read_progress(tmp_path, "last")
    assert progress["config"]["train"]["init_from"] == "weights:drawn"
    for other in (None, "runs/other"):
        with pytest.raises(
            checkpoint.CheckpointError, match=r"config\.train\.init_from was 'weights"
        ):
            loop.train(started(config, other), tmp_path, dataset, Interruption())


@pytest.mark.parametrize("batch_size", [13, 14])
def test_a_batch_that_is_never_full_is_told(
    batch_size: int,
    lapa_download: pathlib.Path,
    data_dir: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(loop, "run_stage", lambda *_: True)
    config = tiny_config(lapa_download, data_dir)
    config.train.batch_size = batch_size
    dataset = load_dataset(config.data)
    loop.train(config, tmp_path, dataset, Interruption())
    told = [message for message in caplog.messages if "has room for" in message]
    assert len(told) == (batch_size > 13)
    if told:
        assert "an epoch has 13 images" in told[0] and "config.train.batch_size=13 is" in told[0]


def test_a_run_of_before_there_was_the_field_goes_on() -> None:
    config = started(tiny_config(), None)
    before = json_config(config)
    del before["train"]["init_from"]
    progress = {"config": before, "fingerprint": "f" * 64, "whose_left": "picture"}
    check_same_run(progress, config, "f" * 64, "RUN")
    with pytest.raises(checkpoint.CheckpointError, match="config.train.init_from was None"):
        check_same_run(progress, started(config, "weights:drawn"), "f" * 64, "RUN")


def test_a_start_from_classes_in_another_order_finds_each_and_says_which_are_new(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    config = started(drawn_faces.get_config(), "weights:drawn")
    drawn = shipped_model.load("drawn")
    blank = jax.tree.map(np.zeros_like, drawn.variables)

    def last_bias(names: tuple[str, ...]) -> np.ndarray:
        variables = variables_to_start_from(config, tmp_path, blank, None, (), names)
        return variables["params"]["decoder"]["mlp_6"]["bias"]

    was = last_bias(drawn.class_names)
    np.testing.assert_array_equal(was, drawn.variables["params"]["decoder"]["mlp_6"]["bias"])
    assert capsys.readouterr().err == ""
    others = (*drawn.class_names[:-1][::-1], "beard")
    np.testing.assert_array_equal(last_bias(others), [*was[:-1][::-1], 0])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("config.train.init_from=weights:drawn has 11 classes, this run's data")
    assert line.endswith("not known there: beard")
    assert not caplog.records  # it is what was asked for

    np.testing.assert_array_equal(last_bias(("background", *"abcdefghij")), [was[0], *[0] * 10])
    (record,) = caplog.records
    assert record.levelname == "WARNING" and capsys.readouterr().err == ""
    told = (
        "this run's data 11 others, and none of them is known there by its name (background, skin, "
    )
    assert told in record.getMessage()


def test_a_start_from_other_classes_keeps_what_was_learnt_of_the_same_parts_and_says_which_are_new(
    capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    config = started(
        drawn_faces_small.get_config(), "weights:drawn_small"
    ).copy_and_resolve_references()
    config.model.num_classes = len(CELEBAMASK_HQ)
    check_start(config, systems.variable_shapes(config))
    assert capsys.readouterr().err == ""  # names are not known yet

    initial = init_variables(systems.create_model(config.model), config)
    drawn = shipped_model.load("drawn_small")
    variables = variables_to_start_from(config, tmp_path, initial, None, (), CELEBAMASK_HQ)
    (line,) = capsys.readouterr().err.splitlines()
    assert "has 11 classes, this run's data 19 others" in line
    assert line.endswith("not known there: eye_g, l_ear, r_ear, hat, ear_r, neck_l, neck, cloth")

    image = jax.random.uniform(jax.random.key(0), (1, 96, 96, 3))

    def logits(config: ml_collections.ConfigDict, variables: Variables) -> np.ndarray:
        model = systems.create_model(config.model)
        return np.asarray(jax.jit(lambda variables: model.apply(variables, image))(variables))

    was, now = logits(drawn.config, drawn.variables), logits(config, variables)
    shared = {"skin": 1, "l_brow": 3, "r_brow": 2, "l_lip": 9, "mouth": 8, "hair": 10}
    for name, index in shared.items():
        # One more column in the last product may be summed in another order.
        np.testing.assert_allclose(
            now[..., CELEBAMASK_HQ.index(name)], was[..., index], rtol=1e-5, atol=1e-4
        )
    before = initial["params"]["decoder"]["mlp_6"]
    after = variables["params"]["decoder"]["mlp_6"]
    for name in ("hat", "cloth"):
        index = CELEBAMASK_HQ.index(name)
        np.testing.assert_array_equal(after["kernel"][:, index], before["kernel"][:, index])
        assert after["bias"][index] == before["bias"][index]


@pytest.mark.parametrize(
    "start, message",
    [
        ("weights:drawn", "^weights:drawn does not fit the config: params/decoder/"),
        (
            "weights:other",
            f"^there are no weights 'other' in this package; it has {', '.join(shipped.NAMES)}$",
        ),
    ],
)
def test_weights_that_do_not_fit_are_one_line_before_anything_is_prepared(
    start: str, message: str
) -> None:
    with pytest.raises((checkpoint.CheckpointError, WeightsError), match=message) as caught:
        check_settings(started(tiny_config(), start))
    assert "\n" not in str(caught.value)
