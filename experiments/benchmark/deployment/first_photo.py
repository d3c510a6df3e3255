"""Part 'first_photo': what labelling a photo takes from the start of Python on, and every photo after it."""

import argparse
import dataclasses
import itertools
import statistics
import tempfile
import time
from collections.abc import Sequence

from PIL import Image

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.benchmark import children, markdown
from fpliif_jax.experiments.benchmark.deployment.faces import drawn_face
from fpliif_jax.experiments.benchmark.timing import NotMeasuredError
from fpliif_jax.experiments.runs import typed_json

_FURTHER = 3  # photos after the first
_LABEL_PHOTOS = "fpliif_jax.experiments.benchmark.deployment.label_photos"


@dataclasses.dataclass(frozen=True)
class Taken:
    """Seconds since the start of Python until the weights were read and until the first label map was there."""

    read: float
    first: float
    further: tuple[float, ...]  # of every photo after that its own


@dataclasses.dataclass(frozen=True)
class Row:
    """A start."""

    round: int
    cache: str  # of `children.CACHES`
    size: int
    seconds: Taken
    processor_seconds: Taken


def measure(flags: argparse.Namespace) -> list[Row]:
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
            row = {"round": number, "cache": cache, "size": flags.size, **answer}
            rows.append(typed_json.parse(Row, row, _LABEL_PHOTOS))
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown, a line each kind of start: medians."""
    head = ["cache", "imports and reading", "to the first label map", "a further photo"]
    lines = []
    for cache in dict.fromkeys(row.cache for row in rows):
        own = [row for row in rows if row.cache == cache]
        of_processors = medians([row.processor_seconds for row in own])
        _, *by_clock = medians([row.seconds for row in own])
        ready, first, further, *clock = (
            f"{number:.1f} s" for number in (*of_processors, *by_clock)
        )
        lines.append([cache, ready, first, further, ", ".join(clock)])
    return markdown.table([*head, "the last two by the clock"], lines)


def medians(taken: Sequence[Taken]) -> tuple[float, float, float]:
    """Medians over starts of `read` and `first`, and over all their photos of `further`."""
    further = itertools.chain.from_iterable(one.further for one in taken)
    read, first = ([getattr(one, name) for one in taken] for name in ("read", "first"))
    return statistics.median(read), statistics.median(first), statistics.median(further)
