"""The rows of benchmark.json, which `experiments.benchmark` leaves.

Files of earlier versions lack fields that have a default or may be None. 'part' is what was measured, 'candidate' a
framework with its variant, 'output_size' a side in pixels, 'dtype' that of activations; seconds are those of a call.
"""

import dataclasses
import typing
from typing import Any

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
    batch: float  # images of a call on each device
    seconds: tuple[float, ...] = ()  # by round
    calls_a_round: int | None = None
    median_seconds: float | None = None
    images_per_second: float | None = None  # by the median
    compile_seconds: float | None = None
    planned_bytes: PlannedBytes | None
    not_measured: str | None  # why

    def __post_init__(self) -> None:
        """What was measured has its numbers."""
        _check_measured(self, "median_seconds", "images_per_second", "compile_seconds")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ratio(About):
    """How many times as many images per second a candidate, ours, has as another one."""

    candidate: str
    against: str
    rounds: tuple[float, ...]  # the ratio of each; median, quartiles and interval are theirs
    median: float
    lower_quartile: float
    upper_quartile: float
    # The bootstrap's 95 % interval of the median: of what varies between rounds of one process, nothing else.
    interval: tuple[float, float] | None


@dataclasses.dataclass(frozen=True)
class Trial:
    """A batch that was tried."""

    batch: int
    seconds: float
    images_per_second: float


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
    points: tuple[tuple[float, float], ...]  # each a place and its seconds
    slope: float
    intercept: float
    r_squared: float


@dataclasses.dataclass(frozen=True)
class DataSheet:
    """What a device can do by its maker."""

    flops_per_second: float
    source: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class PeakArithmetic:
    """The rate of a product of two square matrices, in its fastest round."""

    framework: str
    dtype: str
    side: int
    seconds: tuple[float, ...] = ()  # by round
    flops_per_second: float | None = None
    data_sheet: DataSheet | None
    not_measured: str | None  # why

    def __post_init__(self) -> None:
        """What was measured has its rate."""
        _check_measured(self, "flops_per_second")


@dataclasses.dataclass(frozen=True)
class Operations:
    """Multiply-accumulates of one image in the literal model."""

    output_size: int
    multiply_accumulates: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far another framework's logits are from ours at most, and its largest."""

    with_: str = "PyTorch"
    output_size: int
    largest_difference: float
    largest_logit: float


@dataclasses.dataclass(frozen=True)
class PlannedMemory:
    """What XLA plans for a forward pass, with chunks of queries as configured and with all queries in one."""

    output_size: int
    dtype: str
    batch: int
    chunked: PlannedBytes | None
    in_one: PlannedBytes | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class PeakMemory(About):
    """The most bytes of a fresh process beyond what it began with, and of its device; None where it is not told."""

    candidate: str
    batch: int
    resident_bytes: int | None  # the median, if there are rounds
    device_bytes: int | None  # likewise
    not_measured: str | None  # why
    rounds: tuple[int | None, ...] = ()  # resident bytes; none in a file from before


@dataclasses.dataclass(frozen=True)
class Start:
    """A fresh process that did one thing once; bytes are the most beyond what it began with."""

    seconds_of_importing: float
    compile_seconds: float | None  # None: compiling is part of the first call
    resident_bytes: int | None = None  # None: the system does not tell
    device_bytes: int | None = None  # likewise
    seconds_from_start: float = 0.0  # until its answer was there


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
    seconds: tuple[float, ...]  # by round
    milliseconds: float | None  # their median
    not_measured: str | None  # why


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
    seconds_of_steps: float
    seconds_of_each_checkpoint: tuple[float, ...]
    images_per_second: float
    images_per_second_without_checkpoints: float
    bare_images_per_second: dict[str, float]  # by kind of step
    share: dict[str, float]  # that the loop has of each


@dataclasses.dataclass(frozen=True)
class Library:
    """A framework beside ours."""

    version: str
    threads: int | None


@dataclasses.dataclass(frozen=True)
class Environment:
    """What `experiments.benchmark.machine.environment` says of a machine, as far as it is used again."""

    device: str
    devices: tuple[str, ...]
    backend: str
    versions: dict[str, str | None]
    python: str
    cpu_count: int | None
    processor: str
    xla_flags: str
    matmul_precision: str
    git_commit: str | None
    date: str
    torch: Library | None
    onnxruntime: Library | None


@dataclasses.dataclass(frozen=True)
class Settings:
    """How often each candidate was timed, and how long a round was at least."""

    rounds: int
    seconds: float


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
