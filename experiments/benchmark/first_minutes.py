"""Measures a newcomer's first minutes: from `pip install` to a labelled photo, and to the page in the browser.

    python -m experiments.benchmark.first_minutes
    python -m experiments.benchmark.first_minutes --package=WHEEL --output=first_minutes.json

A new virtual environment, folders for compiled programs and fetched files that are empty, and pip's own cache, which
may have packages from before. The page needs npm, which comes with Node.js. docs/getting_started.md has what was
measured.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

import fpliif_jax
from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.errors import UserError, last_line

_REPOSITORY = pathlib.Path(fpliif_jax.__file__).parents[1]
_SIDE = 512  # of the photo


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = command_line.CommandParser("experiments.benchmark.first_minutes", __doc__)
    parser.add_argument(
        "--package", default=str(_REPOSITORY), help="what pip installs (default: this clone)"
    )
    parser.add_argument("--output", type=pathlib.Path, help="JSON file to write as well")
    command_line.run("experiments.benchmark.first_minutes", _work, parser.parse_args(arguments))


def _work(flags: argparse.Namespace) -> None:
    from PIL import Image

    from fpliif_jax.experiments.benchmark.deployment.faces import drawn_face

    package = flags.package
    if pathlib.Path(package).exists():
        package = str(pathlib.Path(package).resolve())
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="first-minutes-", ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        Image.fromarray(drawn_face(0, _SIDE)).save(folder / "photo.jpg", quality=95)
        steps = []
        for what, command in commands(package).items():
            print(f"{what} …", file=sys.stderr)
            steps.append({"step": what, "seconds": seconds(command, folder)})
    print(table(steps))  # first: a disk that is full loses no measurement
    if flags.output:
        from fpliif_jax.experiments.benchmark import machine

        machine.keep({"steps": steps}, flags.output, load)


def commands(package: str) -> dict[str, list[str]]:
    """The steps and their commands, to be run in one folder, which has photo.jpg.

    Args:
      package: what pip installs.
    """
    install = ["venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return {
        "a virtual environment": [sys.executable, "-m", "venv", "venv"],
        "installing the package": [*install, package],
        "a labelled photo": ["venv/bin/fpliif-predict", "--output_dir=predicted", "photo.jpg"],
        "installing `[export]`": [*install, f"{package}[export]"],
        "the page in the browser": ["venv/bin/fpliif-demo", "--output=page"],
    }


def seconds(command: Sequence[str], folder: pathlib.Path) -> float:
    """Seconds by the clock that a command takes in a folder, which has the caches too, but for pip's.

    Args:
      command: of the process; a path with a slash is below `folder`.
      folder: to run it in.

    Raises:
      UserError: it failed.
    """
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=_environment(folder), capture_output=True, text=True, check=False
    )
    taken = time.perf_counter() - started
    if done.returncode:
        last = last_line(done.stderr)
        raise UserError(f"{' '.join(command)} ended with {done.returncode}: {last}")
    return taken


def _environment(folder: pathlib.Path) -> Mapping[str, str]:
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FPLIIF_JAX_", "JAX_", "PYTHON"))
    }
    pip = own.get("PIP_CACHE_DIR") or str(
        pathlib.Path(own.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "pip"
    )
    return {**own, "XDG_CACHE_HOME": str(folder / "caches"), "PIP_CACHE_DIR": pip}


def table(steps: Sequence[Mapping[str, str | float]]) -> str:
    """The steps in Markdown, each with the seconds from the first one's start to its end.

    Args:
      steps: in order, with `step` and `seconds`.
    """
    lines = ["| step | takes, s | done after, s |", "|---|---|---|"]
    after = 0.0
    for one in steps:
        after += float(one["seconds"])
        lines.append(f"| {one['step']} | {one['seconds']:.0f} | {after:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
