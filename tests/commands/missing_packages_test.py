"""Tests of what a person is told who has another Python, or has not installed what commands need."""

import ast
import os
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest

from fpliif_jax.commands import missing_packages

ROOT = pathlib.Path(__file__).parents[2]
COMMANDS = ("fpliif_jax.main", "fpliif_jax.predict", "data_builders.prepare", "experiments.report")


def _without_packages(*arguments: str, cwd: pathlib.Path = ROOT) -> tuple[int, str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-S", *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )
    return result.returncode, result.stderr


def test_what_is_needed_is_what_the_package_installs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {re.match(r"[\w-]+", one)[0].lower() for one in project["dependencies"]}
    assert {name.lower() for name in missing_packages.NEEDED.values()} == names


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_without_them_is_one_line(command: str, tmp_path: pathlib.Path) -> None:
    code, said = _without_packages("-m", command)
    assert code == 1 and said.count("\n") == 1
    assert re.match(r"error: (absl-py|ml-collections|numpy) is not installed for ", said)
    assert said.endswith("or pip install -r requirements.txt\n")
    assert (
        f"pip install -r {ROOT}/requirements.txt"
        in _without_packages("-m", command, cwd=tmp_path)[1]
    )


def test_any_other_missing_module_is_a_bug(tmp_path: pathlib.Path) -> None:
    told = "from fpliif_jax.commands import missing_packages; missing_packages.tell(); "
    assert _without_packages("-c", told + "import nowhere")[1].startswith("Traceback")
    assert _without_packages("-c", told + "int('a')")[1].startswith("Traceback")
    assert _without_packages("-c", "import fpliif_jax.systems")[1].startswith("Traceback")


def test_an_earlier_python_is_one_line_of_a_command_and_an_import_error_of_others() -> None:
    earlier = "import sys; sys.version_info = (3, 10, 4, 'final', 0); "
    _, said = _without_packages("-c", earlier + "sys.argv = ['-m']; import fpliif_jax.main")
    needed = "fpliif_jax needs Python 3.11 or newer, and this is 3.10"
    assert said == f"error: {needed}: {sys.executable}\n"
    _, said = _without_packages("-c", earlier + "import fpliif_jax")
    assert said.endswith(f"ImportError: {needed}\n")
    for file in ("fpliif_jax", "configs", "data_builders", "experiments"):
        ast.parse((ROOT / file / "__init__.py").read_text("ascii"), feature_version=(3, 6))
