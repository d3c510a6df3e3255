"""SIGTERM and Ctrl-C: a run in training finishes its step and saves, anything else ends at once.

At once means without an exception: one that is raised in a signal handler comes out of whatever is at work, which
may take it for its own. C++ code that calls Python, as JAX does in tracing, swallows it or makes another one of it.
Files are always written whole, under another name first, so that nothing is lost; what such a process leaves
behind is removed by the next one (`files.atomic_file.remove_leftovers`).
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
import types
from collections.abc import Iterator

# Environment variable with the number of the process that launched this one and that it is to end with.
PARENT = "FPLIIF_JAX_PARENT"
_ONCE = 0.25  # seconds within which a signal that comes again is the same one
_PR_SET_PDEATHSIG = 1  # of Linux's prctl


class Interruption:
    """Handles SIGTERM (exit code 0) and SIGINT (exit code 130)."""

    def __init__(self, message: str = "interrupted: the same command goes on") -> None:
        """Installs the handlers.

        Args:
          message: printed where the process ends at once.
        """
        self.requested = False
        self._message = message
        self._signal: int | None = None
        self._first = 0.0  # when the first signal came
        self._is_deferred = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)
        follow_parent()

    @property
    def exit_code(self) -> int:
        """What the process ends with once it has saved."""
        return 130 if self._signal == signal.SIGINT else 0

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Inside, a signal sets `requested` and nothing more; a second Ctrl-C ends at once."""
        self._is_deferred = True
        try:
            yield
        finally:
            self._is_deferred = False

    def _handle(self, number: int, frame: types.FrameType | None) -> None:
        # A cluster may send one signal to a process and, by its parent, once more.
        now = time.monotonic()
        repeated = self.requested and number == signal.SIGINT and now > self._first + _ONCE
        if not self.requested:
            self._first = now
        self.requested, self._signal = True, number
        if not self._is_deferred or repeated:
            # What was being printed when the signal came cannot be printed to again.
            with contextlib.suppress(RuntimeError, OSError, ValueError):
                sys.stdout.flush()
            with contextlib.suppress(OSError):
                os.write(sys.__stderr__.fileno(), f"{self._message}\n".encode())
            os._exit(self.exit_code)


def follow_parent() -> None:
    """Has the system send SIGTERM when the process that launched this one ends, however it ends."""
    parent = os.environ.pop(PARENT, "")
    if not parent or not sys.platform.startswith("linux"):
        return
    send_at_parents_end(signal.SIGTERM)
    if str(os.getppid()) != parent:  # it ended before it was asked about
        os.kill(os.getpid(), signal.SIGTERM)


def send_at_parents_end(number: signal.Signals) -> None:
    """Has the system send this process a signal when its parent ends from now on; on Linux alone."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
