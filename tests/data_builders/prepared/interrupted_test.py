"""Preparing that is ended half-way or done twice at once: the set is the old one, the new one or none."""

import pathlib
import signal
import subprocess
import sys

import pytest
from raw_sets import REPOSITORY, Folders, examples, prepared_files, run_python, write_lapa

from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.prepare import metadata, prepare
from fpliif_jax.data_builders.raw import raw_images

KILLED = """
import os, signal, sys, threading
from fpliif_jax.data_builders import tree_encoding
from fpliif_jax.data_builders.raw import raw_images
from fpliif_jax.data_builders.prepare import prepare
check, images, lock = raw_images.check_photograph, [], threading.Lock()
def check_or_die(*arguments):
    with lock:
        images.append(arguments)
        if len(images) == 5:
            os.kill(os.getpid(), signal.SIGKILL)
    return check(*arguments)
raw_images.check_photograph = check_or_die
tree_encoding._RAW_BYTES_PER_SHARD = 1
rebuild = len(sys.argv) > 3
prepare("lapa", manual_dir=sys.argv[1], data_dir=sys.argv[2], num_workers=1, rebuild=rebuild)
"""


def test_killed_preparation_is_not_taken_for_finished(folders: Folders) -> None:
    manual_dir, data_dir = folders
    run = run_python(KILLED, write_lapa(manual_dir), data_dir)
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert any("incomplete." in path for path in prepared_files(data_dir))
    with pytest.raises(DataError, match="not prepared"):
        prepare("lapa", data_dir=data_dir)
    builder = prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir)
    assert metadata(builder).counts == {"train": 3, "validation": 2, "test": 1}
    assert not any("incomplete." in path for path in prepared_files(data_dir))


def test_killed_rebuild_leaves_the_old_set(folders: Folders) -> None:
    manual_dir, data_dir = folders
    before = metadata(prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir))
    run = run_python(KILLED, manual_dir, data_dir, "rebuild")
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert any("incomplete." in path for path in prepared_files(data_dir))
    builder = prepare("lapa", data_dir=data_dir)
    assert metadata(builder) == before
    assert len(examples(builder, "train")) == 3
    prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir, rebuild=True)
    assert not any("incomplete." in path for path in prepared_files(data_dir))


KILLED_IN_REPLACING = """
import os, pathlib, signal, sys
from fpliif_jax.data_builders.prepare import prepare
rename, renamed = pathlib.Path.rename, []
def rename_and_die(path, target):
    found = rename(path, target)
    if "replaced_" in str(target):
        os.kill(os.getpid(), signal.SIGKILL)
    return found
pathlib.Path.rename = rename_and_die
prepare("lapa", manual_dir=sys.argv[1], data_dir=sys.argv[2], num_workers=1, rebuild=True)
"""


def test_killed_between_old_and_new_set_the_old_one_is_put_back(folders: Folders) -> None:
    manual_dir, data_dir = folders
    before = metadata(prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir))
    run = run_python(KILLED_IN_REPLACING, manual_dir, data_dir)
    assert run.returncode == -signal.SIGKILL, run.stderr
    (manual_dir / "LaPa/test/images/6_0.jpg").write_bytes(b"no image")
    builder = prepare("lapa", data_dir=data_dir)
    assert metadata(builder) == before
    assert len(examples(builder, "train")) == 3
    assert not any("incomplete." in path for path in prepared_files(data_dir))


@pytest.mark.parametrize("exception", [KeyboardInterrupt, RuntimeError])
def test_exception_half_way_leaves_nothing(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, exception: type[BaseException]
) -> None:
    manual_dir, data_dir = folders
    original = raw_images.check_photograph

    def check(content: bytes, path: pathlib.Path) -> tuple[bytes, raw_images.Size]:
        if path.name == "4_0.jpg":
            raise exception
        return original(content, path)

    monkeypatch.setattr(raw_images, "check_photograph", check)
    with pytest.raises(exception):
        prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir)
    assert not prepared_files(data_dir)
    monkeypatch.undo()
    prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir)


def test_failed_rebuild_keeps_the_old_set(folders: Folders) -> None:
    manual_dir, data_dir = folders
    before = metadata(prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir))
    (manual_dir / "LaPa/test/images/6_0.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match="6_0.jpg"):
        prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir, rebuild=True)
    builder = prepare("lapa", data_dir=data_dir)
    assert metadata(builder) == before
    assert len(examples(builder, "train")) == 3


@pytest.mark.parametrize("damage", ["shorten", "remove", "no_info", "no_origin"])
def test_damaged_set_is_refused_until_rebuilt(folders: Folders, damage: str) -> None:
    manual_dir, data_dir = folders
    folder = pathlib.Path(
        prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir).data_dir
    )
    shard = next(folder.glob("*train*"))
    if damage == "shorten":
        shard.write_bytes(shard.read_bytes()[:-1])
    elif damage == "remove":
        shard.unlink()
    else:
        (folder / {"no_info": "dataset_info.json", "no_origin": "raw_tree.json"}[damage]).unlink()
    for given in (None, str(manual_dir)):
        with pytest.raises(DataError, match="damaged.*--rebuild"):
            prepare("lapa", manual_dir=given, data_dir=data_dir)
    builder = prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir, rebuild=True)
    assert len(examples(builder, "train")) == 3


def test_second_process_waits_and_reuses(folders: Folders) -> None:
    manual_dir, data_dir = folders
    code = """
import sys, time
from fpliif_jax.data_builders.raw import raw_images
from fpliif_jax.data_builders.prepare import prepare
check = raw_images.check_photograph
def slow(*arguments):
    time.sleep(0.5)
    print("prepared", flush=True)
    return check(*arguments)
raw_images.check_photograph = slow
print("begun", flush=True)
prepare("lapa", manual_dir=sys.argv[1], data_dir=sys.argv[2], num_workers=1)
"""
    command = [sys.executable, "-c", code, str(write_lapa(manual_dir)), data_dir]
    processes = [
        subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert sorted(out.count("prepared") for out, _ in outputs) == [0, 6]
    assert sum("waiting for another process" in err for _, err in outputs) == 1
    assert metadata(prepare("lapa", data_dir=data_dir)).counts["train"] == 3
