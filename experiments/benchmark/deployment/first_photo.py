"""Part 'first_photo': what labelling a photo takes from the start of Python on, and every photo after it."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from PIL import Image

import fpliif_jax
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.benchmark.deployment.faces import drawn_face
from fpliif_jax.files.json_types import JsonObject

_MOST_ROUNDS = 3  # a round is two starts of several seconds
_FURTHER = 3  # photos after the first
_ABOVE_PACKAGE = pathlib.Path(fpliif_jax.__file__).parents[1]  # where -m finds it


def measure(flags: argparse.Namespace) -> list[JsonObject]:
    """A row a start: each round one without compiled programs, then one with those that it left.

    Args:
      flags: with `weights`, `rounds` and `size`, the side of photos and label maps.

    Raises:
      UserError: a process failed.
    """
    rows = []
    with tempfile.TemporaryDirectory(prefix="first-photo-") as folder:
        paths = [pathlib.Path(folder) / f"{index}.jpg" for index in range(1 + _FURTHER)]
        for index, path in enumerate(paths):
            Image.fromarray(drawn_face(index, flags.size)).save(path, quality=95)
        for number in range(min(flags.rounds, _MOST_ROUNDS)):
            cache = f"{folder}/compiled-{number}"
            for programs in ("compiled first", "compiled before"):
                answer = _start(flags.weights, flags.size, paths, cache)
                rows.append({"round": number, "programs": programs, "size": flags.size, **answer})
    return rows


def table(rows: Sequence[JsonObject]) -> str:
    """The rows in Markdown, a line each kind of start: medians."""
    lines = [
        "| programs | imports and reading | to the first label map | a further photo | the last two by the clock |",
        "|---|---|---|---|---|",
    ]
    for programs in dict.fromkeys(row["programs"] for row in rows):
        own = [row for row in rows if row["programs"] == programs]
        numbers = [median(own, "processor_seconds", what) for what in ("read", "first", "further")]
        numbers += [median(own, "seconds", what) for what in ("first", "further")]
        ready, first, further, *by_clock = (f"{number:.1f} s" for number in numbers)
        lines.append(f"| {programs} | {ready} | {first} | {further} | {', '.join(by_clock)} |")
    return "\n".join(lines)


def median(rows: Sequence[JsonObject], clock: str, what: str) -> float:
    """Of rows: 'read' and 'first' since the start, 'further' of a photo; `clock` is the field that has them."""
    values = [row[clock][what] for row in rows]
    if what == "further":
        values = [value for one in values for value in one]
    return statistics.median(values)


def _start(weights: str, size: int, paths: Sequence[pathlib.Path], cache: str) -> JsonObject:
    """A process that labels the photos with programs from `cache`, and what it answers."""
    command = [sys.executable, "-m", "fpliif_jax.experiments.benchmark.deployment.label_photos"]
    command += [repr(time.monotonic()), weights, str(size), *map(str, paths)]
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": cache}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=_ABOVE_PACKAGE, env=environment, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"labelling the first photo ended with {done.returncode}: {last}")
    return json.loads(done.stdout.splitlines()[-1])
