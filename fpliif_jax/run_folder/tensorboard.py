"""TensorBoard's event files by tensorboardX, without PyTorch: it imports that for a type annotation, for seconds."""

import contextlib
import pathlib
import sys
import threading
import time
import types
from collections.abc import Iterator, Sequence
from typing import Any

from fpliif_jax.data_builders.errors import naming


class EventLog:
    """Writes numbers where they are given: what is flushed is all of them, and an error is the caller's.

    tensorboardX's SummaryWriter has a thread and a queue for that: once the thread has failed, as on a full disk, the
    eleventh number more waits without end; and the queue needs /dev/shm, which containers may lack.
    """

    def __init__(self, folder: pathlib.Path, purge_step: int) -> None:
        """Makes an event file in `folder`; of earlier files TensorBoard leaves out events from `purge_step` on."""
        with without_torch():
            from tensorboardX.event_file_writer import EventsWriter
            from tensorboardX.proto import event_pb2
            from tensorboardX.summary import scalar
        # pyrefly: ignore[missing-attribute] - protobuf makes the classes of event_pb2 at its import
        event, log = event_pb2.Event, event_pb2.SessionLog
        self._folder, self._event, self._summary = folder, event, scalar
        folder.mkdir(parents=True, exist_ok=True)
        with naming(folder):
            self._writer = EventsWriter(str(folder / "events"))
        self._write(purge_step, file_version="brain.Event:2")
        self._write(purge_step, session_log=log(status=log.START))

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """Adds a number; OSError names the folder, as in the two below."""
        self._write(step, summary=self._summary(name, value))

    def flush(self) -> None:
        """Brings all numbers to the disk."""
        with naming(self._folder):
            self._writer.flush()

    def close(self) -> None:
        """Ends the file."""
        with naming(self._folder):
            self._writer.close()

    def _write(self, step: int, **content: Any) -> None:
        with naming(self._folder):
            self._writer.write_event(self._event(wall_time=time.time(), step=step, **content))


@contextlib.contextmanager
def without_torch() -> Iterator[None]:
    """Where PyTorch is not imported yet, an import of it by this thread is an ImportError."""
    nowhere = _Nowhere()
    # Lists of their own: another thread may be going through the one that is there.
    sys.meta_path = [nowhere, *sys.meta_path]
    try:
        yield
    finally:
        sys.meta_path = [finder for finder in sys.meta_path if finder is not nowhere]


class _Nowhere:
    """Has the thread that makes it find no PyTorch."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: types.ModuleType | None = None,
    ) -> None:
        """See importlib.abc.MetaPathFinder; None has the other finders asked."""
        if fullname == "torch" and threading.get_ident() == self._thread:
            raise ModuleNotFoundError("left out here", name=fullname)
