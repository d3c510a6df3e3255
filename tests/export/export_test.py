"""Exported files hold the function of the network, at every size, and nothing of this machine."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from needs_onnx import onnx, onnxruntime
from PIL import Image
from tiny_icnn_run import tiny_icnn_config
from tiny_run import tiny_config

from fpliif_jax import systems
from fpliif_jax.data_builders import class_names
from fpliif_jax.export import __main__ as command
from fpliif_jax.export import float16_storage, model_card, network_files, write
from fpliif_jax.export.network_files import ExportError
from fpliif_jax.interop import read_weights
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems.fp_liif import network_functions
from fpliif_jax.weights import model_cards, shipped, trained_model
from fpliif_jax.weights.trained_model import ChosenModel

ROOT = pathlib.Path(__file__).parents[2]
NAMES = class_names.LAPA_AND_HELEN
FEW_SIZES = ((5, 9), (1, 1))


def chosen(config: Any = None, origin: str = "somewhere", **changes: Any) -> ChosenModel:
    """A tiny model with random weights of the usual size, labels of all kinds in every picture."""
    config = tiny_config() if config is None else config
    with config.unlocked():
        config.model.update(changes)
    model = systems.create_model(config.model)
    shapes = systems.of(config).network.input_shapes(config.model, config.data.image_size)
    rng = np.random.default_rng(0)

    def draw(leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        if leaf.ndim == 1:
            return rng.uniform(0.1, 1, leaf.shape).astype(np.float32)
        values = rng.normal(size=leaf.shape) * (2 / np.prod(leaf.shape[:-1])) ** 0.5
        return values.astype(np.float32)

    variables = jax.tree.map(draw, jax.eval_shape(model.init, jax.random.key(0), *shapes))
    names = NAMES if config.data.labels == "all" else class_names.FACIAL_PARTS
    trained = InferenceCheckpoint(config, variables, names, 7, None)
    return ChosenModel(trained, "best", origin, "tiny")


@pytest.fixture(autouse=True)
def _few_sizes(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling for six sizes takes most of the time, and one test has them."""
    monkeypatch.setattr(network_functions, "_EXAMPLE_SIZES", FEW_SIZES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder for a hub."""
    output = tmp_path_factory.mktemp("export") / "hub"
    config = tiny_config()
    with config.unlocked():
        config.train.init_from = "/home/somebody/runs/seed0"
    lines = write.export(chosen(config), "hub", output, parts=False, float16=False)
    assert "labels differ, at 6 sizes" in lines[1]
    return output


def query_logits(model: ChosenModel, photo: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Logits point by point, as the model's `query` gives them."""
    network = systems.create_model(model.trained.config.model)
    images = jnp.asarray(photo, jnp.float32)[None] / 127.5 - 1
    points = jnp.stack(jnp.meshgrid(y, x, indexing="ij"), axis=-1).reshape(1, -1, 2)
    logits = network.apply(model.trained.variables, images, points, method="query")
    return np.asarray(logits).reshape(len(y), len(x), -1)


# ------------------------------------------------------------------------------------------- onnx


@pytest.mark.parametrize(
    "changes",
    [
        {"ensemble": "area", "position": "relative", "sampling": "nearest"},
        {"ensemble": "none", "norm": "batch", "norm_affine": True},
        {"unfold": False, "rcmlp": False, "global_feature": False, "dtype": "bfloat16"},
        {"decoder": "conv_unet"},
    ],
    ids=lambda changes: ",".join(map(str, changes.values())),
)
def test_settings_are_in_the_graph(changes: dict[str, Any]) -> None:
    networks = systems.of_name("fp_liif").inference.make_network_functions(
        chosen(**changes).trained
    )
    content = network_files.onnx_bytes(networks["model"], "{}")
    call = network_files.onnx_call(content)
    differences = network_files.differences(networks["model"], call, "model.onnx")
    assert differences.positions == sum(height * width for height, width in FEW_SIZES)
    assert differences.differing <= 1  # a tie


def test_one_file_answers_at_any_size_as_queries_do(folder: pathlib.Path) -> None:
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    rng = np.random.default_rng(1)
    photo = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    y, x = (np.sort(rng.uniform(-1, 1, n)).astype(np.float32) for n in (19, 7))
    (logits,) = session.run(["logits"], {"photo": photo, "y": y, "x": x})
    np.testing.assert_allclose(logits, query_logits(chosen(), photo, y, x), rtol=0, atol=1e-4)


def test_the_graph_is_plain_and_says_nothing_of_this_machine(folder: pathlib.Path) -> None:
    content = (folder / "model.onnx").read_bytes()
    model = onnx.load_from_string(content)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 13)]
    operators = {node.op_type for node in model.graph.node}
    assert not operators & {"GridSample", "Loop", "Scan", "If", "Einsum"}
    shapes = {
        one.name: [size.dim_param or size.dim_value for size in one.type.tensor_type.shape.dim]
        for one in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {"photo": [32, 32, 3], "y": ["h"], "x": ["w"], "logits": ["h", "w", 11]}
    for text in (os.fspath(ROOT), os.path.expanduser("~"), os.getcwd(), ".py", "Traceback"):
        if len(text) >= 3:  # "/", the home of a container's user, is in any file
            assert text.encode() not in content, text
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    (entry,) = model.metadata_props
    metadata = json.loads(entry.value)
    assert metadata["class_names"] == list(NAMES)
    assert (metadata["image_size"], metadata["bicubic"], metadata["step"]) == (32, "pillow", 7)
    assert metadata["colours"][1] == "#f4c6a0" and len(metadata["colours"]) == 11
    assert "manual_dir" not in metadata["config"]["data"]


def test_encoder_and_decoder_are_the_model(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    lines = write.export(chosen(), "onnx", tmp_path / "parts", parts=True, float16=False)
    assert [line.split(":")[0] for line in lines] == [
        str(tmp_path / "parts" / name) for name in ("encoder.onnx", "decoder.onnx")
    ]
    photo = np.random.default_rng(2).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    y, x = np.float32([-0.5, 0.1]), np.float32([0.2, 0.3, 0.9])
    whole, encoder, decoder = (
        onnxruntime.InferenceSession(path)
        for path in (folder / "model.onnx", *(tmp_path / "parts").glob("*coder.onnx"))
    )
    if encoder.get_inputs()[0].name != "photo":
        encoder, decoder = decoder, encoder
    (expected,) = whole.run(None, {"photo": photo, "y": y, "x": x})
    (latent,) = encoder.run(["latent_grid"], {"photo": photo})
    (logits,) = decoder.run(["logits"], {"latent_grid": latent, "y": y, "x": x})
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5)


def test_float16_halves_the_weights_and_rounds_them_alone(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (line,) = write.export(chosen(), "onnx", tmp_path / "half", parts=False, float16=True)
    half, whole = (onnx.load(path / "model.onnx") for path in (tmp_path / "half", folder))

    def size(model: onnx.ModelProto) -> int:
        return sum(len(one.raw_data) for one in model.graph.initializer)

    assert size(half) < 0.6 * size(whole)
    assert all(
        one.type.tensor_type.elem_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8)
        for one in (*half.graph.input, *half.graph.output)
    )
    (entry,) = half.metadata_props
    told = json.loads(entry.value)["float16"]
    assert told["labels"] == sum(height * width for height, width in FEW_SIZES)
    assert 0 < told["largest_difference"] < 0.1 and told["labels_changed"] <= told["labels"]
    assert f"changes {told['labels_changed']:,} of {told['labels']:,} labels" in line
    assert "float16" not in json.loads(whole.metadata_props[0].value)
    rounded = chosen()
    variables = float16_storage.rounded_to_float16(rounded.trained.variables)
    rounded = rounded._replace(trained=dataclasses.replace(rounded.trained, variables=variables))
    photo = np.full((32, 32, 3), 90, np.uint8)
    y = x = np.linspace(-1, 1, 9, dtype=np.float32)
    session = onnxruntime.InferenceSession(tmp_path / "half" / "model.onnx")
    (logits,) = session.run(None, {"photo": photo, "y": y, "x": x})
    np.testing.assert_allclose(logits, query_logits(rounded, photo, y, x), rtol=0, atol=1e-4)
    with pytest.raises(ExportError, match="--float16: some weights are beyond its range"):
        float16_storage.rounded_to_float16({"kernel": np.float32([1e6])})


def test_stn_icnn_as_stablehlo_and_not_in_parts(tmp_path: pathlib.Path) -> None:
    model = chosen(tiny_icnn_config())
    with pytest.raises(ExportError, match="--parts: STN-iCNN is one network"):
        write.export(model, "onnx", tmp_path / "onnx", parts=True, float16=False)
    network = systems.of(model.trained.config).inference.make_network_functions(model.trained)[
        "model"
    ]
    exported = jax.export.deserialize(bytearray(network_files.stablehlo_bytes(network)))
    assert [aval.shape for aval in exported.in_avals] == [(48, 48, 3), (2,)]
    assert [aval.shape for aval in exported.out_avals] == [(48, 48, 9), (6, 4)]
    assert {aval.dtype for aval in exported.out_avals} == {np.dtype(np.float32)}
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------------------- stablehlo


def test_stablehlo_is_read_by_jax_alone_at_any_size(tmp_path: pathlib.Path) -> None:
    (line, _) = write.export(chosen(), "stablehlo", tmp_path / "out", parts=False, float16=False)
    assert "labels differ, at 2 sizes" in line
    program = """
import sys
sys.modules["fpliif_jax"] = None
import jax, numpy as np
exported = jax.export.deserialize(bytearray(open(sys.argv[1], "rb").read()))
assert exported.platforms == ("cpu", "cuda", "tpu")
photo = np.full((32, 32, 3), 90, np.uint8)
(logits,) = exported.call(photo, np.linspace(-1, 1, 5, dtype="f"), np.linspace(-1, 1, 3, dtype="f"))
np.save(sys.argv[2], logits)
"""
    file, result = tmp_path / "out" / "model.stablehlo", tmp_path / "logits.npy"
    subprocess.run([sys.executable, "-c", program, file, result], check=True, cwd=tmp_path)
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in (5, 3))
    expected = query_logits(chosen(), np.full((32, 32, 3), 90, np.uint8), y, x)
    np.testing.assert_allclose(np.load(result), expected, rtol=0, atol=1e-4)
    assert os.fspath(ROOT).encode() not in file.read_bytes()
    assert json.loads((tmp_path / "out" / "model.json").read_text())["title"] == "FP-LIIF"


