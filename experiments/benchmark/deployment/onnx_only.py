"""Part 'onnx_only': what `examples/onnx_only.py`, which needs no JAX, takes for a photo, from start to end."""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from PIL import Image

import fpliif_jax
from fpliif_jax.data_builders.errors import UserError, last_line
from fpliif_jax.experiments.benchmark.deployment.faces import drawn_face
from fpliif_jax.export import write
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.weights import trained_model

_EXAMPLE = pathlib.Path(fpliif_jax.__file__).parents[1] / "examples" / "onnx_only.py"
_PROGRAM = pathlib.Path(__file__).parent / "whole_process.py"
_MEBIBYTE = 2**20
_SMALL = 64  # the side of another photo: what a start takes, without much of a photo


def measure(flags: argparse.Namespace) -> list[JsonObject]:
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
    named = argparse.Namespace(weights=flags.weights, workdir=None, checkpoint=None)
    chosen = trained_model.load(named)
    with tempfile.TemporaryDirectory(prefix="onnx-only-") as name:
        folder = pathlib.Path(name)
        model = folder / "model"
        write.export(chosen, "onnx", model, parts=False, float16=False)
        photos = {size: folder / f"{size}.jpg" for size in (_SMALL, flags.size)}
        for size, photo in photos.items():
            Image.fromarray(drawn_face(0, size)).save(photo, quality=95)
        return [
            {
                "round": number,
                "size": size,
                **_process([_EXAMPLE, model, photo, folder / "labels.png"]),
            }
            for number in range(flags.rounds)
            for size, photo in photos.items()
        ]


def table(rows: Sequence[JsonObject]) -> str:
    """The rows in Markdown: medians."""
    lines = ["| photo | processor seconds | seconds | peak, MiB |", "|---|---|---|---|"]
    for size in dict.fromkeys(row["size"] for row in rows):
        own = [row for row in rows if row["size"] == size]
        processor, clock, peak = (
            statistics.median(row[name] for row in own)
            for name in ("processor_seconds", "seconds", "peak_bytes")
        )
        lines.append(f"| {size}² | {processor:.2f} | {clock:.2f} | {peak / _MEBIBYTE:.0f} |")
    return "\n".join(lines)


def _process(arguments: Sequence[pathlib.Path]) -> JsonObject:
    command = [sys.executable, _PROGRAM, sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = last_line(done.stderr)
        raise UserError(f"examples/onnx_only.py ended with {done.returncode}: {last}")
    return json.loads(done.stdout)
