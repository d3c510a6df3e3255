"""What was compiled, as data ready for JSON and as a table; both say that nothing was run."""

import importlib.metadata
import os
from collections.abc import Callable, Sequence
from typing import Any

import ml_collections

from fpliif_jax.experiments.capacity import hlo, hlo_text
from fpliif_jax.experiments.capacity.ceiling import ceiling
from fpliif_jax.experiments.capacity.chips import Chip
from fpliif_jax.experiments.capacity.programs import Compiled
from fpliif_jax.run_folder.run_config import json_config

NOT_RUN = "compiled, not run"
_PACKAGES = ("jax", "jaxlib", "jax-cuda13-plugin", "libtpu", "flax")
_GIB, _GIGA = 2**30, 1e9
_NOTHING = "–"
_IMAGES, _FITS = "images of a call", "fits"
_WITHOUT_PROGRAM = (_IMAGES, _FITS)  # what is known of one that could not be compiled

_Make = Callable[[dict[str, Any]], str]


def head(
    config: ml_collections.ConfigDict, name: str, chip: Chip, num_devices: int
) -> dict[str, Any]:
    """Everything but the programs: config, chip, devices, versions.

    Args:
      config: a whole experiment.
      name: of it.
      chip: what is compiled for.
      num_devices: of it, for one program.
    """
    return {
        "what": NOT_RUN,
        "was_run": False,
        "config_name": name,
        "config": json_config(config),
        "chip": {
            "name": chip.name,
            "title": chip.title,
            "memory_bytes": chip.memory_bytes,
            "usable_bytes": chip.usable_bytes,
            "bytes_per_second": chip.bytes_per_second,
            "flops_per_second": {kind: rate.flops_per_second for kind, rate in chip.rates.items()},
            "source": chip.source,
        },
        "num_devices": num_devices,
        "versions": {package: _version(package) for package in _PACKAGES},
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "programs": [],
    }


def entry(compiled: Compiled, chip: Chip) -> dict[str, Any]:
    """One program: of one device, and of one call of everything it consists of.

    Returns:
      A dictionary ready for JSON. Where the program could not be compiled for want of memory, 'problem' says so, and
      all that would be read from it is None.
    """
    found: dict[str, Any] = {
        "name": compiled.name,
        "what": NOT_RUN,
        "images": compiled.images,
        "chosen": compiled.chosen,
        "note": compiled.note,
        "problem": compiled.problem,
    }
    if compiled.problem:
        return {
            **found,
            "fits": False,
            **dict.fromkeys(
                (
                    "planned_bytes",
                    "kernels",
                    "collectives",
                    "bytes",
                    "flops",
                    "ceiling",
                    "unordered_sums",
                    "unknown_loops",
                )  # fmt: skip
            ),
        }
    modules = [hlo_text.parse(text) for text in compiled.modules]
    kernels = [kernel for module in modules for kernel in hlo.kernels(module)]
    sums, least = hlo.totals(kernels), ceiling(kernels, chip)
    largest = max(compiled.planned, key=lambda plan: plan["total"])
    return {
        **found,
        "planned_bytes": largest,
        "fits": largest["total"] <= chip.usable_bytes,
        "kernels": sums.launches,
        "collectives": sums.collectives,
        "bytes": sums.bytes,
        "flops": {kind: sums.flops[kind] for kind in hlo.KINDS if kind in sums.flops},
        "ceiling": {
            "seconds": least.seconds,
            "images_per_second": compiled.images / least.seconds,
            "shares": dict(least.shares),
        },
        "unordered_sums": sum(len(hlo.unordered_sums(module)) for module in modules),
        "unknown_loops": sum(map(hlo.unknown_loops, modules)),
    }


