"""Node.js for the tests of the page's modules: `from needs_node import run_modules`.

A file that does so is skipped, with the reason, where Node.js is not installed. `.ci/demo` sets
FPLIIF_JAX_REQUIRE_NODE, and there it is an error.
"""

import importlib.resources
import json
import os
import pathlib
import shutil
import subprocess
from typing import Any

import pytest

if os.environ.get("FPLIIF_JAX_REQUIRE_NODE"):
    assert shutil.which("node"), "Node.js is not installed"
elif shutil.which("node") is None:
    pytest.skip("Node.js is not installed", allow_module_level=True)


def run_modules(folder: pathlib.Path, program: str, *arguments: str) -> Any:
    """Runs a program beside the page's modules, which it imports as './name.js'.

    Args:
      folder: an empty one.
      program: an ES module; its arguments are process.argv from 2 on.
      *arguments: for it.

    Returns:
      the JSON that it prints.
    """
    for file in importlib.resources.files("fpliif_jax.demo.page").iterdir():
        if file.name.endswith(".js"):
            (folder / file.name).write_bytes(file.read_bytes())
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "program.js").write_text(program, encoding="utf-8")
    command = ["node", str(folder / "program.js"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
