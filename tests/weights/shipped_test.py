"""Weights that come with the package: the file, the model in it, and --weights of every command that takes a model."""

import dataclasses
import hashlib
import pathlib
import re
import types

import jax
import numpy as np
import pytest
import safetensors.numpy
from PIL import Image
from tiny_run import tiny_config

from fpliif_jax import systems, weights
from fpliif_jax.configs import (
    drawn_faces,
    drawn_faces_19_classes,
    drawn_faces_small,
    drawn_faces_stn_icnn,
)
from fpliif_jax.data_builders.class_names import CELEBAMASK_HQ, FACIAL_PARTS, LAPA_AND_HELEN
from fpliif_jax.data_builders.errors import SettingsError, UserError
from fpliif_jax.data_builders.synthetic_faces import draw_face
from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.pytorch.fp_liif import FPLIIF
from fpliif_jax.interop import __main__ as interop_command
from fpliif_jax.interop import given_weights, load_torch_checkpoint
from fpliif_jax.predict import __main__ as predict_command
from fpliif_jax.run_folder import inference_checkpoint
from fpliif_jax.run_folder.checkpoint import CheckpointError
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.run_folder.run_config import flatten_config, json_config
from fpliif_jax.training import train_and_evaluate
from fpliif_jax.weights import WeightsError, shipped, shipped_model, trained_model

FOLDER = pathlib.Path(shipped.__file__).parent
ALL = ", ".join(weights.NAMES)


@pytest.fixture(scope="module")
def drawn() -> InferenceCheckpoint:
    return weights.load("drawn")


def draw(seed: int, names: tuple[str, ...] = LAPA_AND_HELEN) -> tuple[np.ndarray, np.ndarray]:
    """A face, uint8 [128, 128, 3], and its labels in the classes with these names, uint8 [128, 128]."""
    face = draw_face(seed, 128, "photographic")
    if names == CELEBAMASK_HQ:
        return face.image, face.label_map
    own = [names.index(name) if name in names else 0 for name in LAPA_AND_HELEN]
    return face.image, np.array(own, np.uint8)[face.lapa_label_map]


# -------------------------------------------------------------------------------------- the file


@pytest.mark.parametrize("name", weights.NAMES)
def test_the_file_is_the_one_that_the_code_knows_and_small(name: str) -> None:
    data = shipped.path(name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == shipped.SHIPPED[name].sha256
    assert len(data) <= 3 * 2**20
    assert shipped.content(name) == data


def test_every_file_in_the_folder_has_a_name() -> None:
    assert {path.stem for path in FOLDER.glob("*.safetensors")} == set(weights.NAMES)


@pytest.mark.parametrize("name", weights.NAMES)
def test_nobodys_paths_are_in_the_file(name: str) -> None:
    data = shipped.path(name).read_bytes()
    header = data[8 : 8 + int.from_bytes(data[:8], "little")].decode()
    assert "augment" in header  # it is the header with the config
    assert not re.search(r'"[^"]*/[^"]*"', header.replace('\\"', '"'))
    for place in ("manual_dir", "data_dir", "cache_dir"):
        assert place not in header


def test_a_damaged_missing_or_foreign_file_is_one_line(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytearray(shipped.content("drawn"))
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "shipped.py"))
    path = tmp_path / "drawn.safetensors"
    with pytest.raises(WeightsError, match=r"drawn\.safetensors: No such file.*; install fpliif"):
        weights.load("drawn")
    data[-1] ^= 1
    for wrong in (bytes(data), b"version https://git-lfs.github.com/spec/v1", b""):
        path.write_bytes(wrong)
        with pytest.raises(WeightsError, match="is not the file that belongs here") as caught:
            weights.load("drawn")
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    path.write_bytes(bytes(4 * 2**20))
    with pytest.raises(WeightsError, match="larger than the 3 MiB"):
        weights.load("drawn")


@pytest.mark.parametrize("name", ["lapa", "", "../drawn", "DRAWN"])
def test_a_wrong_name_lists_the_names(name: str) -> None:
    for function in (weights.load, shipped.path, shipped.content):
        with pytest.raises(WeightsError, match=f"no weights {name!r} .*; it has {ALL}$"):
            function(name)


# -------------------------------------------------------------------------------------- the model


