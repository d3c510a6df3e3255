"""Resized images and label maps, made once and read through memory maps.

    <cache_dir>/<set>-<merge profile>-<fingerprint>/<split>/ids.npy                      [N] str
                                                            images-256-pillow.npy        [N, 256, 256, 3] uint8
                                                            labels-256-class_bicubic-pillow.npy  [N, 256, 256] uint8
                                                            canvas-512-pillow.npy        [N, 512, 512, 3] uint8
                                                            canvas-sizes-512.npy         [N, 2] int32
                                                            digests.json

A file bears its final name only once it is whole: an interrupted build is started again. Each process compares
the files that it opens with their digests; what differs, or has no digest, is made anew.
"""

import contextlib
import dataclasses
import errno
import io
import os
import pathlib
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from absl import logging
from tqdm import tqdm

from fpliif_jax.data import array_digests
from fpliif_jax.data_builders.errors import DataError, naming, one_line
from fpliif_jax.data_builders.host import atomic_file
from fpliif_jax.data_builders.host.ordered_map import ordered_map
from fpliif_jax.data_builders.host.regular_files import open_regular
from fpliif_jax.data_builders.prepared import prepared_set
from fpliif_jax.data_builders.prepared.prepared_split import Example

_IDS = "ids.npy"


class _DamageError(Exception):
    """A file is not what was written; the message says why, without its name."""


@dataclasses.dataclass(frozen=True)
class ResizedArray:
    """One array of a split: what it is called, an example's shape, and how to make it.

    Attributes:
      file_name: name in the cache, which tells framing, size and filter.
      shape: of one example.
      make: example of the data source -> array of that shape and dtype.
      dtype: of the array.
      values: how many values there can be, from 0 on; None where any is possible.
    """

    file_name: str
    shape: tuple[int, ...]
    make: Callable[[Example], np.ndarray]
    dtype: np.dtype = np.dtype(np.uint8)
    values: int | None = None


