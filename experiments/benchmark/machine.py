"""The machine that a benchmark ran on, for its results and their names."""

import datetime
import json
import os
import pathlib
import re
from typing import Any

import jax

from fpliif_jax.commands import processor
from fpliif_jax.data_builders.host import atomic_file
from fpliif_jax.experiments.benchmark import onnx_programs, torch_programs
from fpliif_jax.experiments.runs.local_versions import without_local_version
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.run_folder import run_record


def environment(with_torch: bool, with_onnx: bool = False) -> dict[str, Any]:
    """Device, versions, threads, flags, commit and date, ready for JSON."""
    own = run_record.environment({})
    own["platform"] = without_local_version(own["platform"])
    return {
        "device": device_name(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **own,
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "torch": torch_programs.facts() if with_torch else None,
        "onnxruntime": onnx_programs.facts() if with_onnx else None,
    }


def device_name() -> str:
    """Name of the first device; a CPU's with its cores, for JAX calls them all 'cpu'."""
    kind = jax.local_devices()[0].device_kind
    return f"{os.cpu_count()} CPU cores, {processor.name()}" if kind == "cpu" else kind


def keep(content: JsonObject, path: pathlib.Path, load: float) -> None:
    """Writes what was measured as JSON, with the machine that it was measured on.

    Args:
      content: what was measured.
      path: of the file; its folder is made.
      load: `os.getloadavg()[0]` before.
    """
    whole = {
        "environment": environment(with_torch=False),
        # Programs that wanted a core, at the beginning and at the end: this one's are among them.
        "load": [load, os.getloadavg()[0]],
        **content,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file.replacing(path) as file:
        file.write(f"{json.dumps(whole, indent=2)}\n".encode())


def slug(text: str) -> str:
    """A name for a folder: 'NVIDIA A100-SXM4-40GB' -> 'nvidia-a100-sxm4-40gb'."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
