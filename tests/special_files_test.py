"""Pipes, devices and files of a terabyte of nothing, wherever the programs open what others left.

Each test ends by itself on a mistake: it would otherwise wait for ever.
"""

import os
import pathlib
import signal
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image

from fpliif_jax.data import resize_cache
from fpliif_jax.data_builders import synthetic_faces
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.host import regular_files
from fpliif_jax.data_builders.prepare import prepare
from fpliif_jax.data_builders.prepared import prepared_set
from fpliif_jax.data_builders.raw import raw_tree
from fpliif_jax.experiments import published
from fpliif_jax.experiments.launching import local
from fpliif_jax.experiments.launching.jobs import Step
from fpliif_jax.experiments.report import write
from fpliif_jax.experiments.runs import bounded_files, run_log
from fpliif_jax.predict import photos
from fpliif_jax.run_folder import run_record

Make = Callable[[pathlib.Path], object]


def endless_device(path: pathlib.Path) -> None:
    path.symlink_to("/dev/zero")


def sparse_file(path: pathlib.Path) -> None:
    """A terabyte of zeros that takes no room."""
    with open(path, "wb") as file:
        file.truncate(2**40)


SPECIAL = {
    "pipe": (os.mkfifo, "not a file but a named pipe"),
    "device": (endless_device, "not a file but a device"),
    "folder": (pathlib.Path.mkdir, "not a file but a folder"),
    "sparse": (sparse_file, "larger than the"),
}
every_kind = pytest.mark.parametrize(("make", "reason"), SPECIAL.values(), ids=SPECIAL)


@pytest.fixture(autouse=True)
def deadline() -> Iterator[None]:
    def too_late(*_: object) -> None:
        raise TimeoutError("still reading")

    previous = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("downloads")
    for layout in ("lapa", "celebamask_hq", "helen"):
        synthetic_faces.write_dataset(
            layout, folder, num_train=2, num_val=1, num_test=1, image_size=32, num_workers=1
        )
    return folder


@every_kind
@pytest.mark.parametrize(
    ("layout", "file"),
    [
        ("lapa", "LaPa/train/images/synthetic_train_000001.jpg"),
        ("lapa", "LaPa/train/labels/synthetic_train_000001.png"),
        ("celebamask_hq", "CelebAMask-HQ/CelebA-HQ-img/1.jpg"),
        ("celebamask_hq", "CelebAMask-HQ/CelebAMask-HQ-mask-anno/0/00001_skin.png"),
        ("celebamask_hq", "CelebAMask-HQ/CelebA-HQ-to-CelebA-mapping.txt"),
        ("helen", "SmithCVPR2013_dataset_resized/images/synthetic_000001_1.jpg"),
        (
            "helen",
            "SmithCVPR2013_dataset_resized/labels/synthetic_000001_1/synthetic_000001_1_lbl03.png",
        ),
        ("helen", "SmithCVPR2013_dataset_resized/exemplars.txt"),
    ],
)
def test_raw_trees(
    tmp_path: pathlib.Path,
    downloads: pathlib.Path,
    layout: str,
    file: str,
    make: Make,
    reason: str,
) -> None:
    # The tree is one of links to another, which is allowed.
    for path in (path for path in downloads.rglob("*") if path.is_file()):
        link = tmp_path / path.relative_to(downloads)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    (tmp_path / file).unlink()
    make(tmp_path / file)
    with pytest.raises(DataError, match=f"{(tmp_path / file).name}.*{reason}") as error:
        prepare(layout, manual_dir=str(tmp_path), data_dir=str(tmp_path / "data"))
    assert "\n" not in str(error.value)


@every_kind
def test_photos(tmp_path: pathlib.Path, make: Make, reason: str) -> None:
    make(tmp_path / "photo.jpg")
    with pytest.raises(photos.PhotoError, match=reason):
        photos.read(tmp_path / "photo.jpg")


@every_kind
def test_external_numbers(tmp_path: pathlib.Path, make: Make, reason: str) -> None:
    make(tmp_path / "port.csv")
    with pytest.raises(published.PublishedError, match=rf"port\.csv: cannot be read: {reason}"):
        published.read_external(tmp_path / "port.csv")


