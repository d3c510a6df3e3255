"""A file is the earlier one or the new one, whole."""

import os
import pathlib
import stat

import pytest

from fpliif_jax.data_builders.host import atomic_file


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


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
def test_the_umask_says_who_may_read_it(tmp_path: pathlib.Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with atomic_file.replacing(tmp_path / "results.json") as file:
            file.write(b"new")
    finally:
        os.umask(before)
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("name", ["n" * 255, "顔" * 85])
def test_a_file_of_the_longest_name_is_written(tmp_path: pathlib.Path, name: str) -> None:
    with atomic_file.replacing(tmp_path / name) as file:
        file.write(b"new")
    assert [path.name for path in tmp_path.iterdir()] == [name]
