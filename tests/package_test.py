"""What is installed: one package, whatever else lies in the folder where it is used."""

import pathlib
import re
import subprocess
import sys
import tomllib
import types
from fnmatch import fnmatch

import pytest
from setuptools import find_packages

import fpliif_jax
import fpliif_jax.data_builders
import fpliif_jax.experiments.report
import fpliif_jax.interop

ROOT = pathlib.Path(__file__).parents[1]
BESIDE = ("configs", "data_builders", "experiments")


def test_every_folder_with_code_is_a_package() -> None:
    """Where __init__.py is missing, a wheel lacks the folder."""
    for name in ("fpliif_jax", *BESIDE):
        folders = {path.parent for path in (ROOT / name).rglob("*.py")}
        assert {folder for folder in folders if not (folder / "__init__.py").is_file()} == set()


def test_all_packages_are_installed_as_parts_of_one() -> None:
    program = (
        "import setuptools, sys; setuptools.setup = lambda **what: print(*what['packages']); "
        "exec(open('setup.py').read())"
    )
    printed = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True)
    expected = find_packages(str(ROOT), include=["fpliif_jax*"])
    for name in BESIDE:
        expected += [f"fpliif_jax.{name}"]
        expected += [f"fpliif_jax.{name}.{part}" for part in find_packages(str(ROOT / name))]
    assert sorted(printed.split()) == sorted(expected)


def test_all_files_of_the_weights_are_installed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["*"]
    files = [path.name for path in (ROOT / "fpliif_jax" / "weights").iterdir() if path.is_file()]
    assert "model_cards.json" in files
    left = {name for name in files if not any(fnmatch(name, one) for one in [*patterns, "*.py"])}
    assert left == set()


def test_every_command_is_tried_where_the_wheel_is_installed() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    (tried,) = re.findall(r"^for script in (.*); do$", (ROOT / ".ci/package").read_text(), re.M)
    assert sorted(f"fpliif-{script}" for script in tried.split()) == sorted(scripts)


def test_all_workflows_are_checked_by_each_program_that_is_pinned_for_it() -> None:
    install = "pip install --quiet -r requirements-workflows.txt "
    before, after = (ROOT / ".ci/run").read_text("utf-8").split(f"\n{install}")
    commands = [line.split() for line in after.splitlines() if ".github/workflows" in line]
    own = (ROOT / "requirements-workflows.txt").read_text("utf-8").split("\n\n")[0]
    assert sorted(words[0] for words in commands) == re.findall(r"^([\w.-]+)==[\d.]+$", own, re.M)
    assert ".github/workflows" not in before
    workflows = set((ROOT / ".github/workflows").iterdir())
    for _, *arguments in commands:
        given = [path for word in arguments if word[0] == "." for path in ROOT.glob(word)]
        checked = {file for path in given for file in (path.iterdir() if path.is_dir() else [path])}
        assert checked == workflows, arguments


def test_imports_name_the_one_package() -> None:
    """`from configs import …` would be another module than fpliif_jax.configs, or a stranger's."""
    for folder in ("fpliif_jax", *BESIDE):
        for path in (ROOT / folder).rglob("*.py"):
            for line in path.read_text(encoding="utf-8").splitlines():
                words = line.split()
                if len(words) > 1 and words[0] in ("from", "import"):
                    assert words[1].split(".")[0] not in BESIDE, f"{path}: {line}"


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = (
        "import sys; before = set(sys.modules); import fpliif_jax; "
        "new = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "print(*sorted(new - set(sys.stdlib_module_names)))"
    )
    assert (
        subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True)
        == "fpliif_jax\n"
    )


def test_what_is_exported_is_there_and_nothing_else() -> None:
    for name in fpliif_jax.__all__:
        assert getattr(fpliif_jax, name)
    with pytest.raises(AttributeError, match="'fpliif_jax' has no attribute 'nothing'"):
        _ = fpliif_jax.nothing


@pytest.mark.parametrize(
    "package",
    [fpliif_jax, fpliif_jax.data_builders, fpliif_jax.interop, fpliif_jax.experiments.report],
)
def test_lazy_names_are_listed_there_and_no_module_hides_one(package: types.ModuleType) -> None:
    assert set(package.__all__) <= set(dir(package))
    for name in package.__all__:
        assert not isinstance(getattr(package, name), types.ModuleType)
        getattr(package, name)
        assert not isinstance(getattr(package, name), types.ModuleType)  # once all are imported