@pytest.mark.parametrize(
    "name, config, names, sides_are_swapped, parameters",
    [
        ("drawn", drawn_faces, LAPA_AND_HELEN, False, 371_723),
        ("drawn_small", drawn_faces_small, LAPA_AND_HELEN, False, 202_283),
        ("drawn_19_classes", drawn_faces_19_classes, CELEBAMASK_HQ, False, 202_803),
        ("drawn_stn_icnn", drawn_faces_stn_icnn, FACIAL_PARTS, False, 554_581),
    ],
)
def test_the_model_is_that_of_its_config(
    name: str,
    config: types.ModuleType,
    names: tuple[str, ...],
    sides_are_swapped: bool,
    parameters: int,
) -> None:
    trained = weights.load(name)
    assert trained.class_names == names
    assert trained.sides_are_swapped is sides_are_swapped
    assert sum(leaf.size for leaf in jax.tree.leaves(trained.variables["params"])) == parameters
    assert "no photograph" in trained.note
    here = flatten_config(json_config(trained.config))
    package = flatten_config(json_config(config.get_config()))
    assert here.keys() == package.keys()
    differ = {field for field in here if here[field] != package[field]}
    # The faces of `drawn` had been drawn before, so the run itself was told of none.
    drawing = {f"data.synthetic.{name}" for name in ("num_train", "num_val", "num_test", "style")}
    places = {f"data.{place}" for place in ("manual_dir", "data_dir")}
    assert differ == (places | drawing if name == "drawn" else places)
    with pytest.raises((AttributeError, KeyError)):
        trained.config.model.depth = 3  # locked, as that of a run


# The 200 test faces had a mean F1 of 91.4, 87.6, 85.1 and 88.5, most single faces from 81 to 96: six of them are within
# seven points of that unless the weights, the classes, the sides or the input are wrong; fifteen for the third, as few
# pixels are jewels.
@pytest.mark.parametrize(
    "name, least",
    [("drawn", 0.84), ("drawn_small", 0.8), ("drawn_19_classes", 0.7), ("drawn_stn_icnn", 0.81)],
)
def test_a_drawn_face_is_labelled_well(name: str, least: float) -> None:
    trained = weights.load(name)
    labeller = systems.of(trained.config).inference.make_labeller(trained)
    pairs = [draw(seed, trained.class_names) for seed in range(6)]
    networks_inputs = [labeller.network_input(image) for image, _ in pairs]
    inputs = jax.tree.map(lambda *arrays: np.stack(arrays), *networks_inputs)
    predicted = labeller.label(inputs, (128, 128))
    truth = np.stack([labels for _, labels in pairs])
    matrices = metrics.confusion_matrices(truth, predicted, len(trained.class_names))
    assert metrics.mean_f1(np.asarray(matrices).sum(axis=0)) > least


# ---------------------------------------------------------------------------- the shared arguments


def flags(**given: str) -> types.SimpleNamespace:
    return types.SimpleNamespace(**{"workdir": None, "weights": None, "checkpoint": None} | given)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, drawn: InferenceCheckpoint) -> InferenceCheckpoint:
    """What every folder is taken for a run of."""
    trained = dataclasses.replace(drawn, step=7, note=None)
    monkeypatch.setattr(inference_checkpoint, "load_for_inference", lambda *arguments: trained)
    return trained


def test_a_run_or_weights(run: InferenceCheckpoint) -> None:
    chosen = trained_model.load(flags(workdir="RUN"), "drawn")
    assert chosen == (run, "best", "RUN", "the best checkpoint (step 7)")
    chosen = trained_model.load(flags(workdir="RUN", checkpoint="last"))
    assert chosen[1:] == ("last", "RUN", "the last checkpoint (step 7)")
    for given in (flags(weights="drawn"), flags()):
        chosen = trained_model.load(given, "drawn")
        assert chosen[1:] == ("best", "--weights=drawn", "the weights 'drawn' (step 3500)")


@pytest.mark.parametrize(
    "given, message",
    [
        ({"workdir": "RUN", "weights": "drawn"}, "--workdir and --weights are both given"),
        ({}, rf"give --workdir=RUN or --weights=NAME \({ALL}\)"),
        ({"weights": "drawn", "checkpoint": "last"}, "--checkpoint is for --workdir"),
        ({"weights": "lapa"}, f"no weights 'lapa' in this package; it has {ALL}"),
        ({"weights": ""}, "no weights ''"),
    ],
)
def test_what_cannot_be_meant_is_one_line(given: dict[str, str], message: str) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        trained_model.load(flags(**given))
    assert "\n" not in str(caught.value)


def test_a_run_that_is_not_there_is_still_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CheckpointError, match=f"no 'best' checkpoint in {tmp_path}"):
        trained_model.load(flags(workdir=str(tmp_path)), "drawn")


# ------------------------------------------------------------------------------------- the commands


