"""Measures the parts one after the other: what `python -m experiments.benchmark.deployment` does."""

import argparse
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from fpliif_jax import systems, weights
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.benchmark import machine
from fpliif_jax.experiments.benchmark.deployment import (
    browser,
    differences,
    first_photo,
    graphs,
    onnx_only,
    squares,
    video,
)
from fpliif_jax.experiments.benchmark.deployment.__main__ import PARTS
from fpliif_jax.experiments.runs import typed_json
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.run_folder.run_record import write_json

_IN_ORDER = (first_photo, graphs, differences, onnx_only, video, squares, browser)
_MODULES: dict[str, Any] = dict(zip(PARTS, _IN_ORDER, strict=True))
_OF_ANY_SIZE = ("graphs", "squares")  # not of a system that has one size of label map
_WITH_TORCH, _WITH_ONNX = ("graphs",), ("graphs", "differences", "onnx_only")
_FACTS = {"video": ("av", video.facts), "browser": ("browser", browser.facts)}


def run(flags: argparse.Namespace) -> None:
    """Measures, prints the tables, and writes a file as soon as its part is measured.

    Args:
      flags: of the command.

    Raises:
      UserError, OSError: what `command_line.run` ends with in one line.
    """
    of_any_size = systems.of(weights.load(flags.weights).config).inference.decodes_any_size
    without = () if of_any_size else _OF_ANY_SIZE
    origin = pathlib.Path(flags.untrained).stem if flags.untrained else flags.weights
    if flags.output:
        flags.output.mkdir(parents=True, exist_ok=True)
    for name in flags.parts or [part for part in PARTS if part not in without]:
        if name in without:
            raise UserError(f"--parts={name}: {flags.weights!r} is no FP-LIIF")
        load = [os.getloadavg()[0]]
        rows = _MODULES[name].measure(flags)
        load.append(os.getloadavg()[0])
        print(f"{_MODULES[name].table(rows)}\n", flush=True)
        if flags.output:
            write_json(flags.output / f"{origin}-{name}.json", _content(flags, name, rows, load))


def _content(
    flags: argparse.Namespace, part: str, rows: Sequence[object], load: Sequence[float]
) -> JsonObject:
    environment = machine.environment(part in _WITH_TORCH, part in _WITH_ONNX)
    if part in _FACTS:
        name, facts = _FACTS[part]
        environment[name] = facts()
    return {
        "schema": 1,
        "weights": None if flags.untrained else flags.weights,
        "untrained": flags.untrained,
        # Programs that wanted a core, at the beginning and at the end: this one's threads are among them.
        "load": list(load),
        "environment": environment,
        "rows": typed_json.to_json(rows),
    }
