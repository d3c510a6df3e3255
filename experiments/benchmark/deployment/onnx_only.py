"""Part 'onnx_only': what `examples/onnx_only.py`, which needs no JAX, takes for a photo, from start to end."""

import argparse
import dataclasses
import json
import pathlib
import statistics
import sys
import tempfile
from collections.abc import Sequence

from PIL import Image

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.benchmark import children, markdown
from fpliif_jax.experiments.benchmark.deployment.faces import drawn_face
from fpliif_jax.export import write
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.weights import trained_model

_EXAMPLE = children.ABOVE_PACKAGE / "examples" / "onnx_only.py"
_PROGRAM = pathlib.Path(__file__).parent / "whole_process.py"
_MEBIBYTE = 2**20
_SMALL = 64  # the side of another photo: what a start takes, without much of a photo


@dataclasses.dataclass(frozen=True)
class Row:
    """A process that labels a photo: see `whole_process`."""

    round: int
    size: int  # side of the photo
    seconds: float
    processor_seconds: float
    peak_bytes: int


def measure(flags: argparse.Namespace) -> list[Row]:
    """A row for each process, which labels a drawn face at its own size: a small one, and one of `flags.size`.

    Args:
      flags: with `weights`, `rounds` and `size`, the side of the photo.

    Raises:
      UserError: there is no example beside the package, or it failed.
      ExportError: the model's file is too far from JAX.
    """
    if not _EXAMPLE.is_file():
        raise UserError(
            "--parts=onnx_only: the package is not in its repository, which has the example"
        )
    chosen = trained_model.load(flags)
    with tempfile.TemporaryDirectory(prefix="onnx-only-") as name:
        folder = pathlib.Path(name)
        model = folder / "model"
        write.export(chosen, "onnx", model, parts=False, float16=False)
        photos = {size: folder / f"{size}.jpg" for size in (_SMALL, flags.size)}
        for size, photo in photos.items():
            Image.fromarray(drawn_face(0, size)).save(photo, quality=95)
        return [
            Row(number, size, **_process([_EXAMPLE, model, photo, folder / "labels.png"]))
            for number in range(flags.rounds)
            for size, photo in photos.items()
        ]


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown: medians."""
    lines = []
    for size in dict.fromkeys(row.size for row in rows):
        own = [row for row in rows if row.size == size]
        processor = statistics.median(row.processor_seconds for row in own)
        clock = statistics.median(row.seconds for row in own)
        peak = statistics.median(row.peak_bytes for row in own) / _MEBIBYTE
        lines.append([f"{size}²", f"{processor:.2f}", f"{clock:.2f}", f"{peak:.0f}"])
    return markdown.table(["photo", "processor seconds", "seconds", "peak, MiB"], lines)


def _process(arguments: Sequence[pathlib.Path]) -> JsonObject:
    command = [sys.executable, _PROGRAM, sys.executable, *arguments]
    return json.loads(children.output("examples/onnx_only.py", command))
