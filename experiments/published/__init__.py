"""The published numbers as data, and numbers measured elsewhere in the same format.

`experiments/published/*.csv` hold every number of the two papers' tables (see the README there). A
file of the same format, made by another program, is read by `read_values` too:

    system,dataset,protocol,class,metric,value,unit,source,seed
    PyTorch port,lapa,256,mean,mean_f1,92.31,percent,our cluster,0
"""

import csv
import dataclasses
import decimal
import functools
import io
import math
import pathlib
import re
from collections.abc import Iterable, Sequence

from fpliif_jax.data_builders.errors import UserError, one_line
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, read_regular

FOLDER = pathlib.Path(__file__).parent

_REQUIRED = ("system", "dataset", "protocol", "class", "metric", "value", "source")
_OPTIONAL = ("unit", "seed")
_UNITS = (
    "percent",
    "fraction",
    "millions",
    "gmacs",
    "gflops",
    "frames_per_second",
    "milliseconds",
    "hours",
    "times",
    "count",
    "none",
)
_LARGEST = {"percent": 100.0, "fraction": 1.0}  # of either sign: differences are shares too
_LARGEST_FILE = 16 * MEBIBYTE
_LONGEST_NUMBER = 40  # characters, of which no paper prints as many
_AS_PERCENT = {"percent": 0, "fraction": 2}  # how far the point moves


class PublishedError(UserError):
    """A file of published or external numbers cannot be read; the message, one line, names file and line."""

    def __str__(self) -> str:
        return one_line(super().__str__())


@dataclasses.dataclass(frozen=True)
class PublishedValue:
    """One printed number.

    Attributes:
      system: 'FP-LIIF', 'DML-CSR', 'STN-iCNN', 'STN-iCNN*', 'iCNN', …
      dataset: 'lapa', 'celebamask_hq', 'helen', 'cityscapes', or '' where it is about none.
      protocol: what the row or column is about: '256', '192->256', 'lambda=10', 'runs', 'unet', …
      class_name: a name of `data_builders.class_names`, 'mean', 'overall', 'eyes', 'brows', 'mouth'
        or ''.
      metric: 'f1' of a class, 'mean_f1', 'group_f1', 'mean_f1_sd', 'parameters', 'gmacs', 'gflops', …
      value: the number, in `unit`.
      printed: its text, so that '92.0' and '92' differ in their last digit.
      unit: 'percent', 'fraction', 'millions', 'gmacs', 'gflops' (printed so, and not known what was counted),
        'frames_per_second', 'milliseconds', 'hours', 'times', 'count' or 'none'.
      source: 'FP-LIIF Table 1', 'STN-iCNN README', …; any text for external numbers.
      seed: of an external run, or None.
    """

    system: str
    dataset: str
    protocol: str
    class_name: str
    metric: str
    value: float
    printed: str
    unit: str
    source: str
    seed: int | None = None

    @property
    def percent(self) -> float:
        """The value in percent points.

        Raises:
          ValueError: the unit is neither 'percent' nor 'fraction'.
        """
        if self.unit not in _AS_PERCENT:
            raise ValueError(f"{self.metric} of {self.system} ({self.source}) is in {self.unit}")
        # By decimals: .893 is 89.3 and not 89.3 and some 1e-14.
        return float(decimal.Decimal(self.printed).scaleb(_AS_PERCENT[self.unit]))

    @property
    def decimals(self) -> int:
        """Printed digits after the point, of percent points where the value is a share."""
        exponent = decimal.Decimal(self.printed).as_tuple().exponent
        return max(0, -int(exponent) - _AS_PERCENT.get(self.unit, 0))


def select(values: Iterable[PublishedValue], **fields: str) -> list[PublishedValue]:
    """All values whose fields have these contents, in their order."""
    return [
        value
        for value in values
        if all(getattr(value, name) == content for name, content in fields.items())
    ]


@functools.cache
def published_values() -> tuple[PublishedValue, ...]:
    """All numbers of the papers, in the order of the files and of their lines."""
    return tuple(value for path in sorted(FOLDER.glob("*.csv")) for value in read_values(path))


def read_values(path: pathlib.Path | str) -> tuple[PublishedValue, ...]:
    """The numbers of one CSV file.

    Args:
      path: UTF-8, with a header; columns in any order. `unit` (default: percent) and `seed` (default:
        none) may be missing or empty.

    Raises:
      PublishedError: names the file, the line and what is wrong with it.
    """
    path = pathlib.Path(path)
    try:
        text = read_regular(path, _LARGEST_FILE).decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        _check_header(path, reader.fieldnames)
        return tuple(_value(path, reader.line_num, row) for row in reader)
    except OSError as error:
        raise PublishedError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise PublishedError(f"{path}: not a CSV file in UTF-8: {error}") from error


