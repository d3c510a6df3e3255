"""What a study says while its jobs run: a bar on a terminal, elsewhere a line at the start and the end of each job."""

import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

from fpliif_jax.data_builders.errors import counted
from fpliif_jax.experiments.launching.jobs import Job, Outcome


class Progress:
    """How far the jobs of a study are, on stderr."""

    def __init__(self, total: int, slots: int | None, before: int = 0) -> None:
        """Begins, and says how many need not be run again.

        Args:
          total: number of jobs of the study.
          slots: how many run at once; None where that is not known, and so not how long they take.
          before: how many of them were finished before.
        """
        self.is_bar = sys.stderr.isatty()
        self._bar = tqdm(
            total=total,
            initial=before,
            unit="run",
            desc="study",
            leave=False,
            disable=not self.is_bar,
        )
        self._total, self._slots = total, slots
        self._ended = before
        self._started: dict[str, float] = {}  # of those at work
        self._seconds: list[float] = []  # that each took of those that are finished
        if 0 < before < total:
            self._say(f"{before} of {total} finished before")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()

    def begin(self, job: Job) -> None:
        """A job begins."""
        self._started[job.name] = time.monotonic()
        self._say(f"{job.name}: started, {self._ended + len(self._started)} of {self._total}")

    def end(self, outcome: Outcome) -> None:
        """A job has ended, or cannot begin."""
        self._ended += 1
        self._bar.update()
        has_begun = self._started.pop(outcome.job.name, None) is not None
        taken = tqdm.format_interval(outcome.seconds)
        if outcome.is_well:
            self._seconds.append(outcome.seconds)
            self._say(f"{outcome.job.name}: {outcome.status} in {taken}{self._done()}")
        elif self.is_bar:
            self._bar.write(f"{outcome.job.name}: {outcome.status}: {outcome.problem}")
        else:
            after = f" after {taken}" if has_begun else ""
            self._say(
                f"{outcome.job.name}: {outcome.status}{after}{self._done()}: {outcome.problem}"
            )

    def tell(self, line: str) -> None:
        """Prints a line above the bar, on stdout."""
        self._bar.write(line)
        sys.stdout.flush()

    def stop(self) -> None:
        """A signal has come, and was handed on."""
        if self._started:
            self._bar.write(
                f"interrupted: {counted(len(self._started), 'run')} to save and end after the steps under way; a "
                "second Ctrl-C ends them at once",
                file=sys.stderr,
            )

    def show(self, doing: str) -> None:
        """What the jobs at work are doing: beside the bar."""
        self._bar.set_postfix_str(doing)

    def _say(self, line: str) -> None:
        if not self.is_bar:
            print(line, file=sys.stderr, flush=True)

    def _done(self) -> str:
        """', 1 of 3, about 08:20 left', by the mean of the finished ones; without a time where nothing tells it."""
        left = self._total - self._ended
        text = f", {self._ended} of {self._total}"
        if not (left and self._seconds and self._slots):
            return text
        mean, now = sum(self._seconds) / len(self._seconds), time.monotonic()
        rest = [max(0.0, mean - (now - started)) for started in self._started.values()]
        seconds = (sum(rest) + mean * (left - len(rest))) / min(self._slots, left)
        return f"{text}, about {tqdm.format_interval(seconds)} left"
