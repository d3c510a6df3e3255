"""STN-iCNN as ONNX: crops, networks and the way back in one graph, with the values that JAX has."""

import dataclasses
import pathlib
import runpy
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import untrained_models
from blotchy_photos import make_photo
from needs_onnx import onnx
from PIL import Image

from fpliif_jax import FaceParser, systems, weights
from fpliif_jax.export import float16_storage, network_files, write
from fpliif_jax.export.network_files import ExportError
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems.network_function import NetworkFunction
from fpliif_jax.weights.trained_model import ChosenModel

CANVAS = untrained_models.CANVAS
EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "onnx_only.py"
_OTHER_CHOICES = {
    "cropper": "centroid", "coarse_alignment": "corners", "coarse_size": 35, "mouth_crop_size": 11,
    "theta_form": "eq21", "pool_size": 2, "interlink_convs": 2, "head_norms": 1, "dtype": "bfloat16",
}  # fmt: skip


@pytest.fixture(scope="module")
def trained() -> InferenceCheckpoint:
    return untrained_models.stn_icnn_checkpoint()


@pytest.fixture(scope="module")
def parser(trained: InferenceCheckpoint) -> FaceParser:
    return FaceParser(trained)


def network_of(trained: InferenceCheckpoint, examples: int) -> NetworkFunction:
    network = systems.of(trained.config).inference.make_network_functions(trained)["model"]
    return dataclasses.replace(network, examples=network.examples[-examples:])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        _OTHER_CHOICES,
    ],
    ids=["paper", "centroid"],
)  # fmt: skip
def test_values_are_those_of_jax(changes: dict[str, Any]) -> None:
    trained = untrained_models.stn_icnn_checkpoint(**changes)
    network = network_of(trained, 1)
    content = network_files.onnx_bytes(network, "{}")
    found = network_files.differences(network, network_files.onnx_call(content), "model.onnx")
    assert found.positions == CANVAS**2  # of labels, not of windows
    assert found.differing <= found.positions // 1000 >= found.others
    operators = {node.op_type for node in onnx.load_from_string(content).graph.node}
    assert not operators & {"GridSample", "Loop", "Scan", "If", "Einsum"}


def test_float16_halves_the_weights_and_rounds_them_alone(trained: InferenceCheckpoint) -> None:
    """The values are those of a file of the rounded weights to the last bit: they are computed in float32."""
    variables = float16_storage.rounded_to_float16(trained.variables)
    network = network_of(dataclasses.replace(trained, variables=variables), 1)
    half, whole = (network_files.onnx_bytes(network, "{}", stores) for stores in (True, False))
    sizes = [
        sum(len(one.raw_data) for one in onnx.load_from_string(content).graph.initializer)
        for content in (half, whole)
    ]
    assert sizes[0] < 0.6 * sizes[1]
    values = [network_files.onnx_call(one)(*network.examples[0])[0] for one in (half, whole)]
    np.testing.assert_array_equal(*values)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, trained: InferenceCheckpoint) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("export") / "hub"
    model = ChosenModel(trained, "best", "somewhere", "tiny")
    lines = write.export(model, "hub", folder, parts=False, float16=False)
    (checked,) = (line for line in lines if "model.onnx" in line)
    assert "where rounding decides which of two pixels is nearer" in checked
    assert checked.endswith("labels differ, at 6 sizes")
    names = {"README.md", "config.json", "model.onnx", "model.safetensors"}
    assert {path.name for path in folder.iterdir()} == names
    return folder


@pytest.mark.parametrize("size", [(40, 30), (70, 51)], ids=["on the canvas", "larger"])
def test_a_hub_s_example_labels_as_predict_does(
    hub: pathlib.Path,
    parser: FaceParser,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    size: Sequence[int],
) -> None:
    photo = make_photo(*size)
    Image.fromarray(photo).save(tmp_path / "photo.jpg", quality=100, subsampling=0)
    (tmp_path / "model.onnx").symlink_to(hub / "model.onnx")
    monkeypatch.chdir(tmp_path)
    values: dict[str, Any] = {}
    card = (hub / "README.md").read_text()
    assert "# STN-iCNN: 9 classes" in card and "model.safetensors" in card
    exec(card.split("```python\n")[1].split("```")[0], values)
    labels = parser("photo.jpg", size=values["labels"].shape).labels
    assert max(labels.shape) <= CANVAS and len(np.unique(labels)) > 2
    assert (values["labels"] == labels).mean() > 0.99
    assert values["names"] == list(untrained_models.PARTS)


@pytest.mark.parametrize("output_size", [(70, 51), (33, 64)])
def test_the_example_without_this_package_labels_as_predict_does(
    hub: pathlib.Path, parser: FaceParser, output_size: tuple[int, int]
) -> None:
    example = runpy.run_path(str(EXAMPLE))
    (session,), metadata = example["load"](hub)
    photo = Image.fromarray(make_photo(70, 51))
    data = metadata["config"]["data"]
    labels = example["label_on_canvas"](session, photo, data, list(output_size))
    assert labels.dtype == np.uint8 and len(np.unique(labels)) > 2
    expected = parser(photo, size=output_size).labels
    assert (labels == expected).mean() > 0.99


