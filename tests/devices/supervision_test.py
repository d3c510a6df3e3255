"""Tests of fpliif_jax.devices.supervision: what a process of several tells when another one is gone."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from fpliif_jax.devices import supervision

ROOT = pathlib.Path(__file__).parents[2]
_START = (
    "import os, signal, sys, time\nfrom fpliif_jax.devices import supervision\nsupervision.in_child()\n"
    "supervision.joined()\n"
)
# As the C++ layer of jaxlib 0.10.2 tells it.
_LOST = (
    "E1126 02:15:57.971343   13507 coordination_service.cc:1549] [15859957065838303252] Use error polling to propagate "
    "the following error to all tasks: UNAVAILABLE: The following tasks are unhealthy (stopped sending "
    "heartbeats):\n1\n"
    "*** Check failure stack trace: ***\n"
)
# As libstdc++ writes it, piece by piece.
_OUT_OF_STEP = (
    "terminate called after throwing an instance of '",
    "gloo::EnforceNotMet",
    "'\n",
    "  what():  [enforce fail at pair.cc:459] op.preamble.length <= op.nbytes. 8 vs 4. Received data size ",
)
_BAD_ALLOC = (
    "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n"
)
_LINE = "start the same command in every process again to go on\n"


def _start(body: str, start: str = _START, **options: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", start + body],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_an_aborted_child_is_one_line_and_what_was_told_before_stays() -> None:
    child = _start(f"os.write(2, 'step 3\\r{{}}'.format({_LOST!r}).encode())\nos.abort()")
    _, errors = child.communicate(timeout=60)
    assert child.returncode == supervision.LOST_PEER
    before, line, rest = errors.split("\n")  # Popen takes the \r for a line's end
    assert (before, rest) == ("step 3", "")
    assert line.startswith("another process of this run ended: it sent no sign of life;")
    assert line.endswith(_LINE.strip())


def test_a_child_that_gloo_aborted_is_one_line() -> None:
    pieces = "".join(
        f"os.write(2, {one!r}.encode())\ntime.sleep(.05)\n" for one in ("step 3", *_OUT_OF_STEP)
    )
    child = _start(pieces + "os.abort()")
    _, errors = child.communicate(timeout=60)
    assert child.returncode == supervision.LOST_PEER
    assert errors.startswith("step 3another process of this run ended: Gloo lost step with it;")
    assert errors.endswith(_LINE) and errors.count("\n") == 1


def test_a_child_that_was_left_alone_is_one_line() -> None:
    child = _start("os._exit(supervision.LOST_PEER)")
    _, errors = child.communicate(timeout=60)
    assert (child.returncode, errors.count("\n")) == (supervision.LOST_PEER, 1)
    assert errors.startswith("another process of this run ended: ") and errors.endswith(_LINE)


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        ("print('error: no data', file=sys.stderr)\nsys.exit(1)", 1, "error: no data\n"),
        ("sys.exit(130)", 130, ""),
        ("os.abort()", 134, ""),
        (f"os.write(2, {_BAD_ALLOC!r}.encode())\nos.abort()", 134, _BAD_ALLOC),
        (f"os.write(2, {_LOST!r}.encode())\nsys.exit(3)", 3, _LOST),
        (f"os.write(2, {_LOST!r}.encode())", 0, ""),  # told while it ended well
    ],
)
def test_what_else_ends_a_child_is_told_as_it_is(body: str, code: int, told: str) -> None:
    child = _start(body)
    _, errors = child.communicate(timeout=60)
    assert (child.returncode, errors) == (code, told)


def test_processes_that_never_joined_are_an_error() -> None:
    apart = "F1126 03:20:11.123456     7 client.h:80] Terminating: DEADLINE_EXCEEDED: RegisterTask\n*** stacks\n"
    body = f"os.write(2, {apart!r}.encode())\nos.abort()"
    child = _start(body, start=_START.replace("supervision.joined()\n", ""))
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 1
    assert errors.startswith("error: the processes could not join: Terminating: DEADLINE_EXCEEDED")
    assert errors.count("\n") == 1


def test_a_terminal_that_is_gone_ends_nothing() -> None:
    body = "os.write(2, b'step 3')\ntime.sleep(.5)\nos.write(2, b'step 4')\nprint('saved')"
    with open("/dev/full", "wb") as full:
        child = subprocess.run(
            [sys.executable, "-c", _START + body], cwd=ROOT, stdout=subprocess.PIPE, stderr=full
        )
    assert (child.returncode, child.stdout) == (0, b"saved\n")


def test_a_standard_error_that_was_closed_before_ends_nothing() -> None:
    streams = "from fpliif_jax.data_builders.host import standard_streams\nstandard_streams.outlive_readers()\n"
    body = "os.write(2, b'step 3')\nprint('saved')"
    program = [sys.executable, "-c", streams + _START + body]
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *program]
    child = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, timeout=60)
    assert (child.returncode, child.stdout) == (0, b"saved\n")


def test_what_outlives_the_child_is_not_waited_for() -> None:
    started = time.monotonic()
    child = _start("import subprocess\nsubprocess.Popen(['sleep', '60'])\nsys.exit(3)")
    child.wait(timeout=40)
    assert child.returncode == 3
    assert time.monotonic() - started < 40


def test_the_last_words_are_heard_however_much_there_is() -> None:
    body = f"os.write(2, {_LOST!r}.encode())\nfor _ in range(40): os.write(2, b'x' * 2**16)\n"
    child = _start(body + "os.write(2, b'error: the disk is full\\n')\nsys.exit(1)")
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 1
    assert errors.endswith("error: the disk is full\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_comes_once(number: signal.Signals) -> None:
    child = _start(
        "came = []\n"
        "for number in (signal.SIGTERM, signal.SIGINT):\n"
        "    signal.signal(number, lambda number, frame: came.append(number))\n"
        "print('ready', flush=True)\n"
        "time.sleep(1)\n"
        "print([int(number) for number in came])",
        start_new_session=True,
    )
    assert child.stdout.readline() == "ready\n"
    os.killpg(child.pid, number)  # as a terminal sends it
    assert child.communicate(timeout=60)[0] == f"[{int(number)}]\n"
    assert child.returncode == 0


def test_a_child_ends_with_its_killed_parent() -> None:
    child = _start("print(os.getpid(), flush=True)\ntime.sleep(60)")
    worker = int(child.stdout.readline())
    child.kill()
    assert child.communicate(timeout=10)[0] == ""  # the pipe is closed by both
    deadline = time.monotonic() + 10
    while _is_alive(worker):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_alive(process: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False
