"""The rows of benchmark.json, which `experiments.benchmark` leaves.

Files of earlier versions lack fields that have a default. 'part' is what was measured, 'candidate' a
framework with its variant, 'output_size' a side in pixels, 'dtype' that of activations; seconds are those of a call.
"""

import dataclasses
import typing
from typing import Any

import msgspec

from fpliif_jax.experiments.runs.value_types import Measure

_NAMES = ("part", "what", "stage", "output_size", "dtype", "candidate", "framework")


def about(row: Any) -> str:
    """What tells a row from others, for people."""
    values = [getattr(row, name, None) for name in _NAMES]
    return ", ".join(str(value) for value in values if value is not None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class About:
    """What a row is about; what all of its kind share is None."""

    part: str
    what: str | None = None
    stage: str | None = None
    output_size: int | None = None
    dtype: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failure(About):
    """Something that could not be measured, and why."""

    candidate: str | None = None
    reason: str


@dataclasses.dataclass(frozen=True)
class PlannedBytes:
    """Memory that XLA reserves for a call, by what for."""

    arguments: int
    outputs: int
    temporaries: int
    shared: int
    total: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measurement(About):
    """The timings of a candidate; without them where it was not measured."""

    candidate: str
    batch: Measure  # images of a call on each device
    seconds: tuple[Measure, ...] = ()  # by round
    calls_a_round: int | None = None
    median_seconds: Measure | None = None
    images_per_second: Measure | None = None  # by the median
    compile_seconds: Measure | None = None
    planned_bytes: PlannedBytes | None = None
    not_measured: str | None = None  # why

    def __post_init__(self) -> None:
        """Refuses something measured that lacks its numbers."""
        _check_measured(self, "median_seconds", "images_per_second", "compile_seconds")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ratio(About):
    """How many times as many images per second a candidate, ours, has as another one."""

    candidate: str
    against: str
    rounds: tuple[Measure, ...]  # the ratio of each; median, quartiles and interval are theirs
    median: Measure
    lower_quartile: Measure
    upper_quartile: Measure
    # The bootstrap's 95 % interval of the median: of what varies between rounds of one process, nothing else.
    interval: tuple[Measure, Measure] | None = None


@dataclasses.dataclass(frozen=True)
class Trial:
    """A batch that was tried."""

    batch: int
    seconds: Measure
    images_per_second: Measure


@dataclasses.dataclass(frozen=True, kw_only=True)
class Batches(About):
    """The search for the best batch, and why it ended."""

    candidate: str
    trials: tuple[Trial, ...]
    ended_by: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fit:
    """The least-squares line of seconds against what it is 'of': 'output pixels', 'batch' or 'images'."""

    of: str
    output_size: int | None = None
    dtype: str
    points: tuple[tuple[Measure, Measure], ...]  # each a place and its seconds
    slope: Measure
    intercept: Measure
    r_squared: Measure


@dataclasses.dataclass(frozen=True)
class DataSheet:
    """Rate of a device by its maker's data sheet."""

    flops_per_second: Measure
    source: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class PeakArithmetic:
    """The rate of a product of two square matrices, in its fastest round."""

    framework: str
    dtype: str
    side: int
    seconds: tuple[Measure, ...] = ()  # by round
    flops_per_second: Measure | None = None
    data_sheet: DataSheet | None = None
    not_measured: str | None = None  # why

    def __post_init__(self) -> None:
        """Refuses something measured that lacks its rate."""
        _check_measured(self, "flops_per_second")


@dataclasses.dataclass(frozen=True)
class Operations:
    """Multiply-accumulates of one image in the literal model."""

    output_size: int
    multiply_accumulates: int


class Agreement(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"with_": "with"}
):
    """How far another framework's logits are from ours at most, and its largest."""

    with_: str = "PyTorch"
    output_size: int
    largest_difference: Measure
    largest_logit: Measure


