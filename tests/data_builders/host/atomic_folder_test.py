"""A folder that is replaced is the earlier one or the new one, whole, whatever ends the replacing."""

import pathlib
import subprocess
import sys

import pytest

from fpliif_jax.data_builders.host import atomic_folder

KILLED_BETWEEN_THE_RENAMES = """
import os, pathlib, signal, sys
from fpliif_jax.data_builders.host import atomic_folder
rename = pathlib.Path.rename
def kill(self, target):
    if self.name.endswith(".partial"):
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
pathlib.Path.rename = kill
with atomic_folder.replacing(pathlib.Path(sys.argv[1])) as new:
    (new / "new").touch()
"""


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with an earlier result, alone in its parent."""
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "old").write_text("old")
    return folder


def _listed(folder: pathlib.Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def test_it_takes_the_earlier_one_s_place_when_it_is_filled(folder: pathlib.Path) -> None:
    with atomic_folder.replacing(folder) as new:
        (new / "new").touch()
        assert _listed(folder) == ["old"]
    assert _listed(folder.parent) == ["results/new"]
    assert folder.stat().st_mode & 0o777 == 0o755
    with atomic_folder.replacing(folder.parent / "first") as new:
        (new / "new").touch()
    assert _listed(folder.parent) == ["first/new", "results/new"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("renamed", ["results", ".partial", None])
def test_what_fails_leaves_the_earlier_one(
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    renamed: str | None,
    error: BaseException,
) -> None:
    rename = pathlib.Path.rename

    def fail(self: pathlib.Path, target: pathlib.Path) -> pathlib.Path:
        if self.name.endswith(renamed):
            raise error
        return rename(self, target)

    if renamed is not None:
        monkeypatch.setattr(pathlib.Path, "rename", fail)
    with pytest.raises(type(error)), atomic_folder.replacing(folder) as new:
        (new / "new").touch()
        if renamed is None:
            raise error
    assert _listed(folder.parent) == ["results/old"]


def test_a_signal_just_after_the_new_one_is_in_place_keeps_that(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = pathlib.Path.rename

    def interrupt(self: pathlib.Path, target: pathlib.Path) -> None:
        rename(self, target)
        if self.name.endswith(".partial"):
            raise KeyboardInterrupt

    monkeypatch.setattr(pathlib.Path, "rename", interrupt)
    with pytest.raises(KeyboardInterrupt), atomic_folder.replacing(folder) as new:
        (new / "new").touch()
    assert _listed(folder.parent) == ["results/new"]


def test_one_whose_replacing_was_killed_half_way_is_put_back(folder: pathlib.Path) -> None:
    command = [sys.executable, "-c", KILLED_BETWEEN_THE_RENAMES, str(folder)]
    assert subprocess.run(command, check=False).returncode == -9
    assert not folder.exists()
    with pytest.raises(ZeroDivisionError), atomic_folder.replacing(folder):
        assert _listed(folder) == ["old"]
        raise ZeroDivisionError
    assert _listed(folder) == ["old"]
