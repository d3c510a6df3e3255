"""Digests of arrays in files, recorded as the arrays are made and compared before they are believed.

A digest is the SHA-256 (64 hexadecimal digits) of dtype, shape and the SHA-256 of every row, so that rows can be
made and compared by several threads in any order.
"""

import hashlib
import json
import os
import pathlib
from collections.abc import Iterable

import numpy as np
from tqdm import tqdm

from fpliif_jax.data_builders.host import atomic_file
from fpliif_jax.data_builders.host.ordered_map import ordered_map
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, read_regular

FILE_NAME = "digests.json"
_BYTES_AT_ONCE = MEBIBYTE  # that a thread takes digests of
_SHOW_AFTER = 3  # seconds
# Of files that this process compared already: (path, inode, time of change in ns, length) -> digest.
_compared: dict[tuple[str, int, int, int], str] = {}


def row_digest(row: np.ndarray) -> bytes:
    """SHA-256 of a row's bytes in C order."""
    return hashlib.sha256(np.ascontiguousarray(row).data).digest()


def combined(dtype: np.dtype, shape: tuple[int, ...], rows: Iterable[bytes]) -> str:
    """The digest of an array from those of its rows."""
    whole = hashlib.sha256(f"{dtype.str} {shape}\n".encode())
    for row in rows:
        whole.update(row)
    return whole.hexdigest()


def of_array(array: np.ndarray, num_workers: int | None, description: str = "") -> str:
    """The digest of an array [N, ...].

    Args:
      array: may be a memory map.
      num_workers: threads, by default one a core.
      description: label of the progress bar that is shown where it takes long.
    """
    count = max(1, _BYTES_AT_ONCE // max(1, array[:1].nbytes))
    starts = range(0, len(array), count)

    def digests(start: int) -> bytes:
        rows = range(start, min(start + count, len(array)))
        return b"".join(row_digest(array[row : row + 1]) for row in rows)

    parts = tqdm(
        ordered_map(digests, starts, num_workers),
        total=len(starts),
        desc=description,
        delay=_SHOW_AFTER,
        leave=False,
    )
    return combined(array.dtype, array.shape, parts)


def of_file(path: pathlib.Path, array: np.ndarray, num_workers: int | None) -> str:
    """The digest of an array that was opened from a file; taken once a process while the file stays as it is."""
    status = os.stat(path)
    key = (str(path), status.st_ino, status.st_mtime_ns, status.st_size)
    if key not in _compared:
        _compared[key] = of_array(array, num_workers, f"comparing {path.parent.name}/{path.name}")
    return _compared[key]


def read(folder: pathlib.Path) -> dict[str, str]:
    """The digests recorded in a folder, by file name; empty where none can be read or they are of another folder."""
    try:
        note = json.loads(read_regular(folder / FILE_NAME, MEBIBYTE))
        digests = note["digests"] if note["folder"] == _place(folder) else {}
        return {name: str(digest) for name, digest in digests.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def write(folder: pathlib.Path, digests: dict[str, str]) -> None:
    """Records the digests of a folder's files, in one step.

    Raises:
      OSError: they cannot be written.
    """
    with atomic_file.replacing(folder / FILE_NAME) as file:
        file.write(json.dumps({"folder": _place(folder), "digests": digests}, indent=2).encode())


def _place(folder: pathlib.Path) -> str:
    """Set and split: those of another split are not taken for this one's."""
    folder = folder.absolute()
    return f"{folder.parent.name}/{folder.name}"