@dataclasses.dataclass(frozen=True)
class PlannedMemory:
    """What XLA plans for a forward pass, with chunks of queries as configured and with all queries in one."""

    output_size: int
    dtype: str
    batch: int
    chunked: PlannedBytes | None = None
    in_one: PlannedBytes | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class PeakMemory(About):
    """The most bytes of a fresh process beyond what it began with, and of its device; None where it is not told."""

    candidate: str
    batch: int
    resident_bytes: int | None = None  # the median, if there are rounds
    device_bytes: int | None = None  # likewise
    not_measured: str | None = None  # why
    rounds: tuple[int | None, ...] = ()  # resident bytes; none in a file from before


@dataclasses.dataclass(frozen=True)
class Start:
    """A fresh process that did one thing once; bytes are the most beyond what it began with."""

    seconds_of_importing: Measure
    compile_seconds: Measure | None = None  # None: compiling is part of the first call
    resident_bytes: int | None = None  # None: the system does not tell
    device_bytes: int | None = None  # likewise
    seconds_from_start: Measure = 0.0  # until its answer was there


@dataclasses.dataclass(frozen=True)
class Starts:
    """Starts with an empty compilation cache and with a warm one, by round."""

    what: str
    dtype: str
    empty: tuple[Start, ...]
    warm: tuple[Start, ...]


@dataclasses.dataclass(frozen=True)
class FaceStep:
    """A step of labelling one face."""

    step: str
    seconds: tuple[Measure, ...]  # by round
    milliseconds: Measure | None = None  # their median
    not_measured: str | None = None  # why


@dataclasses.dataclass(frozen=True)
class OneFace:
    """What labelling one face takes STN-iCNN or its baseline."""

    system: str
    photo: tuple[int, int]  # height and width
    canvas: int  # side
    steps: tuple[FaceStep, ...]


@dataclasses.dataclass(frozen=True)
class Loop:
    """The training loop beside the bare step."""

    epochs: int
    steps: int
    images: int
    seconds_of_steps: Measure
    seconds_of_each_checkpoint: tuple[Measure, ...]
    images_per_second: Measure
    images_per_second_without_checkpoints: Measure
    bare_images_per_second: dict[str, Measure]  # by kind of step
    share: dict[str, Measure]  # that the loop has of each


@dataclasses.dataclass(frozen=True)
class Library:
    """A framework beside ours."""

    version: str
    threads: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Environment:
    """What `experiments.benchmark.machine.environment` says of a machine, as far as it is used again."""

    device: str
    devices: tuple[str, ...]
    backend: str
    versions: dict[str, str | None]
    python: str
    cpu_count: int | None = None
    processor: str
    xla_flags: str
    matmul_precision: str
    git_commit: str | None = None
    date: str
    torch: Library | None = None
    onnxruntime: Library | None = None


@dataclasses.dataclass(frozen=True)
class Settings:
    """How often each candidate was timed, and how long a round was at least."""

    rounds: int
    seconds: Measure


@dataclasses.dataclass(frozen=True)
class Results:
    """What is used again of benchmark.json; parts that were not measured are empty."""

    config_name: str
    finished: bool
    environment: Environment
    settings: Settings
    agreement: tuple[Agreement, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    ratios: tuple[Ratio, ...] = ()
    batches: tuple[Batches, ...] = ()
    fits: tuple[Fit, ...] = ()
    peak_arithmetic: tuple[PeakArithmetic, ...] = ()
    operations: tuple[Operations, ...] = ()
    planned_memory: tuple[PlannedMemory, ...] = ()
    peak_memory: tuple[PeakMemory, ...] = ()
    starts: tuple[Starts, ...] = ()
    one_face: tuple[OneFace, ...] = ()
    loop: tuple[Loop, ...] = ()
    not_measured: tuple[Failure, ...] = ()


# The field of `Results` that rows of a class are in.
SECTIONS = {
    typing.get_args(kind)[0]: name
    for name, kind in typing.get_type_hints(Results).items()
    if typing.get_origin(kind) is tuple
}


def _check_measured(row: Any, *fields: str) -> None:
    for field in fields:
        if row.not_measured is None and getattr(row, field) is None:
            raise ValueError(f"has no {field!r}")
