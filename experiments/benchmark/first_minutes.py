"""Measures a newcomer's first minutes: from `pip install` to a labelled photo, and to the page in the browser.

    python -m experiments.benchmark.first_minutes
    python -m experiments.benchmark.first_minutes --package=WHEEL --output=first_minutes.json

A new virtual environment, folders for compiled programs and fetched files that are empty, and pip's own cache, which
may have packages from before. The page needs npm, which comes with Node.js. docs/getting_started.md has what was
measured.
"""

import argparse
import itertools
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

from fpliif_jax.commands import command_line
from fpliif_jax.experiments.benchmark import children, markdown, results_file
from fpliif_jax.fields.json_types import JsonObject

_COMMAND = "experiments.benchmark.first_minutes"
_SIDE = 512  # of the photo


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = command_line.CommandParser(_COMMAND, __doc__)
    parser.add_argument(
        "--package",
        default=str(children.ABOVE_PACKAGE),
        help="what pip installs (default: this clone)",
    )
    parser.add_argument("--output", type=pathlib.Path, help="JSON file to write as well")
    command_line.run(_COMMAND, results_file.run, _measure, parser.parse_args(arguments))


def _measure(flags: argparse.Namespace) -> tuple[str, JsonObject]:
    from PIL import Image

    from fpliif_jax.experiments.benchmark.deployment.faces import drawn_face

    package = flags.package
    if pathlib.Path(package).exists():
        package = str(pathlib.Path(package).resolve())
    with tempfile.TemporaryDirectory(prefix="first-minutes-", ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        Image.fromarray(drawn_face(0, _SIDE)).save(folder / "photo.jpg", quality=95)
        taken = {}
        for what, command in commands(package).items():
            print(f"{what} …", file=sys.stderr)
            taken[what] = seconds(command, folder)
    steps = [{"step": what, "seconds": of_step} for what, of_step in taken.items()]
    return table(taken), {"steps": steps}


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
    children.output(" ".join(command), command, cwd=folder, env=_environment(folder))
    return time.perf_counter() - started


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


def table(taken: Mapping[str, float]) -> str:
    """The steps in Markdown, each with the seconds from the first one's start to its end.

    Args:
      taken: seconds of each, in order.
    """
    ends = itertools.accumulate(taken.values())
    rows = [
        [step, f"{taken[step]:.0f}", f"{end:.0f}"] for step, end in zip(taken, ends, strict=True)
    ]
    return markdown.table(["step", "takes, s", "done after, s"], rows)


if __name__ == "__main__":
    main()
