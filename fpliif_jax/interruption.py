"""SIGTERM and Ctrl-C: a run in training finishes its step and saves, anything else ends at once."""

import contextlib
import signal
import sys
import types
from collections.abc import Iterator


class Interruption:
    """Handles SIGTERM (exit code 0) and SIGINT (exit code 130)."""

    def __init__(self) -> None:
        """Installs the handlers; what is being written then is written atomically elsewhere."""
        self.requested = False
        self._signal: int | None = None
        self._is_deferred = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

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
        repeated = self.requested and number == signal.SIGINT
        self.requested, self._signal = True, number
        if not self._is_deferred or repeated:
            print("interrupted: the same command goes on", file=sys.stderr)
            sys.exit(self.exit_code)
