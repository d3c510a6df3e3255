"""What surrounds a prepared set's files: note of origin, lock, leftovers of killed runs."""

import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import itertools
import json
import os
import pathlib
import re
import shutil
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from absl import logging
from array_record.python import array_record_module

from fpliif_jax.data_builders.class_list import are_class_names
from fpliif_jax.data_builders.host import atomic_file
from fpliif_jax.data_builders.host.lock_file import open_lock_file
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, read_regular
from fpliif_jax.data_builders.raw.raw_tree import SPLITS

_ORIGIN_FILE = "raw_tree.json"
# Not part of the note of origin: sets of earlier versions get it later, and those still read that note.
CONTENTS_FILE = "contents.json"
_METADATA_FILES = ("dataset_info.json", "features.json", _ORIGIN_FILE)
_LARGEST_METADATA = MEBIBYTE  # they have a few KiB
_LARGEST_CONTENTS = 64 * MEBIBYTE  # of CelebAMask-HQ's 30,000 images 3
_CHECKSUM = "sha256"
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
        remarks: what is unusual about the data; None where nobody looked, for the set was prepared
            when photos were not yet turned upright by their EXIF orientation.
        class_names: index = id; None where they are those of the builder.
    """

    fingerprint: str
    stat_digest: str
    manual_dir: str
    prepared_at: str
    counts: dict[str, int]
    remarks: list[str] | None = None
    class_names: list[str] | None = None


@dataclasses.dataclass(frozen=True)
class Contents:
    """Contents of a prepared set.

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
        origin = Origin(**_read_note(folder / _ORIGIN_FILE, _LARGEST_METADATA))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return origin if _is_sound(origin) else None


def check_metadata(folder: pathlib.Path) -> None:
    """Raises ValueError or OSError where a file of a prepared set that programs parse is no JSON
    file, is no file at all, or has more than a mebibyte. Those that are missing are passed over."""
    for name in _METADATA_FILES:
        try:
            json.loads(read_regular(folder / name, _LARGEST_METADATA))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{name} is not valid JSON: {error}") from error
        except OSError as error:
            raise OSError(error.errno, f"{name} is {error.strerror}") from error


def write_origin(folder: pathlib.Path, origin: Origin) -> None:
    """Writes the note of origin, atomically."""
    note = dataclasses.asdict(origin)
    if origin.class_names is None:
        del note["class_names"]  # which earlier versions do not know
    _write_note(folder / _ORIGIN_FILE, note)


def read_contents(folder: pathlib.Path) -> Contents | None:
    """The note of contents in a prepared set's folder, None where there is none that can be read."""
    try:
        contents = Contents(**_read_note(folder / CONTENTS_FILE, _LARGEST_CONTENTS))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    by_split = contents.label_digests
    is_whole = isinstance(by_split, dict) and all(
        isinstance(ids, dict) for ids in by_split.values()
    )
    return contents if is_whole else None


def write_contents(folder: pathlib.Path, contents: Contents) -> None:
    """Writes the note of contents, atomically."""
    _write_note(folder / CONTENTS_FILE, dataclasses.asdict(contents))


def _read_note(path: pathlib.Path, largest: int) -> dict[str, Any]:
    """Raises ValueError where it is not what was written, and what `read_regular` and JSON raise."""
    note = json.loads(read_regular(path, largest))
    checksum = note.pop(_CHECKSUM, None)  # which older ones do not have
    if checksum not in (None, _checksum(note)):
        raise ValueError(f"{path.name} is not what was written")
    return note


def _write_note(path: pathlib.Path, note: dict[str, Any]) -> None:
    text = json.dumps({**note, _CHECKSUM: _checksum(note)}, indent=2)
    with atomic_file.replacing(path) as file:
        file.write(f"{text}\n".encode())


def _checksum(note: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(note, sort_keys=True).encode()).hexdigest()


