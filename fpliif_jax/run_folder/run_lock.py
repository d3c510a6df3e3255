"""One process, or one set of processes, at a time in a run's folder, or in one that results are written into."""

import contextlib
import fcntl
import os
import pathlib
from collections.abc import Iterator
from typing import IO

from absl import logging

from fpliif_jax.data_builders.errors import UserError, naming_instead
from fpliif_jax.data_builders.host import atomic_file
from fpliif_jax.data_builders.host.lock_file import open_lock_file


class RunLockError(UserError):
    """Another process is at work in the folder; the message says what to do."""


@contextlib.contextmanager
def locked(workdir: pathlib.Path, is_holder: bool = True) -> Iterator[None]:
    """Holds the folder; the system lets go of it however the process ends.

    Whoever holds it removes what killed processes had begun to write there. Where the file system
    has no locks, a warning is all.

    Args:
      workdir: the folder.
      is_holder: False in the other processes of a run, for which its main process holds it.

    Raises:
      RunLockError: another process holds it, or there cannot be a lock.
    """
    if not is_holder:
        yield
        return
    try:
        opened = open_lock_file(workdir / ".lock")
    except OSError as error:
        raise RunLockError(f"{workdir} cannot be locked: {error}") from error
    with opened as file:
        if _takes(file, workdir, "--workdir"):
            atomic_file.remove_leftovers(workdir, is_alone=True)
        yield


@contextlib.contextmanager
def writing(folder: pathlib.Path, option: str = "--output") -> Iterator[None]:
    """Holds a folder that results are written into, beside whatever else lies there; no file stays behind.

    Args:
      folder: that is there.
      option: that gave it.

    Raises:
      RunLockError: another process holds it.
      OSError: it cannot be written to.
    """
    path = folder / ".writing"
    with naming_instead(folder):
        opened = open_lock_file(path)
    with opened as file:
        _takes(file, folder, option)
        # The one before may have removed the file since it was opened here, and a third have made a new one.
        try:
            is_same = os.path.samestat(path.stat(), os.fstat(file.fileno()))
        except FileNotFoundError:
            is_same = False
        if not is_same:
            raise _held(folder, option)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _takes(file: IO[bytes], folder: pathlib.Path, option: str) -> bool:
    """Takes the lock until the file is closed; False where the file system has none."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _held(folder, option) from error
    except OSError as error:
        logging.warning("%s cannot be locked (%s): use it from one process", folder, error)
        return False
    return True


def _held(folder: pathlib.Path, option: str) -> RunLockError:
    return RunLockError(
        f"another process is at work in {folder}; wait for it, end it, or use another {option}"
    )
