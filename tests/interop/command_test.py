"""Files of weights and `python -m fpliif_jax.interop`: written, read, made a run of, and refused."""

import dataclasses
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
import safetensors.numpy
from needs_torch import torch
from PIL import Image
from tiny_icnn_run import tiny_icnn_config
from tiny_run import tiny_config

from fpliif_jax import systems
from fpliif_jax.configs import lapa
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data_builders.class_names import LAPA_AND_HELEN
from fpliif_jax.evaluation.evaluate import evaluate
from fpliif_jax.experiments.pytorch.fp_liif import FPLIIF
from fpliif_jax.fields import config_fields
from fpliif_jax.interop import (
    InteropError,
    __main__,
    file_formats,
    fpliif_to_torch,
    read_weights,
    run_weights,
    safetensors_files,
    weights_of_file,
)
from fpliif_jax.predict.__main__ import main as predict_main
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint, load_for_inference
from fpliif_jax.run_folder.run_config import json_config
from fpliif_jax.systems import create_model

ROOT = pathlib.Path(__file__).parents[2]
CONFIG = f"--config={ROOT / 'tests/helpers/tiny_run.py'}"
ENDINGS = (".safetensors", ".pth", ".pt", ".pth.tar")


def random_variables(config: Any, seed: int) -> Any:
    shapes = systems.of(config).network.input_shapes(config.model, config.data.image_size)
    tree = jax.eval_shape(create_model(config.model).init, jax.random.key(0), *shapes)
    rng = np.random.default_rng(seed)

    def draw(leaf: Any) -> np.ndarray:
        # Wider than any initialiser, or else every pixel would get the same class.
        scale = 0.5 if len(leaf.shape) > 1 else 0.05
        return rng.normal(scale=scale, size=leaf.shape).astype(np.float32)

    return jax.tree.map(draw, tree)


def assert_same(actual: Any, expected: Any) -> None:
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, actual, expected)


