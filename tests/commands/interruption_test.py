"""Tests of fpliif_jax.commands.interruption, in a process of their own."""

import os
import signal
import subprocess
import sys
import time

import pytest

from fpliif_jax.commands.interruption import Interruption

PROGRAM = """
import contextlib, sys, time
from fpliif_jax.commands.interruption import Interruption
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


SWALLOWING_PROGRAM = """
import ctypes, time
from fpliif_jax.commands.interruption import Interruption
Interruption()
@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
def compare(first, second):
    print("ready", flush=True)
    time.sleep(20)
    return 0
pair = (ctypes.c_int * 2)(2, 1)
ctypes.CDLL(None).qsort(pair, 2, ctypes.sizeof(ctypes.c_int), compare)
print("went on", flush=True)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_native_code_that_calls_python_cannot_swallow_it(number: signal.Signals, code: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", SWALLOWING_PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n"
    child.send_signal(number)
    assert child.communicate(timeout=30) == ("", "interrupted: the same command goes on\n")
    assert child.returncode == code


def test_a_second_ctrl_c_does_not_wait() -> None:
    assert _run(True, signal.SIGINT, signal.SIGINT, linger=True)[0] == 130


def test_one_signal_that_comes_twice_at_once_is_one() -> None:
    interruption = Interruption()
    with interruption.deferred():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    assert interruption.requested