# --------------------------------------------------------------------------- folders, safetensors


def test_a_hub_s_folder(folder: pathlib.Path) -> None:
    assert {path.name for path in folder.iterdir()} == {
        "README.md", "config.json", "model.onnx", "model.safetensors",
    }  # fmt: skip
    assert not any(b"somebody" in path.read_bytes() for path in folder.iterdir())
    weights = read_weights(folder / "model.safetensors", tiny_config())
    expected = chosen().trained.variables
    assert jax.tree.all(jax.tree.map(np.array_equal, weights.variables, expected))
    assert json.loads((folder / "config.json").read_text())["model"]["features"] == 8
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: fpliif_jax\n") and "No results are recorded." in card


def write_results(workdir: pathlib.Path, drawn: bool, notes: Sequence[str] = ()) -> None:
    """Both checkpoints of a run on LaPa or drawn faces, each with a row of which there is no mean F1."""
    evaluations = [
        {
            "split": "test", "checkpoint": checkpoint, "row": row, "images": 5,
            "mean_f1": f1, "miou": 0.25, "per_image_mean_f1": 0.4, "group_f1": {},
        }
        for checkpoint, row, f1 in (
            ("best", "32", 0.5), ("best", "64", None), ("last", "32", 0.75), ("last", "64", None),
        )
    ]  # fmt: skip
    dataset = {"name": "lapa", "drawn": drawn}
    results = {"evaluations": evaluations, "dataset": dataset, "notes": list(notes)}
    (workdir / "results.json").write_text(json.dumps(results))
    (workdir / "environment.json").write_text(json.dumps({"data_drawn": drawn}))


