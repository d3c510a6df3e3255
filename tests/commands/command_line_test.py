"""Tests of fpliif_jax/commands/command_line.py, and of what all commands have in common."""

import ast
import builtins
import gc
import pathlib
import runpy
import subprocess
import sys
import tomllib
import types

import jax
import numpy as np
import pytest

import fpliif_jax
from fpliif_jax.commands import command_line, command_names, config_files
from fpliif_jax.data_builders import BUILDERS, NAMES
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.benchmark import torch_programs
from fpliif_jax.experiments.benchmark.choices import TORCH_VARIANTS

ROOT = pathlib.Path(__file__).parents[2]
COMMANDS = (
    "data_builders.prepare",
    "data_builders.synthetic_faces",
    "experiments.audit",
    "experiments.benchmark",
    "experiments.benchmark.deployment",
    "experiments.benchmark.first_minutes",
    "experiments.benchmark.first_step",
    "experiments.benchmark.growth",
    "experiments.benchmark.score_speed",
    "experiments.capacity",
    "experiments.collect",
    "experiments.cost",
    "experiments.groups",
    "experiments.groups.kinds",
    "experiments.multi_seed",
    "experiments.power",
    "experiments.pytorch.train",
    "experiments.report",
    "experiments.reproduce",
    "experiments.robustness",
    "experiments.score",
    "fpliif_jax.demo",
    "fpliif_jax.export",
    "fpliif_jax.interop",
    "fpliif_jax.main",
    "fpliif_jax.predict",
)
# What takes the second that --help does not have.
_HEAVY = {
    "flax",
    "grain",
    "jax",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "optax",
    "orbax",
    "scipy",
    "tensorflow_datasets",
    "torch",
}


def source_of(command: str) -> pathlib.Path:
    path = ROOT / command.replace(".", "/")
    return path / "__main__.py" if path.is_dir() else path.with_suffix(".py")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_opens_with_what_a_command_does_and_two_examples_and_waits_for_nothing(
    command: str,
) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", command, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    what, empty, *examples = done.stdout.splitlines()
    assert what and not empty
    told = done.stdout.partition("\nusage: ")[0].splitlines()
    assert [line for line in told if len(line) > 120] == []
    for example in examples[:2]:
        assert example.startswith(f"    python -m {command}")
    assert f"\nusage: python -m {command} " in done.stdout
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "fpliif_jax" in imported and not _HEAVY & imported


