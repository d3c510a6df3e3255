"""Files that are always either the old one or the new one, whole."""

import contextlib
import errno
import os
import pathlib
import secrets
import shutil
import time
from collections.abc import Iterator
from typing import BinaryIO

from fpliif_jax.data_builders.errors import naming, naming_instead

_SUFFIX = ".partial"
# Of this and of folders that Python's tempfile names; other programs have files called .NAME.partial.
_LEFTOVER = f".*.{'[a-z0-9_]' * 8}{_SUFFIX}"
_SHOWN = (
    50  # characters of the name, so that a file of the longest name that there may be has one, too
)
_OLD = 24 * 3600  # seconds; nothing takes that long to write


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of `path` in one step when it is written to the end.

    Where writing is interrupted or fails, `path` stays what it was. The umask says who may read it.

    Raises:
      OSError: it cannot be written, or is a device or a pipe, in whose place a file would stand.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(
            errno.EINVAL, "not a file but a device or a pipe, which is not replaced", path
        )
    # A name that is nobody's yet: the folder may have come from elsewhere, with links in it.
    temporary = path.parent / f".{path.name[:_SHOWN]}.{secrets.token_hex(4)}{_SUFFIX}"
    with naming_instead(path):
        file = open(temporary, "xb")  # noqa: SIM115 - closed below, with errors that name another
    try:
        with naming(path), file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with naming_instead(path):
            os.replace(temporary, path)
    except BaseException:
        # A signal's exception may come just after the replacing.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def remove_leftovers(folder: pathlib.Path, is_alone: bool = False) -> None:
    """Removes what processes that were killed had begun to write.

    Args:
      folder: where `replacing`, or folders that are renamed when they are filled, were used. Links are not followed.
      is_alone: whether the folder is this process's own: then at any depth. If not, that of others is left alone: what
        is not a day old, and folders in it.
    """
    for path in list(folder.rglob(_LEFTOVER) if is_alone else folder.glob(_LEFTOVER)):
        with contextlib.suppress(OSError):
            if is_alone or time.time() - path.lstat().st_mtime > _OLD:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()