@pytest.mark.parametrize(
    ("count", "takes", "is_far"), [(2, "beside", False), (3, "beside", True), (1, "else", True)]
)
def test_few_positions_may_take_the_value_beside_them(
    trained: InferenceCheckpoint, count: int, takes: str, is_far: bool
) -> None:
    """2 of 48² are less than one in a thousand, 3 are more."""
    right = np.zeros((48, 48, 9), np.float32)
    right[24:] = 1

    def call(canvas: np.ndarray, image_size: np.ndarray) -> list[np.ndarray]:
        values = right.copy()
        values[23, :count] = 1 if takes == "beside" else 0.5
        return [values]

    network = dataclasses.replace(
        network_of(trained, 1), call=lambda *_: [jnp.asarray(right)], outputs=("probabilities",)
    )
    if is_far:
        with pytest.raises(ExportError, match="too far"):
            network_files.differences(network, call, "model.onnx")
    else:
        assert network_files.differences(network, call, "model.onnx").others == count
    strict = dataclasses.replace(network, takes_nearest=False)
    with pytest.raises(ExportError, match="too far"):
        network_files.differences(strict, call, "model.onnx")


@pytest.mark.parametrize(("error", "is_far"), [(5e-4, False), (1e-2, True)])
def test_a_file_may_be_as_far_from_jax_as_rounding_takes_jax_itself(
    error: float, is_far: bool
) -> None:
    """float32 adds to 4096 in steps of 4.9e-4."""
    values = np.linspace(0, 1, 90, dtype=np.float32).reshape(10, 9)
    rounded = np.asarray((jnp.asarray(values) + 4096) - 4096)
    assert network_files.TOLERANCE < np.abs(rounded - values).max() < 2.5e-4
    spec = {"x": jax.ShapeDtypeStruct(values.shape, jnp.float32)}
    network = NetworkFunction(
        lambda x: [jax.lax.optimization_barrier(x + 4096) - 4096], spec, ("y",), [(values,)]
    )

    def call(x: np.ndarray) -> list[np.ndarray]:
        return [rounded + np.float32(error)]

    if is_far:
        with pytest.raises(ExportError, match="too far"):
            network_files.differences(network, call, "model.onnx")
    else:
        found = network_files.differences(network, call, "model.onnx")
        assert found.rounding == np.abs(rounded - values.astype(np.float64)).max()


def test_rounding_is_that_of_all_examples() -> None:
    """One that float32 adds to 4096 without any says nothing of the others."""
    inexact = np.linspace(0, 1, 90, dtype=np.float32).reshape(10, 9)
    exact = np.round(inexact * 1024) / 1024
    spec = {"x": jax.ShapeDtypeStruct(inexact.shape, jnp.float32)}
    network = NetworkFunction(
        lambda x: [jax.lax.optimization_barrier(x + 4096) - 4096], spec, ("y",), [(exact,)]
    )

    def call(x: np.ndarray) -> list[np.ndarray]:
        return [np.asarray(network.call(x)[0]) + np.float32(5e-4)]

    with pytest.raises(ExportError, match="too far"):
        network_files.differences(network, call, "model.onnx")
    both = dataclasses.replace(network, examples=[(exact,), (inexact,)])
    assert 2e-4 < network_files.differences(both, call, "model.onnx").rounding < 2.5e-4


@pytest.mark.slow
def test_the_weights_of_the_package_are_written_as_onnx() -> None:
    trained = weights.load("drawn_stn_icnn")
    network = network_of(trained, 6)
    found = network_files.differences(
        network, network_files.onnx_call(network_files.onnx_bytes(network, "{}")), "model.onnx"
    )
    assert found.positions == 6 * 128**2
    assert found.differing <= found.positions // 10_000


def test_a_damaged_weight_is_noticed(
    trained: InferenceCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of a hundred of any convolution, as of a wrong stride or a wrong scale."""
    network = network_of(trained, 1)
    # JAX's own rounding is the same whatever is damaged, and takes long to compile.
    own = network_files._own_rounding(network, jax.jit(network.call))
    monkeypatch.setattr(network_files, "_own_rounding", lambda *_: own)
    content = network_files.onnx_bytes(network, "{}")
    names = [
        node.input[1]
        for node in onnx.load_from_string(content).graph.node
        if node.op_type == "Conv"
    ]
    for name in names[:: len(names) // 3]:
        model = onnx.load_from_string(content)
        (kernel,) = (one for one in model.graph.initializer if one.name == name)
        wrong = onnx.numpy_helper.to_array(kernel) * np.float32(1.1)
        kernel.CopyFrom(onnx.numpy_helper.from_array(wrong, name))
        with pytest.raises(ExportError, match="too far"):
            call = network_files.onnx_call(model.SerializeToString())
            network_files.differences(network, call, "model.onnx")


def test_float16_labels_that_are_no_ties_count_as_changed() -> None:
    right = np.float32([[1, 0], [0.5, 0.50001], [1, 0.9], [0, 1]])
    other = np.float32([[0, 1], [0.50001, 0.5], [1, 0.8], [0, 1]])
    exact, rounded = (
        NetworkFunction(lambda values=values: [jnp.asarray(values)], {}, ("y",), [()])
        for values in (right, other)
    )
    assert float16_storage.changes(exact, rounded) == (1, 1, 4, 1.0)
