"""Part 'first_photo': what labelling a photo takes from the start of Python on, and every photo after it."""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence

from PIL import Image

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.benchmark import children
from fpliif_jax.experiments.benchmark.deployment.faces import drawn_face
from fpliif_jax.experiments.benchmark.timing import NotMeasuredError
from fpliif_jax.fields.json_types import JsonObject

_FURTHER = 3  # photos after the first
_LABEL_PHOTOS = "fpliif_jax.experiments.benchmark.deployment.label_photos"


def measure(flags: argparse.Namespace) -> list[JsonObject]:
    """A row a start: those of `children.starts`.

    Args:
      flags: with `weights`, `rounds` and `size`, the side of photos and label maps.

    Raises:
      UserError: a process failed.
    """
    rows = []
    with tempfile.TemporaryDirectory(prefix="first-photo-") as folder:
        paths = [f"{folder}/{index}.jpg" for index in range(1 + _FURTHER)]
        for index, path in enumerate(paths):
            Image.fromarray(drawn_face(index, flags.size)).save(path, quality=95)
        for number, cache, environment in children.starts(min(flags.rounds, children.MOST_ROUNDS)):
            arguments = [repr(time.monotonic()), flags.weights, str(flags.size), *paths]
            try:
                answer, _ = children.answer([_LABEL_PHOTOS, *arguments], environment=environment)
            except NotMeasuredError as error:
                raise UserError(f"labelling the first photo: {error}") from error
            rows.append({"round": number, "cache": cache, "size": flags.size, **answer})
    return rows


def table(rows: Sequence[JsonObject]) -> str:
    """The rows in Markdown, a line each kind of start: medians."""
    lines = [
        "| cache | imports and reading | to the first label map | a further photo | the last two by the clock |",
        "|---|---|---|---|---|",
    ]
    for cache in dict.fromkeys(row["cache"] for row in rows):
        own = [row for row in rows if row["cache"] == cache]
        numbers = [median(own, "processor_seconds", what) for what in ("read", "first", "further")]
        numbers += [median(own, "seconds", what) for what in ("first", "further")]
        ready, first, further, *by_clock = (f"{number:.1f} s" for number in numbers)
        lines.append(f"| {cache} | {ready} | {first} | {further} | {', '.join(by_clock)} |")
    return "\n".join(lines)


def median(rows: Sequence[JsonObject], clock: str, what: str) -> float:
    """Of rows: 'read' and 'first' since the start, 'further' of a photo; `clock` is the field that has them."""
    values = [row[clock][what] for row in rows]
    if what == "further":
        values = [value for one in values for value in one]
    return statistics.median(values)
