"""STN-iCNN as ONNX: crops, networks and the way back in one graph, with the values that JAX has."""

import dataclasses
import pathlib
import runpy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import untrained_models
from blotchy_photos import make_photo
from needs_onnx import onnx
from PIL import Image

from fpliif_jax import FaceParser, systems
from fpliif_jax.export import network_files, write
from fpliif_jax.export.network_files import ExportError
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems.network_function import NetworkFunction
from fpliif_jax.weights.trained_model import ChosenModel

CANVAS = untrained_models.CANVAS
EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "onnx_only.py"
_OTHER_CHOICES = {
    "cropper": "centroid", "coarse_alignment": "corners", "coarse_size": 35, "mouth_crop_size": 11,
    "theta_form": "eq21", "pool_size": 2, "interlink_convs": 2, "head_norms": 0, "dtype": "bfloat16",
}  # fmt: skip


@pytest.fixture(scope="module")
def trained() -> InferenceCheckpoint:
    return untrained_models.stn_icnn_checkpoint()


@pytest.fixture(scope="module")
def parser(trained: InferenceCheckpoint) -> FaceParser:
    return FaceParser(trained)


def network_of(trained: InferenceCheckpoint, examples: int) -> NetworkFunction:
    network = systems.of(trained.config).make_network_functions(trained)["model"]
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
    assert found.positions == CANVAS**2
    assert found.differing <= found.positions // 1000 >= found.others
    operators = {node.op_type for node in onnx.load_from_string(content).graph.node}
    assert not operators & {"GridSample", "Loop", "Scan", "If", "Einsum"}


def test_float16_halves_the_weights_and_rounds_them_alone(trained: InferenceCheckpoint) -> None:
    """The values are those of a file of the rounded weights to the last bit: they are computed in float32."""
    variables = network_files.rounded_to_float16(trained.variables)
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
    assert "where rounding decides which of two pixels is nearer" in lines[0]
    assert lines[0].endswith("labels differ, at 6 sizes")
    assert {path.name for path in folder.iterdir()} == {"README.md", "config.json", "model.onnx"}
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
    assert "# STN-iCNN: 9 classes" in card and "safetensors" not in card
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


@pytest.mark.parametrize(("count", "is_far"), [(2, False), (3, True)])
def test_few_positions_may_take_another_of_the_nearest_values(
    trained: InferenceCheckpoint, count: int, is_far: bool
) -> None:
    """2 of 48² are less than one in a thousand, 3 are more."""

    def call(canvas: np.ndarray, image_size: np.ndarray) -> list[np.ndarray]:
        values = np.array(network.call(canvas, image_size)[0])
        values.reshape(-1, 9)[:count] += 1
        return [values]

    network = dataclasses.replace(
        network_of(trained, 1), call=lambda *_: [np.zeros((48, 48, 9), "f")]
    )
    if is_far:
        with pytest.raises(ExportError, match="too far"):
            network_files.differences(network, call, "model.onnx")
    else:
        assert network_files.differences(network, call, "model.onnx").others == count
    strict = dataclasses.replace(network, takes_nearest=False)
    with pytest.raises(ExportError, match="too far"):
        network_files.differences(strict, call, "model.onnx")
