"""Starts `child` and reads its answer."""

import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

import fpliif_jax
from fpliif_jax.experiments.benchmark.timing import NotMeasuredError
from fpliif_jax.experiments.runs.benchmark_results import Start

_ABOVE_PACKAGE = pathlib.Path(fpliif_jax.__file__).parents[1]  # where -m finds it


@dataclasses.dataclass(frozen=True)
class ChildTask:
    """What a fresh process does once; `batch` is that of a forward pass, `config` an experiment's as JSON."""

    what: str  # 'forward', 'training' (a step of the first stage) or 'gradient' (that without augmentation)
    framework: str  # 'jax' or 'torch'
    dtype: str
    output_size: int
    batch: int
    config: dict[str, Any]
    variant: str | None = None  # of `torch_programs.VARIANTS`


def run(task: ChildTask, environment: dict[str, str] | None = None) -> Start:
    """What a fresh process answers; `environment` is of variables besides this process's.

    Raises:
      NotMeasuredError: it could not do it, or ended without an answer.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        started = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "fpliif_jax.experiments.benchmark.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=_ABOVE_PACKAGE,
            env={**os.environ, **(environment or {})},
        ) as process:
            try:
                with contextlib.suppress(BrokenPipeError):  # it says why on stderr
                    process.stdin.write(json.dumps(dataclasses.asdict(task)))
                    process.stdin.close()
                answer = process.stdout.readline()
                taken = time.perf_counter() - started  # leaving the process is not part of it
                process.wait()
            except BaseException:
                process.kill()
                raise
        errors.seek(0)
        last = (errors.read().strip().splitlines() or ["no message"])[-1]
    if not answer:
        raise NotMeasuredError(f"the process ended with {process.returncode}: {last}")
    content = json.loads(answer)
    if "problem" in content:
        raise NotMeasuredError(content["problem"])
    return dataclasses.replace(Start(**content), seconds_from_start=taken)