@pytest.mark.parametrize("command", ["fpliif_jax.main", "experiments.report"])  # absl's, argparse's
def test_help_lists_the_options_where_docstrings_are_stripped(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-OO", "-m", command, "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.startswith(f"usage: python -m {command} ") and done.returncode == 0


def test_all_commands_end_in_the_same_place() -> None:
    """Each file that can be started is a command of this list or an inner process."""
    others = {
        "data_builders.synthetic_faces.worker",
        "experiments.benchmark.child",
        "experiments.benchmark.deployment.label_photos",
        "experiments.benchmark.deployment.whole_process",
        "experiments.benchmark.growth_steps",
    }
    found = set()
    for folder in ("fpliif_jax", "experiments", "data_builders"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if '__name__ == "__main__"' in text:
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                found.add(name.removesuffix(".__main__"))
    assert found == set(COMMANDS) | others
    for command in COMMANDS:
        called = {
            ast.unparse(node.func)
            for node in ast.walk(ast.parse(source_of(command).read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
        }
        assert called & {"command_line.run", "command_line.run_with_flags"}, command


def test_scripts_are_those_of_the_package() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    modules = {
        name: target.partition(":")[0].removesuffix(".__main__") for name, target in scripts.items()
    }
    assert {name: module for module, name in command_names.SCRIPTS.items()} == modules


def test_extras_are_those_of_the_package() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for package, extra in command_names.EXTRAS.items():
        assert any(requirement.startswith(f"{package}>=") for requirement in extras[extra])
    of_study = {requirement.partition(">=")[0] for requirement in extras["study"]}
    assert of_study <= command_names.EXTRAS.keys()


def _pinned(name: str) -> set[str]:
    """The packages of a file of requirements, and of those that it names."""
    found = set()
    for line in (ROOT / name).read_text("utf-8").splitlines():
        if line.startswith("-r "):
            found |= _pinned(line.removeprefix("-r "))
        elif line and not line.startswith("#"):
            found.add(line.partition("==")[0].strip().lower())
    return found


@pytest.mark.parametrize("package", command_names.EXTRAS)
def test_a_version_of_what_an_extra_installs_is_pinned(package: str) -> None:
    part_of = {"jax_cuda13_plugin": "jax[cuda13]"}
    pinned = _pinned("requirements-chips.txt") | _pinned("requirements-test.txt")
    assert part_of.get(package, package) in pinned


def test_pytorch_s_ways_of_running_are_those_of_the_benchmark() -> None:
    assert tuple(torch_programs.VARIANTS) == TORCH_VARIANTS


def test_names_of_the_data_sets_are_those_of_the_builders() -> None:
    assert tuple(builder.name for builder in BUILDERS.values()) == NAMES


def _started(monkeypatch: pytest.MonkeyPatch, argv0: str, module: str | None) -> None:
    spec = types.SimpleNamespace(name=module) if module else None
    monkeypatch.setitem(sys.modules, "__main__", types.SimpleNamespace(__spec__=spec))
    monkeypatch.setattr(sys, "argv", [argv0])


@pytest.mark.parametrize(
    ("argv0", "module", "is_checkout", "report", "audit"),
    [
        ("/bin/fpliif-study", None, False, "fpliif-report", "python -m fpliif_jax.experiments.audit"),
        ("r.py", "fpliif_jax.experiments.report.__main__", False,
         "python -m fpliif_jax.experiments.report", "python -m fpliif_jax.experiments.audit"),
        ("r.py", "fpliif_jax.experiments.report.__main__", True,
         "python -m fpliif_jax.experiments.report", "python -m experiments.audit"),
        ("r.py", "experiments.report.__main__", True,
         "python -m experiments.report", "python -m experiments.audit"),
        ("/usr/bin/pytest", None, True,
         "python -m experiments.report", "python -m experiments.audit"),
    ],
)  # fmt: skip
def test_a_command_is_named_as_it_was_started(
    monkeypatch: pytest.MonkeyPatch,
    argv0: str,
    module: str | None,
    is_checkout: bool,
    report: str,
    audit: str,
) -> None:
    monkeypatch.chdir(ROOT)
    _started(monkeypatch, argv0, module)
    monkeypatch.setattr(fpliif_jax, "IS_CHECKOUT", is_checkout)
    text = "python -m experiments.report, python -m fpliif_jax.experiments.audit. python -m pip"
    assert command_names.with_command_names(text) == f"{report}, {audit}. python -m pip"


@pytest.mark.parametrize(("is_checkout", "of"), [(False, " of the repository"), (True, "")])
def test_pages_are_said_to_be_of_the_repository_where_it_is_not(
    monkeypatch: pytest.MonkeyPatch, is_checkout: bool, of: str
) -> None:
    def work() -> None:
        raise UserError("it is wrong (docs/how_to/own.md, 2), --output=docs/audit.md")

    monkeypatch.setattr(fpliif_jax, "IS_CHECKOUT", is_checkout)
    with pytest.raises(SystemExit) as ended:
        command_line.run("experiments.report", work)
    assert (
        ended.value.code
        == f"error: it is wrong (docs/how_to/own.md{of}, 2), --output=docs/audit.md"
    )
    parser = command_line.CommandParser("experiments.report", "docs/studies.md has more.")
    assert parser.format_help().startswith(f"docs/studies.md{of} has more.")


@pytest.mark.parametrize(
    ("is_checkout", "remedy"),
    [(False, 'pip install "fpliif_jax[study]"'), (True, 'pip install ".[study]"')],
)
def test_a_missing_extra_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, is_checkout: bool, remedy: str
) -> None:
    import_module = builtins.__import__

    def without_matplotlib(name: str, *arguments: object, **keywords: object) -> types.ModuleType:
        if name.split(".")[0] == "matplotlib":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return import_module(name, *arguments, **keywords)

    def draw() -> None:
        import matplotlib.pyplot  # noqa: F401

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(fpliif_jax, "IS_CHECKOUT", is_checkout)
    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(SystemExit) as ended:
        command_line.run("experiments.report", draw)
    name = command_names.command_name("experiments.report")
    assert ended.value.code == f"error: {name} needs matplotlib: {remedy}"
    if is_checkout:  # which is of no use in another folder
        monkeypatch.chdir(tmp_path)
        with pytest.raises(
            SystemExit, match="python -m fpliif_jax.experiments.report needs .*study"
        ):
            command_line.run("experiments.report", draw)


def test_any_other_missing_module_is_a_bug() -> None:
    def broken() -> None:
        import fpliif_jax.nowhere  # noqa: F401

    with pytest.raises(ModuleNotFoundError):
        command_line.run("experiments.report", broken)


def test_errors_of_a_person_are_one_line_and_bugs_are_not() -> None:
    def end_with(error: BaseException) -> None:
        raise error

    with pytest.raises(SystemExit, match=r"^error: a\\nb$"):
        command_line.run("experiments.report", end_with, UserError("a\nb"))
    with pytest.raises(ValueError):
        command_line.run("experiments.report", end_with, ValueError("a bug"))
    with pytest.raises(SystemExit) as ended:
        command_line.run("experiments.report", end_with, KeyboardInterrupt())
    assert ended.value.code == 130
    assert command_line.run("experiments.report", lambda: 3) == 3


@pytest.mark.parametrize("is_on_device", [False, True])
def test_full_memory_is_one_line(is_on_device: bool) -> None:
    def fill() -> None:
        pixels = 1 << 56  # more than a process can address
        if is_on_device:
            jax.numpy.zeros((1 << 28, pixels >> 28), np.uint8).block_until_ready()
        else:
            np.empty(pixels, np.uint8)

    with pytest.raises(SystemExit, match=r"^error: out of memory: .*[^.]; take a smaller batch"):
        command_line.run("main", fill)


def test_a_path_may_begin_with_the_home_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shells leave the ~ of --output=~/FOLDER as it is; a folder named ~ is a trap for who removes it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    parser = command_line.CommandParser("experiments.report", None)
    parser.add_argument("--output", type=pathlib.Path)
    assert parser.parse_args(["--output=~/report"]).output == tmp_path / "report"
    assert parser.parse_args(["--output=report/~"]).output == pathlib.Path("report/~")
    with pytest.raises(SystemExit):
        parser.parse_args(["--output=~nobody-of-this-name/report"])
    assert "no home folder is known for ~nobody-of-this-name" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        "fpliif_jax.predict --weights=drawn --output_dir=~nobody-of-this-name/x photo.jpg",
        "experiments.audit --output=~nobody-of-this-name/x",
        "experiments.multi_seed --config=synthetic --workdir=~nobody-of-this-name/x",
    ],
)
def test_a_home_folder_that_there_is_not_is_one_line(arguments: str) -> None:
    command = [sys.executable, "-m", *arguments.split()]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: ~nobody-of-this-name/x: no home folder is known for")


def test_commands_look_for_cycles_of_objects_less_often_than_python() -> None:
    """A start makes half a million objects that stay: each search of Python's own rhythm passes over them."""
    before = gc.get_threshold()
    try:
        gc.set_threshold(700, *before[1:])
        assert command_line.run("experiments.report", lambda: gc.get_threshold()[0]) > 10_000
    finally:
        gc.set_threshold(*before)


def test_experiments_of_the_package_have_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lapa").mkdir()  # a name is a name, whatever lies here
    named = command_line.config_of(["--config=lapa", "--config.seed=3"])
    assert named.data.name == "lapa" and named.seed == 3
    assert named == command_line.config_of(
        [f"--config={ROOT / 'configs' / 'lapa.py'}", "--config.seed=3"]
    )
    with pytest.raises(
        SystemExit, match=r"^error: --config=lappa: .*give a file, or one of .*lapa, "
    ):
        command_line.config_of(["--config=lappa"])
    with pytest.raises(SystemExit, match=r"^error: --config=configs/lapa.py: .*is --config=lapa$"):
        command_line.config_of(["--config=configs/lapa.py"])
    with pytest.raises(
        SystemExit, match=r"^error: --config=mine.py: there is no such file; give a"
    ):
        command_line.config_of(["--config=mine.py"])
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "lapa.py").write_text(
        "from fpliif_jax.configs import fp_liif\ndef get_config():\n    config = fp_liif.get_config()\n"
        "    config.own = 1\n    return config\n"
    )
    assert command_line.config_of(["--config=configs/lapa.py"]).own == 1


def test_every_name_is_an_experiment() -> None:
    names = config_files.config_names()
    assert {"lapa", "synthetic", "stn_icnn_helen"} <= set(names) and "shared" not in names
    for name in names:
        assert runpy.run_path(config_files.config_file(name))["get_config"]().model.name


@pytest.mark.parametrize("start", ["", "app._run_init(['command'], app.parse_flags_with_usage); "])
def test_all_commands_print_a_warning_alike(start: str) -> None:
    program = (
        "import sys; from absl import app, logging; from fpliif_jax.commands import command_line; "
        f"{start}command_line.run('experiments.score', logging.warning, 'a set of few')"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert run.stderr == "WARNING: a set of few\n"
