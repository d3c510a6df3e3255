"""Tests of fpliif_jax.data.resize_cache."""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fpliif_jax.data import resize_cache
from fpliif_jax.data_builders.errors import DataError

ROOT = pathlib.Path(__file__).parents[2]


class _Source:
    """Ten examples; remembers how often each was read, and can fail at one."""

    def __init__(self, failing: int | None = None) -> None:
        self.reads: Counter[int] = Counter()
        self.failing = failing

    def __len__(self) -> int:
        return 10

    def __getitem__(self, position: int) -> dict:
        if position == self.failing:
            raise OSError("the disk went away")
        self.reads[position] += 1
        return {"id": f"face {position}".encode(), "value": position}


def _array(name: str = "a.npy") -> resize_cache.ResizedArray:
    return resize_cache.ResizedArray(
        name, (2, 3), lambda example: np.full((2, 3), example["value"], np.uint8)
    )


def _open(folder: pathlib.Path, source: _Source, *arrays: resize_cache.ResizedArray) -> tuple:
    return resize_cache.open_or_build(folder, source, arrays, description="test", num_workers=3)


def test_examples_keep_their_order_and_ids(tmp_path: pathlib.Path) -> None:
    ids, (array,) = _open(tmp_path, _Source(), _array())
    assert list(ids) == [f"face {position}" for position in range(10)]
    assert array.shape == (10, 2, 3)
    np.testing.assert_array_equal(array[:, 1, 2], np.arange(10))


def test_what_is_there_is_not_made_again(tmp_path: pathlib.Path) -> None:
    _open(tmp_path, _Source(), _array())
    again = _Source()
    _, (array,) = _open(tmp_path, again, _array())
    assert not again.reads
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    _open(tmp_path, again, _array(), _array("b.npy"))
    assert set(again.reads.values()) == {1}


def test_an_interrupted_build_is_made_anew(tmp_path: pathlib.Path) -> None:
    with pytest.raises(OSError, match="went away"):
        _open(tmp_path, _Source(failing=6), _array())
    assert not (tmp_path / "a.npy").exists()
    _, (array,) = _open(tmp_path, _Source(), _array())
    np.testing.assert_array_equal(array[:, 0, 0], np.arange(10))


class _WaitingSource(_Source):
    """Lets nobody have an example before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked, self.may_go_on = threading.Event(), threading.Event()

    def __getitem__(self, position: int) -> dict:
        self.is_asked.set()
        assert self.may_go_on.wait(20)
        return super().__getitem__(position)


def test_two_runs_that_fill_one_cache_make_it_once(tmp_path: pathlib.Path) -> None:
    first, second = _WaitingSource(), _Source()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = [pool.submit(_open, tmp_path, first, _array())]
        assert first.is_asked.wait(20)
        runs.append(pool.submit(_open, tmp_path, second, _array()))
        with pytest.raises(concurrent.futures.TimeoutError):
            runs[1].result(timeout=0.3)  # it waits for the first one
        first.may_go_on.set()
        for run in runs:
            _, (array,) = run.result()
            np.testing.assert_array_equal(array[:, 0, 0], np.arange(10))
    assert len(first.reads) == 10 and not second.reads


def test_runs_that_waited_for_one_cache_compare_it_at_the_same_time(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that made it, too: none holds the lock while it compares."""
    problems, all_compare = resize_cache._problems, threading.Barrier(3)
    looked = threading.Semaphore(0)

    def compare(folder: pathlib.Path, *arguments: Any) -> dict[str, str | None]:
        if (folder / "a.npy").exists():
            all_compare.wait(10)
        looked.release()
        return problems(folder, *arguments)

    monkeypatch.setattr(resize_cache, "_problems", compare)
    first, others = _WaitingSource(), [_Source(), _Source()]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(_open, tmp_path, first, _array())]
        assert first.is_asked.wait(20)
        runs += [pool.submit(_open, tmp_path, other, _array()) for other in others]
        for _ in range(3):
            assert looked.acquire(timeout=20)
        first.may_go_on.set()
        for run in runs:
            _, (array,) = run.result()
            np.testing.assert_array_equal(array[:, 0, 0], np.arange(10))
    assert not any(other.reads for other in others)


def test_a_disk_too_small_is_told_before_anything_is_read(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = resize_cache.shutil.disk_usage(tmp_path)._replace(free=30)
    monkeypatch.setattr(resize_cache.shutil, "disk_usage", lambda folder: usage)
    source = _Source()
    with pytest.raises(OSError, match=r"needs 0.0 GiB for resized images, 0.0 GiB are free"):
        _open(tmp_path, source, _array())
    assert not source.reads


def _flip_a_bit(path: pathlib.Path) -> None:
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)


def _zero_a_page(path: pathlib.Path) -> None:
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.seek(128)
        file.write(bytes(size - 128))


def _cut(path: pathlib.Path) -> None:
    os.truncate(path, path.stat().st_size - 3)


def _other_dtype(path: pathlib.Path) -> None:
    array = np.load(path)
    np.save(path, array.view(np.int8) if array.dtype == np.uint8 else array.astype("S"))


def _fewer(path: pathlib.Path) -> None:
    np.save(path, np.load(path)[:4])


