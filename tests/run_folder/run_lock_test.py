"""Tests of fpliif_jax.run_folder.run_lock."""

import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from fpliif_jax.data_builders.host import atomic_file
from fpliif_jax.run_folder import run_lock

_HOLD = """
import pathlib, sys
from fpliif_jax.run_folder import run_lock
with getattr(run_lock, sys.argv[2])(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(("lock", "option"), [("locked", "--workdir"), ("writing", "--output")])
def test_a_second_process_is_told_and_a_killed_one_lets_go(
    lock: str, option: str, tmp_path: pathlib.Path
) -> None:
    hold = getattr(run_lock, lock)
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path), lock],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(
                run_lock.RunLockError, match=f"another process is at work in .* another {option}$"
            ),
            hold(tmp_path),
        ):
            pass
    finally:
        holder.kill()
        holder.wait()
        holder.stdin.close()
        holder.stdout.close()
    with hold(tmp_path):
        pass


def test_a_folder_that_was_written_into_has_no_lock_file_and_its_own_files(
    tmp_path: pathlib.Path,
) -> None:
    """What others are writing there, or below, is no leftover of this process."""
    (tmp_path / "seed0").mkdir()
    others = tmp_path / "seed0" / ".results.json.0123abcd.partial"
    others.touch()
    with pytest.raises(KeyError), run_lock.writing(tmp_path):
        raise KeyError
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [others]


def test_a_lock_whose_file_was_removed_before_it_was_taken_is_none(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another writer removes it at its end, and a third makes a new one."""
    take = run_lock._takes

    def late(*given: Any) -> bool:
        (tmp_path / ".writing").unlink()
        (tmp_path / ".writing").touch()
        return take(*given)

    monkeypatch.setattr(run_lock, "_takes", late)
    with pytest.raises(run_lock.RunLockError, match="at work"), run_lock.writing(tmp_path):
        pass
    assert (tmp_path / ".writing").exists()


def test_a_lock_file_that_is_a_link_is_refused_and_its_target_kept(tmp_path: pathlib.Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("text")
    run = tmp_path / "run"
    run.mkdir()
    (run / ".lock").symlink_to(precious)
    with (
        pytest.raises(run_lock.RunLockError, match=r"\.lock is a link, .*delete it"),
        run_lock.locked(run),
    ):
        pass
    assert precious.read_text() == "text"
    (run / ".lock").unlink()
    os.mkfifo(run / ".lock")
    with pytest.raises(run_lock.RunLockError, match="no regular file"), run_lock.locked(run):
        pass


def test_the_holder_removes_what_killed_processes_had_begun_to_write(
    tmp_path: pathlib.Path,
) -> None:
    kill_in_writing = (
        "import os, pathlib, signal, sys; from fpliif_jax.data_builders.host import atomic_file\n"
        "with atomic_file.replacing(pathlib.Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    (tmp_path / "evaluations").mkdir()
    for name in ("results.json", "evaluations/test.npz"):
        subprocess.run([sys.executable, "-c", kill_in_writing, str(tmp_path / name)], check=False)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2
    atomic_file.remove_leftovers(tmp_path)  # another process may be writing them
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2
    with run_lock.locked(tmp_path):
        pass
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [".lock"]
