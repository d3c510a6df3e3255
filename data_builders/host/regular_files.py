"""Opening files that others left: none is waited for, none is read without end, none leads elsewhere."""

import errno
import os
import stat
from typing import BinaryIO, TextIO

MEBIBYTE = 2**20
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a link"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: str | os.PathLike[str], limit: int) -> BinaryIO:
    """Opens a regular file to be read.

    Args:
        path: of the file, or of a link to it.
        limit: most bytes that it may have.

    Raises:
        OSError: it is not there, may not be read, is a folder, pipe, socket or device, or is larger
            than `limit`; `strerror` says which.
    """
    # Opening a device can already do something, so its kind is looked at before. Without
    # O_NONBLOCK a pipe that takes the file's place in between would be waited for.
    _check_kind(os.stat(path), path)
    file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")  # noqa: SIM115 - returned
    try:
        status = os.fstat(file.fileno())
        _check_kind(status, path)
        if status.st_size > limit:
            raise _too_large(path, limit)
    except BaseException:
        file.close()
        raise
    return file


def read_regular(path: str | os.PathLike[str], limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes. Raises OSError as `open_regular`."""
    with open_regular(path, limit) as file:
        # Reading makes room for all that is asked for: what the file says it has, and one byte more.
        length = os.fstat(file.fileno()).st_size
        content = file.read(length + 1) or b""
        # Files of /proc have more than they say, and some of them nothing yet (None).
        if len(content) > length:
            content += file.read(limit + 1 - len(content)) or b""
    if len(content) > limit:
        raise _too_large(path, limit)
    return content


def append_regular(path: str | os.PathLike[str]) -> TextIO:
    """Opens a regular text file to add to it; makes it where it is missing.

    Raises:
        OSError: it may not be written, or is a link (which could lead anywhere), folder, pipe, socket or device;
            `strerror` says which.
    """
    if os.path.lexists(path):
        _check_kind(os.lstat(path), path)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return open(os.open(path, flags, 0o666), "a", encoding="utf-8")


def _check_kind(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    for is_kind, name in _KINDS:
        if is_kind(status.st_mode):
            raise OSError(errno.EINVAL, f"not a file but {name}", os.fspath(path))


def _too_large(path: str | os.PathLike[str], limit: int) -> OSError:
    reason = f"larger than the {limit / MEBIBYTE:g} MiB that are read"
    return OSError(errno.EFBIG, reason, os.fspath(path))
