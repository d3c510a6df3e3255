"""Times programs in turn: A B C A B C …, so that what else happens on the machine meets all of them alike."""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from fpliif_jax.experiments.runs.benchmark_results import PlannedBytes

Clock = Callable[[], float]
_LONGEST_REASON = 240


class NotMeasuredError(Exception):
    """Something cannot be measured here; the message says why."""


@dataclasses.dataclass(frozen=True)
class Program:
    """A function with its arguments, ready to be called again and again.

    Attributes:
      start: begins a call; returns what `wait` waits for.
      wait: returns when that call is finished.
      images: that one call works on, on each device; of calls that differ, the mean.
      compile_seconds: what compiling took; None: it happens in the first call.
      planned_bytes: memory the compiler reserves; None: it does not say.
    """

    start: Callable[[], Any]
    wait: Callable[[Any], object]
    images: float
    compile_seconds: float | None = None
    planned_bytes: PlannedBytes | None = None

    def call(self) -> None:
        """One call, from beginning to end."""
        self.wait(self.start())


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A framework's variant that takes part in a measurement.

    Attributes:
      name: of the framework and its variant.
      build: makes its program; may raise anything.
    """

    name: str
    build: Callable[[], Program]


@dataclasses.dataclass
class Timed:
    """The timings of one candidate.

    Attributes:
      name: the candidate's.
      images: a call works on.
      seconds: of one call, by round.
      calls: in each round.
      compile_seconds: in advance, or how much longer the first call took than the second.
      planned_bytes: see `Program`.
      problem: why it was not measured; '' if it was.
    """

    name: str
    images: float = 0
    seconds: list[float] = dataclasses.field(default_factory=list)
    calls: int = 0
    compile_seconds: float | None = None
    planned_bytes: PlannedBytes | None = None
    problem: str = ""


def measure_in_turn(
    candidates: Sequence[Candidate],
    *,
    rounds: int,
    seconds: float,
    pipelined: bool,
    clock: Clock = time.perf_counter,
    tell: Callable[[str], object] = lambda text: None,
) -> list[Timed]:
    """Builds all candidates, then times them in turn, round by round.

    Each round of a candidate begins with a call that does not count: what ran before it has left
    its own data in the caches. A candidate that fails takes part no longer, and says why.

    Args:
      candidates: in the order of each round.
      rounds: how often each is timed.
      seconds: that one round of one candidate should last, at least.
      pipelined: whether a call may begin before the one before it is finished, as where
        many images are waiting; False: the time of a single call is asked for.
      clock: in seconds.
      tell: gets a line about each thing that begins.
    """
    timings = [Timed(candidate.name) for candidate in candidates]
    programs: list[Program | None] = []
    for candidate, timed in zip(candidates, timings, strict=True):
        tell(f"{candidate.name}: compiling")
        programs.append(
            _attempt(timed, lambda c=candidate, t=timed: _prepare(c, t, seconds, clock))
        )
    for number in range(1, rounds + 1):
        for index, timed in enumerate(timings):
            program = programs[index]
            if program is None:
                continue
            tell(f"{timed.name}: round {number} of {rounds}")
            taken = _attempt(timed, lambda p=program, t=timed: _round(p, t.calls, pipelined, clock))
            if taken is None:
                programs[index] = None
            else:
                timed.seconds.append(taken)
    return timings


def seconds_a_call(program: Program, seconds: float, clock: Clock = time.perf_counter) -> float:
    """Mean seconds of a call, of calls in a row for about so long; the first, which may compile, is left out."""
    program.call()
    return _round(program, _calls(_once(program, clock), seconds), True, clock)


def reason(error: BaseException) -> str:
    """An error in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else ""
    if not isinstance(error, NotMeasuredError):
        text = f"{type(error).__name__}: {text}"
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1] + "…"


def _attempt(timed: Timed, function: Callable[[], Any]) -> Any:
    """What the function returns; None where it fails: compilers raise all kinds of errors."""
    try:
        return function()
    except Exception as error:
        timed.problem = reason(error)
        return None


def _prepare(candidate: Candidate, timed: Timed, seconds: float, clock: Clock) -> Program:
    program = candidate.build()
    first, second = _once(program, clock), _once(program, clock)
    timed.images, timed.planned_bytes = program.images, program.planned_bytes
    timed.compile_seconds = program.compile_seconds
    if timed.compile_seconds is None:
        timed.compile_seconds = max(0.0, first - second)
    timed.calls = _calls(second, seconds)
    return program


def _calls(seconds_of_one: float, seconds: float) -> int:
    return max(1, math.ceil(seconds / max(seconds_of_one, 1e-9)))


def _once(program: Program, clock: Clock) -> float:
    started = clock()
    program.call()
    return clock() - started


def _round(program: Program, calls: int, pipelined: bool, clock: Clock) -> float:
    program.call()
    started = clock()
    if pipelined:
        # One call is under way while the next is begun; more would pile up their results.
        before = program.start()
        for _ in range(calls - 1):
            current = program.start()
            program.wait(before)
            before = current
        program.wait(before)
    else:
        for _ in range(calls):
            program.call()
    return (clock() - started) / calls