def read_external(*paths: pathlib.Path | str) -> tuple[PublishedValue, ...]:
    """The numbers of files made elsewhere: as `read_values`, but mistakes that would go unnoticed are errors.

    Their protocols are spelled as results.json spells rows, '192to256'.

    Raises:
      PublishedError: a metric or data set that the papers do not have, the same run twice, in one file or in two, or
        an F1 score below 1 percent, which is a fraction in most cases.
    """
    # Here: a command's --help must not wait for JAX.
    from fpliif_jax.systems.protocol import Protocol

    metrics = {value.metric for value in published_values()}
    datasets = {value.dataset for value in published_values()}
    seen: dict[tuple, str] = {}
    values = [
        (
            f"{path}, value {number} ({value.system})",
            dataclasses.replace(value, protocol=Protocol.of_key(value.protocol).key),
        )
        for path in paths
        for number, value in enumerate(read_values(path), start=1)
    ]
    for place, value in values:
        if value.metric not in metrics:
            raise PublishedError(
                f"{place}: there is no metric {value.metric!r}; mean_f1, f1, group_f1, …"
            )
        if value.dataset not in datasets:
            known = ", ".join(sorted(filter(None, datasets)))
            raise PublishedError(
                f"{place}: there is no data set {value.dataset!r}; there are {known}"
            )
        if value.unit == "percent" and value.metric.endswith("f1") and 0 < value.value < 1:
            raise PublishedError(
                f"{place}: {value.printed} percent; if it is a fraction, say so in a column 'unit'"
            )
        key = (
            value.system,
            value.dataset,
            value.protocol,
            value.class_name,
            value.metric,
            value.seed,
        )
        if value.seed is not None and key in seen:
            raise PublishedError(
                f"{place}: seed {value.seed} stands there twice, first in {seen[key]}; leave one of them out"
            )
        seen[key] = place
    return tuple(value for _, value in values)


def _check_header(path: pathlib.Path, names: Sequence[str] | None) -> None:
    header = list(names or ())
    columns = ",".join((*_REQUIRED, *_OPTIONAL))
    for name in _REQUIRED:
        if name not in header:
            raise PublishedError(
                f"{path}, line 1: no column {name!r}; the header should be {columns}"
            )
    for name in header:
        if name not in _REQUIRED + _OPTIONAL:
            raise PublishedError(
                f"{path}, line 1: unknown column {name!r}; the header should be {columns}"
            )
        if header.count(name) > 1:
            raise PublishedError(f"{path}, line 1: column {name!r} is there twice")


def _value(path: pathlib.Path, line: int, row: dict[str | None, str | None]) -> PublishedValue:
    def wrong(what: str) -> PublishedError:
        return PublishedError(f"{path}, line {line}: {what}")

    fields = {
        name: text.strip() for name, text in row.items() if name is not None and text is not None
    }
    if len(fields) < len(row):
        raise wrong("not as many fields as the header has")
    for name in ("system", "metric", "value", "source"):
        if not fields[name]:
            raise wrong(f"{name} is empty")
    text = fields["value"]
    if len(text) > _LONGEST_NUMBER:
        raise wrong(f"value has {len(text)} characters")
    try:
        printed = decimal.Decimal(text)
        value = float(printed)
    except (decimal.InvalidOperation, ValueError):  # the latter of a signalling NaN
        raise wrong(f"value {text!r} is not a number") from None
    if not math.isfinite(value):
        raise wrong(f"value {text!r} is not finite")
    exponent = printed.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_LONGEST_NUMBER:
        raise wrong(f"value {text!r} has too many digits after the point")
    unit = fields.get("unit") or "percent"
    if unit not in _UNITS:
        raise wrong(f"unit {unit!r} is none of {', '.join(_UNITS)}")
    if abs(value) > _LARGEST.get(unit, math.inf):
        raise wrong(f"value {text} is impossible in {unit}; set the column unit")
    seed = fields.get("seed", "")
    if seed and not re.fullmatch("[0-9]{1,18}", seed):
        raise wrong(f"seed {seed[:_LONGEST_NUMBER]!r} is not a whole number")
    system, dataset, protocol, class_name, metric, _, source = (fields[one] for one in _REQUIRED)
    number = int(seed) if seed else None
    return PublishedValue(
        system, dataset, protocol, class_name, metric, value, text, unit, source, number
    )
