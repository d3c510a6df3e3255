"""A made-up benchmark.json, for tests of what reads it."""

from typing import Any

HEAD = {
    "schema": 1,
    "finished": True,
    "config_name": "tiny",
    "config": {},
    "environment": {
        "device": "NVIDIA A100-SXM4-40GB", "devices": ["NVIDIA A100-SXM4-40GB"],
        "backend": "gpu", "versions": {"jax": "0.10.2"}, "python": "3.11.7", "cpu_count": 2,
        "processor": "a processor", "xla_flags": "", "matmul_precision": "default",
        "git_commit": None, "date": "2026-01-01T00:00:00+00:00",
        "torch": {"version": "2.13.0", "threads": 2},
    },
    "settings": {"rounds": 3, "seconds": 0.5},
}  # fmt: skip


def measurement(
    part: str, candidate: str, size: int, seconds: float, **fields: Any
) -> dict[str, Any]:
    """An entry of 'measurements' that took so many seconds in each of three rounds."""
    return {
        "part": part, "output_size": size, "dtype": "float32", "candidate": candidate, "batch": 1,
        "compile_seconds": 2.0, "planned_bytes": None, "not_measured": None,
        "seconds": [seconds] * 3, "calls_a_round": 1, "median_seconds": seconds,
        "images_per_second": fields.get("batch", 1) / seconds, **fields,
    }  # fmt: skip


def not_measured(part: str, candidate: str, size: int, reason: str) -> dict[str, Any]:
    """An entry of 'measurements' that failed, as earlier versions wrote it: without 'planned_bytes'."""
    return {
        "part": part, "output_size": size, "dtype": "float32", "candidate": candidate, "batch": 0,
        "not_measured": reason,
    }  # fmt: skip
