"""Folders that are always either the old one or the new one, whole."""

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from fpliif_jax.data_builders.errors import naming_instead


@contextlib.contextmanager
def replacing(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """A folder to fill, which takes the place of `folder` when it is filled; else that stays what it was.

    Between the two renames that this takes, the earlier folder is `.NAME.replaced`. Where a process is killed just
    then, the next one that replaces the folder begins with putting it back. One process at a time.

    Raises:
      OSError: it cannot be written.
    """
    _settle(folder)
    with naming_instead(folder):
        new = pathlib.Path(
            tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".partial")
        )
    try:
        yield new
        with naming_instead(folder):
            os.chmod(new, 0o755)
            if folder.exists():
                folder.rename(_aside(folder))
            new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        _settle(folder)


def _settle(folder: pathlib.Path) -> None:
    """Removes the folder that was set aside where there is another in its place; where there is none, puts it back."""
    if os.path.lexists(folder):
        shutil.rmtree(_aside(folder), ignore_errors=True)
    elif os.path.lexists(_aside(folder)):
        _aside(folder).rename(
            folder
        )  # not tried else: a disk that may only be read refuses it all the same


def _aside(folder: pathlib.Path) -> pathlib.Path:
    return folder.with_name(f".{folder.name}.replaced")
