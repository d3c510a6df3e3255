"""Tests of fpliif_jax/commands/config_files.py: what is wrong in a config file of one's own is found there."""

import pathlib
import subprocess
import sys

import pytest

from fpliif_jax.commands import command_line

ROOT = pathlib.Path(__file__).parents[2]
_EMPTY = "import ml_collections\ndef get_config():\n    return ml_collections.ConfigDict()\n"
_UNNAMED = (
    "from fpliif_jax.configs import fp_liif\n"
    "def get_config():\n    config = fp_liif.get_config()\n    del config.model.name\n    return config\n"
)


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
        ("open('/no/file')", "FileNotFoundError: [Errno 2] No such file or directory: '/no/file'"),
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
        ("SEED = 1\n", "", "the file has no function get_config(); write one that returns the "),
        ("get_config = 1\n", "", "the file has no function get_config(); write one that returns "),
        ("def get_config():\n    pass\n", "", "get_config() returns nothing; it must "),
        ("def get_config():\n    return [1]\n", "", "get_config() returns a list; it "),
        (
            _EMPTY,
            "",
            "the config that get_config() returns lacks data, eval, model, train: begin with ",
        ),
        (_UNNAMED, "", "the config that get_config() returns lacks model.name: begin with "),
        ("def get_config():\n    pass\n", ":small", "get_config() takes 0 positional arguments"),
    ],
)
def test_a_file_that_is_no_config_is_one_line(
    tmp_path: pathlib.Path, text: str, argument: str, line: str
) -> None:
    path = tmp_path / "mine.py"
    ending = _ending(path, text, argument)
    assert ending.startswith(f"error: --config={path}{argument}: {line}")
    assert "\n" not in ending


def test_a_setting_that_the_file_s_code_is_refused_is_one_line(tmp_path: pathlib.Path) -> None:
    text = (
        "from fpliif_jax.fields import choices\n"
        "def get_config():\n    choices.check('config.own', 3, (1, 2))\n"
    )
    ending = _ending(tmp_path / "mine.py", text)
    assert ending == f"error: --config={tmp_path}/mine.py: config.own is 3; it must be one of 1, 2"


def test_a_file_that_is_none_is_one_line(tmp_path: pathlib.Path) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line.config_of([f"--config={tmp_path}"])
    assert (
        ended.value.code == f"error: --config={tmp_path}: [Errno 21] Is a directory: '{tmp_path}'"
    )


def test_names_of_another_file_are_not_taken_for_its_own(tmp_path: pathlib.Path) -> None:
    assert command_line.config_of(["--config=lapa"]).data.name == "lapa"
    assert "has no function get_config()" in _ending(tmp_path / "mine.py", "SEED = 1\n")


@pytest.mark.parametrize("code", ["int('x')", "open('/no/file')"])
def test_a_command_shows_it_and_no_usage(tmp_path: pathlib.Path, code: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"SEED = {code}\n", encoding="utf-8")
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
