"""The results of a benchmark that is a command of its own: a table, and with --output a file."""

import argparse
import json
import os
from collections.abc import Callable

from fpliif_jax.data_builders.host import atomic_file
from fpliif_jax.fields.json_types import JsonObject


def run(
    measure: Callable[[argparse.Namespace], tuple[str, JsonObject]], flags: argparse.Namespace
) -> None:
    """Measures, prints the table, and writes what was measured as JSON, with the machine that it was measured on.

    Args:
      measure: gives the table and what is kept of it.
      flags: for it, with `output`, the file or None; its folder is made.
    """
    load = os.getloadavg()[0]
    table, content = measure(flags)
    print(table)  # first: a disk that is full loses no measurement
    if not flags.output:
        return
    from fpliif_jax.experiments.benchmark.machine import environment

    whole = {
        "environment": environment(with_torch=False),
        # Programs that wanted a core, at the beginning and at the end: this one's are among them.
        "load": [load, os.getloadavg()[0]],
        **content,
    }
    flags.output.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file.replacing(flags.output) as file:
        file.write(f"{json.dumps(whole, indent=2)}\n".encode())
