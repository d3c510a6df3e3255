"""Starts `child` and reads its answer."""

import contextlib
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
from fpliif_jax.run_folder.run_config import json_config

_ABOVE_PACKAGE = pathlib.Path(fpliif_jax.__file__).parents[1]  # where -m finds it


def run(task: dict[str, Any], environment: dict[str, str] | None = None) -> dict[str, Any]:
    """What a fresh process answers, with 'seconds_from_start': until its answer was there.

    Args:
      task: of `child`, its 'config' a ConfigDict.
      environment: variables besides this process's.

    Raises:
      NotMeasuredError: it could not do it, or ended without an answer.
    """
    task = {**task, "config": json_config(task["config"])}
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
                    process.stdin.write(json.dumps(task))
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
    return {**content, "seconds_from_start": taken}
