"""What was compiled, as data ready for JSON and as a table; both say that nothing was run."""

import dataclasses
import os
from collections.abc import Callable, Sequence

import ml_collections

from fpliif_jax.experiments.capacity import hlo, hlo_text
from fpliif_jax.experiments.capacity.ceiling import ceiling
from fpliif_jax.experiments.capacity.chips import Chip
from fpliif_jax.experiments.capacity.programs import Compiled
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.run_folder.run_config import json_config
from fpliif_jax.run_folder.run_record import versions

NOT_RUN = "compiled, not run"
_PACKAGES = ("jax", "jaxlib", "jax-cuda13-plugin", "libtpu", "flax")
_GIB, _GIGA = 2**30, 1e9
_NOTHING = "–"
_OF_CHIP = ("name", "title", "memory_bytes", "usable_bytes", "bytes_per_second")
_WORDS = {True: "yes", False: "no", None: "not known"}
_IMAGES, _FITS = "images of a call", "fits"
_WITHOUT_PROGRAM = (_IMAGES, _FITS)  # what is known of one that could not be compiled


@dataclasses.dataclass(frozen=True)
class CeilingOfCall:
    """The fields of a `Ceiling`, and the rate that follows from them."""

    seconds: float
    images_per_second: float
    shares: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Reading:
    """What the modules of a program say of one call.

    Attributes:
      planned_bytes: of the largest module that the compiler tells it of, see `fitting.planned_bytes`; or None.
      fits: whether JAX may use as much of the chip; None where a module may need more than is told.
      kernels, collectives, bytes, flops: see `hlo.Totals`.
      ceiling: of the rate.
      unordered_sums, unknown_loops: how many.
    """

    planned_bytes: dict[str, int] | None
    fits: bool | None
    kernels: int
    collectives: int
    bytes: int
    flops: dict[str, int]
    ceiling: CeilingOfCall
    unordered_sums: int
    unknown_loops: int

    @classmethod
    def of(cls, compiled: Compiled, chip: Chip) -> "Reading":
        """The reading of what was compiled for a chip."""
        modules = [hlo_text.parse(text) for text in compiled.modules]
        kernels = [kernel for module in modules for kernel in hlo.kernels(module)]
        sums, least = hlo.totals(kernels), ceiling(kernels, chip)
        known = [planned for planned in compiled.planned if planned is not None]
        largest = max(known, key=_total, default=None)
        fits = largest is None or _total(largest) <= chip.usable_bytes
        rate = compiled.images / least.seconds
        return cls(
            planned_bytes=largest,
            fits=None if fits and len(known) < len(compiled.modules) else fits,
            kernels=sums.launches,
            collectives=sums.collectives,
            bytes=sums.bytes,
            flops={kind: sums.flops[kind] for kind in hlo.KINDS if kind in sums.flops},
            ceiling=CeilingOfCall(least.seconds, rate, dict(least.shares)),
            unordered_sums=sum(len(hlo.unordered_sums(module)) for module in modules),
            unknown_loops=sum(map(hlo.unknown_loops, modules)),
        )


@dataclasses.dataclass(frozen=True)
class Program:
    """One program: of one device, and of one call of everything it consists of.

    Attributes:
      compiled: what there is of it.
      reading: None where it could not be compiled for want of memory, as `compiled.problem` says.
    """

    compiled: Compiled
    reading: Reading | None

    @property
    def images_per_second(self) -> float:
        """The ceiling."""
        # pyrefly: ignore[missing-attribute] - asked of what could be compiled
        return self.reading.ceiling.images_per_second

    def an_image(self, count: float) -> float:
        """1e9 of what one call has, for each image."""
        return count / self.compiled.images / _GIGA

    def as_json(self) -> JsonObject:
        """An entry of 'programs'; all that would be read is null where nothing could be."""
        compiled = self.compiled
        content = {
            "name": compiled.name,
            "what": NOT_RUN,
            "images": compiled.images,
            "chosen": compiled.chosen,
            "note": compiled.note,
            "problem": compiled.problem,
        }
        if self.reading:
            return content | dataclasses.asdict(self.reading)
        names = [field.name for field in dataclasses.fields(Reading)]
        return {**content, "fits": False} | {name: None for name in names if name != "fits"}


_Make = Callable[[Program], str]


