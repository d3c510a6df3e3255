"""Resized images and label maps, made once and read through memory maps.

    <cache_dir>/<set>-<merge profile>-<fingerprint>/<split>/ids.npy                      [N] str
                                                            images-256-pillow.npy        [N, 256, 256, 3] uint8
                                                            labels-256-class_bicubic-pillow.npy  [N, 256, 256] uint8
                                                            canvas-512-pillow.npy        [N, 512, 512, 3] uint8
                                                            canvas-sizes-512.npy         [N, 2] int32

A file bears its final name only once it is whole: an interrupted build is started again.
"""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from data_builders import prepared_set
from data_builders.errors import DataError
from data_builders.ordered_map import ordered_map
from data_builders.regular_files import open_regular


@dataclasses.dataclass(frozen=True)
class ResizedArray:
    """One array of a split: what it is called, an example's shape, and how to make it.

    Attributes:
      file_name: name in the cache, which tells framing, size and filter.
      shape: of one example.
      make: example of the data source -> array of that shape and dtype.
      dtype: of the array.
    """

    file_name: str
    shape: tuple[int, ...]
    make: Callable[[dict[str, Any]], np.ndarray]
    dtype: np.dtype = np.dtype(np.uint8)


def open_or_build(
    folder: pathlib.Path,
    source: Sequence[dict[str, Any]],
    arrays: Sequence[ResizedArray],
    *,
    description: str,
    num_workers: int | None,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Opens a split's arrays, making first those that are not there yet.

    Args:
      folder: of the split, keyed by data fingerprint.
      source: the prepared split, random access; examples have an 'id'.
      arrays: what is wanted.
      description: label of the progress bar.
      num_workers: threads, by default one a core; Pillow and NumPy release the interpreter's lock while they resize.

    Returns:
      (ids [N] str, read-only memory maps [N, *shape] in the order of `arrays`).

    Raises:
      OSError: the disk is full, or the folder cannot be written.
      DataError: a file that is there is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with prepared_set.lock(folder):
        missing = [array for array in arrays if not (folder / array.file_name).exists()]
        if missing or not (folder / "ids.npy").exists():
            _build(folder, source, missing, description=description, num_workers=num_workers)
    count = len(source)
    ids = _open(folder / "ids.npy", (count,), None)
    maps = [_open(folder / array.file_name, (count, *array.shape), array.dtype) for array in arrays]
    return np.array(ids), maps


def _open(path: pathlib.Path, shape: tuple[int, ...], dtype: np.dtype | None) -> np.ndarray:
    """A read-only memory map; of text where no dtype is given."""
    try:
        open_regular(path, sys.maxsize).close()
        array = np.lib.format.open_memmap(path, mode="r")
        if array.shape != shape or (
            array.dtype.kind != "U" if dtype is None else array.dtype != dtype
        ):
            raise ValueError(f"it has {array.dtype}{list(array.shape)}")
    except Exception as error:  # NumPy raises many kinds for damaged headers
        raise DataError(
            f"{path}: this file of resized images is damaged ({error}). Delete the folder "
            f"{path.parent}: it is made anew."
        ) from error
    return array


def _build(
    folder: pathlib.Path,
    source: Sequence[dict[str, Any]],
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
            f"{bytes_free / 2**30:.1f} GiB are free; set --config.data.cache_dir to another disk"
        )
    ids = [""] * count
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
                # Not through a memory map: on a full disk that would be a bus error.
                _write_fully(descriptor, made.tobytes(), start + position * made.nbytes)

        made = ordered_map(make, range(count), num_workers)
        for _ in tqdm(made, total=count, desc=description, unit="image"):
            pass
        for descriptor, _ in files:
            os.fsync(descriptor)
    for array in arrays:
        os.replace(folder / f"{array.file_name}.partial", folder / array.file_name)
    with open(folder / "ids.npy.partial", "wb") as file:
        np.save(file, np.array(ids, dtype=np.str_), allow_pickle=False)
    os.replace(folder / "ids.npy.partial", folder / "ids.npy")


@contextlib.contextmanager
def _partial_npy(
    folder: pathlib.Path, array: ResizedArray, count: int
) -> Iterator[tuple[int, int]]:
    """Opens <name>.partial as an empty .npy; gives its descriptor and where the data start."""
    with open(folder / f"{array.file_name}.partial", "wb") as file:
        header = {
            "descr": np.lib.format.dtype_to_descr(array.dtype),
            "fortran_order": False,
            "shape": (count, *array.shape),
        }
        np.lib.format.write_array_header_1_0(file, header)
        file.flush()
        yield file.fileno(), file.tell()


def _write_fully(descriptor: int, content: bytes, offset: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
