"""Starts processes that do one thing once, and reads their answers."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import fpliif_jax
from fpliif_jax.data_builders.errors import UserError, last_line
from fpliif_jax.experiments.benchmark.timing import NotMeasuredError
from fpliif_jax.experiments.runs.benchmark_results import Start
from fpliif_jax.fields.json_types import JsonObject

CACHES = ("empty", "warm")  # of compiled programs, at the starts of a round
MOST_ROUNDS = 3  # of two starts, each of several seconds
ABOVE_PACKAGE = pathlib.Path(fpliif_jax.__file__).parents[1]  # where -m finds it


@dataclasses.dataclass(frozen=True)
class ChildTask:
    """Task that a fresh process does once; `batch` is that of a forward pass, `config` an experiment's as JSON."""

    what: str  # 'forward', 'training' (a step of the first stage) or 'gradient' (that without augmentation)
    framework: str  # 'jax' or 'torch'
    dtype: str
    output_size: int
    batch: int
    config: dict[str, Any]
    variant: str = ""  # of `torch_programs.VARIANTS`; of JAX none


def run(task: ChildTask, environment: Mapping[str, str] | None = None) -> Start:
    """What a fresh process answers; `environment` is of variables besides this process's.

    Raises:
      NotMeasuredError: it could not do it, or ended without an answer.
    """
    given = json.dumps(dataclasses.asdict(task))
    content, taken = answer(["fpliif_jax.experiments.benchmark.child", given], environment)
    if "problem" in content:
        raise NotMeasuredError(content["problem"])
    return dataclasses.replace(Start(**content), seconds_from_start=taken)


def starts(rounds: int) -> Iterator[tuple[int, str, dict[str, str]]]:
    """The starts of so many rounds, each one with an empty compilation cache, then one with what that left.

    Yields:
      The number of the round, from 0 on; 'empty' or 'warm'; the environment of the process.
    """
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="benchmark-cache-") as folder:
            for cache in CACHES:
                yield number, cache, {"JAX_COMPILATION_CACHE_DIR": folder}


def output(what: str, command: Sequence[str | pathlib.Path], **options: Any) -> str:
    """What a process says on stdout; `options` are those of `subprocess.run`.

    Raises:
      UserError: it failed: `what`, its exit code and the last line of its stderr.
    """
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, **options
    )
    if done.returncode:
        raise UserError(f"{what} ended with {done.returncode}: {last_line(done.stderr)}")
    return done.stdout


def answer(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> tuple[JsonObject, float]:
    """The last line of a fresh process, which is JSON, and the seconds from its start to that.

    Args:
      command: module and arguments.
      environment: variables besides this process's.

    Raises:
      NotMeasuredError: it ended without an answer, or as one that failed.
    """
    answer, taken = "", 0.0
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        started = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=ABOVE_PACKAGE,
            env={**os.environ, **(environment or {})},
        ) as process:
            try:
                # The last line: a library may have said something before. Leaving the process is not part of the time.
                # pyrefly: ignore[not-iterable] - it is a pipe
                for line in process.stdout:
                    answer, taken = line, time.perf_counter() - started
                process.wait()
            except BaseException:
                process.kill()
                raise
        errors.seek(0)
        last = last_line(errors.read())
    if process.returncode or not answer:
        raise NotMeasuredError(f"the process ended with {process.returncode}: {last}")
    return json.loads(answer), taken
