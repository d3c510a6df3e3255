"""Tests of fpliif_jax.interruption, in a process of their own."""

import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import contextlib, sys, time
from fpliif_jax.interruption import Interruption
interruption = Interruption()
with interruption.deferred() if {deferred} else contextlib.nullcontext():
    print("ready", flush=True)
    while not interruption.requested:
        time.sleep(0.01)
    print("saved", flush=True)
    if {linger}:
        time.sleep(60)
sys.exit(interruption.exit_code)
"""


def _run(deferred: bool, *signals: signal.Signals, linger: bool = False) -> tuple[int, str]:
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(deferred=deferred, linger=linger)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n"
    for number in signals:
        child.send_signal(number)
        time.sleep(0.3)
    output, _ = child.communicate(timeout=30)
    return child.returncode, output


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_training_saves_before_it_ends(number: signal.Signals, code: int) -> None:
    assert _run(True, number) == (code, "saved\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_anything_else_ends_at_once(number: signal.Signals, code: int) -> None:
    assert _run(False, number) == (code, "")


def test_a_second_ctrl_c_does_not_wait() -> None:
    assert _run(True, signal.SIGINT, signal.SIGINT, linger=True)[0] == 130