@dataclasses.dataclass(frozen=True)
class Report:
    """Everything that the report of a config on a chip rests on.

    Attributes:
      config: a whole experiment.
      config_name: of it.
      chip: what is compiled for.
      num_devices: of it, for one program.
      programs: compiled so far.
    """

    config: ml_collections.ConfigDict
    config_name: str
    chip: Chip
    num_devices: int
    programs: tuple[Program, ...] = ()

    def with_program(self, compiled: Compiled) -> "Report":
        """The same and one program more."""
        reading = None if compiled.problem else Reading.of(compiled, self.chip)
        programs = (*self.programs, Program(compiled, reading))
        return dataclasses.replace(self, programs=programs)

    def as_json(self) -> JsonObject:
        """Ready for JSON."""
        chip = self.chip
        return {
            "what": NOT_RUN,
            "was_run": False,
            "config_name": self.config_name,
            "config": json_config(self.config),
            "chip": {
                **{field: getattr(chip, field) for field in _OF_CHIP},
                "flops_per_second": {
                    kind: rate.flops_per_second for kind, rate in chip.rates.items()
                },
                "source": chip.source,
            },
            "num_devices": self.num_devices,
            "versions": versions(_PACKAGES),
            "xla_flags": os.environ.get("XLA_FLAGS", ""),
            "programs": [program.as_json() for program in self.programs],
        }

    def as_text(self) -> str:
        """A table: a line a fact, a column a program, and in the last one that nothing was run."""
        chip, programs, devices = self.chip, self.programs, self.num_devices
        many = f"one of {devices} devices" if devices > 1 else "one device"
        compilers = ", ".join(f"{name} {v}" for name, v in versions(_PACKAGES).items() if v)
        usable = f"{chip.usable_bytes / _GIB:.1f} of its {chip.memory_bytes / _GIB:.1f} GiB"
        rows = [("", [one.compiled.name for one in programs])]
        rows += [
            (label, [_cell(one, label, make) for one in programs])
            for label, make in _facts(programs)
        ]
        first = max(len(label) for label, _ in rows)
        widths = [max(len(row[column]) for _, row in rows) for column in range(len(programs))]
        lines = [
            f"{self.config_name} in {self.config.dtype} on {chip.title}, {many}: {NOT_RUN}.",
            f"JAX may use {usable} there ({NOT_RUN}).",
            f"Data sheet, of which the ceiling is made ({NOT_RUN}): {_sheet(chip)}.",
            f"Source: {chip.source}.",
            f"Compiled by {compilers} ({NOT_RUN}).",
            "",
        ]
        for label, cells in rows:
            padded = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
            lines.append(f"{label:<{first}}  {'  '.join(padded)}  {NOT_RUN}")
        remarks = [
            f"{one.compiled.name}: {remark} ({NOT_RUN})."
            for one in programs
            for remark in (one.compiled.note, one.compiled.problem)
            if remark
        ]
        return "\n".join([*lines, *(["", *remarks] if remarks else [])])


def _facts(programs: Sequence[Program]) -> list[tuple[str, _Make]]:
    """Labels, and what each says of a program."""
    readings = [one.reading for one in programs if one.reading]
    kinds = [kind for kind in hlo.KINDS if any(kind in one.flops for one in readings)]
    waits = sorted({what for one in readings for what in one.ceiling.shares})
    chosen = sorted({field for one in programs for field in one.compiled.chosen or {}})
    facts = [
        (_IMAGES, lambda one: f"{one.compiled.images:,}"),
        ("peak memory, GiB, at least", _peak),
        (_FITS, lambda one: _WORDS[one.reading.fits if one.reading else False]),
    ]
    facts += [(f"chosen: {field}", _chosen(field)) for field in chosen]
    facts += [
        ("kernels of a call, at least", lambda one: f"{one.reading.kernels:,}"),
        ("collectives among them", lambda one: f"{one.reading.collectives:,}"),
        ("read and written, GB an image", lambda one: f"{one.an_image(one.reading.bytes):.3g}"),
    ]
    facts += [(f"GFLOP an image, {kind}", _flops(kind)) for kind in kinds]
    facts += [("ceiling, images/s of a device", lambda one: f"{one.images_per_second:,.0f}")]
    facts += [(f"of that, bound by {what}", _share(what)) for what in waits]
    facts.append(("sums in no fixed order", lambda one: f"{one.reading.unordered_sums:,}"))
    if any(one.unknown_loops for one in readings):
        facts.append(("loops counted once only", lambda one: f"{one.reading.unknown_loops:,}"))
    return facts


def _cell(one: Program, label: str, make: _Make) -> str:
    return make(one) if one.reading or label in _WITHOUT_PROGRAM else _NOTHING


def _peak(one: Program) -> str:
    planned = one.reading.planned_bytes if one.reading else None
    return f"{_total(planned) / _GIB:.2f}" if planned else _NOTHING


def _chosen(field: str) -> _Make:
    return lambda one: str((one.compiled.chosen or {}).get(field, _NOTHING))


def _flops(kind: str) -> _Make:
    # pyrefly: ignore[missing-attribute] - `_cell` asks of what could be compiled
    return lambda one: f"{one.an_image(one.reading.flops.get(kind, 0)):.3g}"


def _share(what: str) -> _Make:
    # pyrefly: ignore[missing-attribute] - likewise
    return lambda one: f"{one.reading.ceiling.shares.get(what, 0):.0%}"


def _total(planned: dict[str, int]) -> int:
    return planned["total"]


def _sheet(chip: Chip) -> str:
    rates = [
        f"{kind} {rate.flops_per_second / 1e12:.4g} TFLOP/s ({rate.title}, {rate.unit})"
        for kind, rate in chip.rates.items()
    ]
    return "; ".join([f"memory {chip.bytes_per_second / 1e9:,.0f} GB/s", *rates])
