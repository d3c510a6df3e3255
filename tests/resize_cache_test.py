"""Tests of fpliif_jax.resize_cache."""

import concurrent.futures
import pathlib
import threading
from collections import Counter

import numpy as np
import pytest

from fpliif_jax import resize_cache


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


def test_a_disk_too_small_is_told_before_anything_is_read(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = resize_cache.shutil.disk_usage(tmp_path)._replace(free=30)
    monkeypatch.setattr(resize_cache.shutil, "disk_usage", lambda folder: usage)
    source = _Source()
    with pytest.raises(OSError, match=r"cache_dir to another disk"):
        _open(tmp_path, source, _array())
    assert not source.reads
