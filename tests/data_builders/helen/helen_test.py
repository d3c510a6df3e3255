"""Helen's builder: soft masks, lists of splits, and what it refuses."""

import os
import shutil

import numpy as np
import pytest
from raw_sets import (
    HELEN_FOLDER,
    SIZE,
    Folders,
    examples,
    save_image,
    save_png,
    soft_masks,
    write_helen,
)
from spoilt_sets import Spoil, check_refused, leave_only_macos_files, nest, recolour, truncate

from fpliif_jax.data_builders.prepare import metadata, prepare


@pytest.mark.parametrize("folder", [HELEN_FOLDER, "."])
def test_helen(folders: Folders, folder: str) -> None:
    manual_dir, data_dir = folders
    builder = prepare("helen", manual_dir=str(write_helen(manual_dir, folder)), data_dir=data_dir)
    ids = {s: [e["id"].decode() for e in examples(builder, s)] for s in builder.info.splits}
    assert ids == {"train": ["a_2", "a_1"], "validation": ["a_3"], "test": ["a_4"]}
    for n, example in zip((2, 1), examples(builder, "train"), strict=True):
        stored = example["soft_masks"].reshape(11, *SIZE)
        np.testing.assert_array_equal(stored, soft_masks(n))
        np.testing.assert_array_equal(example["label_map"][..., 0], np.argmax(soft_masks(n), 0))


def test_helen_ties_go_to_the_lowest_id(folders: Folders) -> None:
    manual_dir, data_dir = folders
    root = write_helen(manual_dir) / HELEN_FOLDER
    for class_id in range(11):
        mask = np.zeros(SIZE, np.uint8)
        mask[0] = 128 * (class_id in (6, 10))
        save_png(root / f"labels/a_4/a_4_lbl{class_id:02d}.png", mask)
    builder = prepare("helen", manual_dir=str(manual_dir), data_dir=data_dir)
    label_map = examples(builder, "test")[0]["label_map"][..., 0]
    assert (label_map[0] == 6).all()
    assert (label_map[1:] == 0).all()


def test_missing_list_is_a_missing_split(folders: Folders) -> None:
    manual_dir, data_dir = folders
    (write_helen(manual_dir) / HELEN_FOLDER / "tuning.txt").unlink()
    (manual_dir / HELEN_FOLDER / "testing.txt").write_text("\n")
    builder = prepare("helen", manual_dir=str(manual_dir), data_dir=data_dir)
    assert metadata(builder).counts == {"train": 2, "validation": 0, "test": 0}


BAD: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "no mask folder": (
        lambda d: shutil.rmtree(d / HELEN_FOLDER / "labels"),
        (f"{HELEN_FOLDER}/labels", "missing"),
    ),
    "image without masks": (
        lambda d: shutil.rmtree(d / HELEN_FOLDER / "labels/a_1"),
        ("images/a_1.jpg", "labels/a_1"),
    ),
    "masks without image": (
        lambda d: (d / HELEN_FOLDER / "images/a_1.jpg").unlink(),
        ("labels/a_1", "images/a_1.jpg"),
    ),
    "one mask missing": (
        lambda d: (d / HELEN_FOLDER / "labels/a_1/a_1_lbl07.png").unlink(),
        ("a_1_lbl07.png", "missing"),
    ),
    "label id out of range": (
        lambda d: save_png(d / HELEN_FOLDER / "labels/a_1/a_1_lbl11.png", soft_masks(0)[0]),
        ("a_1_lbl11.png", "out of range"),
    ),
    "row naming no file": (
        lambda d: (d / HELEN_FOLDER / "tuning.txt").write_text("1 , a_3\n2 , gone\n"),
        ("tuning.txt, line 2", "images/gone.jpg"),
    ),
    "row that leads out of the folder": (
        lambda d: (d / HELEN_FOLDER / "tuning.txt").write_text("1 , ../a_3\n"),
        ("tuning.txt, line 1", "'../a_3'"),
    ),
    "row of another form": (
        lambda d: (d / HELEN_FOLDER / "tuning.txt").write_text("a_3\n"),
        ("tuning.txt, line 1", "'a_3'"),
    ),
    "folder name that is not UTF-8": (
        lambda d: os.rename(
            d / HELEN_FOLDER / "labels/a_1", os.fsencode(d / HELEN_FOLDER) + b"/labels/a\xff"
        ),
        ("labels/a\\udcff", "not UTF-8"),
    ),
    "long row": (
        lambda d: (d / HELEN_FOLDER / "tuning.txt").write_text("a" * 100_000),
        ("tuning.txt, line 1", "aaa…"),
    ),
    "only what macOS leaves": (
        lambda d: leave_only_macos_files(d, HELEN_FOLDER),
        (f"{HELEN_FOLDER}: there is no such folder", "http://"),
    ),
    "list that is no text": (
        lambda d: (d / HELEN_FOLDER / "tuning.txt").write_bytes(b"\xff\xfe\x80"),
        ("tuning.txt", "not a text file"),
    ),
    "image in two splits": (
        lambda d: (d / HELEN_FOLDER / "testing.txt").write_text("1 , a_1\n"),
        ("testing.txt, line 1", "exemplars.txt, line 2"),
    ),
    "masks of two sizes": (
        lambda d: save_png(d / HELEN_FOLDER / "labels/a_1/a_1_lbl03.png", soft_masks(0)[0][:6]),
        ("a_1_lbl03.png", "a_1_lbl00.png", "16 x 6", "16 x 12"),
    ),
    "image of another aspect ratio": (
        lambda d: save_image(d / HELEN_FOLDER / "images/a_1.jpg", size=(12, 12)),
        ("images/a_1.jpg", "12 x 12", "16 x 12"),
    ),
    "RGB mask": (
        lambda d: recolour(d / HELEN_FOLDER / "labels/a_1/a_1_lbl03.png", "RGB"),
        ("a_1_lbl03.png", "RGB"),
    ),
    "palette mask": (
        lambda d: recolour(d / HELEN_FOLDER / "labels/a_1/a_1_lbl03.png", "P"),
        ("a_1_lbl03.png", "palette"),
    ),
    "truncated image": (
        lambda d: truncate(d / HELEN_FOLDER / "images/a_1.jpg", 0.9),
        ("images/a_1.jpg", "truncated"),
    ),
    "unpacked too deep": (
        lambda d: nest(d / HELEN_FOLDER),
        (f"{HELEN_FOLDER}/{HELEN_FOLDER}", "one level too deep"),
    ),
}


@pytest.mark.parametrize(("spoil", "fragments"), BAD.values(), ids=BAD)
def test_bad_input(folders: Folders, spoil: Spoil, fragments: tuple[str, ...]) -> None:
    check_refused("helen", folders, spoil, fragments)
