"""The example labels photos without JAX, as the package does."""

import pathlib
import subprocess
import sys

import jax
import needs_onnx  # noqa: F401 - skips where it is not installed
import numpy as np
import pytest
from PIL import Image
from tiny_run import tiny_config

from fpliif_jax import systems
from fpliif_jax.data_builders import class_names
from fpliif_jax.export import write
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems.fp_liif import network_functions
from fpliif_jax.weights.trained_model import ChosenModel

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "onnx_only.py"
# What only this package needs cannot be imported, and neither can the package.
WITHOUT_JAX = """
import runpy, sys
for name in ("jax", "jaxlib", "flax", "optax", "ml_collections", "absl", "fpliif_jax", "onnx"):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def trained() -> InferenceCheckpoint:
    """A tiny model with random weights that sees all classes somewhere."""
    config = tiny_config()
    model = systems.create_model(config.model)
    shape = jax.ShapeDtypeStruct((1, 32, 32, 3), np.float32)
    rng = np.random.default_rng(3)

    def draw(leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        spread = (2 / np.prod(leaf.shape[:-1])) ** 0.5 if leaf.ndim > 1 else 0.3
        return (rng.normal(size=leaf.shape) * spread).astype(np.float32)

    variables = jax.tree.map(draw, jax.eval_shape(model.init, jax.random.key(0), shape))
    return InferenceCheckpoint(config, variables, class_names.LAPA_AND_HELEN, 0, None)


def run(*arguments: str | pathlib.Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_JAX, EXAMPLE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=check)


@pytest.mark.parametrize("parts", [False, True])
def test_labels_are_those_of_predict(
    tmp_path: pathlib.Path,
    trained: InferenceCheckpoint,
    monkeypatch: pytest.MonkeyPatch,
    parts: bool,
) -> None:
    monkeypatch.setattr(network_functions, "_EXAMPLE_SIZES", ((4, 4),))
    model = ChosenModel(trained, "best", "", "")
    write.export(model, "onnx", tmp_path / "model", parts=parts, float16=False)
    smooth = np.random.default_rng(0).integers(0, 256, (6, 5, 3)).astype(np.uint8)
    photo = Image.fromarray(smooth).resize((300, 400), Image.Resampling.BICUBIC)
    photo.save(tmp_path / "photo.png")
    done = run(tmp_path / "model", tmp_path / "photo.png", tmp_path / "labels.png")
    with Image.open(tmp_path / "labels.png") as picture:
        assert picture.mode == "P" and picture.getpalette()[:6] == [24, 26, 34, 244, 198, 160]
        labels = np.asarray(picture)
    labeller = systems.of(trained.config).inference.make_labeller(trained)
    inputs = labeller.network_input(np.asarray(photo))
    expected = labeller.label({"images": inputs["images"][None]}, (400, 300))[0]
    assert len(np.unique(expected)) > 2
    assert (labels == expected).mean() >= 0.999
    named = [part.rpartition(" ")[0] for part in done.stdout.strip().split(", ")]
    assert named == [trained.class_names[label] for label in np.unique(labels)]


def test_what_is_no_model_of_ours_is_one_line(tmp_path: pathlib.Path) -> None:
    (tmp_path / "damaged.onnx").write_bytes(b"\x08\x08damaged")
    Image.new("RGB", (4, 4)).save(tmp_path / "photo.png")
    for model in ("damaged.onnx", "missing.onnx"):
        done = run(tmp_path / model, tmp_path / "photo.png", tmp_path / "labels.png", check=False)
        assert done.returncode == 1
        (line,) = [line for line in done.stderr.splitlines() if not line.startswith("\x1b")]
        assert line.startswith(f"error: {tmp_path / model}: not a model that this program can use")
        assert not (tmp_path / "labels.png").exists()


def test_each_fault_is_blamed_on_what_is_at_fault(
    tmp_path: pathlib.Path, trained: InferenceCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_functions, "_EXAMPLE_SIZES", ((4, 4),))
    write.export(ChosenModel(trained, "best", "", ""), "onnx", tmp_path / "model", False, False)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no picture")
    Image.new("RGB", (4, 4)).save(tmp_path / "photo.png")
    for model, photo, labels, size, message in (
        ("empty", "photo.png", "labels.png", "4x4", f"{tmp_path / 'empty'}: has no .onnx file"),
        ("model", "photo.png", "labels.png", "4", "--output_size=4: give HEIGHTxWIDTH"),
        ("missing", "missing", "labels.png", "4x0", "--output_size=4x0: give HEIGHTxWIDTH"),
        ("missing", "missing", "labels.png", "ax4", "--output_size=ax4: give HEIGHTxWIDTH"),
        ("missing", "missing", "labels.png", "9999999x9999", "--output_size=9999999x9999: more than"),
        ("model", "text.png", "labels.png", "4x4", f"{tmp_path / 'text.png'}: cannot be read: "),
        ("model", "photo.png", "labels.jpg", "4x4", f"{tmp_path / 'labels.jpg'}: must end with .png"),
        ("model", "photo.png", "no/labels.png", "4x4", f"{tmp_path / 'no/labels.png'}: cannot be written: "),
    ):  # fmt: skip
        paths = (tmp_path / name for name in (model, photo, labels))
        done = run(*paths, f"--output_size={size}", check=False)
        assert done.returncode == 1
        (line,) = [line for line in done.stderr.splitlines() if not line.startswith("\x1b")]
        assert line.startswith(f"error: {message}")
        assert not (tmp_path / labels).exists()
