"""A disk that may only be read: what is on it can be used, what cannot be written is one line that names it.

The disk is simulated: the system's own calls say of everything below a folder what they say on such a disk.
"""

import builtins
import errno
import io
import os
import pathlib
from collections.abc import Callable
from typing import Any

import ml_collections
import pytest
import report_study
from tiny_run import tiny_config

from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data.resized_split import load_split
from fpliif_jax.data_builders.errors import USER_ERRORS, UserError, error_line, said
from fpliif_jax.data_builders.host import atomic_folder
from fpliif_jax.data_builders.prepared import prepared_set
from fpliif_jax.demo import page_folder
from fpliif_jax.experiments.report.write import ReportError, write_report
from fpliif_jax.export import write
from fpliif_jax.run_folder import run_record

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGES = (
    "mkdir",
    "unlink",
    "rmdir",
    "rename",
    "replace",
    "chmod",
    "utime",
    "truncate",
    "symlink",
    "link",
)


@pytest.fixture
def make_read_only(monkeypatch: pytest.MonkeyPatch) -> Callable[[pathlib.Path], None]:
    """Makes a folder one that lies on a disk that may only be read."""

    def make(folder: pathlib.Path) -> None:
        def refuse(path: Any) -> None:
            if isinstance(path, str | os.PathLike) and pathlib.Path(path).is_relative_to(folder):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), os.fspath(path))

        def changing(call: Callable) -> Callable:
            def changed(path: Any, *arguments: Any, **options: Any) -> Any:
                refuse(path)
                return call(path, *arguments, **options)

            return changed

        real_open, real_file, real_access = os.open, builtins.open, os.access

        def os_open(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
            if flags & _WRITES:
                refuse(path)
            return real_open(path, flags, *arguments, **options)

        def file_open(path: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if set(mode) & set("wax+"):
                refuse(path)
            return real_file(path, mode, *arguments, **options)

        def access(path: Any, mode: int, **options: Any) -> bool:
            is_below = pathlib.Path(path).is_relative_to(folder)
            return not (mode & os.W_OK and is_below) and real_access(path, mode, **options)

        for name in _CHANGES:
            monkeypatch.setattr(os, name, changing(getattr(os, name)))
        monkeypatch.setattr(os, "open", os_open)
        monkeypatch.setattr(os, "access", access)
        for module in (builtins, io):
            monkeypatch.setattr(module, "open", file_open)

    return make


def _config(folder: pathlib.Path) -> ml_collections.ConfigDict:
    """Of a tiny set of drawn faces, all below a folder."""
    config = tiny_config(folder / "raw", folder / "data").copy_and_resolve_references()
    with config.unlocked():
        config.data.synthetic.num_train, config.data.synthetic.num_val = 3, 2
        config.data.synthetic.num_test, config.data.synthetic.image_size = 2, 32
    return config.data


def test_the_simulation_refuses_to_write(
    tmp_path: pathlib.Path, make_read_only: Callable[[pathlib.Path], None]
) -> None:
    (tmp_path / "file").write_text("before")
    make_read_only(tmp_path)
    for change in (
        lambda: (tmp_path / "file").write_text("after"),
        lambda: (tmp_path / "new").mkdir(),
        lambda: (tmp_path / "file").unlink(),
        lambda: os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT),
    ):
        with pytest.raises(OSError, match="Read-only file system"):
            change()
    assert (tmp_path / "file").read_text() == "before"


def test_drawn_prepared_and_resized_faces_are_read(
    tmp_path: pathlib.Path, make_read_only: Callable[[pathlib.Path], None]
) -> None:
    config = _config(tmp_path)
    dataset = load_dataset(config)
    before = load_split(dataset, "train", (32,))
    make_read_only(tmp_path)
    dataset = load_dataset(config)
    again = load_split(dataset, "train", (32,))
    assert list(again.ids) == list(before.ids)
    with pytest.raises(USER_ERRORS) as told:  # of another size: not resized yet
        load_split(dataset, "train", (16,))
    line = error_line(told.value)
    assert "\n" not in line and str(tmp_path) in line
    assert "Read-only file system" in line and "--config.data.cache_dir" in line


def test_faces_that_cannot_be_drawn_or_prepared_are_told(
    tmp_path: pathlib.Path, make_read_only: Callable[[pathlib.Path], None]
) -> None:
    (tmp_path / "disk").mkdir()
    make_read_only(tmp_path / "disk")
    for place in ("disk", "other"):
        config = _config(tmp_path / "disk")
        config.manual_dir = str(tmp_path / place / "raw")
        with pytest.raises(USER_ERRORS) as told:
            load_dataset(config)
        line = error_line(told.value)
        assert "\n" not in line and "Read-only file system" in line
        assert str(tmp_path / "disk") in line


def test_a_run_that_cannot_be_written_is_told_before_anything_long(
    tmp_path: pathlib.Path, make_read_only: Callable[[pathlib.Path], None]
) -> None:
    make_read_only(tmp_path)
    with pytest.raises(run_record.RunRecordError, match="may not be written; give another one"):
        run_record.check_workdir(tmp_path / "runs" / "seed0")


@pytest.mark.parametrize("check_place", [page_folder.check_place, write.check_place])
def test_a_page_or_an_export_that_cannot_be_written_is_told_before_anything_long(
    tmp_path: pathlib.Path,
    make_read_only: Callable[[pathlib.Path], None],
    check_place: Callable[[pathlib.Path], None],
) -> None:
    make_read_only(tmp_path)
    with pytest.raises(UserError) as told:
        check_place(tmp_path / "new")
    assert f"--output={tmp_path / 'new'}: {tmp_path} may not be written" in str(told.value)


def test_a_folder_that_cannot_be_replaced_is_named(
    tmp_path: pathlib.Path, make_read_only: Callable[[pathlib.Path], None]
) -> None:
    """And not a hidden one, which such a disk refuses to rename or to delete even where it is not there."""
    make_read_only(tmp_path)
    with pytest.raises(OSError) as told, atomic_folder.replacing(tmp_path / "page"):
        pass
    assert said(told.value) == f"{tmp_path / 'page'}: Read-only file system"
    study = report_study.as_study(report_study.empty_study())
    with pytest.raises(ReportError, match=f"{tmp_path}: Read-only file system; name a folder"):
        write_report(study, {}, tmp_path)


def test_a_set_that_was_moved_aside_is_told(
    tmp_path: pathlib.Path, make_read_only: Callable[[pathlib.Path], None]
) -> None:
    """Putting it back needs a disk that can be written."""
    folder = tmp_path / "1.0.0"
    (tmp_path / "incomplete.replaced_1.0.0").mkdir()
    make_read_only(tmp_path)
    with pytest.raises(OSError, match="Read-only file system"):
        prepared_set.recover(folder)
