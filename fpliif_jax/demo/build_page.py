"""Makes the files of a page: the page itself, the networks, what it says of them, drawn faces to try, the runtime."""

import base64
import importlib.resources
import io
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from PIL import Image

import fpliif_jax
from fpliif_jax.data.canvas import canvas_size
from fpliif_jax.data_builders.class_names import class_title, has_sides
from fpliif_jax.data_builders.synthetic_faces import draw_face
from fpliif_jax.demo import networks, page_folder, runtime, serve
from fpliif_jax.export import model_card, write
from fpliif_jax.predict.face_parser import FaceParser
from fpliif_jax.weights.trained_model import ChosenModel

_FACES = (3, 4, 10)  # seeds of drawn faces, chosen by eye
_FACE_SIZE = 512
_CHECK_SIZE = 64  # of the label map of the first face that every browser is compared at
_SUFFIXES = (".css", ".html", ".js", ".svg", ".txt", ".webmanifest")


def build(
    chosen: ChosenModel, output: pathlib.Path, archive: str | os.PathLike[str] | None
) -> Iterator[str]:
    """Makes a page and writes it.

    Args:
      chosen: the model.
      output: folder, see `page_folder.check_place`.
      archive: see `runtime.files`.

    Yields:
      lines that say what was made.

    Raises:
      RuntimeArchiveError: see `runtime.files`.
      ExportError: the networks' files differ from JAX.
    """
    runtime_files = runtime.files(archive)
    files = page_files()
    policy = serve.policy_of(files["index.html"].decode())
    files |= {f"runtime/{name}": content for name, content in runtime_files.items()}
    for line, made in networks.files(chosen):
        yield line
        files |= made
    faces = [draw_face(seed, _FACE_SIZE, "photographic").image for seed in _FACES]
    files |= {f"faces/{number}.png": _png(face) for number, face in enumerate(faces)}
    described = description(chosen, faces[0])
    described["bytes"] = {
        name: len(content) for name, content in files.items() if name.endswith((".onnx", ".wasm"))
    }
    text = json.dumps(described, ensure_ascii=False, sort_keys=True, indent=1)
    files["model/model.json"] = f"{text}\n".encode()
    page_folder.write(output, files, policy)
    size = sum(map(len, files.values())) / 2**20
    yield f"{output}: a page of {len(files) + 1} files, {size:.0f} MiB, onnxruntime-web {runtime.VERSION}"


def page_files() -> dict[str, bytes]:
    """The files of the page that come with the package, by name."""
    folder = importlib.resources.files("fpliif_jax.demo.page")
    return {
        file.name: file.read_bytes() for file in folder.iterdir() if file.name.endswith(_SUFFIXES)
    }


def description(chosen: ChosenModel, face: np.ndarray) -> dict[str, Any]:
    """What the page has to know of its model: the metadata of the export, without the run's settings, and more.

    Args:
      chosen: the model.
      face: uint8 [H, W, 3], the first of the faces; its labels are there for the page to compare its own with.

    Returns:
      also those of `networks.abilities`; `description`, where the model is from, without places; `check`, size and
      base64 of the class ids of a square of so many rows, row by row; `class_titles`, the classes in words;
      `sides_note`, whose left and right they mean, '' where no class has a side.
    """
    trained = chosen.trained
    metadata = write.metadata(chosen)
    del metadata["config"]
    abilities = networks.abilities(chosen)
    labels = _check_labels(FaceParser(trained, chosen.origin), face, abilities)
    # A run's note can name a file of this machine; that of the package's weights, a page of its documentation.
    is_shipped = chosen.origin.startswith("--weights=")
    source = model_card.source(chosen)
    note = source.partition(" (")[0] if is_shipped else f"a run, {source}"
    return metadata | {
        "version": fpliif_jax.__version__,
        "runtime": f"onnxruntime-web {runtime.VERSION}",
        "description": f"{note}; {chosen.checkpoint} checkpoint, step {trained.step}",
        "class_titles": [class_title(name) for name in trained.class_names],
        "sides_note": f"Left and right are the {metadata['whose_left']}’s."
        if has_sides(trained.class_names)
        else "",
        "parameters": sum(np.size(leaf) for leaf in jax.tree.leaves(trained.variables["params"])),
        "check": {
            "size": _CHECK_SIZE,
            "labels": base64.b64encode(labels.tobytes()).decode(),
        },
        **abilities,
    }


def _check_labels(parser: FaceParser, face: np.ndarray, abilities: dict[str, Any]) -> np.ndarray:
    """Labels at the centres of `_CHECK_SIZE`² cells of a face: decoded there, or of the pixels that hold them."""
    if "sizes" in abilities["can"]:
        return parser(face, size=_CHECK_SIZE).labels
    size = canvas_size(face.shape[:2], abilities["sides"][0], abilities["longest_side"])
    steps = 2 * np.arange(_CHECK_SIZE) + 1
    rows, columns = (steps * length // (2 * _CHECK_SIZE) for length in size)
    return parser(face, size=size).labels[rows[:, None], columns]


def _png(image: np.ndarray) -> bytes:
    """PNG file of an image: without loss, so that every browser decodes the same pixels."""
    with io.BytesIO() as file:
        Image.fromarray(image).save(file, format="PNG", optimize=True)
        return file.getvalue()
