"""What values a run's files may have, as types that `typed_json` checks. All numbers are finite already."""

import datetime
import re
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta

Framework = Literal["jax", "pytorch", "elsewhere"]
SeedSource = Literal["initialisation", "data_order", "augmentation"]
Side = Literal["picture", "person"]  # `class_names.PICTURE` and `.PERSON`
Split = Literal["train", "validation", "test"]

# Model and framework of label maps that were made elsewhere and scored here (`experiments.score`): of their training
# nothing is known.
ELSEWHERE = "elsewhere"
# With which a run may have been trained, and their names for people. Older files do not say it: they are of JAX.
FRAMEWORKS = {"jax": "JAX", "pytorch": "PyTorch", ELSEWHERE: "another system"}
SEED_SOURCES = get_args(SeedSource)
SPLITS = get_args(Split)

# Of steps or images: float64 counts exactly up to here.
Count = Annotated[int, Meta(ge=0, le=2**53)]
# No loss, time or rate of a run is larger; figures can still draw it.
Measure = Annotated[float, Meta(ge=-1e30, le=1e30)]
Score = Annotated[float, Meta(ge=0, le=1)] | None
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]  # SHA-256 in hexadecimal
# Part of the name of a file.
SafeName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")]
ShortText = Annotated[str, Meta(max_length=1000)]  # names of processors, versions of libraries

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00")


def is_moment(value: Any) -> bool:
    """Whether it is a moment in UTC, in ISO 8601 with seconds: texts of this form are in the order of time."""
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return False
    try:
        datetime.datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_integer(value: Any) -> bool:
    """Whether it is an integer; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)