def _is_sound(origin: Origin) -> bool:
    lists = (origin.remarks or [], origin.class_names or [])
    if not isinstance(origin.counts, dict) or not all(isinstance(one, list) for one in lists):
        return False
    texts = (origin.fingerprint, origin.stat_digest, origin.manual_dir, origin.prepared_at)
    return (
        all(isinstance(text, str) for text in itertools.chain(texts, *lists))
        and (origin.class_names is None or are_class_names(origin.class_names))
        and re.fullmatch("[0-9a-f]{64}", origin.fingerprint) is not None
        and origin.counts.keys() == set(SPLITS)
        and all(type(count) is int and count >= 0 for count in origin.counts.values())
    )


def damage_of_shards(
    folder: pathlib.Path, splits: Mapping[str, Any], origin: Origin | None
) -> str | None:
    """What is wrong with the files of the splits: kind, place, length or number of examples.

    Args:
        folder: of the prepared set.
        splits: what TFDS read in `dataset_info.json`.
        origin: the note of origin, None if there is none.

    Returns:
        a line without the folder, None where nothing is wrong.
    """
    try:
        counts = dict.fromkeys(SPLITS, 0)
        for name, split in splits.items():
            counts[name] = split.num_examples
            length, paths = 0, list(map(pathlib.Path, split.filepaths))
            for path in paths:
                status = os.stat(path)
                if path.parent != folder or not stat.S_ISREG(status.st_mode):
                    return f"{path} is no file of this set"
                length += status.st_size
            if length != split.num_bytes:
                counts_by_file = zip(paths, split.shard_lengths, strict=True)
                parts = next(
                    (p.name for p, n in counts_by_file if _examples_in(p) != n), "one of them"
                )
                return (
                    f"the files of {name} have {length} bytes instead of {int(split.num_bytes)}: "
                    f"{parts} is another one or a part"
                )
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    except Exception as error:  # TFDS, of values that make no sense
        return f"dataset_info.json makes no sense: {error}"
    if origin is not None and counts != origin.counts:
        return f"dataset_info.json and raw_tree.json differ: {counts} and {origin.counts}"
    return None


def _examples_in(path: pathlib.Path) -> int | None:
    """How many a file has; None where that cannot be read."""
    try:
        with contextlib.closing(array_record_module.ArrayRecordReader(str(path))) as reader:
            return reader.num_records()
    except Exception:  # ArrayRecord's, of damaged files
        return None


@contextlib.contextmanager
def lock(folder: pathlib.Path) -> Iterator[None]:
    """Holds the lock of a prepared set: one process at a time prepares it, the others wait here.

    The system frees the lock when its holder ends, however it ends. Leftovers of holders that were
    killed are removed on entry, and a set that one of them had moved away is put back: whoever holds the
    lock knows that nobody is writing them.
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
        if not folder.exists() and _aside(folder).exists():
            _aside(folder).rename(folder)
        for leftover in folder.parent.glob(f"{_INCOMPLETE}*_{folder.name}"):
            shutil.rmtree(leftover)
        yield


def put_in_place(new: pathlib.Path, folder: pathlib.Path) -> None:
    """Puts a folder that is whole in the place of another, which stands until then.

    Call it with the lock held: where the process is killed between the two steps, the next holder puts the old
    folder back.
    """
    aside = _aside(folder)
    if folder.exists():
        folder.rename(aside)
    new.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)


def recover(folder: pathlib.Path) -> bool:
    """Puts back a folder whose replacement was killed half way; whether there was one."""
    if folder.exists() or not _aside(folder).exists():
        return False
    with lock(folder):
        return folder.exists()


def _aside(folder: pathlib.Path) -> pathlib.Path:
    return folder.parent / f"{_INCOMPLETE}replaced_{folder.name}"


def staging_folder(folder: pathlib.Path) -> pathlib.Path:
    """Where what is to replace a folder is made; removed by the next holder of its lock."""
    return folder.parent / f"{_INCOMPLETE}new_{folder.name}"
