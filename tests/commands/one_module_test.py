"""Tests of fpliif_jax/commands/one_module.py: modules beside the package have two names and are there once."""

import importlib
import importlib.util
import pathlib
import pickle
import subprocess
import sys

import pytest

from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.raw.raw_tree import RawTree

ROOT = pathlib.Path(__file__).parents[2]
MODULES = (
    "configs.lapa",
    "data_builders.lapa.lapa_dataset_builder",
    "data_builders.errors",
    "experiments.runs.run",
)


def _run(program: str, *folders: pathlib.Path) -> str:
    """What a new process prints in the first of these folders, all of which it imports from."""
    path = f"import sys; sys.path[:0] = {[str(folder) for folder in folders[1:]]}; "
    command = [sys.executable, "-c", path + program]
    return subprocess.check_output(command, cwd=folders[0], text=True)


@pytest.mark.parametrize("first", ["", "fpliif_jax."])
def test_both_names_are_of_one_module_whichever_is_imported_first(first: str) -> None:
    second = "" if first else "fpliif_jax."
    program = (
        "import importlib, sys\n"
        f"for module in {MODULES}:\n"
        f"    one = importlib.import_module('{first}' + module)\n"
        f"    assert importlib.import_module('{second}' + module) is one\n"
        "    assert one.__name__ == one.__spec__.name == 'fpliif_jax.' + module\n"
        "    package = module.partition('.')[0]\n"
        "    assert sys.modules[package] is sys.modules['fpliif_jax.' + package]\n"
        "import data_builders.errors, experiments.runs.run, fpliif_jax\n"
        "try:\n"
        "    raise fpliif_jax.data_builders.errors.DataError\n"
        "except data_builders.errors.DataError:\n"
        "    print(experiments.runs.run.RunError is fpliif_jax.experiments.runs.run.RunError)"
    )
    assert _run(program, ROOT) == "True\n"


def test_a_pickle_has_the_name_by_which_all_find_the_class() -> None:
    assert b"fpliif_jax.data_builders.raw.raw_tree" in pickle.dumps(RawTree)
    assert pickle.loads(b"cdata_builders.errors\nDataError\n.") is DataError


def test_a_spawned_process_takes_a_function_of_either_name() -> None:
    program = (
        "import multiprocessing\n"
        "from data_builders.errors import one_line\n"
        "with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "    print(pool.map(one_line, ['a']))"
    )
    assert _run(program, ROOT) == "['a']\n"


@pytest.mark.parametrize("name", ["tests", "fpliif_jax", "setup", "docs"])
def test_nothing_else_of_a_checkout_is_a_part_of_the_package(name: str) -> None:
    assert importlib.util.find_spec(f"fpliif_jax.{name}") is None


@pytest.mark.parametrize("name", ["data_builders.nothing", "fpliif_jax.data_builders.nothing"])
def test_a_module_that_is_not_there_is_named_as_it_was_asked_for(name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=f"No module named '{name}'"):
        importlib.import_module(name)


def test_somebody_else_s_folder_of_the_same_name_stays_theirs(tmp_path: pathlib.Path) -> None:
    (tmp_path / "configs").mkdir()
    for name in ("__init__", "lapa"):
        (tmp_path / "configs" / f"{name}.py").write_text("mine = True\n")
    program = (
        "import fpliif_jax.configs.lapa, configs, configs.lapa; "
        "print(configs.lapa.mine, hasattr(fpliif_jax.configs.lapa, 'mine'))"
    )
    assert _run(program, tmp_path, tmp_path, ROOT) == "True False\n"


@pytest.mark.parametrize("prefix", ["", "fpliif_jax."])
@pytest.mark.parametrize("module", ["data_builders.prepare", "experiments.report"])
def test_a_command_starts_by_either_name(prefix: str, module: str) -> None:
    command = [sys.executable, "-m", prefix + module, "--help"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"usage: python -m {prefix}{module} " in printed.stdout
    assert not printed.stderr
