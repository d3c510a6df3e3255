"""One line where another process of a run over several hosts has ended, instead of an aborted process.

JAX's coordination service aborts every process of a run from C++ threads once one of them is gone (SIGABRT, with
pages of stacks), and jaxlib 0.10 can call no Python function instead. So each process of such a run works in a
child, and its parent waits, hands on signals and what the child prints, and says in the end what has happened.
"""

import ctypes
import os
import re
import signal
import sys
import types

from fpliif_jax import interruption

LOST_PEER = (
    75  # exit code of a child that another process left alone; sysexits.h: "try again later"
)
_MESSAGE = (
    "another process of this run ended: {reason}; the last checkpoint stands; start the same command in every "
    "process again to go on\n"
)
# How the lines of the C++ layer begin in which it tells that a process is gone; then come its stacks.
_COORDINATION = re.compile(
    rb"[EF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ (?:coordination_service\w*\.cc|client\.h):\d+\] "
)
_REASONS = (
    (rb"heartbeat", "it sent no sign of life"),
    (rb"Connection reset|[Ss]ocket closed|UNAVAILABLE", "its connection was closed"),
)
_MOST_KEPT = 2**20  # bytes of what the C++ layer says
_PR_SET_PDEATHSIG = 1  # of Linux's prctl


def in_child() -> None:
    """Forks; call it before JAX has started a backend. Returns in the child alone, the parent ends with it.

    The parent's exit code is the child's; 0, as after SIGTERM, where another process of the run has ended.
    """
    interruption.follow_parent()
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    signals = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # until the parent can hand them on
    parent, child = os.getpid(), os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        os.setpgid(0, 0)  # Ctrl-C comes from the parent alone, or it would come twice
        if sys.platform.startswith("linux"):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        os.dup2(writer, sys.__stderr__.fileno())
        os.close(reader)
        os.close(writer)
        return

    def hand_on(number: int, frame: types.FrameType | None) -> None:
        os.kill(child, number)

    for number in signals:
        signal.signal(number, hand_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    os.close(writer)
    told = _copy(reader, sys.__stderr__.fileno())
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == LOST_PEER or (code == -signal.SIGABRT and told):
        reason = next(
            (text for pattern, text in _REASONS if re.search(pattern, told)),
            "the connection to it was lost",
        )
        message, code = _MESSAGE.format(reason=reason).encode(), 0
    else:
        message = told if code else b""
    os.write(sys.__stderr__.fileno(), message)
    os._exit(code if code >= 0 else 128 - code)


def _copy(source: int, target: int) -> bytes:
    """Copies until the end, or until the C++ layer tells of its coordination; returns what came from there on."""
    kept = b""
    while chunk := os.read(source, 2**16):
        if not kept:
            match = _COORDINATION.search(chunk)
            place = len(chunk) if match is None else match.start()
            os.write(target, chunk[:place])
            chunk = chunk[place:]
        kept = (kept + chunk)[:_MOST_KEPT]
    return kept