def save_run(workdir: pathlib.Path, config: Any, **kinds: Any) -> None:
    for step, (which, variables) in enumerate(kinds.items(), start=3):
        progress = {
            "config": json_config(config),
            "fingerprint": "f" * 64,
            "class_names": list(LAPA_AND_HELEN),
            "step": step,
            "train": {"epochs": 1},
        }
        checkpoint.save(workdir, which, step, variables, progress)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A run with a best checkpoint (step 3) and a last one (step 4)."""
    workdir = tmp_path_factory.mktemp("runs") / "trained"
    config = tiny_config()
    best, last = (random_variables(config, seed) for seed in (5, 1))
    save_run(workdir, config, best=best, last=last)
    return workdir


def command(*arguments: object) -> None:
    __main__.main(list(map(str, arguments)))


def refused(*arguments: object) -> str:
    """The one line that the command ends with, exit code 1."""
    with pytest.raises(SystemExit) as caught:
        command(*arguments)
    message = caught.value.code  # text: printed, and the code is 1
    assert isinstance(message, str) and message.startswith("error: ")
    assert len(message.splitlines()) == 1
    return message


# -------------------------------------------------------------------------------------- files


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"b.weight": rng.normal(size=(3, 2)).astype(np.float32), "a": np.ones(4, np.float32)}


@pytest.mark.parametrize("ending", [*ENDINGS, ".SafeTensors"])
def test_files_come_back_and_are_the_same_every_time(tmp_path: pathlib.Path, ending: str) -> None:
    path = tmp_path / "new" / f"model{ending}"
    file_formats.write_file(path, arrays(), "metadata")
    content = path.read_bytes()
    found, metadata = file_formats.read_file(path)
    assert set(found) == {"a", "b.weight"}
    for name, array in arrays().items():
        np.testing.assert_array_equal(np.asarray(found[name]), array)
    is_safetensors = ending.lower() == ".safetensors"
    assert metadata == ("metadata" if is_safetensors else None)
    file_formats.write_file(path, arrays(), "metadata")
    assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    # As others read it.
    read = safetensors.numpy.load_file if is_safetensors else torch.load
    np.testing.assert_array_equal(np.asarray(read(path)["b.weight"]), arrays()["b.weight"])


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    path = tmp_path / f"model{ending}"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InteropError, match=r"model\.\w+ cannot be written: No space left"):
        file_formats.write_file(path, arrays(), "")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def header_of(content: bytes) -> dict[str, Any]:
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length])


def with_header(content: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    header = header_of(content)
    (length,) = struct.unpack("<Q", content[:8])
    change(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def _overlap(header: dict[str, Any]) -> None:
    header["b.weight"]["data_offsets"] = [8, 32]


def _beyond(header: dict[str, Any]) -> None:
    header["b.weight"]["data_offsets"] = [16, 2**40]


def _huge(header: dict[str, Any]) -> None:
    header["b.weight"]["shape"] = [2**40, 2**40]


def _negative(header: dict[str, Any]) -> None:
    header["b.weight"]["shape"] = [-3, -2]


def _dtype(header: dict[str, Any]) -> None:
    header["b.weight"]["dtype"] = "Q7"


@pytest.mark.parametrize("change", [_overlap, _beyond, _huge, _negative, _dtype])
def test_headers_that_lie_are_refused(tmp_path: pathlib.Path, change: Any) -> None:
    path = tmp_path / "some.safetensors"
    content = safetensors_files.safetensors_bytes(arrays(), "")
    path.write_bytes(with_header(content, lambda header: None))
    assert set(file_formats.read_file(path)[0]) == {"a", "b.weight"}  # the rewriting does no harm
    path.write_bytes(with_header(content, change))
    with pytest.raises(InteropError, match=r"some\.safetensors is damaged") as caught:
        file_formats.read_file(path)
    assert len(str(caught.value)) < 1000 and "\n" not in str(caught.value)


def test_damaged_and_absurd_safetensors_are_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "some.safetensors"
    content = safetensors_files.safetensors_bytes(arrays(), "")
    damaged = [content[:length] for length in (0, 1, 8, 20, len(content) - 1)]
    damaged += [struct.pack("<Q", length) + content[8:] for length in (0, 3, 2**40, 2**64 - 1)]
    damaged += [content + b"\0", b"\0" * 5000, b"[]", b"\xff" * 100]
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(InteropError, match=r"some\.safetensors is damaged") as caught:
            file_formats.read_file(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(InteropError, match=r"there is no file .*none\.safetensors"):
        file_formats.read_file(tmp_path / "none.safetensors")
    with pytest.raises(InteropError, match="there is no file"):
        file_formats.read_file(tmp_path)
    path.write_bytes(content)
    with monkeypatch.context() as patch:
        patch.setattr(safetensors_files, "LARGEST_CHECKPOINT", 100)
        with pytest.raises(InteropError, match="more than the 100 allowed"):
            file_formats.read_file(path)
    monkeypatch.setattr(safetensors_files, "LARGEST_HEADER", 100)
    with pytest.raises(InteropError, match=r"its header claims \d+ bytes"):
        file_formats.read_file(path)


def test_values_and_types_of_a_file_are_checked(tmp_path: pathlib.Path) -> None:
    config, path = tiny_config(), tmp_path / "some.safetensors"
    good = fpliif_to_torch(random_variables(config, 0))
    name = "encoder.head.bias"
    for bad in (np.full(8, np.nan, np.float32), np.zeros(8, bool), np.zeros(8, np.complex64)):
        safetensors.numpy.save_file({**good, name: bad}, path)
        with pytest.raises(InteropError, match=rf"some\.safetensors: .*1 not arrays.*{name} "):
            read_weights(path, config)
    safetensors.numpy.save_file(
        {key: array.astype(np.float16) for key, array in good.items()}, path
    )
    halved = fpliif_to_torch(read_weights(path, config).variables)
    assert_same(halved, {key: a.astype(np.float16).astype(np.float32) for key, a in good.items()})


# ------------------------------------------------------------------------------------- command


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
def test_a_run_goes_to_a_file_and_back(
    run: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    path, new = tmp_path / f"model{ending}", tmp_path / "new"
    command(f"--workdir={run}", f"--output={path}")
    output = capsys.readouterr().out
    assert f"of the best checkpoint (step 3), sha256 {file_formats.sha256(path)}" in output
    tensors = {
        name: torch.as_tensor(value) for name, value in file_formats.read_file(path)[0].items()
    }
    FPLIIF(tiny_config().model).load_state_dict(tensors, strict=True)

    command(f"--input={path}", CONFIG, "--config.data.manual_dir=/else", f"--workdir={new}")
    trained = load_for_inference(new)
    best = load_for_inference(run)
    assert_same(trained.variables, best.variables)
    assert (trained.class_names, trained.step) == (LAPA_AND_HELEN, 0)
    assert trained.config.data.manual_dir == "/else"
    assert trained.config.model == best.config.model
    assert json.loads((new / "config.json").read_text())["data"]["manual_dir"] == "/else"
    progress = checkpoint.read_progress(new, "best")
    assert progress["note"] == f"weights of {path} (sha256 {file_formats.sha256(path)[:16]}…)"
    assert checkpoint.saved_step(new, "last") is None

    photo = np.random.default_rng(0).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    Image.fromarray(photo).resize((30, 40), Image.Resampling.BICUBIC).save(tmp_path / "a.png")
    for workdir in (run, new):
        arguments = [f"--workdir={workdir}", f"--output_dir={tmp_path / workdir.name}"]
        assert predict_main([*arguments, str(tmp_path / "a.png")]) == 0
    found, wanted = (
        np.asarray(Image.open(tmp_path / workdir.name / "a_labels.png")) for workdir in (new, run)
    )
    np.testing.assert_array_equal(found, wanted)
    assert len(np.unique(found)) >= 3


def test_the_last_checkpoint_is_written_on_request(
    run: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "last.safetensors"
    path.write_bytes(b"an older file is replaced")
    command(f"--workdir={run}", f"--output={path}", "--checkpoint=last")
    last = load_for_inference(run, "last")
    assert_same(read_weights(path, tiny_config()).variables, last.variables)
    (metadata,) = header_of(path.read_bytes())["__metadata__"].values()
    told = json.loads(metadata)
    wanted = json_config(last.config)
    for place in ("manual_dir", "data_dir", "cache_dir"):
        del wanted["data"][place]  # where things lie on this machine is not for others
    for place in ("manual_dir", "data_dir"):
        del wanted["eval"][place]
    assert told["config"] == wanted
    assert tuple(told["class_names"]) == LAPA_AND_HELEN
    assert (told["checkpoint"], told["step"]) == ("last", 4)
    assert told["whose_left"] == "picture"


@pytest.mark.parametrize(
    ("start", "is_kept"),
    [("/home/somebody/runs/seed0", False), ("weights:drawn", True), (None, True)],
)
def test_the_run_that_training_started_from_is_not_for_others(
    start: str | None, is_kept: bool
) -> None:
    config = tiny_config()
    with config.unlocked():
        config.train.init_from = start
    trained = InferenceCheckpoint(config, {}, LAPA_AND_HELEN, 0, None)
    metadata = run_weights.metadata_of(trained, "best")
    assert ("init_from" in metadata["config"]["train"]) == is_kept
    assert not re.search(r'"[^"]*/[^"]*"', json.dumps(metadata))
    assert metadata["config"]["train"].get("init_from") == (start if is_kept else None)


def test_a_file_and_the_run_made_of_it_are_evaluated_alike(
    run: pathlib.Path,
    lapa_download: pathlib.Path,
    data_dir: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    path, new, other = tmp_path / "model.safetensors", tmp_path / "new", tmp_path / "other"
    command(f"--workdir={run}", f"--output={path}")
    command(f"--input={path}", CONFIG, f"--workdir={new}")
    settings = [
        f"--config.data.manual_dir={lapa_download}",
        f"--config.data.data_dir={data_dir}",
        "--config.eval.rows=('32',)",
        "--config.eval.num_pictures=0",
    ]
    child = subprocess.run(
        [sys.executable, "-m", "fpliif_jax.main", "--mode=eval", CONFIG, *settings]
        + [f"--torch_checkpoint={path}", f"--workdir={other}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert child.returncode == 0, child.stderr
    results = json.loads((other / "results.json").read_text())
    assert any("model.safetensors (sha256" in note for note in results["notes"])

    config = tiny_config(lapa_download, data_dir).copy_and_resolve_references()
    config.eval.rows, config.eval.num_pictures = ("32",), 0
    config.eval.checkpoints = ("best",)
    dataset = load_dataset(config.data)
    evaluate(config.lock(), new, dataset)
    matrices = []
    for workdir, which in ((new, "best"), (other, "given")):
        with np.load(workdir / "evaluations" / f"test-{which}-32.npz") as file:
            matrices.append(file["confusion_matrices"])
    assert (matrices[0].sum(axis=(0, 1)) > 0).sum() >= 3  # several classes are predicted
    np.testing.assert_array_equal(matrices[1], matrices[0])
    assert json.loads((new / "results.json").read_text())["train"] is None


# ------------------------------------------------------------------------------------ refusals


def test_a_folder_that_holds_a_run_is_left_alone(run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "model.safetensors"
    command(f"--workdir={run}", f"--output={path}")
    before = sorted(run.rglob("*"))
    message = refused(f"--input={path}", CONFIG, f"--workdir={run}")
    assert f"{run} already holds a run (checkpoints)" in message
    assert [file for file in sorted(run.rglob("*")) if file.name != ".lock"] == before
    (tmp_path / "results.json").write_text("{}")
    assert "(results.json)" in refused(f"--input={path}", CONFIG, f"--workdir={tmp_path}")
    message = refused(f"--input={path}", CONFIG, f"--workdir={path}")
    assert "model.safetensors cannot be written: " in message


def test_a_config_of_another_model_is_refused(run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    path, new = tmp_path / "model.safetensors", f"--workdir={tmp_path / 'new'}"
    command(f"--workdir={run}", f"--output={path}")

    def told(**changes: Any) -> str:
        config = tiny_config().copy_and_resolve_references()
        for field, value in changes.items():
            config[field].update(value)
        with pytest.raises((InteropError, checkpoint.CheckpointError)) as caught:
            read_weights(path, config)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
        return str(caught.value)

    message = told(model={"mlp_features": (8, 9)})
    assert (
        "does not fit the config: config.model.mlp_features is (8, 9), and the weights" in message
    )
    # Of the same shapes, but another function.
    message = told(model={"ensemble": "area"})
    assert "config.model.ensemble was 'average' and is now 'area'" in message
    message = told(data={"input_scaling": "unit"})
    assert "config.data.input_scaling was 'half' and is now 'unit'" in message
    message = told(data={"name": "celebamask_hq"})
    assert (
        f"{path}: config.model.num_classes is 11; celebamask_hq with labels 'all' has 19" in message
    )
    with pytest.raises(
        InteropError, match="holds weights of 'fp_liif': use a config of that model"
    ):
        read_weights(path, tiny_icnn_config())

    message = refused(f"--input={path}", CONFIG, "--config.model.ensemble=area", new)
    assert "config.model.ensemble was 'average' and is now 'area'" in message
    message = refused(f"--input={path}", CONFIG, "--config.model.norm=group", new)
    assert "model.norm is 'group'" in message
    assert not (tmp_path / "new").exists()
    # Of cost alone.
    config = tiny_config().copy_and_resolve_references()
    with config.ignore_type():  # the number of queries may be a text, too
        config.model.update(
            query_chunk=99, remat=True, dtype="bfloat16", initializer="lecun_normal"
        )
    assert_same(read_weights(path, config).variables, load_for_inference(run).variables)


@pytest.mark.parametrize("metadata", ["", "{", "[]", "{}", '{"config": 3}', "[" * 100_000])
def test_metadata_that_is_none_of_ours_is_told(
    run: pathlib.Path, tmp_path: pathlib.Path, metadata: str
) -> None:
    config, path = tiny_config(), tmp_path / "some.safetensors"
    file_formats.write_file(path, fpliif_to_torch(random_variables(config, 0)), metadata)
    with pytest.raises(InteropError, match=r"some\.safetensors: its metadata cannot be read"):
        read_weights(path, config)


def test_weights_of_an_earlier_run_with_the_other_sides_are_refused(
    run: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "drawn.safetensors"
    command(f"--workdir={run}", f"--output={path}")
    content, metadata = file_formats.read_file(path)
    told = json.loads(metadata)
    told["config"]["data"]["synthetic"]["num_train"] = 600
    for whose_left, is_refused in (("picture", False), ("person", True), (None, True)):
        file_formats.write_file(path, content, json.dumps(told | {"whose_left": whose_left}))
        if is_refused:
            with pytest.raises(InteropError, match=r"drawn\.safetensors: its left_… .* swapped"):
                read_weights(path, tiny_config())
        else:
            assert not read_weights(path, tiny_config()).sides_are_swapped


def test_a_file_from_before_a_field_is_the_model_of_then(
    monkeypatch: pytest.MonkeyPatch, run: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """With today's default its weights would be another function, and nobody told."""
    path = tmp_path / "earlier.safetensors"
    command(f"--workdir={run}", f"--output={path}")
    content, metadata = file_formats.read_file(path)
    told = json.loads(metadata)
    assert told["config"]["model"].pop("ensemble") == "average"  # today's default
    file_formats.write_file(path, content, json.dumps(told))
    field = dataclasses.replace(config_fields.FIELDS["model.ensemble"], before="none")
    monkeypatch.setitem(config_fields.FIELDS, "model.ensemble", field)
    config = weights_of_file.config_of_file(path)
    assert config.model.ensemble == "none"
    assert_same(read_weights(path, config).variables, load_for_inference(run).variables)
    with pytest.raises(InteropError, match="ensemble was 'none' and is now 'average'"):
        read_weights(path, tiny_config())


