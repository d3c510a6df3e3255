"""Tests of experiments.benchmark.first_minutes: where the commands look, one that fails, what is kept."""

import json
import pathlib
import sys
from typing import Any

import pytest

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.benchmark import first_minutes

_ROOT = pathlib.Path(__file__).parents[3]


def test_a_command_starts_without_compiled_programs_but_with_pip_s_packages(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "compiled")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("XDG_CACHE_HOME", "before")
    monkeypatch.delenv("PIP_CACHE_DIR", raising=False)
    code = "import json, os; json.dump(dict(os.environ), open('environment.json', 'w'))"
    assert first_minutes.seconds([sys.executable, "-c", code], tmp_path) > 0
    environment = json.loads((tmp_path / "environment.json").read_text("utf-8"))
    assert environment["XDG_CACHE_HOME"] == str(tmp_path / "caches")
    assert environment["PIP_CACHE_DIR"] == "before/pip"
    assert not {"JAX_COMPILATION_CACHE_DIR", "PYTHONPATH"} & environment.keys()


def test_a_command_that_fails_is_told_with_its_last_line(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('error: no npm')"]
    with pytest.raises(UserError, match="ended with 1: error: no npm"):
        first_minutes.seconds(command, tmp_path)


def _taken(kept: dict[str, Any]) -> dict[str, float]:
    return {step["step"]: step["seconds"] for step in kept["steps"]}


def test_steps_are_added_up_and_kept(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = iter((2.0, 50.0, 4.0, 5.0, 29.0))
    commands = []

    def seconds(command: list[str], folder: pathlib.Path) -> float:
        assert (folder / "photo.jpg").is_file()
        commands.append(command)
        return next(taken)

    monkeypatch.setattr(first_minutes, "seconds", seconds)
    wheel, output = tmp_path / "fpliif_jax.whl", tmp_path / "new" / "first_minutes.json"
    wheel.touch()
    monkeypatch.chdir(tmp_path)
    first_minutes.main(["--package=fpliif_jax.whl", f"--output={output}"])
    assert [commands[1][-1], commands[3][-1]] == [str(wheel), f"{wheel}[export]"]
    printed = capsys.readouterr().out.strip()
    assert printed == first_minutes.table(_taken(json.loads(output.read_text("utf-8"))))
    assert "| a labelled photo | 4 | 56 |" in printed
    assert "| the page in the browser | 29 | 90 |" in printed


def test_the_page_has_what_was_measured() -> None:
    name = "experiments/results/amd-epyc-2-cores-first-minutes/first_minutes.json"
    kept = json.loads((_ROOT / name).read_text("utf-8"))
    page = (_ROOT / "docs" / "getting_started.md").read_text("utf-8")
    assert first_minutes.table(_taken(kept)) in page and f"(../{name})" in page
    assert max(kept["load"]) < 2
    after = [sum(list(_taken(kept).values())[:count]) for count in (3, 5)]
    assert after[0] < 120 and after[1] < 300  # what a person should not wait longer for
