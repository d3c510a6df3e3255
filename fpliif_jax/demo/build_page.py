"""Makes the files of a page: the page itself, the networks, what it says of them, drawn faces to try, the runtime."""

import base64
import dataclasses
import importlib.resources
import io
import json
import math
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

import fpliif_jax
from fpliif_jax import systems
from fpliif_jax.data_builders.synthetic_faces import draw_face
from fpliif_jax.demo import page_folder, runtime, serve
from fpliif_jax.demo.page_folder import PageError
from fpliif_jax.export import write
from fpliif_jax.predict.face_parser import FaceParser
from fpliif_jax.systems.fp_liif.losses import apply_temperature
from fpliif_jax.weights.trained_model import ChosenModel

PARTS = ("encoder", "decoder")
_FACES = (3, 4, 10)  # seeds of drawn faces, chosen by eye
_FACE_SIZE = 512
_CHECK_SIZE = 64  # of the label map of the first face that every browser is compared at
# Of the network's side, those of the squares that it sees of live video where the whole would be too slow;
# docs/demo.md says what they cost.
_LIVE_SHARES = (3 / 4, 5 / 8, 1 / 2)
_LATENT_CELL = 4  # pixels a side
_SUFFIXES = (".css", ".html", ".js", ".svg", ".txt", ".webmanifest")


def build(
    chosen: ChosenModel, output: pathlib.Path, archive: str | os.PathLike[str] | None
) -> Iterator[str]:
    """Makes a page and writes it.

    Args:
      chosen: the model, an FP-LIIF.
      output: folder, see `page_folder.check_place`.
      archive: see `runtime.files`.

    Yields:
      lines that say what was made.

    Raises:
      PageError: the model is no FP-LIIF.
      RuntimeArchiveError: see `runtime.files`.
      ExportError: the networks' files differ from JAX.
    """
    check_model(chosen)
    runtime_files = runtime.files(archive)
    files = page_files()
    policy = serve.policy_of(files["index.html"].decode())
    files |= {f"runtime/{name}": content for name, content in runtime_files.items()}
    with tempfile.TemporaryDirectory(prefix="fpliif-demo-") as temporary:
        folder = pathlib.Path(temporary)
        for side in network_sides(chosen):
            parts = folder / str(side)
            for line in write.export(
                _seeing(chosen, side), "onnx", parts, parts=True, float16=False
            ):
                yield f"{side}²: {line.removeprefix(f'{parts}{os.sep}')}"
            files |= {
                f"model/{part}_{side}.onnx": (parts / f"{part}.onnx").read_bytes() for part in PARTS
            }
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


def check_model(chosen: ChosenModel) -> None:
    """Refuses a model that has no encoder and decoder as two networks.

    Raises:
      PageError: it is such a one.
    """
    system = systems.of(chosen.trained.config)
    if not set(PARTS) <= system.make_network_functions(chosen.trained).keys():
        raise PageError(
            f"{chosen.origin}: the page needs an encoder and a decoder that answers at any size, and {system.title} "
            "has none: give a run of FP-LIIF, or --weights=drawn"
        )


def network_sides(chosen: ChosenModel) -> list[int]:
    """Sides in pixels of the squares that the page's networks see: the model's first, then those of live video."""
    side = chosen.trained.config.data.image_size
    cells = (math.ceil(side * share / _LATENT_CELL) for share in _LIVE_SHARES)
    live = {cell * _LATENT_CELL for cell in cells}
    return [side, *sorted((one for one in live if one < side), reverse=True)]


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
      `sides`, see `network_sides`; `logit_scale`, the factor that the training loss gives logits before the softmax;
      `description`, where the model is from, without places; `check`, size and base64 of the class ids, row by row.
    """
    trained = chosen.trained
    metadata = write.metadata(chosen)
    config = metadata.pop("config")
    parsed = FaceParser(trained, chosen.origin)(Image.fromarray(face), size=_CHECK_SIZE)
    # A run's note can name a file of this machine; that of the package's weights, a page of its documentation.
    is_shipped = chosen.origin.startswith("--weights=")
    note = trained.note.partition(" (")[0] if is_shipped else f"a run on {config['data']['name']}"
    return metadata | {
        "version": fpliif_jax.__version__,
        "runtime": f"onnxruntime-web {runtime.VERSION}",
        "description": f"{note}; {chosen.checkpoint} checkpoint, step {trained.step}",
        "parameters": sum(np.size(leaf) for leaf in jax.tree.leaves(trained.variables["params"])),
        "sides": network_sides(chosen),
        "logit_scale": float(apply_temperature(jnp.ones(()), trained.config.loss)),
        "check": {
            "size": _CHECK_SIZE,
            "labels": base64.b64encode(parsed.labels.tobytes()).decode(),
        },
    }


def _seeing(chosen: ChosenModel, side: int) -> ChosenModel:
    """The model with a square of another side as its input: the weights are those of any."""
    config = chosen.trained.config.copy_and_resolve_references()
    config.data.image_size = side
    return chosen._replace(trained=dataclasses.replace(chosen.trained, config=config))


def _png(image: np.ndarray) -> bytes:
    """Without loss, so that every browser decodes the same pixels."""
    with io.BytesIO() as file:
        Image.fromarray(image).save(file, format="PNG", optimize=True)
        return file.getvalue()