@every_kind
def test_files_of_runs(tmp_path: pathlib.Path, make: Make, reason: str) -> None:
    make(tmp_path / "results.json")
    with pytest.raises(bounded_files.UnreadableError, match=f"{reason}|is a link out of"):
        bounded_files.read_bytes(tmp_path / "results.json", tmp_path, 2**20)
    make(tmp_path / "config.json")
    step = Step("fpliif_jax.main", (), "results.json", config={"seed": 0})
    assert not step.is_finished(tmp_path)
    conflict = step.conflict(tmp_path)
    assert conflict is None or "cannot be read" in conflict


@every_kind
@pytest.mark.parametrize("name", ["dataset_info.json", "features.json", "raw_tree.json"])
def test_prepared_sets(
    tmp_path: pathlib.Path, downloads: pathlib.Path, name: str, make: Make, reason: str
) -> None:
    raw, data = str(downloads), str(tmp_path)
    folder = pathlib.Path(prepare("lapa", manual_dir=raw, data_dir=data).data_dir)
    (folder / name).unlink()
    make(folder / name)
    with pytest.raises(DataError, match=f"{name} is {reason}.*--rebuild"):
        prepare("lapa", data_dir=data)
    prepare("lapa", manual_dir=raw, data_dir=data, rebuild=True)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_shards_of_prepared_sets(
    tmp_path: pathlib.Path, downloads: pathlib.Path, kind: str
) -> None:
    folder = pathlib.Path(
        prepare("lapa", manual_dir=str(downloads), data_dir=str(tmp_path)).data_dir
    )
    shard = next(folder.glob("*train*"))
    shard.unlink()
    SPECIAL[kind][0](shard)
    with pytest.raises(DataError, match=f"{shard.name} is no file.*--rebuild"):
        prepare("lapa", data_dir=str(tmp_path))


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
@pytest.mark.parametrize("name", ["ids.npy", "a.npy", "digests.json"])
def test_resized_images(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture, name: str, kind: str
) -> None:
    array = resize_cache.ResizedArray("a.npy", (2,), lambda example: np.zeros(2, np.uint8))
    source = [{"id": b"a"}]

    def read() -> None:
        resize_cache.open_or_build(tmp_path, source, [array], description="", num_workers=1)

    read()
    (tmp_path / name).unlink()
    make, reason = SPECIAL[kind]
    make(tmp_path / name)
    if kind == "folder":
        with pytest.raises(IsADirectoryError, match=name):
            read()
    else:
        read()
        assert all("made anew" in line for line in caplog.messages)
        assert (reason in caplog.text) is (name != "digests.json")


def test_a_pipe_in_the_place_of_a_lock_is_not_waited_for(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / ".set.lock")
    with pytest.raises(OSError, match="is no regular file"), prepared_set.lock(tmp_path / "set"):
        pass


def test_what_grows_while_it_is_read_is_not_read_without_end() -> None:
    # It says that it has no bytes, and has some.
    path = pathlib.Path("/proc/self/status")
    assert path.stat().st_size == 0
    assert regular_files.read_regular(path, 2**20).startswith(b"Name:")
    with pytest.raises(OSError, match="larger than the"):
        regular_files.read_regular(path, 10)


def test_a_file_as_large_as_the_limit_is_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert regular_files.read_regular(tmp_path / "a", 5) == b"12345"
    with pytest.raises(OSError, match="larger than the"):
        regular_files.read_regular(tmp_path / "a", 4)


