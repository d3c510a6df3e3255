"""SIGTERM, SIGHUP and Ctrl-C: a run in training finishes its step and saves, anything else ends at once.

Other commands than training and prediction remove what they had begun to write (`as_exceptions`); where the signal is
lost, it comes again if Python knows, or else a second one ends them. In these two, at once means without an exception:
one that is raised in a signal handler comes out of whatever is at work, which may take it for its own. C++ code that
calls Python, as JAX does in tracing, swallows it or makes another one of it.
Files are always written whole, under another name first, so that nothing is lost; what such a process leaves
behind is removed by the next one (`data_builders.host.atomic_file.remove_leftovers`).
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Iterator
from importlib.machinery import ExtensionFileLoader

from fpliif_jax.data_builders.host import standard_streams

SAVED = 128 + signal.SIGTERM  # exit code of a run that SIGTERM has ended, and that goes on
SAID_SAVED = "interrupted and saved in "  # with which a run says so, before its folder
_ENDED = {
    code
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    for code in (128 + number, -number)
}
# Environment variable with the number of the process that launched this one and that it is to end with.
PARENT = "FPLIIF_JAX_PARENT"
_ONCE = 0.25  # seconds within which a signal that comes again is the same one
_GRACE = 0.5  # seconds in which the main thread heeds a signal, unless native code is at work
_AGAIN = 0.05  # seconds after which a signal that was lost, or that came too early, comes again
_PR_SET_PDEATHSIG = 1  # of Linux's prctl


def heeded() -> list[signal.Signals]:
    """The signals that end a run: SIGTERM, SIGINT, and SIGHUP unless it was started to ignore that, as by `nohup`."""
    numbers = [signal.SIGTERM, signal.SIGINT]
    return numbers if _is_ignored(signal.SIGHUP) else [*numbers, signal.SIGHUP]


def was_ended(exit_code: int) -> bool:
    """Whether a process that ended with this was ended by such a signal, be it before it could handle it."""
    return exit_code in _ENDED


def _is_ignored(number: signal.Signals) -> bool:
    return signal.getsignal(number) is signal.SIG_IGN


class Ended(KeyboardInterrupt):
    """A signal that ends the process, as Ctrl-C does."""

    def __init__(self, exit_code: int) -> None:
        """Takes what the process is to end with."""
        super().__init__(exit_code)
        self.exit_code = exit_code


@contextlib.contextmanager
def restored_handlers() -> Iterator[None]:
    """Puts the handlers of signals that are changed inside back at the end."""
    before = {number: signal.getsignal(number) for number in heeded()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def as_exceptions() -> Iterator[None]:
    """Raises `Ended` at the first signal inside, so that what is half written is removed; a later one ends at once."""
    if threading.current_thread() is not threading.main_thread():  # which alone may handle signals
        yield
        return
    first: float | None = None
    ended: Ended | None = None

    def end(number: int, frame: types.FrameType | None) -> None:
        nonlocal first, ended
        if first is None and _is_in_extension(frame):
            send_again(number)
        elif first is None:
            first, ended = time.monotonic(), Ended(128 + number)
            raise ended
        elif time.monotonic() > first + _ONCE:
            os._exit(128 + number)

    def send_again(number: int) -> None:
        timer = threading.Timer(_AGAIN, os.kill, (os.getpid(), number))
        timer.daemon = True
        timer.start()

    def come_again(unraisable: "sys.UnraisableHookArgs") -> None:
        """Python only shows what is raised in a callback, as JAX's at every collection of garbage, and goes on."""
        nonlocal first
        if ended is None or unraisable.exc_value is not ended:
            show(unraisable)
            return
        first = None
        send_again(ended.exit_code - 128)

    # A shell has what it starts in the background ignore Ctrl-C.
    numbers = [number for number in heeded() if not _is_ignored(number)]
    show = sys.unraisablehook
    with restored_handlers():
        sys.unraisablehook = come_again
        for number in numbers:
            signal.signal(number, end)
        try:
            yield
        except ImportError as error:  # which an extension that is being imported makes of it
            if ended is None:
                raise
            raise ended from error
        finally:
            sys.unraisablehook = show