def model_index(card: str) -> dict[str, Any]:
    """What hubs read of a card's scores."""
    index = next(line for line in card.splitlines() if line.startswith("model-index: "))
    (one,) = json.loads(index.partition(": ")[2])[0]["results"]
    return one


@pytest.mark.parametrize(
    ("checkpoint", "f1", "other"), [("best", 50.0, 75.0), ("last", 75.0, 50.0)]
)
@pytest.mark.parametrize("drawn", [True, False])
def test_a_hub_s_card_has_the_results_of_its_checkpoint(
    tmp_path: pathlib.Path, checkpoint: str, f1: float, other: float, drawn: bool
) -> None:
    write_results(tmp_path, drawn)
    card = model_card.text(chosen(origin=str(tmp_path))._replace(checkpoint=checkpoint))
    index = model_index(card)
    (metric,) = index["metrics"]
    assert (metric["name"], metric["value"]) == ("mean F1, test, 32", f1 / 100)
    assert f"{f1:.2f}" in card and f"{other:.2f}" not in card and "–" not in card
    assert ("the faces are drawn" in card) == drawn
    name = "drawn faces in the layout of lapa" if drawn else "lapa"
    assert f"trained on {name}.\n" in card
    assert index["dataset"] == {"name": name, "type": "drawn_faces" if drawn else "lapa"}
    assert "license" not in card and str(tmp_path) not in card and "pypi.org" not in card


