"""Runs the trials of a campaign and reports them: a JSON file, and a table by kind and verdict."""

import argparse
import dataclasses
import json
import pathlib
import random
import resource
import signal
import tempfile
import time
import traceback
import types
from collections import Counter
from collections.abc import Callable

from tqdm import tqdm

# What a trial can come to. All but the first three are findings.
NOTICED = "noticed in one line"
HARMLESS = "harmless"  # the same result, bit for bit
UNCHECKED = "other content, of a format without digest"
WRONG = "silently wrong"
TRACEBACK = "traceback"
OVER_TIME = "over time"
OVER_MEMORY = "over memory"
FINDINGS = (WRONG, TRACEBACK, OVER_TIME, OVER_MEMORY)
_MEBIBYTE = 2**20
_MOST_MEMORY = 512 * _MEBIBYTE  # that the peak of the process may grow by in a trial


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a trial: its kind, what was done, one of the verdicts, and what was said."""

    kind: str
    what: str
    verdict: str
    said: str = ""
    seconds: float = 0.0


Trial = Callable[[random.Random], Outcome]


def run(description: str, make_trial: Callable[[pathlib.Path], Trial], limit: int) -> int:
    """The command of a campaign; returns its exit code, 1 where there are findings.

    Args:
      description: of the command.
      make_trial: gets an empty folder and returns what makes one random trial.
      limit: seconds that a trial may take.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100, help="trials")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no trial later")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="JSON file of results")
    arguments = parser.parse_args()
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        trial, started = make_trial(pathlib.Path(folder)), time.monotonic()
        for index in tqdm(range(arguments.count), unit="trial", mininterval=5):
            if time.monotonic() - started > arguments.seconds:
                break
            outcomes.append(_limited(trial, random.Random(f"{arguments.seed} {index}"), limit))
            _write(arguments, outcomes)
    print(_table(outcomes))
    findings = [outcome for outcome in outcomes if outcome.verdict in FINDINGS]
    for outcome in findings:
        print(f"{outcome.verdict}: {outcome.kind}: {outcome.what}: {outcome.said}")
    print(f"{arguments.count} planned, {len(outcomes)} done, {len(findings)} findings")
    return 1 if findings else 0


class _TooLate(BaseException):
    """Not an Exception, so that nothing takes it for an error of a file."""


def _limited(trial: Trial, chance: random.Random, limit: int) -> Outcome:
    def stop(number: int, frame: types.FrameType | None) -> None:
        raise _TooLate

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(limit)
    before, started = _peak(), time.monotonic()
    try:
        outcome = trial(chance)
    except _TooLate:
        outcome = Outcome("unknown", "", OVER_TIME, traceback.format_exc()[-2000:])
    finally:
        signal.alarm(0)
    if _peak() - before > _MOST_MEMORY:
        outcome = dataclasses.replace(outcome, verdict=OVER_MEMORY)
    return dataclasses.replace(outcome, seconds=round(time.monotonic() - started, 3))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _write(arguments: argparse.Namespace, outcomes: list[Outcome]) -> None:
    content = {
        "seed": arguments.seed,
        "planned": arguments.count,
        "done": len(outcomes),
        "outcomes": [dataclasses.asdict(outcome) for outcome in outcomes],
    }
    arguments.output.write_text(json.dumps(content, indent=1))


def _table(outcomes: list[Outcome]) -> str:
    counts = Counter((outcome.kind, outcome.verdict) for outcome in outcomes)
    verdicts = (NOTICED, HARMLESS, UNCHECKED, *FINDINGS)
    shown = [verdict for verdict in verdicts if any(verdict == key[1] for key in counts)]
    lines = [["", *shown]]
    for kind in sorted({outcome.kind for outcome in outcomes}):
        lines.append([kind, *(str(counts[kind, verdict]) for verdict in shown)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
