"""Kinds of values that a field of a config may have; `config_fields` says which field has which."""

import dataclasses
import math
from typing import Any


@dataclasses.dataclass(frozen=True)
class Number:
    """A finite number from `low` to `high`.

    Attributes:
      low, high: the smallest and the largest value.
      is_whole: whether it has to be a whole number.
      is_above: whether `low` itself is too small.
      is_optional: whether it may be None.
    """

    low: float
    high: float
    is_whole: bool = False
    is_above: bool = False
    is_optional: bool = False

    def problem(self, value: Any) -> str | None:
        """What the value would have to be; None where it is that."""
        if value is None:
            return None if self.is_optional else "must be a number"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "must be a number"
        if self.is_whole and not isinstance(value, int):
            return "must be a whole number"
        if not math.isfinite(value):
            return "must be a finite number"
        if value < self.low or (self.is_above and value == self.low):
            return f"must be {'above' if self.is_above else 'at least'} {self.low:g}"
        if value > self.high:
            return f"must be at most {self.high:.10g}"
        return None


@dataclasses.dataclass(frozen=True)
class Numbers:
    """Several numbers.

    Attributes:
      each: what every one may be.
      count: how many; None for `fewest` or more.
      is_interval: whether they are (low, high).
      is_optional: whether it may be None.
      fewest: how many at least.
    """

    each: Number
    count: int | None = None
    is_interval: bool = False
    is_optional: bool = False
    fewest: int = 1

    @property
    def how_many(self) -> str:
        """The count in words: '3', 'one or more'."""
        return str(self.count or f"{'one' if self.fewest == 1 else self.fewest} or more")

    def problem(self, value: Any) -> str | None:
        """See `Number.problem`."""
        if value is None and self.is_optional:
            return None
        is_several = isinstance(value, list | tuple) and len(value) >= self.fewest
        if not is_several or self.count not in (None, len(value)):
            return f"must be {self.how_many} numbers in brackets"
        problems = [problem for one in value if (problem := self.each.problem(one))]
        if problems:
            return f"{problems[0]}, each of its numbers"
        if self.is_interval and value[0] > value[1]:
            return "must be (low, high) with low ≤ high"
        return None


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of some words or numbers; None where `is_optional`."""

    values: tuple[str | int, ...]
    is_optional: bool = False

    def problem(self, value: Any) -> str | None:
        """See `Number.problem`."""
        if value in self.values and not isinstance(value, bool):
            return None
        if value is None and self.is_optional:
            return None
        may_be_none = ", or None" if self.is_optional else ""
        return f"must be one of {', '.join(map(str, self.values))}{may_be_none}"


AUTO = "auto"


@dataclasses.dataclass(frozen=True)
class NumberOrAuto:
    """A number, or 'auto': the program decides."""

    number: Number

    def problem(self, value: Any) -> str | None:
        """See `Number.problem`."""
        problem = None if value == AUTO else self.number.problem(value)
        return problem and f"{problem}, or 'auto'"


@dataclasses.dataclass(frozen=True)
class Names:
    """One or more names; `values`, if not empty, are those there are. None is allowed where it is optional."""

    values: tuple[str, ...] = ()
    is_optional: bool = False

    def problem(self, value: Any) -> str | None:
        """See `Number.problem`."""
        if value is None and self.is_optional:
            return None
        if not isinstance(value, list | tuple) or not value:
            return "must be one or more names in brackets"
        if any(
            not isinstance(name, str) or (self.values and name not in self.values) for name in value
        ):
            return f"must be one of {', '.join(self.values)}" if self.values else "must be names"
        return None


@dataclasses.dataclass(frozen=True)
class Switch:
    """true or false, and no word for it: 'false' would be true to Python."""

    def problem(self, value: Any) -> str | None:
        """See `Number.problem`."""
        return None if isinstance(value, bool) else "must be true or false"


@dataclasses.dataclass(frozen=True)
class Path:
    """A path, or None; it is looked up, and named, when it is used."""

    def problem(self, value: Any) -> str | None:
        """See `Number.problem`."""
        return None if value is None or isinstance(value, str) else "must be a path"


@dataclasses.dataclass(frozen=True)
class Anything:
    """Any value; `why` says who checks it."""

    why: str

    def problem(self, value: Any) -> str | None:
        """See `Number.problem`; there is none."""
        return None


Rule = Number | NumberOrAuto | Numbers | Choice | Names | Switch | Path | Anything
