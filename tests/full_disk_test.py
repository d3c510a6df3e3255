"""A disk that is full while something is written: one line that names the place, and what stood there stays."""

import argparse
import contextlib
import io
import pathlib
import resource
import sys
from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest
from tiny_run import tiny_config

from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data.resized_split import load_split
from fpliif_jax.data_builders.errors import DataError, said
from fpliif_jax.data_builders.host import atomic_file, atomic_folder
from fpliif_jax.data_builders.prepare import prepare
from fpliif_jax.data_builders.synthetic_faces import __main__ as synthetic_faces
from fpliif_jax.demo import page_folder
from fpliif_jax.export import write
from fpliif_jax.run_folder.run_record import MetricsLog
from fpliif_jax.run_folder.tensorboard import EventLog
from fpliif_jax.weights import trained_model


@contextlib.contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """As on a full disk, no file grows beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _content(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(".lock")
    }


@pytest.mark.parametrize("size", [0, 3000, 20_000])
def test_a_prepared_set_stands_where_its_rebuild_has_no_room(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, size: int
) -> None:
    with no_file_beyond(size), pytest.raises(DataError, match="File too large.*--data_dir") as told:
        prepare("lapa", manual_dir=str(lapa_download), data_dir=str(tmp_path))
    assert "\n" not in str(told.value)
    assert _content(tmp_path) == {}

    folder = pathlib.Path(
        prepare("lapa", manual_dir=str(lapa_download), data_dir=str(tmp_path)).data_dir
    )
    before = _content(tmp_path)
    with no_file_beyond(size), pytest.raises(DataError, match=f"{folder}.*File too large"):
        prepare("lapa", manual_dir=str(lapa_download), data_dir=str(tmp_path), rebuild=True)
    assert _content(tmp_path) == before
    prepare("lapa", data_dir=str(tmp_path))


@pytest.mark.parametrize("size", [0, 100, 3000, 20_000])
@pytest.mark.parametrize("split", ["official", "random"])
def test_resized_images_that_have_no_room(
    tmp_path: pathlib.Path,
    lapa_download: pathlib.Path,
    data_dir: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    split: str,
) -> None:
    config = tiny_config(lapa_download, data_dir).copy_and_resolve_references()
    with config.unlocked():
        config.data.cache_dir = str(tmp_path)
        config.data.split = split
    dataset = load_dataset(config.data)
    monkeypatch.setattr(sys, "stderr", io.StringIO())  # pytest's is a file, too
    with no_file_beyond(size), pytest.raises(DataError, match="File too large.*cache_dir") as told:
        load_split(dataset, "train", (32,))
    assert "\n" not in str(told.value)
    assert str(next(tmp_path.iterdir())) in str(told.value)
    assert not [name for name in _content(tmp_path) if "partial" in name or "images" in name]
    assert len(load_split(dataset, "train", (32,))) == 13


@pytest.mark.parametrize("argument", ["manual_dir", "data_dir"])
def test_a_folder_that_is_a_file(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, argument: str
) -> None:
    (tmp_path / "file").write_text("")
    folders = {"manual_dir": str(lapa_download), "data_dir": str(tmp_path / "data")}
    folders[argument] = str(tmp_path / "file")
    with pytest.raises(DataError, match="file") as told:
        prepare("lapa", **folders)
    assert "\n" not in str(told.value)


def test_a_file_that_cannot_be_replaced_is_named_and_stays(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "results.json"
    path.write_text("before")
    with no_file_beyond(10), pytest.raises(OSError) as told, atomic_file.replacing(path) as file:
        file.write(bytes(100_000))
    assert said(told.value) == f"{path}: File too large"
    assert _content(tmp_path) == {"results.json": b"before"}


@pytest.mark.parametrize("place", ["missing/results.json", "folder"])
def test_a_file_that_cannot_be_begun_or_put_in_place_is_named(
    tmp_path: pathlib.Path, place: str
) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError) as told, atomic_file.replacing(tmp_path / place) as file:
        file.write(b"content")
    assert str(told.value).endswith(f": '{tmp_path / place}'")  # and of no second file
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_folder_that_cannot_be_begun_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(OSError) as told, atomic_folder.replacing(tmp_path / "missing" / "page"):
        pass
    assert told.value.filename == str(tmp_path / "missing" / "page")


@pytest.mark.parametrize("size", [10, 9000, 20_000])
def test_files_of_pytorch_that_have_no_room_are_named_and_the_earlier_ones_stay(
    tmp_path: pathlib.Path, size: int
) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from fpliif_jax.experiments.pytorch import checkpoint
    from fpliif_jax.interop.file_formats import write_file
    from fpliif_jax.systems.state_dict import InteropError

    run = checkpoint.path_of(tmp_path, "last")
    run.parent.mkdir()
    for path in (run, tmp_path / "model.pt"):
        path.write_bytes(b"before")
    weights = {name: np.zeros(3000, np.float32) for name in "abcdef"}
    with no_file_beyond(size):
        with pytest.raises(InteropError, match="model.pt cannot be written: File too large"):
            write_file(tmp_path / "model.pt", weights, "")
        with pytest.raises(OSError) as told:
            checkpoint.save(tmp_path, "last", {"model": {"a": bytes(100_000)}})
    assert said(told.value) == f"{run}: File too large"
    assert set(_content(tmp_path).values()) == {b"before"}


def test_a_contact_sheet_that_has_no_room_is_named_and_the_earlier_one_stays(
    tmp_path: pathlib.Path,
) -> None:
    """It is larger than the files of the set, which are drawn first."""
    sheet = tmp_path / "sheet.png"
    sheet.write_bytes(b"before")
    counts = ("--num_train=4", "--num_val=1", "--num_test=1", "--num_workers=1")
    command = ["--layout=lapa", f"--output_dir={tmp_path / 'drawn'}", *counts, "--image_size=64"]
    with no_file_beyond(20_000), pytest.raises(SystemExit) as told:
        synthetic_faces.main([*command, f"--contact_sheet={sheet}"])
    assert str(told.value).startswith(
        f"error: {sheet}: the contact sheet could not be written (File too large). "
    )
    assert (tmp_path / "drawn" / "LaPa").is_dir()
    sheets = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert sheets == {"sheet.png": b"before"}


def test_a_log_that_cannot_be_written_is_named(tmp_path: pathlib.Path) -> None:
    log = MetricsLog(tmp_path, 0)
    with no_file_beyond(10), pytest.raises(OSError) as told, contextlib.closing(log):
        log.write({"step": 1, "split": "train", "loss": 2.5})
    assert said(told.value) == f"{tmp_path / 'metrics.jsonl'}: File too large"


def test_events_that_cannot_be_written_are_named_and_not_waited_for(tmp_path: pathlib.Path) -> None:
    log = EventLog(tmp_path / "tensorboard", 1)
    with no_file_beyond(10), pytest.raises(OSError) as told:
        for step in range(1000):
            log.add_scalar("loss", 2.5, step)
    assert said(told.value) == f"{tmp_path / 'tensorboard'}: File too large"


def test_a_page_that_has_no_room_is_named_and_nothing_of_it_stays(tmp_path: pathlib.Path) -> None:
    with no_file_beyond(10), pytest.raises(OSError) as told:
        page_folder.write(tmp_path / "page", {"index.html": bytes(100_000)}, "")
    assert said(told.value) == f"{tmp_path / 'page' / 'index.html'}: File too large"
    assert _content(tmp_path) == {}


@pytest.mark.parametrize("file_format", ["safetensors", "hub"])
def test_weights_that_have_no_room_are_named_by_the_folder_that_was_asked_for(
    tmp_path: pathlib.Path, file_format: str
) -> None:
    flags = argparse.Namespace(workdir=None, weights="drawn_small", checkpoint=None)
    chosen = trained_model.load(flags)
    with no_file_beyond(10), pytest.raises(write.ExportError) as told:
        write.export(chosen, file_format, tmp_path / "exported", parts=False, float16=False)
    place = tmp_path / "exported" / "model.safetensors"
    assert str(told.value) == f"{place} cannot be written: File too large"
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_has_no_room_is_named_and_nothing_of_it_stays(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(chosen: object, file_format: str, folder: pathlib.Path, parts: bool) -> list[str]:
        (folder / "model.onnx").write_bytes(bytes(100_000))
        return []

    monkeypatch.setattr(write, "_write", fill)
    chosen = mock.MagicMock()
    with no_file_beyond(10), pytest.raises(OSError) as told:
        write.export(chosen, "onnx", tmp_path / "exported", parts=False, float16=False)
    assert said(told.value) == f"{tmp_path / 'exported'}: File too large"
    assert list(tmp_path.iterdir()) == []
