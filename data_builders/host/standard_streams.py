"""Where a command prints: a terminal that is closed, a full disk, the reader of a pipe that has gone."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO


def outlive_readers() -> None:
    """Lets this process work on where what it prints cannot be written; call it first of all in a command.

    An error of writing would end the work in the middle. A progress bar (tqdm) would also keep the lock that all
    bars share, so that the next one, or the end of the process, would wait for ever. On stderr every such error is
    passed over. On stdout, which holds what was asked for, only that its reader has gone is. What the terminal's
    encoding has no character for is written with a backslash on both: a name, or a λ where LC_ALL=C.
    """
    sys.stderr = _Outliving(sys.stderr or _nowhere(), OSError)
    sys.stdout = _Outliving(sys.stdout or _nowhere(), BrokenPipeError)


def error_descriptor() -> int:
    """The file descriptor of stderr; one that keeps nothing, after `outlive_readers`, where that was closed before."""
    return (sys.__stderr__ or sys.stderr).fileno()


def _nowhere() -> TextIO:
    """A stream into nothing, in the place of one that was closed before the process began."""
    return open(os.devnull, "w", encoding="utf-8")


class _Outliving:
    """A text stream that passes over some errors of writing."""

    def __init__(self, stream: TextIO, passed_over: type[OSError]) -> None:
        self._stream = stream
        self._passed_over = passed_over
        if isinstance(
            stream, io.TextIOWrapper
        ):  # one may have been put in its place that keeps what it gets
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        with self._passing_over():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._passing_over():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _passing_over(self) -> Iterator[None]:
        try:
            yield
        except self._passed_over:
            pass
        except ValueError:  # so is a closed stream told
            if not self._stream.closed:
                raise
