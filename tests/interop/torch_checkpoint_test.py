"""Tests of `python -m fpliif_jax.main --mode=eval --torch_checkpoint=…`, as a person runs it."""

import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest
from literal_stn_icnn import LocaliseResNet18, OfficialSTNICNN, aim, randomise
from needs_torch import torch
from xla_flags import xla_flags

from fpliif_jax import interop, systems
from fpliif_jax.commands import command_line
from fpliif_jax.configs import lapa, stn_icnn_helen_official
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data.resized_split import load_split
from fpliif_jax.data_builders.class_names import FACIAL_PARTS
from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.interop import given_weights
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.inference_checkpoint import load_for_inference
from fpliif_jax.systems import create_model
from fpliif_jax.systems.stn_icnn import protocols
from fpliif_jax.systems.stn_icnn.windows import WINDOW_ERROR
from fpliif_jax.training import train_and_evaluate

ROOT = pathlib.Path(__file__).parents[2]
SIDE, CROP = 64, 25
SETTINGS = (
    f"--config.data.image_size={SIDE}",
    f"--config.model.crop_size={CROP}",
    "--config.eval.rows=('image',)",
    "--config.eval.batch_size=2",
    "--config.eval.num_pictures=0",  # which another program would predict
)


@pytest.fixture(scope="module")
def checkpoint_file(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """What the authors' joint training saves: three state dicts, and where it stands."""
    network = OfficialSTNICNN(LocaliseResNet18, crop_size=CROP).eval()
    randomise(network, seed=1)
    aim(network, (CROP - 1) / (SIDE - 1))
    saved = {"model1": "modelA.", "select_net": "stn_model.", "model2": "modelC."}
    content = {
        key: {
            name.removeprefix(prefix): value
            for name, value in network.state_dict().items()
            if name.startswith(prefix)
        }
        for key, prefix in saved.items()
    }
    path = tmp_path_factory.mktemp("torch") / "after_end2end.pth.tar"
    torch.save({**content, "step": 3, "epoch": 1, "best_error": 0.5}, path)
    return path


def test_the_authors_windows_are_those_of_aligned_corners(checkpoint_file: pathlib.Path) -> None:
    config = stn_icnn_helen_official.get_config()
    config.data.image_size, config.model.crop_size = SIDE, CROP
    config.model.theta_form = "eq21_half_pixel"
    with pytest.raises(interop.InteropError, match=r"theta_form is 'eq21_half_pixel'.*'align"):
        interop.read_weights(checkpoint_file, config)


def _run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of the command."""
    child = subprocess.run(
        [
            *(sys.executable, "-m", "fpliif_jax.main"),
            "--config=configs/stn_icnn_helen_official.py",
            *arguments,
        ],
        env={**os.environ, "XLA_FLAGS": xla_flags()},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    return child.returncode, child.stdout, child.stderr


@pytest.mark.slow
def test_the_authors_file_is_evaluated(
    checkpoint_file: pathlib.Path,
    helen_download: pathlib.Path,
    data_dir: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    code, output, errors = _run(
        "--mode=eval",
        f"--torch_checkpoint={checkpoint_file}",
        f"--workdir={tmp_path}",
        f"--config.data.manual_dir={helen_download}",
        f"--config.data.data_dir={data_dir}",
        *SETTINGS,
    )
    assert code == 0, errors
    assert "given" in output
    results = json.loads((tmp_path / "results.json").read_text())
    (found,) = results["evaluations"]
    assert (found["checkpoint"], found["row"], found["images"]) == ("given", "image", 4)
    assert any("after_end2end.pth.tar (sha256" in note for note in results["notes"])
    assert results["train"] is None

    config = stn_icnn_helen_official.get_config()
    config.data.manual_dir, config.data.data_dir = str(helen_download), str(data_dir)
    config.data.image_size, config.model.crop_size = SIDE, CROP
    split = load_split(load_dataset(config.data), "test", (SIDE,))
    variables = interop.read_weights(checkpoint_file, config).variables
    row = protocols.parse_protocol("image", config)
    predict = jax.jit(
        systems.of(config).scoring.make_predictor(create_model(config.model), config, (row,))
    )
    batch = {
        "images": split.images[:],
        f"labels_{SIDE}": split.labels[SIDE][:],
        "image_sizes": split.image_sizes,
    }
    predicted = predict(variables, batch)["image"]
    with np.load(tmp_path / "evaluations" / "test-given-image.npz") as file:
        matrices = file["confusion_matrices"]
        np.testing.assert_allclose(
            file["window_error"], predicted.measures[WINDOW_ERROR], atol=1e-3
        )
    counted = np.asarray(predicted.truth) != 255
    for matrix, labels, mask in zip(matrices, np.asarray(predicted.labels), counted, strict=True):
        wanted = np.bincount(labels[mask], minlength=9)
        # Batches of 2 against 4: a pixel between two windows' pixels may go to the other.
        assert np.abs(matrix.sum(axis=0) - wanted).sum() <= 4


def test_it_is_for_evaluation_alone(checkpoint_file: pathlib.Path, tmp_path: pathlib.Path) -> None:
    config = stn_icnn_helen_official.get_config()
    with pytest.raises(SettingsError, match="--torch_checkpoint is for --mode=eval"):
        train_and_evaluate.main(
            config,
            "stn_icnn_helen_official",
            workdir=str(tmp_path),
            mode="train_and_eval",
            weights=given_weights.of_flags(str(checkpoint_file), None),
            processes=(None, None, None),
        )


def test_a_file_that_is_none_is_told_in_one_line() -> None:
    path = ROOT / "README.md"
    with pytest.raises(interop.InteropError) as raised:
        interop.read_weights(path, stn_icnn_helen_official.get_config())
    line = command_line.user_error_line(raised.value)
    assert line.startswith(f"error: {path} is damaged, is not a PyTorch checkpoint")
    assert len(line.splitlines()) == 1


def test_a_model_or_a_system_that_does_not_fit_is_named(checkpoint_file: pathlib.Path) -> None:
    config = stn_icnn_helen_official.get_config()
    config.model.localisation = "vgg9"
    with pytest.raises(
        checkpoint.CheckpointError, match="does not fit the config: batch_stats/localisation/"
    ):
        interop.read_weights(checkpoint_file, config)
    deep = stn_icnn_helen_official.get_config()
    deep.model.interlinked_layers = 100
    message = r"config\.model\.interlinked_layers is 100, and the weights are of 3"
    with pytest.raises(interop.InteropError, match=message):
        interop.read_weights(checkpoint_file, deep)
    with pytest.raises(interop.InteropError, match="--config=stn_icnn_helen_official"):
        interop.read_weights(checkpoint_file, lapa.get_config())
    with pytest.raises(interop.InteropError, match="there is no file nowhere.pth"):
        interop.read_weights("nowhere.pth", config)


def test_a_run_made_of_the_authors_file_holds_its_weights(
    checkpoint_file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    config = stn_icnn_helen_official.get_config()
    interop.make_run(checkpoint_file, config, tmp_path / "new")
    trained = load_for_inference(tmp_path / "new")
    wanted = interop.stn_icnn_from_torch(interop.load_torch_checkpoint(checkpoint_file))
    assert jax.tree.structure(trained.variables) == jax.tree.structure(wanted)
    jax.tree.map(np.testing.assert_array_equal, trained.variables, wanted)
    assert trained.class_names == FACIAL_PARTS
    assert trained.config.model.variant == "official"
