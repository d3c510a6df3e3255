"""What is written whole takes the place of regular files alone."""

import os
import pathlib
import stat

import pytest

from fpliif_jax.files import atomic_file


def test_it_takes_the_earlier_one_s_place_when_it_is_written(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "results.json"
    for content in (b"old", b"new"):
        with atomic_file.replacing(path) as file:
            file.write(content)
    assert path.read_bytes() == b"new"
    with pytest.raises(RuntimeError), atomic_file.replacing(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]


def test_nothing_takes_the_place_of_a_device(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "out"
    os.mkfifo(path)
    with pytest.raises(OSError, match="no regular file") as caught, atomic_file.replacing(path):
        pass
    assert caught.value.filename == str(path)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert list(tmp_path.iterdir()) == [path]
