"""Measures how time and memory grow with the number of images and of runs; nothing is trained.

    python -m experiments.benchmark.growth
    python -m experiments.benchmark.growth --images=1000,5000,20000 --runs=1,5,20 --output=growth.json

A few faces are drawn, and the set of each size has them again and again, as links of other names. Every step at every
size is a process of its own, and all of it is done in several rounds. Its time is that of the step alone, without
imports and compiling: of processors and of the clock. Its memory is the most that the process ever had, as the system
says at its end. Of the rounds the one counts that took processors least: other programs disturbed it least. The
exponent is the slope of log time against log count: 1 where time is linear, 2
where it is quadratic. docs/speed.md has what was measured.
"""

import argparse
import dataclasses
import functools
import json
import math
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.benchmark import children, markdown, results_file
from fpliif_jax.fields.json_types import JsonObject

_COMMAND = "experiments.benchmark.growth"
_KIBIBYTE, _MEBIBYTE = 2**10, 2**20
DRAWN_SHARE = 20  # one image of so many is drawn: it takes long, and each face is drawn alone
# Steps over images, in this order: each needs what those before it have left.
STEPS = ("draw", "prepare", "resize", "open", "evaluate", "bootstrap")


@dataclasses.dataclass(frozen=True)
class Order:
    """Order to a fresh process: the step that it does, and on how much."""

    step: str  # of `growth_steps.STEPS`
    folder: pathlib.Path  # all steps of a benchmark work in it
    image_size: int  # side in pixels
    count: int  # of what the step grows with, images or runs
    smallest: int  # images of the smallest set


@dataclasses.dataclass(frozen=True)
class Measured:
    """Seconds of a step, of the clock and of its processors, and the most bytes of its whole process."""

    seconds: float
    processor_seconds: float
    peak_bytes: int


@dataclasses.dataclass(frozen=True)
class Growth:
    """A step at each count; what is `Measured` has a number for each."""

    step: str
    over: str  # 'images' or 'runs'
    counts: Sequence[int]  # at least two, ascending
    seconds: Sequence[float]
    processor_seconds: Sequence[float]
    peak_bytes: Sequence[int]
    exponent: float  # slope of log processor seconds against log count
    last_exponent: float  # of the last two counts alone, where what is constant weighs least
    bytes_each: float  # slope of the peak against the count


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = command_line.CommandParser(_COMMAND, __doc__)
    parser.add_argument(
        "--images", type=_counts, default="1000,5000,20000", help="sizes of the set"
    )
    parser.add_argument("--runs", type=_counts, default="1,5,20", help="runs of the report")
    parser.add_argument(
        "--draw_all", action="store_true", help="draw every image of the sets, and do nothing else"
    )
    parser.add_argument("--rounds", type=int, default=3, help="times to measure all (default 3)")
    parser.add_argument("--image_size", type=int, default=32, help="side in pixels (default 32)")
    parser.add_argument(
        "--workspace", type=pathlib.Path, help="folder to work in (a temporary one)"
    )
    parser.add_argument("--output", type=pathlib.Path, help="JSON file to write as well")
    command_line.run(_COMMAND, results_file.run, _measure_all, parser.parse_args(arguments))


def _counts(text: str) -> list[int]:
    counts = sorted({int(part) for part in text.split(",")})
    if len(counts) < 2 or counts[0] < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give two numbers or more, from 1 on")
    return counts


def _measure_all(flags: argparse.Namespace) -> tuple[str, JsonObject]:
    # The peak that the system tells includes what the starting process has: this one imports next to nothing.
    if flags.images[0] < DRAWN_SHARE:
        raise UserError(f"--images: the smallest set must have at least {DRAWN_SHARE}")
    if len(set(_drawn(flags))) < len(flags.images):
        raise UserError(
            f"--images: sizes must be {DRAWN_SHARE} or more apart: one image of so many is drawn"
        )
    if flags.rounds < 1:
        raise UserError(f"--rounds={flags.rounds}: at least one")
    if flags.workspace:
        flags.workspace.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    rounds = []
    for number in range(1, flags.rounds + 1):
        with tempfile.TemporaryDirectory(
            prefix="growth-", dir=flags.workspace, ignore_cleanup_errors=True
        ) as folder:
            rounds.append([_measure_step(*step) for step in _plan(flags, pathlib.Path(folder))])
        print(f"round {number} of {flags.rounds}", file=sys.stderr)
    lines = [least_disturbed(step) for step in zip(*rounds, strict=True)]
    content = {
        "seconds": time.monotonic() - started,
        "steps": [dataclasses.asdict(line) for line in lines],
        "rounds": [[dataclasses.asdict(line) for line in lines] for lines in rounds],
    }
    return table(lines), content


