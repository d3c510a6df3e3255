"""The progress bar of both trainers: says early, and in days, how long a stage takes."""

import sys
from typing import Any

from tqdm import tqdm

_DAY = 86_400.0  # seconds


class StepBar(tqdm):
    """A bar of a stage's steps. What is left of a day or more stands in it as days, and once in a line of its own."""

    def __init__(self, stage: str, last: int, taken: int, backend: str, disable: bool) -> None:
        """Shows the bar.

        Args:
          stage: its name.
          last: its last step.
          taken: of its steps, before now.
          backend: what is computed on, 'cpu', 'gpu', …
          disable: shows and says nothing.
        """
        self._stage, self._backend, self._is_timed = stage, backend, False
        super().__init__(
            total=last,
            initial=taken,
            desc=f"training {stage}",
            unit="step",
            disable=disable,
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{left}, {rate_fmt}{postfix}]",
        )

    @property
    def format_dict(self) -> dict[str, Any]:
        """What the bar is made of, `left` among it."""
        numbers = super().format_dict
        rate, taken = numbers["rate"], numbers["n"] - numbers["initial"]
        if not rate and taken and numbers["elapsed"]:
            rate = taken / numbers["elapsed"]
        left = time_left((numbers["total"] - numbers["n"]) / rate) if rate else "?"
        return {**numbers, "left": left}

    def count(self, seconds: float | None) -> None:
        """A step has ended.

        Args:
          seconds: that it took; None where it is not timed, as one that compiles.
        """
        self.update()
        if seconds is None or self._is_timed or self.disable:
            return
        self._is_timed = True
        steps = self.total - self.n
        if steps * seconds < _DAY:
            return
        line = (
            f"stage {self._stage}: {steps:,} steps of {seconds:.3g} s are left, about {time_left(steps * seconds)} on "
            f"this {self._backend.upper()}, without validation"
        )
        if self._backend == "cpu":
            line += "; docs/training.md has what a GPU takes, and configs/synthetic.py is done in minutes"
        self.write(line, file=sys.stderr)


def time_left(seconds: float) -> str:
    """'03:20', '4:03:20'; from a day on '3.4 days', '350 days'."""
    days = seconds / _DAY
    if days < 1:
        return tqdm.format_interval(seconds)
    return f"{days:.1f} days" if days < 10 else f"{days:,.0f} days"