def _other_order(path: pathlib.Path) -> None:
    np.save(path, np.load(path)[::-1])


def _columns_first(path: pathlib.Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b"'fortran_order': False", b"'fortran_order': True "))


def _pickle(path: pathlib.Path) -> None:
    np.save(path, np.array([{}] * 10, object), allow_pickle=True)


DAMAGES = [
    *(_flip_a_bit, _zero_a_page, _cut, _other_dtype, _fewer, _other_order),
    *(pathlib.Path.unlink, lambda path: path.write_bytes(b""), _pickle),
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["ids.npy", "a.npy"])
def test_what_is_damaged_is_made_anew(
    tmp_path: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[pathlib.Path], object],
    name: str,
) -> None:
    ids, (array, other) = _open(tmp_path, _Source(), _array(), _array("b.npy"))
    ids, array, inode = ids.copy(), array.copy(), (tmp_path / "b.npy").stat().st_ino
    damage(tmp_path / name)
    ids_again, (array_again, _) = _open(tmp_path, _Source(), _array(), _array("b.npy"))
    np.testing.assert_array_equal(ids_again, ids)
    np.testing.assert_array_equal(array_again, array)
    assert (tmp_path / "b.npy").stat().st_ino == inode  # what is sound stays
    is_missing = damage is pathlib.Path.unlink
    assert [name in line and "made anew" in line for line in caplog.messages] == [True] * (
        not is_missing
    )
    again = _Source()
    _open(tmp_path, again, _array(), _array("b.npy"))
    assert not again.reads


def test_rows_read_as_columns_are_made_anew(tmp_path: pathlib.Path) -> None:
    _open(tmp_path, _Source(), _array())
    _columns_first(tmp_path / "a.npy")
    _, (array,) = _open(tmp_path, _Source(), _array())
    np.testing.assert_array_equal(array[:, 1, 2], np.arange(10))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"folder": 1, "digests": []}', b"{}" * 2**20]
)
def test_without_digests_all_is_made_anew(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    _open(tmp_path, _Source(), _array())
    (tmp_path / "digests.json").write_bytes(content)
    again = _Source()
    _open(tmp_path, again, _array())
    assert set(again.reads.values()) == {1}
    assert [line.split(": ")[1] for line in caplog.messages] == [
        "digests.json has no digest of it; it is made anew"
    ] * 2


def test_files_of_another_split_are_made_anew(tmp_path: pathlib.Path) -> None:
    _open(tmp_path / "train", _Source(), _array())
    shutil.copytree(tmp_path / "train", tmp_path / "validation")
    again = _Source()
    _open(tmp_path / "validation", again, _array())
    assert len(again.reads) == 10


def test_a_class_that_there_is_not_is_no_label(tmp_path: pathlib.Path) -> None:
    array = resize_cache.ResizedArray("a.npy", (2, 3), _array().make, values=10)
    _open(tmp_path / "ten", _Source(), array)
    array = resize_cache.ResizedArray("a.npy", (2, 3), _array().make, values=9)
    with pytest.raises(DataError, match="of face 9 has the class 9, of 9 classes.*--rebuild"):
        _open(tmp_path / "nine", _Source(), array)
    assert not (tmp_path / "nine" / "a.npy").exists()


def test_a_disk_that_loses_what_is_written_is_told(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resize_cache, "_write_fully", lambda descriptor, content, offset: None)
    with pytest.raises(DataError, match=r"what was just written.*cache_dir to another disk"):
        _open(tmp_path, _Source(), _array())


_FILL = """
import os, pathlib, signal, sys, time
import numpy as np
from fpliif_jax.data import resize_cache

folder, seconds, kill_at = pathlib.Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])

class Source:
    def __len__(self):
        return 10
    def __getitem__(self, position):
        if position == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(seconds)
        return {"id": str(position), "value": position}

make = lambda example: np.full((64, 64), example["value"], np.uint8)
array = resize_cache.ResizedArray("a.npy", (64, 64), make)
ids, (array,) = resize_cache.open_or_build(folder, Source(), [array], description="", num_workers=2)
assert list(ids) == [str(position) for position in range(10)]
assert (array == np.arange(10)[:, None, None]).all()
"""


def _fill(folder: pathlib.Path, seconds: float, kill_at: int = -1) -> subprocess.Popen:
    arguments = [sys.executable, "-c", _FILL, str(folder), str(seconds), str(kill_at)]
    return subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def test_two_runs_make_a_damaged_file_anew_at_a_time_after_one_was_killed_in_it(
    tmp_path: pathlib.Path,
) -> None:
    folder = tmp_path / "set" / "train"
    assert _fill(folder, 0).wait() == 0
    _flip_a_bit(folder / "a.npy")
    assert _fill(folder, 0, kill_at=7).wait() == -9
    assert (folder / "a.npy.partial").exists()
    fillers = [_fill(folder, 0.02) for _ in range(2)]
    errors = [filler.communicate(timeout=60)[1] for filler in fillers]
    assert [filler.returncode for filler in fillers] == [0, 0], errors
    assert sorted(path.name for path in folder.iterdir()) == ["a.npy", "digests.json", "ids.npy"]
