"""One process, or one set of processes, at a time in a run's folder."""

import contextlib
import fcntl
import pathlib
from collections.abc import Iterator

from absl import logging

from fpliif_jax.data_builders.errors import UserError
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
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunLockError(
                f"another process is at work in {workdir}; wait for it, end it, or use another "
                "--workdir"
            ) from error
        except OSError as error:
            logging.warning("%s cannot be locked (%s): use it from one process", workdir, error)
        else:
            atomic_file.remove_leftovers(workdir, is_alone=True)
        yield