def open_or_build(
    folder: pathlib.Path,
    source: Sequence[Example],
    arrays: Sequence[ResizedArray],
    *,
    description: str,
    num_workers: int | None,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Opens a split's arrays, making first those that are not there yet or are damaged.

    Args:
      folder: of the split, keyed by data fingerprint.
      source: the prepared split, random access; examples have an 'id'.
      arrays: those to open.
      description: label of the progress bar.
      num_workers: threads, by default one a core; Pillow, NumPy and hashlib release the interpreter's lock.

    Returns:
      (ids [N] str, read-only memory maps [N, *shape] in the order of `arrays`).

    Raises:
      OSError: the disk is full, or the folder cannot be written.
      DataError: an example is not what it can be, or what was written is read back as something else.
    """
    names = [_IDS, *(array.file_name for array in arrays)]
    own_state = None  # of the files that this process made
    # Compared without the lock: several runs may do so at the same time, in a folder that none can write.
    while True:
        state = _state(folder, names)
        problems = _problems(folder, len(source), arrays, num_workers)
        if not problems:
            break
        if state == own_state:
            name, problem = next(iter(problems.items()))
            raise DataError(
                f"{folder / name}: what was just written is not what can be read ({problem or 'missing'}). "
                "Set --config.data.cache_dir to another disk."
            )
        folder.mkdir(parents=True, exist_ok=True)
        with prepared_set.lock(folder):
            if _state(folder, names) != state:  # Another process was at work while this one waited.
                continue
            for name, problem in problems.items():
                if problem is not None:
                    logging.warning("%s: %s; it is made anew", one_line(folder / name), problem)
                    (folder / name).unlink()
            for leftover in folder.glob("*.partial"):
                leftover.unlink()
            missing = [array for array in arrays if array.file_name in problems]
            _build(folder, source, missing, description=description, num_workers=num_workers)
            own_state = _state(folder, names)
    ids = _open(folder / _IDS, (len(source),), None)
    maps = [
        _open(folder / array.file_name, (len(source), *array.shape), array.dtype)
        for array in arrays
    ]
    return np.array(ids), maps


def _state(folder: pathlib.Path, names: Iterable[str]) -> list[tuple[int, int, int] | None]:
    """What changes when files or their digests are made anew: inodes, times and lengths."""
    states: list[tuple[int, int, int] | None] = []
    for name in (*names, array_digests.FILE_NAME):
        try:
            status = os.stat(folder / name)
        except FileNotFoundError:
            states.append(None)
        else:
            states.append((status.st_ino, status.st_mtime_ns, status.st_size))
    return states


def _problems(
    folder: pathlib.Path, count: int, arrays: Sequence[ResizedArray], num_workers: int | None
) -> dict[str, str | None]:
    """What is wrong with files, by name: None where one is missing. Those that are sound have no entry."""
    digests = array_digests.read(folder)
    problems: dict[str, str | None] = {}
    files: list[tuple[str, tuple[int, ...], np.dtype | None]] = [(_IDS, (count,), None)]
    files += [(array.file_name, (count, *array.shape), array.dtype) for array in arrays]
    for name, shape, dtype in files:
        try:
            opened = _open(folder / name, shape, dtype)
            if name not in digests:
                raise _DamageError(f"{array_digests.FILE_NAME} has no digest of it")
            if array_digests.of_file(folder / name, opened, num_workers) != digests[name]:
                raise _DamageError("damaged, it is not what was written")
        except FileNotFoundError:
            problems[name] = None
        except _DamageError as error:
            problems[name] = str(error)
    return problems


def _open(path: pathlib.Path, shape: tuple[int, ...], dtype: np.dtype | None) -> np.ndarray:
    """A read-only memory map; of text where no dtype is given."""
    try:
        open_regular(path, sys.maxsize).close()
        array = np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        if error.errno == errno.EINVAL:  # a folder, a pipe
            raise _DamageError(f"damaged, {error.strerror}") from error
        raise  # out of memory, no permission: nothing that making it anew would mend
    except Exception as error:  # NumPy raises many kinds for damaged headers
        raise _DamageError(f"damaged, {one_line(error)[:200]}") from error
    is_dtype = array.dtype.kind == "U" if dtype is None else array.dtype == dtype
    if array.shape != shape or not is_dtype or not array.flags.c_contiguous:
        raise _DamageError(f"damaged, it has {array.dtype}{list(array.shape)}")
    return array


def _build(
    folder: pathlib.Path,
    source: Sequence[Example],
    arrays: Sequence[ResizedArray],
    *,
    description: str,
    num_workers: int | None,
) -> None:
    count = len(source)
    bytes_needed = count * sum(int(np.prod(array.shape)) * array.dtype.itemsize for array in arrays)
    bytes_free = shutil.disk_usage(folder).free
    if bytes_needed > bytes_free:
        raise OSError(
            f"{folder} needs {bytes_needed / 2**30:.1f} GiB for resized images, "
            f"{bytes_free / 2**30:.1f} GiB are free"
        )
    ids = [""] * count
    row_digests = {array.file_name: [b""] * count for array in arrays}
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(_partial_npy(folder, array, count)) for array in arrays]

        def make(position: int) -> None:
            example = source[position]
            identifier = example["id"]
            ids[position] = (
                identifier.decode("utf-8") if isinstance(identifier, bytes) else str(identifier)
            )
            for array, (descriptor, start) in zip(arrays, files, strict=True):
                made = np.ascontiguousarray(array.make(example))
                if made.shape != array.shape or made.dtype != array.dtype:
                    raise AssertionError(f"{array.file_name}: got {made.dtype}{made.shape}")
                if array.values is not None and made.max(initial=0) >= array.values:
                    raise DataError(
                        f"{folder}: the label map of {ids[position]} has the class {made.max()}, of "
                        f"{array.values} classes. Prepare the set anew, with --rebuild."
                    )
                row_digests[array.file_name][position] = array_digests.row_digest(made)
                # Not through a memory map: on a full disk that would be a bus error.
                with naming(folder):
                    _write_fully(descriptor, made.tobytes(), start + position * made.nbytes)

        made = ordered_map(make, range(count), num_workers)
        for _ in tqdm(made, total=count, desc=description, unit="image"):
            pass
        for descriptor, _ in files:
            with naming(folder):
                os.fsync(descriptor)
        content = io.BytesIO()  # of a real file NumPy would not say why it cannot be written
        np.save(content, np.array(ids, dtype=np.str_), allow_pickle=False)
        with atomic_file.replacing(folder / _IDS) as file:
            file.write(content.getbuffer())
        for name in row_digests:
            os.replace(folder / f"{name}.partial", folder / name)
    # At last: what a process that is killed here leaves has no digest, or another one, and is made anew.
    digests = {
        array.file_name: array_digests.combined(
            array.dtype, (count, *array.shape), row_digests[array.file_name]
        )
        for array in arrays
    }
    digests[_IDS] = array_digests.of_array(np.array(ids, dtype=np.str_), num_workers)
    record = folder / array_digests.FILE_NAME
    if record.exists() and not (record.is_file() or record.is_dir()):
        record.unlink()  # a pipe or a device, which no file takes the place of by itself
    array_digests.write(folder, {**array_digests.read(folder), **digests})


@contextlib.contextmanager
def _partial_npy(
    folder: pathlib.Path, array: ResizedArray, count: int
) -> Iterator[tuple[int, int]]:
    """Opens <name>.partial as an empty .npy; gives its descriptor and where the data start. A failure removes it."""
    path = folder / f"{array.file_name}.partial"
    try:
        with open(path, "wb", buffering=0) as file:
            header = io.BytesIO()
            description = {
                "descr": np.lib.format.dtype_to_descr(array.dtype),
                "fortran_order": False,
                "shape": (count, *array.shape),
            }
            np.lib.format.write_array_header_1_0(header, description)
            with naming(folder):
                _write_fully(file.fileno(), header.getvalue(), 0)
            yield file.fileno(), header.tell()
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write_fully(descriptor: int, content: bytes, offset: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