def test_photos_are_labelled_without_a_run(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], drawn: InferenceCheckpoint
) -> None:
    image, labels = draw(1)
    Image.fromarray(image).save(tmp_path / "face.png")
    for arguments in ([], ["--weights=drawn"]):
        output = tmp_path / f"out{len(arguments)}"
        photo = str(tmp_path / "face.png")
        assert predict_command.main([*arguments, f"--output_dir={output}", photo]) == 0
        captured = capsys.readouterr()
        assert f"note: {drawn.note}" in captured.err
        assert "with the weights 'drawn' (step 3500): " in captured.out
        predicted = np.asarray(Image.open(output / "face_labels.png"))
        assert (predicted == labels).mean() > 0.9  # 0.96; all background would be below 0.5
    with pytest.raises(SystemExit, match="error: there are no weights 'x' in this package; it has"):
        predict_command.main(["--weights=x", f"--output_dir={tmp_path}/x", photo])


def test_the_weights_go_to_pytorch(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], drawn: InferenceCheckpoint
) -> None:
    path, again = tmp_path / "drawn.pth", tmp_path / "drawn.safetensors"
    interop_command.main(["--weights=drawn", f"--output={path}"])
    assert "371,723 values of the weights 'drawn' (step 3500)" in capsys.readouterr().out
    state = load_torch_checkpoint(path)
    FPLIIF(drawn.config.model).load_state_dict(state, strict=True)
    interop_command.main(["--weights=drawn", f"--output={again}"])
    own = safetensors.numpy.load_file(shipped.path("drawn"))
    for name, array in safetensors.numpy.load_file(again).items():
        np.testing.assert_array_equal(array, own.pop(name))
    assert not own


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--weights=drawn", "--input=a.pth", "--config=lapa"], "--weights is for --output"),
        (["--input=a.pth", "--config=lapa"], "--input needs --workdir=NEWRUN"),
        (["--output=a.pth"], "give --workdir=RUN or --weights=NAME"),
    ],
)
def test_arguments_of_the_export_that_do_not_go_together(
    arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit, match=f"^error: {message}"):
        interop_command.main(arguments)


def evaluate_with_drawn(workdir: str | None = "unused", mode: str = "eval") -> None:
    train_and_evaluate.main(
        drawn_faces.get_config().lock(),
        "drawn_faces",
        workdir=workdir,
        mode=mode,
        weights=given_weights.of_flags(None, "drawn"),
        processes=("off", None, None, None),
    )


def test_evaluation_takes_the_model_from_the_weights(
    monkeypatch: pytest.MonkeyPatch, drawn: InferenceCheckpoint
) -> None:
    called = []
    monkeypatch.setattr(train_and_evaluate, "run", lambda *arguments: called.append(arguments))
    monkeypatch.setattr(train_and_evaluate, "apply_to_jax", lambda config: None)
    evaluate_with_drawn(workdir=None)
    ((config, folder, mode, weights, _),) = called
    assert (str(folder), mode) == ("runs/drawn_faces/weights-drawn", "eval")
    given = weights.read(config)
    assert given.note == drawn.note and given.config is config
    jax.tree.map(np.testing.assert_array_equal, given.variables, drawn.variables)


def test_evaluation_refuses_what_does_not_go_together() -> None:
    with pytest.raises(SettingsError, match="--weights is for --mode=eval"):
        evaluate_with_drawn(mode="train_and_eval")
    with pytest.raises(SettingsError, match="are both given"):
        given_weights.of_flags("a.pth", "drawn")
    with pytest.raises(WeightsError, match=f"it has {ALL}"):
        given_weights.of_flags(None, "lapa")
    with pytest.raises(SettingsError, match="--weights=drawn goes with --config=drawn_faces"):
        given_weights.of_flags(None, "drawn").read(tiny_config())


def test_loading_is_the_same_every_time(drawn: InferenceCheckpoint) -> None:
    again = shipped_model.load("drawn")
    assert again.config == drawn.config
    jax.tree.map(np.testing.assert_array_equal, again.variables, drawn.variables)


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ({"workdir": "RUN"}, "RUN/groups"),
        ({"weights": "drawn"}, "runs/weights-drawn/groups"),
        ({"weights": "drawn", "output": "here"}, "here"),
    ],
)
def test_results_have_a_folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    options = flags(**{"output": None} | given)
    assert trained_model.make_output_folder(options, "groups") == pathlib.Path(folder)
    assert pathlib.Path(folder).is_dir()


def test_a_file_where_results_should_go_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a_file").touch()
    options = flags(weights="drawn", output=str(tmp_path / "a_file"))
    with pytest.raises(UserError, match="--output=.*a_file: File exists"):
        trained_model.make_output_folder(options, "groups")
