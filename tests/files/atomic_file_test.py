"""A file is the earlier one or the new one, whole."""

import pathlib

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
