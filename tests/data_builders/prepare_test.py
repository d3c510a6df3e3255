"""Preparing a set by function and by command: what it needs, and how it says what is missing."""

import pathlib
import subprocess
import sys

import pytest
import tensorflow_datasets as tfds
from raw_sets import REPOSITORY, Folders, write_celebamask_hq, write_lapa
from spoilt_sets import truncate

from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.prepare import metadata, prepare


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("lapa", "https://github.com/jd-opensource/lapa-dataset"),
        ("celebamask_hq", "https://github.com/switchablenorms/CelebAMask-HQ"),
        ("helen", "http://www.cs.wisc.edu/~lizhang/projects/face-parsing/"),
    ],
)
def test_nothing_prepared_and_no_raw_data(folders: Folders, name: str, source: str) -> None:
    manual_dir, data_dir = folders
    command = f"python -m fpliif_jax.data_builders.prepare {name} --manual_dir="
    with pytest.raises(DataError) as error:
        prepare(name, data_dir=data_dir)
    assert source in str(error.value)
    assert command in str(error.value)
    with pytest.raises(DataError) as error:
        prepare(name, manual_dir=str(manual_dir), data_dir=data_dir)
    assert str(manual_dir) in str(error.value)
    assert source in str(error.value)
    manual_dir.mkdir()
    with pytest.raises(DataError) as error:
        prepare(name, manual_dir=str(manual_dir), data_dir=data_dir)
    assert source in str(error.value)


def test_rebuild_needs_raw_data(folders: Folders) -> None:
    manual_dir, data_dir = folders
    prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir)
    with pytest.raises(DataError, match="--manual_dir"):
        prepare("lapa", data_dir=data_dir, rebuild=True)
    prepare("lapa", data_dir=data_dir)


def test_unknown_names(folders: Folders) -> None:
    _, data_dir = folders
    with pytest.raises(DataError, match="lapa, celebamask_hq, helen"):
        prepare("lappa", data_dir=data_dir)
    with pytest.raises(DataError, match="official, farl"):
        prepare("celebamask_hq", builder_config="fral", data_dir=data_dir)
    with pytest.raises(DataError, match="farl"):
        prepare("lapa", builder_config="farl", data_dir=data_dir)
    with pytest.raises(DataError, match="num_workers"):
        prepare("lapa", num_workers=0, data_dir=data_dir)


def test_metadata_of_an_unprepared_set(folders: Folders) -> None:
    _, data_dir = folders
    with pytest.raises(DataError, match="no prepared set"):
        metadata(tfds.builder("lapa", data_dir=data_dir))


def test_folder_that_cannot_be_written(folders: Folders) -> None:
    manual_dir, data_dir = folders
    pathlib.Path(data_dir).write_text("a file where a folder should be")
    with pytest.raises(DataError, match="--data_dir"):
        prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir)


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "data_builders.prepare", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_command(folders: Folders) -> None:
    manual_dir, data_dir = folders
    write_celebamask_hq(manual_dir)
    arguments = (f"--manual_dir={manual_dir}", f"--data_dir={data_dir}", "--builder_config=farl")
    run = run_command("celebamask_hq", *arguments, "--num_workers=2")
    assert run.returncode == 0, run.stderr
    assert "train 2, validation 2, test 2" in run.stdout
    assert run.stdout.count("\n") == 1
    assert "6/6" in run.stderr
    assert "not the official set" in run.stderr


def test_command_error_is_one_line(folders: Folders) -> None:
    manual_dir, data_dir = folders
    truncate(write_lapa(manual_dir) / "LaPa/train/images/3_0.jpg")
    run = run_command("lapa", f"--manual_dir={manual_dir}", f"--data_dir={data_dir}")
    assert run.returncode == 1
    assert run.stdout == ""
    errors = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "3_0.jpg" in errors[0]
    assert "Traceback" not in run.stderr
