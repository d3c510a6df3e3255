"""Which raw tree a prepared set is from."""

import os
import pathlib
import shutil
import time

import pytest
import tensorflow_datasets as tfds
from raw_sets import (
    HELEN_FOLDER,
    Folders,
    examples,
    random_labels,
    save_png,
    write_helen,
    write_lapa,
)

from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.prepare import metadata, prepare
from fpliif_jax.data_builders.raw import fingerprint


def change_one_label(manual_dir: pathlib.Path) -> None:
    """Changes one pixel of one label file, and sets back its times: only the content tells."""
    path = manual_dir / "LaPa/train/labels/2_0.png"
    before = path.stat()
    labels = random_labels(2)
    labels[3, 4] = (labels[3, 4] + 1) % 11
    save_png(path, labels)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_another_tree_is_refused_until_rebuilt(folders: Folders) -> None:
    manual_dir, data_dir = folders
    write_lapa(manual_dir)
    before = metadata(prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir))
    other = manual_dir.parent / "other"
    change_one_label(write_lapa(other))
    with pytest.raises(DataError) as error:
        prepare("lapa", manual_dir=str(other), data_dir=data_dir)
    for fragment in (str(manual_dir), str(other), before.fingerprint[:12], "--rebuild", "data_dir"):
        assert fragment in str(error.value)
    # TFDS's own entry refuses it, too.
    with pytest.raises(DataError, match="prepared from other data"):
        tfds.builder("lapa", data_dir=data_dir).download_and_prepare(
            download_config=tfds.download.DownloadConfig(manual_dir=other)
        )
    assert metadata(prepare("lapa", data_dir=data_dir)) == before

    rebuilt = prepare("lapa", manual_dir=str(other), data_dir=data_dir, rebuild=True)
    assert metadata(rebuilt).fingerprint != before.fingerprint
    label_map = examples(rebuilt, "train")[1]["label_map"][..., 0]
    assert (label_map != random_labels(2)).sum() == 1
    prepare("lapa", manual_dir=str(other), data_dir=data_dir)


def test_change_in_place_is_noticed_although_times_are_set_back(folders: Folders) -> None:
    manual_dir, data_dir = folders
    prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir)
    time.sleep(0.01)  # File systems count the time of a change in ticks of a few milliseconds.
    change_one_label(manual_dir)
    with pytest.raises(DataError, match="prepared from other data"):
        prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir)


def test_names_are_part_of_the_fingerprint(folders: Folders) -> None:
    manual_dir, data_dir = folders
    root = write_lapa(manual_dir) / "LaPa/train"
    prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir)
    for path in (root / "images/2_0.jpg", root / "labels/2_0.png"):
        path.rename(path.with_stem("2_1"))  # the same place in the order
    with pytest.raises(DataError, match="prepared from other data"):
        prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir)


def test_a_digest_is_of_names_lengths_and_contents() -> None:
    files = [("a", b"xy"), ("b", b"z")]
    changed = [
        [("c", b"xy"), ("b", b"z")],
        [("a", b"xy"), ("c", b"z")],
        [("a", b"xw"), ("b", b"z")],
        [("a", b"x"), ("b", b"yz")],
        [("b", b"z"), ("a", b"xy")],
        [("a", b"xy")],
        [("a", b"xyb\0z")],  # the same bytes but for the lengths
    ]
    digests = {fingerprint.content_digest(*zip(*some, strict=True)) for some in (files, *changed)}
    assert len(digests) == 1 + len(changed)


def test_split_is_part_of_the_fingerprint(folders: Folders) -> None:
    manual_dir, data_dir = folders
    prepare("helen", manual_dir=str(write_helen(manual_dir)), data_dir=data_dir)
    (manual_dir / HELEN_FOLDER / "exemplars.txt").write_text("1 , a_1\n2 , a_2\n")
    with pytest.raises(DataError, match="prepared from other data"):
        prepare("helen", manual_dir=str(manual_dir), data_dir=data_dir)


def test_same_content_is_accepted_and_hashed_once(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    manual_dir, data_dir = folders
    before = metadata(prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir))
    copy = manual_dir.parent / "copy"
    shutil.copytree(manual_dir, copy)
    for path in copy.glob("**/*.*"):
        os.utime(path, (1, 1))
    hashed = []
    original = fingerprint.example_digest
    monkeypatch.setattr(fingerprint, "example_digest", lambda *a: hashed.append(1) or original(*a))
    assert metadata(prepare("lapa", manual_dir=str(copy), data_dir=data_dir)) == before
    assert len(hashed) == 6
    assert metadata(prepare("lapa", manual_dir=str(copy), data_dir=data_dir)) == before
    assert len(hashed) == 6


def test_files_outside_the_set_do_not_count(folders: Folders) -> None:
    manual_dir, data_dir = folders
    before = metadata(prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir))
    (manual_dir / "LaPa/train/landmarks/1_0.txt").write_text("another\n")
    assert metadata(prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir)) == before
