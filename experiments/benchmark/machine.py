"""The machine that a benchmark ran on, for its results and their names."""

import datetime
import os
import re
from typing import Any

import jax

from fpliif_jax.commands import processor
from fpliif_jax.experiments.benchmark import onnx_programs, torch_programs
from fpliif_jax.experiments.runs.local_versions import without_local_version
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


def slug(text: str) -> str:
    """A name for a folder: 'NVIDIA A100-SXM4-40GB' -> 'nvidia-a100-sxm4-40gb'."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
