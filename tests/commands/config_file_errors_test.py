"""Tests of fpliif_jax/commands/config_file_errors.py: what is wrong in a config file of one's own is found there."""

import pathlib
import subprocess
import sys

import pytest

from fpliif_jax.commands import command_line

ROOT = pathlib.Path(__file__).parents[2]


def _ending(path: pathlib.Path, text: str, argument: str = "") -> str:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        command_line.config_of([f"--config={path}{argument}", "--config.seed=3"])
    return str(ended.value.code)


@pytest.mark.parametrize(
    ("code", "last"),
    [
        ("int('x')", "ValueError: invalid literal for int() with base 10: 'x'"),
        ("1 + 'x'", "TypeError: unsupported operand type(s) for +: 'int' and 'str'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("{}['key']", "KeyError: 'key'"),
        ("b'\\xff'.decode()", "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff"),
        ("eval('1 +')", "SyntaxError: invalid syntax"),
    ],
)
def test_an_error_of_ones_own_code_shows_its_own_traceback(
    tmp_path: pathlib.Path, code: str, last: str
) -> None:
    path = tmp_path / "mine.py"
    first, place, *_, said = _ending(path, f"def get_config():\n    return {code}\n").splitlines()
    assert first == "Traceback (most recent call last):"
    assert place == f'  File "{path}", line 2, in get_config'
    assert said.startswith(last)


@pytest.mark.parametrize(
    ("text", "argument", "line"),
    [
        ("def get_config(:\n", "", "invalid syntax (mine.py, line 1): def get_config(:"),
        ("SEED = 1\n", "", "module 'config_config' has no attribute 'get_config'"),
        ("def get_config():\n    pass\n", ":small", "get_config() takes 0 positional arguments"),
    ],
)
def test_a_file_that_is_no_config_is_one_line(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, text: str, argument: str, line: str
) -> None:
    monkeypatch.delitem(sys.modules, "config_config", raising=False)  # another file's names
    ending = _ending(tmp_path / "mine.py", text, argument)
    assert ending.startswith(f"error: --config={tmp_path}/mine.py{argument}: {line}")
    assert "\n" not in ending


def test_a_setting_that_the_file_s_code_is_refused_is_one_line(tmp_path: pathlib.Path) -> None:
    text = (
        "from fpliif_jax import choices\n"
        "def get_config():\n    choices.check('config.own', 3, (1, 2))\n"
    )
    ending = _ending(tmp_path / "mine.py", text)
    assert ending == f"error: --config={tmp_path}/mine.py: config.own is 3; it must be one of 1, 2"


def test_a_command_shows_it_and_no_usage(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("SEED = int('x')\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "experiments.cost", f"--config={path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[1] == f'  File "{path}", line 1, in <module>'
    assert "ml_collections" not in done.stderr and "helpshort" not in done.stderr
