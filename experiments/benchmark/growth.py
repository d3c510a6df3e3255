"""Measures how time and memory grow with the number of images and of runs; nothing is trained.

    python -m experiments.benchmark.growth
    python -m experiments.benchmark.growth --images=1000,5000,20000 --runs=1,5,20 --output=growth.json

A few faces are drawn, and the set of each size has them again and again, as links of other names. Every step at every
size is a process of its own on one core. Its time is that of the step alone, without imports and compiling: of
processors, which other programs disturb little, and of the clock. Its memory is the most that the process ever had,
as the system says at its end. The exponent is the slope of log time against log count: 1 where time is linear, 2
where it is quadratic. docs/speed.md has what was measured.
"""

import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import fpliif_jax
from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.errors import UserError

_KIBIBYTE, _MEBIBYTE = 2**10, 2**20  # the system counts the peak in KiB
DRAWN_SHARE = 20  # one image of so many is drawn: it takes long, and each face is drawn alone
# Steps over images, in this order: each needs what those before it have left.
STEPS = ("draw", "prepare", "resize", "open", "evaluate", "bootstrap")
_ABOVE_PACKAGE = pathlib.Path(fpliif_jax.__file__).parents[1]  # where -m finds it


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = command_line.CommandParser("experiments.benchmark.growth", __doc__)
    parser.add_argument(
        "--images", type=_counts, default="1000,5000,20000", help="sizes of the set"
    )
    parser.add_argument("--runs", type=_counts, default="1,5,20", help="runs of the report")
    parser.add_argument("--image_size", type=int, default=32, help="side in pixels (default 32)")
    parser.add_argument(
        "--workspace", type=pathlib.Path, help="folder to work in (a temporary one)"
    )
    parser.add_argument("--output", type=pathlib.Path, help="JSON file to write as well")
    command_line.run("experiments.benchmark.growth", _work, parser.parse_args(arguments))


def _counts(text: str) -> list[int]:
    counts = sorted({int(part) for part in text.split(",")})
    if len(counts) < 2 or counts[0] < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give two numbers or more, from 1 on")
    return counts


def _work(flags: argparse.Namespace) -> None:
    # The peak that the system tells includes what the starting process has: this one imports next to nothing.
    if flags.images[0] < DRAWN_SHARE:
        raise UserError(f"--images: the smallest set must have at least {DRAWN_SHARE}")
    if flags.workspace:
        flags.workspace.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix="growth-", dir=flags.workspace, ignore_cleanup_errors=True
    ) as folder:
        lines = []
        for step, over, counts, orders in _plan(flags, folder):
            measured = [measure(order) for order in orders]
            lines.append({"step": step, "over": over, "counts": counts, **growth(counts, measured)})
            print(f"{step}: exponent {lines[-1]['exponent']:.2f}", file=sys.stderr)
    from fpliif_jax.experiments.benchmark import machine

    content = {"environment": machine.environment(with_torch=False), "steps": lines}
    if flags.output:
        flags.output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(table(lines))


def _plan(
    flags: argparse.Namespace, folder: str
) -> Iterator[tuple[str, str, list[int], list[dict[str, Any]]]]:
    """Each step, what it grows with, the counts, and what its processes are told."""
    order = {"folder": folder, "image_size": flags.image_size, "smallest": flags.images[0]}
    for step in STEPS:
        counts = flags.images
        if step == "draw":
            counts = [count // DRAWN_SHARE for count in counts]
        yield step, "images", counts, [{**order, "step": step, "count": n} for n in counts]
    measure({**order, "step": "make_runs", "count": flags.runs[-1]})
    orders = [{**order, "step": "report", "count": count} for count in flags.runs]
    yield "report", "runs", flags.runs, orders


def measure(order: dict[str, Any]) -> dict[str, float]:
    """Does a step in a fresh process.

    Args:
      order: of `growth_steps`.

    Returns:
      'seconds' and 'processor_seconds' of the step, 'peak_bytes' of the whole process.

    Raises:
      UserError: the process failed.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "fpliif_jax.experiments.benchmark.growth_steps",
                json.dumps(order),
            ],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=_ABOVE_PACKAGE,
        )
        with process.stdout as output:
            answer = output.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["no message"])[-1]
            raise UserError(
                f"{order['step']} at {order['count']} ended with {process.returncode}: {last}"
            )
    return {**json.loads(answer), "peak_bytes": usage.ru_maxrss * _KIBIBYTE}


def growth(counts: Sequence[int], measured: Sequence[dict[str, float]]) -> dict[str, Any]:
    """What the measurements of a step say of its growth.

    Args:
      counts: at which it was measured, at least two, ascending.
      measured: of `measure`, one for each count.

    Returns:
      The measurements by name, and
        exponent: slope of log processor seconds against log count.
        last_exponent: of the last two counts alone, where what is constant weighs least.
        bytes_each: slope of the peak against the count.
    """
    columns = {name: [one[name] for one in measured] for name in measured[0]}
    logs = [math.log(count) for count in counts]
    times = [math.log(max(seconds, 1e-6)) for seconds in columns["processor_seconds"]]
    return {
        **columns,
        "exponent": statistics.linear_regression(logs, times).slope,
        "last_exponent": (times[-1] - times[-2]) / (logs[-1] - logs[-2]),
        "bytes_each": statistics.linear_regression(counts, columns["peak_bytes"]).slope,
    }


def table(lines: Sequence[dict[str, Any]]) -> str:
    """The measurements as a Markdown table."""
    rows = [
        "| step | count | processor seconds | seconds | exponent; of the last two | peak, MiB | KiB for each |",
        "|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        counts = ", ".join(f"{count:,}" for count in line["counts"])
        times = (
            ", ".join(f"{value:.2f}" for value in line[name])
            for name in ("processor_seconds", "seconds")
        )
        peaks = ", ".join(f"{peak / _MEBIBYTE:.0f}" for peak in line["peak_bytes"])
        cells = [line["step"], f"{counts} {line['over']}", *times]
        cells += [f"{line['exponent']:.2f}; {line['last_exponent']:.2f}", peaks]
        cells += [f"{line['bytes_each'] / _KIBIBYTE:.1f}"]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