def test_a_photo_without_an_end_is_refused_at_once(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (8, 8)).save(path)
    with open(path, "r+b") as file:
        file.truncate(photos.MAX_BYTES + 1)
    with pytest.raises(photos.PhotoError, match="larger than the 512 MiB"):
        photos.read(path)
    with open(path, "r+b") as file:
        file.truncate(raw_tree.LARGEST_FILE + 1)
    with pytest.raises(DataError, match="larger than the 64 MiB"):
        raw_tree.read_file(path)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("Port,lapa,256,mean,mean_f1,92.1,here," + "1" * 5000, "line 2: seed '1111"),
        ("Port,lapa,256,mean,mean_f1," + "9" * 5000 + ",here,0", "line 2: value has 5000"),
        ("Port,lapa,256,mean,mean_f1,1e-999999999,here,0", "too many digits after the point"),
        ("Port,lapa,256,mean,mean_f1,92.1,here,\u0663", "line 2: seed"),
        ("Port,lapa,256,mean,mean_f1,92.1,here,\0", "line 2: seed|NUL"),
    ],
)
def test_hostile_numbers_of_external_files(tmp_path: pathlib.Path, row: str, problem: str) -> None:
    path = tmp_path / "port\n.csv"
    path.write_text(f"system,dataset,protocol,class,metric,value,source,seed\n{row}\n")
    with pytest.raises(published.PublishedError, match=problem) as error:
        published.read_external(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300 + len(str(path))


def test_a_folder_for_prepared_sets_whose_name_is_not_utf8(tmp_path: pathlib.Path) -> None:
    data_dir = os.fsdecode(os.fsencode(tmp_path) + b"/prepar\xe9s")
    with pytest.raises(DataError, match=r"prepar\\udce9s: this name is not UTF-8"):
        prepare("lapa", data_dir=data_dir)


def link(path: pathlib.Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))


WRITTEN = {kind: SPECIAL[kind] for kind in ("pipe", "folder")} | {
    "device": (lambda path: path.symlink_to("/dev/null"), "not a file but a link"),
    "link": (link, "not a file but a link"),
}


@pytest.mark.parametrize(("make", "reason"), WRITTEN.values(), ids=WRITTEN)
def test_logs_that_are_added_to(tmp_path: pathlib.Path, make: Make, reason: str) -> None:
    """In the folder of a run that came from elsewhere: nothing is written where a link leads."""
    for name in ("metrics.jsonl", "run.log"):
        make(tmp_path / name)
    (tmp_path / "elsewhere").write_text("mine\n")
    with pytest.raises(OSError, match=f"{reason}.*metrics.jsonl"):
        run_record.MetricsLog(tmp_path, 0)
    with pytest.raises(OSError, match=f"{reason}.*run.log"):
        local.start(Step("json.tool", (), "output"), tmp_path, {})
    assert (tmp_path / "elsewhere").read_text() == "mine\n"


def test_notes_of_a_prepared_set_follow_no_link(tmp_path: pathlib.Path) -> None:
    """Nor is a name taken that a set from elsewhere could have taken before."""
    (tmp_path / "elsewhere").write_text("mine\n")
    (tmp_path / "contents.json").symlink_to(tmp_path / "elsewhere")
    (tmp_path / f"incomplete.{os.getpid()}_contents.json").symlink_to(tmp_path / "elsewhere")
    contents = prepared_set.Contents({"train": {"a": "1"}}, None, None)
    prepared_set.write_contents(tmp_path, contents)
    assert (tmp_path / "elsewhere").read_text() == "mine\n"
    assert prepared_set.read_contents(tmp_path) == contents


def test_a_device_is_not_replaced_by_a_file(tmp_path: pathlib.Path) -> None:
    """Root could write --output=/dev/null: another program's output would then fill the disk."""
    for name, make in (("pipe", os.mkfifo), ("device", lambda path: path.symlink_to("/dev/null"))):
        path = tmp_path / name
        make(path)
        with pytest.raises(OSError, match="not a file but a device or a pipe") as caught:
            run_record.write_json(path, {})
        assert caught.value.filename == path
        assert not path.is_file() and os.path.lexists(path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["device", "pipe"]


def test_a_list_of_an_earlier_report_that_is_a_pipe_is_not_waited_for(
    tmp_path: pathlib.Path,
) -> None:
    os.mkfifo(tmp_path / write._LIST)
    start = time.monotonic()
    write._put_in_place({"report.md": "text"}, tmp_path)
    assert time.monotonic() - start < 20
    assert (tmp_path / "report.md").read_text() == "text"


def test_the_log_of_a_job_that_is_a_pipe_or_a_device_says_nothing(tmp_path: pathlib.Path) -> None:
    start = time.monotonic()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    assert [run_log.last_words(tmp_path / name) for name in ("pipe", "device")] == ["", ""]
    assert time.monotonic() - start < 20
