"""Opening the file that a lock is taken on."""

import os
import pathlib
import stat
from typing import IO


def open_lock_file(path: pathlib.Path) -> IO[bytes]:
    """Opens a lock's file, made where it is missing; never changes what is in it.

    A folder that came from elsewhere may hold anything under that name.

    Args:
        path: of the file.

    Returns:
        The file; close it to let the lock go.

    Raises:
        OSError: it is a link or no regular file, or it cannot be opened; the message says which.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    if path.is_symlink():
        raise OSError(f"{path} is a link, which a lock file never is; delete it")
    descriptor = os.open(path, flags, 0o644)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is no regular file, which a lock file is; delete it")
    return os.fdopen(descriptor, "r+b")