def to_text(content: dict[str, Any], chip: Chip) -> str:
    """A table: a line a fact, a column a program, and in the last one that nothing was run."""
    entries = content["programs"]
    devices = content["num_devices"]
    many = f"one of {devices} devices" if devices > 1 else "one device"
    dtype = content["config"]["dtype"]
    versions = ", ".join(f"{name} {v}" for name, v in content["versions"].items() if v)
    usable = f"{chip.usable_bytes / _GIB:.1f} of its {chip.memory_bytes / _GIB:.1f} GiB"
    rows = [("", [one["name"] for one in entries])]
    rows += [
        (label, [_cell(one, label, make) for one in entries]) for label, make in _facts(entries)
    ]
    first = max(len(label) for label, _ in rows)
    widths = [max(len(row[column]) for _, row in rows) for column in range(len(entries))]
    lines = [
        f"{content['config_name']} in {dtype} on {chip.title}, {many}: {NOT_RUN}.",
        f"JAX may use {usable} there ({NOT_RUN}).",
        f"Data sheet, of which the ceiling is made ({NOT_RUN}): {_sheet(chip)}.",
        f"Source: {chip.source}.",
        f"Compiled by {versions} ({NOT_RUN}).",
        "",
    ]
    for label, cells in rows:
        columns = "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        lines.append(f"{label:<{first}}  {columns}  {NOT_RUN}")
    remarks = [
        f"{one['name']}: {one[field]} ({NOT_RUN})."
        for one in entries
        for field in ("note", "problem")
        if one[field]
    ]
    return "\n".join([*lines, *(["", *remarks] if remarks else [])])


def _facts(entries: Sequence[dict[str, Any]]) -> list[tuple[str, _Make]]:
    """Labels, and what each says of a program."""
    kinds = [kind for kind in hlo.KINDS if any(kind in (one["flops"] or {}) for one in entries)]
    waits = sorted({what for one in entries for what in (one["ceiling"] or {}).get("shares", {})})
    chosen = sorted({field for one in entries for field in one["chosen"] or {}})
    facts = [
        (_IMAGES, lambda one: f"{one['images']:,}"),
        ("peak memory, GiB, at least", lambda one: f"{one['planned_bytes']['total'] / _GIB:.2f}"),
        (_FITS, lambda one: "yes" if one["fits"] else "no"),
    ]
    facts += [(f"chosen: {field}", _chosen(field)) for field in chosen]
    facts += [
        ("kernels of a call, at least", lambda one: f"{one['kernels']:,}"),
        ("collectives among them", lambda one: f"{one['collectives']:,}"),
        ("read and written, GB an image", lambda one: f"{_an_image(one, one['bytes']):.3g}"),
    ]
    facts += [(f"GFLOP an image, {kind}", _flops(kind)) for kind in kinds]
    facts += [
        ("ceiling, images/s of a device", lambda one: f"{one['ceiling']['images_per_second']:,.0f}")
    ]
    facts += [(f"of that, bound by {what}", _share(what)) for what in waits]
    facts.append(("sums in no fixed order", lambda one: f"{one['unordered_sums']:,}"))
    if any(one["unknown_loops"] for one in entries):
        facts.append(("loops counted once only", lambda one: f"{one['unknown_loops']:,}"))
    return facts


def _cell(one: dict[str, Any], label: str, make: _Make) -> str:
    known = not one["problem"] or label in _WITHOUT_PROGRAM
    return make(one) if known else _NOTHING


def _an_image(one: dict[str, Any], count: float) -> float:
    return count / one["images"] / _GIGA


def _chosen(field: str) -> _Make:
    return lambda one: str((one["chosen"] or {}).get(field, _NOTHING))


def _flops(kind: str) -> _Make:
    return lambda one: f"{_an_image(one, one['flops'].get(kind, 0)):.3g}"


def _share(what: str) -> _Make:
    return lambda one: f"{one['ceiling']['shares'].get(what, 0):.0%}"


def _sheet(chip: Chip) -> str:
    rates = [
        f"{kind} {rate.flops_per_second / 1e12:.4g} TFLOP/s ({rate.title}, {rate.unit})"
        for kind, rate in chip.rates.items()
    ]
    return "; ".join([f"memory {chip.bytes_per_second / 1e9:,.0f} GB/s", *rates])


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
