"""Part 'differences': how far exported files are from JAX, how large they are and what a call of them takes."""

import argparse
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fpliif_jax import systems, weights
from fpliif_jax.commands import command_line
from fpliif_jax.experiments.benchmark import jax_programs, markdown
from fpliif_jax.experiments.benchmark.deployment.faces import drawn_face
from fpliif_jax.export import network_files
from fpliif_jax.nn import grid_sampling
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems import create_model
from fpliif_jax.systems.network_function import NetworkFunction
from fpliif_jax.training.step import init_variables

_FACES = 4
# Of a format: the suffix of its files, how one is made, and how it is called.
_FORMATS: dict[str, tuple[Callable[[NetworkFunction], bytes], Callable[[bytes], Any]]] = {
    "onnx": (lambda network: network_files.onnx_bytes(network, "{}"), network_files.onnx_call),
    "stablehlo": (network_files.stablehlo_bytes, network_files.stablehlo_call),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """A file at one kind of inputs; `largest` and what follows is of `network_files.Differences`."""

    file: str
    bytes: int
    nodes: int | None = None  # of an ONNX file
    inputs: str
    largest: float
    differing: int
    positions: int
    others: int
    rounding: float
    processor_seconds: tuple[float, ...] = ()  # by round; of noise alone


def measure(flags: argparse.Namespace) -> list[Row]:
    """A row for each file and each kind of inputs.

    Args:
      flags: with `weights`, `untrained` and `rounds`.

    Raises:
      ExportError: a file is too far from JAX.
      UserError: there is no such config.
    """
    trained = _fresh(flags.untrained) if flags.untrained else weights.load(flags.weights)
    return of_networks(
        trained, systems.of(trained.config).inference.make_network_functions(trained), flags.rounds
    )


def of_networks(
    trained: InferenceCheckpoint, networks: Mapping[str, NetworkFunction], rounds: int
) -> list[Row]:
    """The rows of a model's networks, of which 'model' also gets drawn faces."""
    faces = dataclasses.replace(networks["model"], examples=_faces(trained))
    rows = []
    for name, network in networks.items():
        for suffix, (make, make_call) in _FORMATS.items():
            if name != "model" and suffix != "onnx":
                continue
            content = make(network)
            call = make_call(content)
            file, nodes = f"{name}.{suffix}", _nodes(content) if suffix == "onnx" else None
            kinds = {"noise": network} | ({"drawn faces": faces} if name == "model" else {})
            for kind, inputs in kinds.items():
                away = network_files.differences(inputs, call, file)._asdict()
                if kind == "noise":
                    away["processor_seconds"] = _seconds(call, network.examples[0], rounds)
                rows.append(Row(file=file, bytes=len(content), nodes=nodes, inputs=kind, **away))
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown; times are those of the quickest call."""
    head = ["file", "bytes", "inputs", "largest difference from JAX", "JAX from float64"]
    lines = []
    for row in rows:
        rounding = f"{row.rounding:.1e}" if row.rounding else None
        is_labels = not row.file.startswith("encoder")
        labels = f"{row.differing:,} of {row.positions:,}" if is_labels else None
        seconds = row.processor_seconds
        milliseconds = f"{1000 * min(seconds):.1f}" if seconds else None
        cells = (row.file, f"{row.bytes:,}", row.inputs, f"{row.largest:.1e}")
        lines.append((*cells, rounding, labels, milliseconds))
    return markdown.table([*head, "labels that differ", "ms"], lines)


def _fresh(config: str) -> InferenceCheckpoint:
    """The networks of a config with the weights that training begins with."""
    read = command_line.config_of([f"--config={config}"])
    variables = init_variables(create_model(read.model), read)
    return InferenceCheckpoint(read, variables, jax_programs.class_names(read), 0, None)


def _faces(trained: InferenceCheckpoint) -> list[tuple[np.ndarray, ...]]:
    """Drawn faces as a network takes them, FP-LIIF's label maps of twice their side."""
    side = trained.config.data.image_size
    photos = [drawn_face(index, side) for index in range(_FACES)]
    if not systems.of(trained.config).inference.decodes_any_size:
        return [(photo, np.array([side, side], np.int32)) for photo in photos]
    centres = grid_sampling.cell_centres(2 * side).astype(np.float32)
    return [(photo, centres, centres) for photo in photos]


def _nodes(content: bytes) -> int:
    import onnx  # of the extra 'export'

    return len(onnx.load_from_string(content).graph.node)


def _seconds(
    call: network_files.Call, inputs: Sequence[np.ndarray], rounds: int
) -> tuple[float, ...]:
    """Processor seconds of each of some calls; one call before them does not count."""
    call(*inputs)
    marks = [time.process_time()]
    for _ in range(rounds):
        call(*inputs)
        marks.append(time.process_time())
    return tuple(np.diff(marks).tolist())