def _plan(
    flags: argparse.Namespace, folder: pathlib.Path
) -> Iterator[tuple[str, str, list[int], list[Order]]]:
    """Each step, what it grows with, the counts, and what its processes are told."""
    order = functools.partial(
        Order, folder=folder, image_size=flags.image_size, smallest=flags.images[0]
    )
    for step in STEPS:
        counts = _drawn(flags) if step == "draw" else flags.images
        yield step, "images", counts, [order(step, count=n) for n in counts]
        if flags.draw_all:
            return
    measure(order("make_runs", count=flags.runs[-1]))
    yield "report", "runs", flags.runs, [order("report", count=n) for n in flags.runs]


def _drawn(flags: argparse.Namespace) -> list[int]:
    return [count // (1 if flags.draw_all else DRAWN_SHARE) for count in flags.images]


def _measure_step(step: str, over: str, counts: list[int], orders: list[Order]) -> Growth:
    return growth(step, over, counts, [measure(order) for order in orders])


def measure(order: Order) -> Measured:
    """Does a step in a fresh process.

    Raises:
      UserError: the process failed.
    """
    given = json.dumps(dataclasses.asdict(order), default=str)
    command = [sys.executable, "-m", "fpliif_jax.experiments.benchmark.growth_steps", given]
    what = f"{order.step} at {order.count}"
    return Measured(**json.loads(children.output(what, command, cwd=children.ABOVE_PACKAGE)))


def growth(step: str, over: str, counts: Sequence[int], measured: Sequence[Measured]) -> Growth:
    """What the measurements of a step, one for each count, say of its growth; arguments as of `Growth`."""
    peaks = [one.peak_bytes for one in measured]
    logs = [math.log(count) for count in counts]
    times = [math.log(max(one.processor_seconds, 1e-6)) for one in measured]
    return Growth(
        step=step,
        over=over,
        counts=counts,
        seconds=[one.seconds for one in measured],
        processor_seconds=[one.processor_seconds for one in measured],
        peak_bytes=peaks,
        exponent=statistics.linear_regression(logs, times).slope,
        last_exponent=(times[-1] - times[-2]) / (logs[-1] - logs[-2]),
        bytes_each=statistics.linear_regression(counts, peaks).slope,
    )


def least_disturbed(rounds: Sequence[Growth]) -> Growth:
    """One step's growth from its growth in each round: of each count, the round with the least processor seconds."""
    measured = [
        min(
            (
                Measured(one.seconds[i], one.processor_seconds[i], one.peak_bytes[i])
                for one in rounds
            ),
            key=lambda at: at.processor_seconds,
        )
        for i in range(len(rounds[0].counts))
    ]
    return growth(rounds[0].step, rounds[0].over, rounds[0].counts, measured)


def table(lines: Sequence[Growth]) -> str:
    """The measurements as a Markdown table."""
    head = ["step", "count", "processor seconds", "seconds"]
    head += ["exponent; of the last two", "peak, MiB", "KiB for each"]
    rows = []
    for line in lines:
        counts = ", ".join(f"{count:,}" for count in line.counts)
        times = (
            ", ".join(f"{value:.2f}" for value in values)
            for values in (line.processor_seconds, line.seconds)
        )
        peaks = ", ".join(f"{peak / _MEBIBYTE:.0f}" for peak in line.peak_bytes)
        cells = [line.step, f"{counts} {line.over}", *times]
        cells += [f"{line.exponent:.2f}; {line.last_exponent:.2f}", peaks]
        rows.append([*cells, f"{line.bytes_each / _KIBIBYTE:,.1f}"])
    return markdown.table(head, rows)


if __name__ == "__main__":
    main()