def test_what_cannot_be_written_is_told(run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for name in ("model", "model.npz", "safetensors", "model.onnx"):
        message = refused(f"--workdir={run}", f"--output={tmp_path / name}")
        assert "ends with one of .safetensors, .pth, .pt, .pth.tar" in message
    message = refused(f"--workdir={tmp_path}", f"--output={tmp_path / 'a.pth'}")
    assert f"no 'best' checkpoint in {tmp_path}" in message
    config = tiny_icnn_config()
    save_run(tmp_path / "icnn", config, best={"params": {"a": np.zeros(2, np.float32)}})
    message = refused(f"--workdir={tmp_path / 'icnn'}", f"--output={tmp_path / 'a.pth'}")
    assert "not the variables of an STN-iCNN: params/a" in message
    diverged = jax.tree.map(lambda leaf: leaf * np.nan, random_variables(tiny_config(), 0))
    save_run(tmp_path / "diverged", tiny_config(), best=diverged)
    message = refused(f"--workdir={tmp_path / 'diverged'}", f"--output={tmp_path / 'a.pth'}")
    assert "not arrays of finite floating-point numbers: params/" in message
    (tmp_path / "file").touch()
    message = refused(f"--workdir={run}", f"--output={tmp_path / 'file' / 'a.safetensors'}")
    assert "a.safetensors cannot be written: " in message
    assert not list(tmp_path.rglob("a.*"))


def test_flags_that_do_not_go_together_are_told(tmp_path: pathlib.Path) -> None:
    run, new = f"--workdir={tmp_path}", f"--workdir={tmp_path / 'new'}"
    assert "--config.seed=1 is for --input" in refused(run, "--output=a.pth", "--config.seed=1")
    assert "--input needs --config=NAME or FILE" in refused(new, "--input=a.pth", "--config.seed=1")
    message = refused(new, "--input=a.pth", CONFIG, "--checkpoint=best")
    assert "--checkpoint is for --output" in message
    assert "unexpected argument 'photo.jpg'" in refused(run, "--output=a.pth", "photo.jpg")
    assert "there is no file a.pth" in refused(new, "--input=a.pth", CONFIG)
    message = refused(new, "--input=a.pth", CONFIG, "--config.model.featurs=3")
    assert "featurs" in message and "Did you mean" in message


def test_weights_of_other_classes_are_refused() -> None:
    config = lapa.get_config()
    names = list(LAPA_AND_HELEN)
    assert weights_of_file._class_names("x", json.dumps({"class_names": names}), config)
    names[3] = "moustache"
    with pytest.raises(
        InteropError, match="x holds weights of other classes: moustache is there what is"
    ):
        weights_of_file._class_names("x", json.dumps({"class_names": names}), config)
