"""Which errors a command says in one line, and which are bugs."""

import ast
import pathlib

import pytest

import fpliif_jax
from fpliif_jax import data_builders, experiments
from fpliif_jax.data_builders.errors import USER_ERRORS, UserError, counted, error_line, naming
from fpliif_jax.experiments import multi_seed

# Caught where they are raised: they say nothing to a person.
_INTERNAL = {"DamageError", "_DamageError", "NotMeasuredError", "ForbiddenPickleError"}


def test_all_errors_of_the_packages_are_user_errors() -> None:
    strangers = set()
    for package in (data_builders, fpliif_jax, experiments):
        for path in pathlib.Path(package.__file__).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and "Exception" in map(ast.unparse, node.bases):
                    strangers.add(node.name)
    assert strangers == _INTERNAL | {"UserError"}


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("--seeds is 'x'"), "error: --seeds is 'x'"),
        (
            OSError(28, "No space left on device", "runs/a"),
            "error: runs/a: No space left on device",
        ),
    ],
)
def test_user_errors_are_a_line(error: Exception, line: str) -> None:
    assert isinstance(error, USER_ERRORS)
    assert error_line(error) == line


def test_an_error_of_a_library_keeps_its_words_when_it_gets_a_name() -> None:
    """As Pillow's errors have words alone."""
    for error, words in (
        (OSError("image file is truncated"), "image file is truncated"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ):
        with pytest.raises(OSError) as told, naming("runs/a"):
            raise error
        assert error_line(told.value) == f"error: runs/a: {words}"


def test_a_bug_shows_its_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    def broken(*_: object) -> None:
        raise ValueError("operands could not be broadcast together")

    monkeypatch.setattr(multi_seed, "seed_job", broken)
    with pytest.raises(ValueError, match="broadcast"):
        multi_seed.main(
            ["--seeds=0", f"--workdir={tmp_path}", "--config=tests/helpers/tiny_run.py"]
        )
    with pytest.raises(SystemExit, match="error: --seeds is 'x'"):
        multi_seed.main(
            ["--seeds=x", f"--workdir={tmp_path}", "--config=tests/helpers/tiny_run.py"]
        )


def test_one_thing_is_counted_in_the_singular() -> None:
    assert [counted(n, "run") for n in (0, 1, 2_000)] == ["0 runs", "1 run", "2,000 runs"]
    texts = [counted(n, "prediction is", "predictions are") for n in (1, 2)]
    assert texts == ["1 prediction is", "2 predictions are"]
