"""One process, or one set of processes, at a time in a run's folder."""

import contextlib
import fcntl
import pathlib
from collections.abc import Iterator

from absl import logging


class RunLockError(Exception):
    """Another process is at work in the folder; the message says what to do."""


@contextlib.contextmanager
def locked(workdir: pathlib.Path, is_holder: bool = True) -> Iterator[None]:
    """Holds the folder; the system lets go of it however the process ends.

    Where the file system has no locks, a warning is all.

    Args:
      workdir: the folder.
      is_holder: False in the other processes of a run, for which its main process holds it.

    Raises:
      RunLockError: another process holds it.
    """
    if not is_holder:
        yield
        return
    with open(workdir / ".lock", "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunLockError(
                f"another process is at work in {workdir}; wait for it, end it, or use another "
                "--workdir"
            ) from error
        except OSError as error:
            logging.warning("%s cannot be locked (%s): use it from one process", workdir, error)
        yield