def test_a_hub_s_card_of_a_run_on_drawn_faces_scored_on_photographs(tmp_path: pathlib.Path) -> None:
    write_results(tmp_path, False)
    (tmp_path / "environment.json").write_text('{"data_drawn": true}')
    card = model_card.text(chosen(origin=str(tmp_path)))
    assert "trained on drawn faces in the layout of lapa.\n" in card
    assert model_index(card)["dataset"]["name"] == "lapa"


def test_a_hub_s_card_does_not_call_the_scored_set_drawn_because_the_other_is(
    tmp_path: pathlib.Path,
) -> None:
    """Where the prepared set of an earlier version does not say whether its faces are drawn."""
    write_results(tmp_path, False)
    path = tmp_path / "results.json"
    results = json.loads(path.read_text())
    results["dataset"] = {"name": "helen"}
    results["config"] = {"data": {"synthetic": {"num_train": 13}}, "eval": {"dataset": "helen"}}
    path.write_text(json.dumps(results))
    card = model_card.text(chosen(origin=str(tmp_path)))
    assert model_index(card)["dataset"] == {"name": "helen", "type": "helen"}


def test_a_hub_s_card_of_weights_of_the_package(tmp_path: pathlib.Path) -> None:
    model = chosen(origin="--weights=drawn")
    note = shipped.shipped("drawn").note
    card = model_card.text(model._replace(trained=dataclasses.replace(model.trained, note=note)))
    assert "\nlicense: apache-2.0\n" in card and f": {note}.\n" in card
    assert "trained on lapa" not in card and "No results" not in card
    own = model_cards.read("drawn")
    assert own.purpose in card and own.not_for in card and own.photographs in card
    assert own.drawing in card and own.worst_group.sentence in card
    titles = [scored.title for scored in own.scores]
    assert f"| class | {' | '.join(titles)} |" in card
    for name in ("hair", "mean"):
        assert f"| {name} | {' | '.join(str(scored.f1[name]) for scored in own.scores)} |" in card
    (index,) = yaml.safe_load(card.split("---\n")[1])["model-index"]
    metrics = [one["metrics"][0] for one in index["results"]]
    assert [metric["value"] for metric in metrics] == [0.9143, 0.9177, 0.7601]
    assert [metric["name"].split(", ")[1] for metric in metrics] == ["test", "test", "validation"]
    assert index["results"][2]["dataset"]["type"] == "celebamask_hq"