def _is_in_extension(frame: types.FrameType | None) -> bool:
    """Whether an extension is being imported: C++ code that expects no exception there ends the process by it."""
    while frame is not None:
        if isinstance(frame.f_locals.get("self"), ExtensionFileLoader):
            return True
        frame = frame.f_back
    return False


class Interruption:
    """Handles SIGTERM (exit code `SAVED`), SIGINT (130) and SIGHUP (129).

    Python calls a handler only between two of its own instructions, and so not before JAX has computed what the main
    thread waits for, a step for one, which may take minutes. So a thread gets the signals, too, as they come: it says
    that they came, and ends the process where that cannot wait.
    """

    def __init__(self, message: str = "interrupted: the same command goes on") -> None:
        """Installs the handlers; those of an earlier one are no longer called.

        Args:
          message: printed where the process ends at once.
        """
        self.requested = False
        self._message = message
        self._signal: int | None = None
        self._first: float | None = None  # when the first signal came that was deferred
        self._is_deferred = False
        self._until = ""
        self._ending = threading.Lock()  # taken by who ends the process
        for number in heeded():
            signal.signal(number, self._handle)
        _watch(self)
        follow_parent()

    @property
    def exit_code(self) -> int:
        """What the process ends with once it has saved: never 0, or a cluster would take the run for finished.

        Where another process of the run was asked to stop, and not this one: as if it were this one.
        """
        return SAVED if self._signal is None else 128 + self._signal

    @contextlib.contextmanager
    def deferred(self, until: str = "") -> Iterator[None]:
        """Lets a signal inside set `requested` and do nothing more; a second Ctrl-C ends at once.

        Args:
          until: what is finished first, printed at the first signal: 'saves and ends after this step'; '': nothing is.
        """
        self._is_deferred, self._until = True, until
        try:
            yield
        finally:
            self._is_deferred = False

    def came(self, number: int) -> None:
        """Called in a thread of its own, when a signal comes whose handler is that of this object."""
        now = time.monotonic()
        if self._first is not None:
            # A cluster may send one signal to a process and, by its parent, once more.
            if number == signal.SIGINT and now > self._first + _ONCE:
                self._end(number)
            return
        if not (self._is_deferred or self.requested):
            time.sleep(_GRACE)  # the handler ends the process first, unless native code is at work
            if not (self._is_deferred or self.requested):
                self._end(number)
        self._first = now
        if self._is_deferred and self._until:
            _write(f"\ninterrupted: {self._until}; a second Ctrl-C ends at once")

    def _handle(self, number: int, frame: types.FrameType | None) -> None:
        self.requested, self._signal = True, number
        if not self._is_deferred:
            self._end(number)

    def _end(self, number: int) -> None:
        is_main = threading.current_thread() is threading.main_thread()
        if self._ending.acquire(blocking=False):
            if is_main:
                _flush()
            else:  # the main thread may be printing, and keep others waiting
                flushing = threading.Thread(target=_flush, daemon=True)
                flushing.start()
                flushing.join(_GRACE)
            _write(self._message)
        elif not is_main:  # which ends the process
            return
        os._exit(128 + number)


_watched: Interruption | None = None
_signal_pipe: int | None = None


def _watch(interruption: Interruption) -> None:
    """Has a thread call `came` of this object at each signal that it handles."""
    global _watched, _signal_pipe
    _watched = interruption
    if _signal_pipe is None:
        reader, _signal_pipe = os.pipe()
        os.set_blocking(_signal_pipe, False)
        threading.Thread(target=_read_signals, args=(reader,), daemon=True).start()
    signal.set_wakeup_fd(_signal_pipe, warn_on_full_buffer=False)


def _read_signals(reader: int) -> None:
    while True:
        (number,) = os.read(reader, 1)
        watched = _watched
        # Handlers may have been put back since.
        if watched is not None and signal.getsignal(number) == watched._handle:
            watched.came(number)


def _flush() -> None:
    # What was being printed when the signal came cannot be printed to again.
    with contextlib.suppress(RuntimeError, OSError, ValueError):
        sys.stdout.flush()


def _write(line: str) -> None:
    with contextlib.suppress(OSError):
        os.write(standard_streams.error_descriptor(), f"{line}\n".encode())


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
