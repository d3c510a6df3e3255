"""What kind of value JSON gave."""

import datetime
import re
from typing import Any

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00")
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LARGEST = 1e30  # no loss, time or rate of a run is larger; figures can still draw it
_MOST = 2**53  # of steps and images: float64 counts exactly up to here


def is_integer(value: Any) -> bool:
    """Whether it is an integer; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_count(value: Any) -> bool:
    """Whether it is an integer from 0 to 2**53."""
    return is_integer(value) and 0 <= value <= _MOST


def is_number(value: Any) -> bool:
    """Whether it is a number; true and false are none."""
    return is_integer(value) or isinstance(value, float)


def is_measure(value: Any) -> bool:
    """Whether it is a number of a size that a run can measure."""
    return is_number(value) and abs(value) <= _LARGEST


def is_share(value: Any) -> bool:
    """Whether it is a number from 0 to 1."""
    return is_number(value) and 0 <= value <= 1


def is_text(value: Any) -> bool:
    """Whether it is a text."""
    return isinstance(value, str)


def is_moment(value: Any) -> bool:
    """Whether it is a moment in UTC, in ISO 8601 with seconds: texts of this form are in the order of time."""
    if not is_text(value) or not _MOMENT.fullmatch(value):
        return False
    try:
        datetime.datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_object(value: Any) -> bool:
    """Whether it is an object."""
    return isinstance(value, dict)


def is_score(value: Any) -> bool:
    """Whether it is a share, or null."""
    return value is None or is_share(value)


def is_text_or_none(value: Any) -> bool:
    """Whether it is a text, or null."""
    return value is None or is_text(value)


def is_measure_or_none(value: Any) -> bool:
    """Whether it is a measure, or null."""
    return value is None or is_measure(value)


def is_count_or_none(value: Any) -> bool:
    """Whether it is a count, or null."""
    return value is None or is_count(value)


def is_flag(value: Any) -> bool:
    """Whether it is true, false or null."""
    return value is None or isinstance(value, bool)


def is_digest(value: Any) -> bool:
    """Whether it is a SHA-256 in hexadecimal, or null."""
    return value is None or (isinstance(value, str) and _DIGEST.fullmatch(value) is not None)


def is_safe_name(value: Any) -> bool:
    """Whether it may be a part of the name of a file."""
    return isinstance(value, str) and _SAFE_NAME.fullmatch(value) is not None


def is_list_of_texts(value: Any) -> bool:
    """Whether it is a list of texts alone."""
    return isinstance(value, list) and all(is_text(one) for one in value)


def holds_measures(value: Any) -> bool:
    """Whether it is a number, null, or an object of these."""
    if is_object(value):
        return all(holds_measures(one) for one in value.values())
    return is_measure_or_none(value)


def longest_text(value: Any) -> int:
    """Characters of the longest text in it, names of fields included; 0 without one."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        return max(map(longest_text, value), default=0)
    return len(value) if isinstance(value, str) else 0
