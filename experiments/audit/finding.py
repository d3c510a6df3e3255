"""What the audit finds, and how its checks look the papers' numbers up."""

import collections
import dataclasses
import decimal
from collections.abc import Iterable, Sequence

from fpliif_jax.experiments.published import PublishedError, PublishedValue, select
from fpliif_jax.systems.protocol import Protocol

# What each word means stands in layout.sentences.jinja, and on the page.
STATUSES = ("contradiction", "doubt", "rounding", "cannot be recomputed", "agrees")
# What depends on it, most first: the paper's main results; another claim; what someone who reproduces it has to do
# or may expect; how a number is printed.
CONSEQUENCES = ("main result", "claim", "recipe", "print")

SET_NAMES = {"lapa": "LaPa", "celebamask_hq": "CelebAMask-HQ", "helen": "Helen"}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was recomputed.

    Attributes:
      id: short and stable, as 'fp-liif-tie'.
      title: what was looked at, not what came out.
      says: what the paper says, with where it says so.
      recomputed: what the numbers or the code give.
      size: of the difference, with its unit.
      meaning: one plain sentence.
      status: of `STATUSES`.
      consequence: of `CONSEQUENCES`.
      table: lines of cells, the first a header; or empty.
    """

    id: str
    title: str
    says: str
    recomputed: str
    size: str
    meaning: str
    status: str
    consequence: str
    table: tuple[tuple[str, ...], ...] = ()


class Row(collections.UserDict[str, PublishedValue]):
    """A line of a table by class, with the score that sums it up among them."""

    @property
    def total(self) -> PublishedValue:
        """The mean or the overall score, whichever the table has."""
        return self["mean"] if "mean" in self else self["overall"]


class Tables:
    """The published values, looked up by what they are about."""

    def __init__(self, values: Iterable[PublishedValue]) -> None:
        self._values = tuple(values)

    def all(self, **fields: str) -> list[PublishedValue]:
        """All values whose fields have these contents, in the order of the files."""
        return select(self._values, **fields)

    def exactly(self, number: int, **fields: str) -> list[PublishedValue]:
        """All values whose fields have these contents, where there have to be so many.

        Raises:
          PublishedError: there are more or fewer.
        """
        values = self.all(**fields)
        if len(values) != number:
            raise PublishedError(f"{len(values)} published values have {fields}, not {number}")
        return values

    def one(self, **fields: str) -> PublishedValue:
        """The only one.

        Raises:
          PublishedError: there is none, or there are several.
        """
        return self.exactly(1, **fields)[0]

    def sources(self) -> set[str]:
        """Everything that values come from."""
        return {value.source for value in self._values}

    def row(self, source: str, system: str, protocol: str) -> Row:
        """One line of a table."""
        values = self.all(source=source, system=system, protocol=protocol)
        return Row((value.class_name, value) for value in values)

    def rows(self, source: str) -> dict[tuple[str, str], Row]:
        """All lines of a table, by system and protocol."""
        keys = dict.fromkeys((v.system, v.protocol) for v in self.all(source=source))
        return {key: self.row(source, *key) for key in keys}


def exact_mean(values: Sequence[PublishedValue]) -> decimal.Decimal:
    """Mean of printed percentages, without binary rounding."""
    return sum((decimal.Decimal(one.printed) for one in values), decimal.Decimal()) / len(values)


def rounded(value: decimal.Decimal, decimals: int) -> decimal.Decimal:
    """The value with so many digits after the point, rounded half up, as papers round."""
    return value.quantize(decimal.Decimal(1).scaleb(-decimals), decimal.ROUND_HALF_UP)


def truncated(value: decimal.Decimal, decimals: int) -> decimal.Decimal:
    """Cut after so many digits behind the point."""
    return value.quantize(decimal.Decimal(1).scaleb(-decimals), decimal.ROUND_DOWN)


def same_digits(value: float, printed: PublishedValue) -> bool:
    """Whether a recomputed value, in the unit of the printed one, rounds to the printed digits."""
    digits = len(printed.printed.partition(".")[2])
    return rounded(decimal.Decimal(value), digits) == decimal.Decimal(printed.printed)


def label(system: str, protocol: str) -> str:
    """A line of a table in words: 'FP-LIIF 192 → 256'; 256, the size of the images, goes without saying."""
    if protocol in ("", "256"):
        return system
    return f"{system} {Protocol.of_key(protocol).title}"
