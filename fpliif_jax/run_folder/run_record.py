"""What a run leaves beside its checkpoints: config, environment, metrics, results. All writes are atomic."""

import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

import fpliif_jax
from fpliif_jax.commands import processor
from fpliif_jax.data_builders.errors import UserError, naming
from fpliif_jax.data_builders.host import atomic_file
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, append_regular, read_regular
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.run_folder import tensorboard

_LARGEST = 64 * MEBIBYTE  # of a record
PACKAGES = (
    "array_record",
    "flax",
    "grain",
    "jax",
    "jaxlib",
    "ml_collections",
    "numpy",
    "optax",
    "orbax-checkpoint",
    "pillow",
    "tensorflow-datasets",
)


class RunRecordError(UserError):
    """A run's folder cannot be written; the message says why and what to do."""


def check_workdir(workdir: pathlib.Path, option: str = "--workdir") -> None:
    """Looks, before anything long begins, whether a run's folder can be made and written.

    Args:
      workdir: the folder.
      option: that gave it.

    Raises:
      RunRecordError: it or a part of its path is a file, or may not be written; a run's name is not UTF-8.
    """
    there = next(path for path in (workdir, *workdir.absolute().parents) if path.exists())
    if not there.is_dir():
        problem = f"{there} is a file"
    elif not os.access(there, os.W_OK | os.X_OK):
        problem = f"{there} may not be written"
    elif option == "--workdir" and not _is_utf8(workdir.absolute()):
        problem = "this name is not UTF-8, and no checkpoint could be saved there"
    else:
        return
    raise RunRecordError(f"{option}={workdir}: {problem}; give another one")


def _is_utf8(path: pathlib.Path) -> bool:
    try:
        return bool(os.fspath(path).encode())
    except UnicodeEncodeError:
        return False


def write_json(path: pathlib.Path, content: Any) -> None:
    """Writes JSON so that the file is always either the old one or the new one, whole."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: pathlib.Path, text: str) -> None:
    """Replaces a text file in one step."""
    with atomic_file.replacing(path) as file:
        # Of a command, a name that is not UTF-8: JSON reads this as that name.
        file.write(text.encode("utf-8", "backslashreplace"))


def write_npz(path: pathlib.Path, **arrays: np.ndarray) -> None:
    """Replaces a file of arrays in one step; no pickles."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file.replacing(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def environment(data: Mapping[str, Any]) -> JsonObject:
    """Everything outside the config that a number may depend on.

    Args:
      data: what there is to say of the data set, see `dataset.Dataset.environment`; may be empty.
    """
    return {
        "framework": "jax",
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor.name(),
        "cpu_count": os.cpu_count(),
        "versions": versions(),
        "backend": jax.default_backend(),
        "devices": [device.device_kind for device in jax.devices()],
        "process_count": jax.process_count(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        # pyrefly: ignore[missing-attribute] - JAX makes its options at run time
        "matmul_precision": jax.config.jax_default_matmul_precision or "default",
        # pyrefly: ignore[missing-attribute] - likewise
        "threefry_partitionable": jax.config.jax_threefry_partitionable,
        "git_commit": git_commit(),
        **data,
    }


def read_record(path: pathlib.Path) -> JsonObject | None:
    """A JSON object that a run leaves; None where there is no such file.

    Raises:
      OSError, ValueError: it cannot be read, or is none.
    """
    if not os.path.lexists(path):
        return None
    try:
        content = json.loads(read_regular(path, _LARGEST))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    return content


def read_environment(workdir: pathlib.Path) -> JsonObject:
    """What a run recorded with `environment`; empty where there is none. Errors as `read_record`."""
    return read_record(workdir / "environment.json") or {}


def first_start(workdir: pathlib.Path, goes_on: bool, commit: str | None) -> JsonObject:
    """Record of when, and by which code, a run was started first, for its environment.json.

    Args:
      workdir: of the run; what an earlier session recorded there is kept.
      goes_on: whether there is a checkpoint of one.
      commit: of the code now, see `git_commit`.

    Returns:
      'started': UTC, ISO 8601 with seconds; None where an earlier session did not record it, or its record is
        damaged: the run is older than now.
      'first_commit': of the code, alone where it was not, or is not known to have been, that of now.
    """
    try:
        earlier = read_environment(workdir)
    except (OSError, ValueError):
        return {"started": None, "first_commit": None}
    if not (goes_on or earlier):
        return {"started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
    first = earlier.get("first_commit", earlier.get("git_commit"))
    by_other = {} if first == commit else {"first_commit": first}
    return {"started": earlier.get("started"), **by_other}


class MetricsLog:
    """Metrics as JSON lines and TensorBoard events.

    Lines later than the step a run goes on from are dropped first: they are written again.
    """

    def __init__(self, workdir: pathlib.Path, first_step: int) -> None:
        """Opens the log of a run that has taken `first_step` steps."""
        self._path = workdir / "metrics.jsonl"
        self._file = append_regular(self._path)
        lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        earlier = [line for line in lines if _is_up_to(line, first_step)]
        if earlier != lines:
            self._file.close()
            write_text(self._path, "".join(earlier))
            self._file = append_regular(self._path)
        self._events = tensorboard.EventLog(workdir / "tensorboard", first_step + 1)

    def write(self, record: JsonObject) -> None:
        """Adds a record with 'step', 'split' and numbers; nested dicts are joined by '/'."""
        with naming(self._path):
            self._file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
            self._file.flush()
        for name, value in _numbers(record):
            self._events.add_scalar(f"{record['split']}/{name}", value, record["step"])

    def flush(self) -> None:
        """Brings all records to the disk; a checkpoint that follows relies on them."""
        with naming(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
        self._events.flush()

    def close(self) -> None:
        """Ends the log."""
        with naming(self._path):
            self._file.close()
        self._events.close()


def _numbers(record: JsonObject, prefix: str = "") -> list[tuple[str, float]]:
    numbers = []
    for name, value in record.items():
        if isinstance(value, dict):
            numbers += _numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and name != "step":
            numbers.append((prefix + name, value))
    return numbers


def _is_up_to(line: str, step: int) -> bool:
    """False for later records, and for a line cut off by a kill."""
    try:
        return line.endswith("\n") and json.loads(line)["step"] <= step
    except (ValueError, KeyError, TypeError):
        return False


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str | None]:
    """Versions of packages, by default those that a number may depend on; None for one that is not installed."""
    return {name: _version(name) for name in packages}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def git_commit() -> str | None:
    """Commit of the code, with '+changes' where files differ from it; None outside a checkout."""
    if not fpliif_jax.IS_CHECKOUT:
        return None  # it may lie in somebody else's
    root = pathlib.Path(__file__).parent
    try:
        commit, status = (
            subprocess.run(
                ["git", "-C", str(root), *arguments],
                capture_output=True,
                text=True,
                check=True,
                timeout=20,
            ).stdout.strip()
            for arguments in (
                ["rev-parse", "HEAD"],
                ["status", "--porcelain", "--untracked-files=no"],
            )
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+changes" if status else "")