def test_a_hub_s_card_of_a_run_made_of_a_file_does_not_say_where_it_lay(
    tmp_path: pathlib.Path,
) -> None:
    note = "weights of /home/somebody/a (1)/model.pth (sha256 0123…)"
    write_results(tmp_path, True, [note, "the test split is missing"])
    model = chosen(origin=str(tmp_path))
    card = model_card.text(model._replace(trained=dataclasses.replace(model.trained, note=note)))
    assert "somebody" not in card and "note: the test split is missing" in card
    assert ": weights of a file (sha256 0123…).\n" in card and "trained on" not in card


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("results.json", '{"evaluations": 3}'),
        ("results.json", "[]"),
        ("environment.json", "[]"),
        ("environment.json", "{"),
    ],
)
def test_a_hub_s_card_of_damaged_records_is_one_line(
    tmp_path: pathlib.Path, name: str, content: str
) -> None:
    write_results(tmp_path, True)
    (tmp_path / name).write_text(content)
    with pytest.raises(ExportError, match=rf"{name} is damaged or of another program") as caught:
        model_card.text(chosen(origin=str(tmp_path)))
    assert "\n" not in str(caught.value)


def test_a_hub_s_example_labels_a_photo_that_lies_on_its_side(
    folder: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = np.random.default_rng(4).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90° when shown
    Image.fromarray(photo).save(tmp_path / "photo.jpg", exif=exif)
    (tmp_path / "model.onnx").symlink_to(folder / "model.onnx")
    monkeypatch.chdir(tmp_path)
    code = (folder / "README.md").read_text().split("```python\n")[1].split("```")[0]
    values: dict[str, Any] = {}
    exec(code, values)
    assert values["labels"].shape == (30, 20) and values["names"] == list(NAMES)


def test_a_hub_is_of_pillow_s_bicubic_filter(tmp_path: pathlib.Path) -> None:
    config = tiny_config()
    with config.unlocked():
        config.data.bicubic = "pytorch"
    with pytest.raises(ExportError, match=r"--format=hub.*'pytorch'.*--format=onnx") as caught:
        write.export(chosen(config), "hub", tmp_path / "out", parts=False, float16=False)
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["logits", "labels", "shape"])
def test_nothing_is_left_where_a_file_differs_from_jax(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    right = network_files.onnx_call

    def wrong_call(content: bytes) -> network_files.Call:
        def call(*inputs: np.ndarray) -> list[np.ndarray]:
            (logits,) = right(content)(*inputs)
            changed = {"logits": logits + np.float32(1e-3), "shape": logits[:, :0]}
            return [changed.get(damage, logits[..., ::-1])]

        return call

    monkeypatch.setattr(network_files, "onnx_call", wrong_call)
    with pytest.raises(ExportError, match=r"model\.onnx"):
        write.export(chosen(), "onnx", tmp_path / "out", parts=False, float16=False)
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------------------- command


def test_an_existing_folder_is_not_touched_and_a_missing_run_is_one_line(
    tmp_path: pathlib.Path,
) -> None:
    for arguments, message in (
        (["--weights=drawn", f"--output={tmp_path}"], "exists already"),
        ([f"--workdir={tmp_path}", f"--output={tmp_path / 'new'}"], "no 'best' checkpoint in"),
        (["--weights=none", f"--output={tmp_path / 'new'}"], "there are no weights 'none'"),
    ):
        with pytest.raises(SystemExit, match=message) as ended:
            command.main(["--format=onnx", *arguments])
        assert "\n" not in str(ended.value)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_its_extra(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("jaxpr_to_onnx", "onnx_graph"):
        monkeypatch.delitem(sys.modules, f"fpliif_jax.export.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trained_model, "load", lambda flags: chosen())
    with pytest.raises(SystemExit, match=r'needs onnx: pip install "fpliif_jax\[export\]"'):
        command.main(["--format=onnx", "--weights=drawn", "--output=new"])
    assert list(tmp_path.iterdir()) == []
