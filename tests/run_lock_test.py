"""Tests of fpliif_jax.run_lock."""

import pathlib
import subprocess
import sys

import pytest

from fpliif_jax import run_lock

_HOLD = """
import pathlib, sys
from fpliif_jax import run_lock
with run_lock.locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_and_a_killed_one_lets_go(tmp_path: pathlib.Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(run_lock.RunLockError, match="another process is at work"),
            run_lock.locked(tmp_path),
        ):
            pass
    finally:
        holder.kill()
        holder.wait()
        holder.stdin.close()
        holder.stdout.close()
    with run_lock.locked(tmp_path):
        pass
