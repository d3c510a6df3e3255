"""Measures what a person waits for from the start of the training command to the end of its first step.

    python -m experiments.benchmark.first_step
    python -m experiments.benchmark.first_step --config=synthetic --starts=9 --output=first_step.json

The command is started as a person would start it, and ended when its progress bar counts a step. The first start draws
the faces, prepares the set and finds no compiled program; those after it find all three. docs/speed.md has what was
measured.
"""

import argparse
import contextlib
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

from fpliif_jax.commands import command_line, config_files
from fpliif_jax.data_builders.errors import UserError, last_line
from fpliif_jax.experiments.benchmark import children, markdown, results_file
from fpliif_jax.fields.json_types import JsonObject

_COMMAND = "experiments.benchmark.first_step"
_A_STEP = re.compile(rb"training [^\r\n]*\| [1-9]\d*/\d+ \[")  # of the progress bar


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = command_line.CommandParser(_COMMAND, __doc__)
    parser.add_argument("--config", default="synthetic", help="of drawn faces (default: synthetic)")
    parser.add_argument("--starts", type=int, default=9, help="after the first (default 9)")
    parser.add_argument("--output", type=pathlib.Path, help="JSON file to write as well")
    command_line.run(_COMMAND, results_file.run, _measure, parser.parse_args(arguments))


def _measure(flags: argparse.Namespace) -> tuple[str, JsonObject]:
    if flags.starts < 1:
        raise UserError(f"--starts={flags.starts}: at least one")
    config = os.path.abspath(config_files.config_file(flags.config))  # the command starts elsewhere
    with tempfile.TemporaryDirectory(prefix="first-step-", ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        caches = {"JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
        seconds = []
        for number in range(1 + flags.starts):
            command = [sys.executable, "-m", "fpliif_jax.main", f"--config={config}"]
            command += [f"--config.data.manual_dir={folder}/raw"]
            command += [f"--config.data.data_dir={folder}/prepared"]
            command += [f"--workdir={folder}/run{number}"]
            seconds.append(to_first_step(command, caches))
            print(f"start {1 + number} of {1 + flags.starts}: {seconds[-1]:.2f} s", file=sys.stderr)
    first, *later = seconds
    content = {"config": flags.config, "first_start": first, "later_starts": later}
    return table(seconds), content


def to_first_step(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Seconds from the start of a process until its progress bar counts a step; it is killed then.

    Args:
      command: of the process.
      environment: variables besides this process's.

    Raises:
      UserError: it ended before.
    """
    output = b""
    started = time.perf_counter()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=children.ABOVE_PACKAGE,
        env={**os.environ, **environment},
        start_new_session=True,  # what it has started ends with it
    ) as process:
        try:
            # pyrefly: ignore[missing-attribute] - it is a pipe
            while part := os.read(process.stderr.fileno(), 1 << 16):
                output = (output + part)[-(1 << 16) :]
                if _A_STEP.search(output):
                    return time.perf_counter() - started
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    last = last_line(output.decode("utf-8", "replace"))
    raise UserError(f"the command ended with {process.returncode} before its first step: {last}")


def table(seconds: Sequence[float]) -> str:
    """A line of the first start and one of those after it, in Markdown.

    Args:
      seconds: of the starts, two at least.
    """
    first, *later = seconds
    of_later = f"{statistics.median(later):.1f} ({min(later):.1f} to {max(later):.1f})"
    rows = [["first", f"{first:.1f}"], [f"later, {len(later)}", of_later]]
    return markdown.table(["start", "to the end of the first step, s"], rows)


if __name__ == "__main__":
    main()
