"""What surrounds a prepared set's files: note of origin, lock, leftovers of killed runs."""

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import pathlib
import shutil
import sys
import time
from collections.abc import Iterator
from typing import Any

from absl import logging

from data_builders.lock_file import open_lock_file

_ORIGIN_FILE = "raw_tree.json"
# Not part of the note of origin: sets of earlier versions get it later, and those still read that note.
_CONTENTS_FILE = "contents.json"
# TFDS writes into incomplete.<random>_<version> and renames that folder when all is done.
_INCOMPLETE = "incomplete."
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


@dataclasses.dataclass(frozen=True)
class Origin:
    """The raw tree that a prepared set was made from.

    Attributes:
        fingerprint: SHA-256 of its content (64 hexadecimal digits).
        stat_digest: SHA-256 of sizes and times of its files.
        manual_dir: where it lay.
        prepared_at: local time, ISO 8601.
        counts: number of examples by split, 0 where there are none.
    """

    fingerprint: str
    stat_digest: str
    manual_dir: str
    prepared_at: str
    counts: dict[str, int]


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a prepared set holds.

    Attributes:
        label_digests: by split and id, see `label_digests.label_map_digest`.
        drawn: whether any face is drawn by `synthetic_faces`; None where that is not known.
        drawing: the settings of the drawing; None where no face is drawn or they are not known.
    """

    label_digests: dict[str, dict[str, str]]
    drawn: bool | None
    drawing: dict[str, str | int] | None


def now() -> str:
    """Local time, ISO 8601 with seconds and zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def read_origin(folder: pathlib.Path) -> Origin | None:
    """The note of origin in a prepared set's folder, None where there is none that can be read."""
    try:
        return Origin(**json.loads((folder / _ORIGIN_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_origin(folder: pathlib.Path, origin: Origin) -> None:
    """Writes the note of origin, atomically."""
    _write_json(folder / _ORIGIN_FILE, dataclasses.asdict(origin))


def read_contents(folder: pathlib.Path) -> Contents | None:
    """The note of contents in a prepared set's folder, None where there is none that can be read."""
    try:
        contents = Contents(**json.loads((folder / _CONTENTS_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    by_split = contents.label_digests
    is_whole = isinstance(by_split, dict) and all(
        isinstance(ids, dict) for ids in by_split.values()
    )
    return contents if is_whole else None


def write_contents(folder: pathlib.Path, contents: Contents) -> None:
    """Writes the note of contents, atomically."""
    _write_json(folder / _CONTENTS_FILE, dataclasses.asdict(contents))


def _write_json(path: pathlib.Path, content: dict[str, Any]) -> None:
    temporary = path.with_name(f"{_INCOMPLETE}{os.getpid()}_{path.name}")
    temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    temporary.replace(path)


@contextlib.contextmanager
def lock(folder: pathlib.Path) -> Iterator[None]:
    """Holds the lock of a prepared set: one process at a time prepares it, the others wait here.

    The system frees the lock when its holder ends, however it ends. Leftovers of holders that were
    killed are removed on entry: whoever holds the lock knows that nobody is writing them.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open_lock_file(folder.parent / f".{folder.name}.lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that is preparing {folder} …", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            logging.warning(
                "%s: this file system has no locks; prepare it once at a time.", folder.parent
            )
            yield
            return
        for leftover in folder.parent.glob(f"{_INCOMPLETE}*_{folder.name}"):
            shutil.rmtree(leftover)
        yield


@contextlib.contextmanager
def set_aside(folder: pathlib.Path) -> Iterator[None]:
    """Moves a prepared set out of the way; deletes it in the end, after an exception restores it.

    Moving it is one step, so that a half-deleted set never stands under its own name.
    """
    if not folder.exists():
        yield
        return
    aside = folder.parent / f"{_INCOMPLETE}replaced_{folder.name}"
    folder.rename(aside)
    try:
        yield
    except BaseException:
        if not folder.exists():
            aside.rename(folder)
        raise
    shutil.rmtree(aside)
