"""Builders on tiny raw trees, which the tests write themselves, and on every bad input."""

import io
import itertools
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from fpliif_jax import data_builders
from fpliif_jax.data_builders import face_parsing_builder, tree_encoding
from fpliif_jax.data_builders.class_names import CELEBAMASK_HQ_FACIAL_PARTS, FACIAL_PARTS
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.host.ordered_map import ordered_map
from fpliif_jax.data_builders.prepare import metadata, prepare
from fpliif_jax.data_builders.raw import fingerprint, raw_images

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SIZE = (12, 16)  # height, width: not square, so that swapped axes show
HELEN_FOLDER = "SmithCVPR2013_dataset_resized"

Folders = tuple[pathlib.Path, str]  # where raw trees and prepared sets go
Spoil = Callable[[pathlib.Path], object]


# Raw trees.


def save_image(path: pathlib.Path, seed: int = 0, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path, format="JPEG", quality=95)


def save_png(path: pathlib.Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, format="PNG")


def random_labels(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 11, size, np.uint8)


def write_lapa(manual_dir: pathlib.Path) -> pathlib.Path:
    """Three, two and one images; labels of image n are random_labels(n)."""
    for folder, numbers in {"train": (1, 2, 3), "val": (4, 5), "test": (6,)}.items():
        for n in numbers:
            save_image(manual_dir / f"LaPa/{folder}/images/{n}_0.jpg", n)
            save_png(manual_dir / f"LaPa/{folder}/labels/{n}_0.png", random_labels(n))
            landmarks = manual_dir / f"LaPa/{folder}/landmarks/{n}_0.txt"
            landmarks.parent.mkdir(exist_ok=True)
            landmarks.write_text("1\n3.0 4.0\n")
    return manual_dir


def save_mask(root: pathlib.Path, number: int, part: str, mask: np.ndarray) -> None:
    path = root / f"CelebAMask-HQ-mask-anno/{number // 2000}/{number:05d}_{part}.png"
    save_png(path, np.repeat(mask.astype(np.uint8)[..., None] * 255, 3, axis=-1))


def write_mapping(root: pathlib.Path, rows: list[tuple[int, int]]) -> None:
    lines = ["idx        orig_idx   orig_file"]
    lines += [f"{idx:<10d} {original:<10d} {original + 1:06d}.jpg" for idx, original in rows]
    (root / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(lines) + "\n")


def write_celebamask_hq(manual_dir: pathlib.Path) -> pathlib.Path:
    """Images 24 x 32 with masks 12 x 16, at both ends of every split; every image all skin."""
    root = manual_dir / "CelebAMask-HQ"
    rows = [(0, 162_769), (1, 0), (2, 162_770), (1999, 182_636), (2000, 182_637), (10, 202_598)]
    for number, _ in rows:
        save_image(root / f"CelebA-HQ-img/{number}.jpg", number, (24, 32))
        save_mask(root, number, "skin", np.ones(SIZE, bool))
    write_mapping(root, rows)
    return manual_dir


def soft_masks(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (11, *SIZE), np.uint8)


def write_helen(manual_dir: pathlib.Path, folder: str = HELEN_FOLDER) -> pathlib.Path:
    """Two, one and one images, named a_1 … a_4; the masks of a_n are soft_masks(n)."""
    root = manual_dir / folder
    lists = {"exemplars.txt": (2, 1), "tuning.txt": (3,), "testing.txt": (4,)}
    for list_name, numbers in lists.items():
        for n in numbers:
            save_image(root / f"images/a_{n}.jpg", n)
            for class_id, mask in enumerate(soft_masks(n)):
                save_png(root / f"labels/a_{n}/a_{n}_lbl{class_id:02d}.png", mask)
        rows = "".join(f"{row} , a_{n}\n" for row, n in enumerate(numbers, start=1))
        (root / list_name).write_text(rows)
    return manual_dir


WRITERS = {"lapa": write_lapa, "celebamask_hq": write_celebamask_hq, "helen": write_helen}


@pytest.fixture
def folders(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """Where raw trees and prepared sets go in a test."""
    # TFDS leaves an empty temporary folder for every builder of a set that is not prepared.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / "manual", str(tmp_path / "data")


def examples(builder: tfds.core.DatasetBuilder, split: str) -> list[dict]:
    return list(builder.as_data_source(split))


def prepared_files(data_dir: str) -> list[str]:
    """What lies under data_dir of sets that are prepared or begun."""
    return [
        path
        for path in map(str, pathlib.Path(data_dir).glob("**/*"))
        if path.endswith((".json", ".array_record")) or "incomplete." in path
        if ".config" not in path
    ]


def run_python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
    )


# What the builders make.


def test_lapa(folders: Folders) -> None:
    manual_dir, data_dir = folders
    builder = prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir)
    for split, folder, numbers in (
        ("train", "train", (1, 2, 3)),
        ("validation", "val", (4, 5)),
        ("test", "test", (6,)),
    ):
        found = examples(builder, split)
        assert [example["id"] for example in found] == [f"{n}_0".encode() for n in numbers]
        for n, example in zip(numbers, found, strict=True):
            file_name = f"{folder}/images/{n}_0.jpg"
            assert example["file_name"].decode() == file_name
            np.testing.assert_array_equal(example["label_map"], random_labels(n)[..., None])
            pixels = np.asarray(Image.open(manual_dir / "LaPa" / file_name))
            np.testing.assert_array_equal(example["image"], pixels)
            assert example["image"].dtype == example["label_map"].dtype == np.uint8


def test_image_files_are_stored_as_they_are(folders: Folders) -> None:
    manual_dir, data_dir = folders
    builder = prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir)
    source = builder.as_data_source("test", decoders={"image": tfds.decode.SkipDecoding()})
    assert source[0]["image"] == (manual_dir / "LaPa/test/images/6_0.jpg").read_bytes()


def test_registered_with_tfds(folders: Folders) -> None:
    manual_dir, data_dir = folders
    prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir)
    builder = tfds.builder("lapa", data_dir=data_dir)
    assert builder.info.splits["train"].num_examples == 3
    assert builder.info.file_format.value == "array_record"
    assert len(tfds.data_source("lapa", split="validation", data_dir=data_dir)) == 2
    for name in ("celebamask_hq", "helen"):
        assert tfds.builder(name, data_dir=data_dir).info.file_format.value == "array_record"


@pytest.mark.parametrize("package", ["data_builders", "fpliif_jax.data_builders"])
def test_importing_a_set_s_package_registers_it(folders: Folders, package: str) -> None:
    _, data_dir = folders
    code = f"""
import sys
import tensorflow_datasets as tfds
import {package}.lapa, {package}.own_data
for name in ("lapa", "own_data"):
    print(type(tfds.builder(name, data_dir=sys.argv[1])))
import data_builders
from fpliif_jax.data_builders import BUILDERS
print(list(BUILDERS.values())[0] is data_builders.lapa.Builder)
"""
    run = run_python(code, data_dir)
    of = "fpliif_jax.data_builders"
    assert run.stdout.splitlines() == [
        f"<class '{of}.lapa.lapa_dataset_builder.Builder'>",
        f"<class '{of}.own_data.own_data_dataset_builder.Builder'>",
        "True",
    ], run.stderr


def test_tfds_can_load_the_folder_of_a_set_on_its_own() -> None:
    """As `tfds build` does, which needs TensorFlow."""
    code = """
import sys
sys.path.insert(0, "data_builders")
from tensorflow_datasets.core.community import builder_cls_from_module
for name in sys.argv[1:]:
    print(builder_cls_from_module(f"{name}.{name}_dataset_builder").name)
"""
    run = run_python(code, *data_builders.NAMES)
    assert run.stdout.split() == list(data_builders.NAMES), run.stderr


def test_celebamask_hq_split_rule_and_sizes(folders: Folders) -> None:
    manual_dir, data_dir = folders
    write_celebamask_hq(manual_dir)
    builder = prepare("celebamask_hq", manual_dir=str(manual_dir), data_dir=data_dir)
    assert builder.builder_config.name == "official"
    ids = {s: [int(e["id"]) for e in examples(builder, s)] for s in builder.info.splits}
    assert ids == {"train": [0, 1], "validation": [2, 1999], "test": [10, 2000]}
    example = examples(builder, "test")[1]
    assert example["file_name"] == b"CelebA-HQ-img/2000.jpg"
    assert example["image"].shape == (24, 32, 3)
    assert example["label_map"].shape == (12, 16, 1)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        # Worked out by hand from the published orders of painting; one overlap a column:
        # skin+neck, eye_g+l_eye, u_lip+l_lip, hair+cloth, ear_r+neck_l, hair+hat, l_lip+mouth, none
        ("official", [17, 4, 12, 18, 16, 14, 12, 0]),
        ("farl", [1, 3, 11, 13, 16, 14, 12, 0]),
        ("own_masks", [17, 4, 11, 18, 16, 14, 10, 0]),
    ],
)
def test_merge_profiles(folders: Folders, config: str, expected: list[int]) -> None:
    manual_dir, data_dir = folders
    root = manual_dir / "CelebAMask-HQ"
    columns = {
        "skin": (0,),
        "neck": (0,),
        "eye_g": (1,),
        "l_eye": (1,),
        "u_lip": (2,),
        "l_lip": (2, 6),
        "hair": (3, 5),
        "cloth": (3,),
        "ear_r": (4,),
        "neck_l": (4,),
        "hat": (5,),
        "mouth": (6,),
    }
    save_image(root / "CelebA-HQ-img/7.jpg", 7, (8, 8))
    write_mapping(root, [(7, 5)])
    for part, where in columns.items():
        mask = np.zeros((8, 8), bool)
        mask[:, where] = True
        save_mask(root, 7, part, mask)
    builder = prepare(
        "celebamask_hq", builder_config=config, manual_dir=str(manual_dir), data_dir=data_dir
    )
    (example,) = examples(builder, "train")
    np.testing.assert_array_equal(example["label_map"][..., 0], np.tile(expected, (8, 1)))


def test_merge_orders_are_the_published_ones() -> None:
    configs = data_builders.BUILDERS["celebamask_hq"].builder_configs
    assert " ".join(configs["official"].order) == (
        "skin nose eye_g l_eye r_eye l_brow r_brow l_ear r_ear mouth u_lip l_lip hair hat ear_r "
        "neck_l neck cloth"
    )
    assert " ".join(configs["farl"].order) == (
        "neck skin cloth l_ear r_ear l_brow r_brow l_eye r_eye nose mouth l_lip u_lip hair eye_g "
        "hat ear_r neck_l"
    )
    own_masks = configs["own_masks"].order
    assert " ".join(own_masks[:10]) == "skin eye_g l_ear r_ear hair hat ear_r neck_l neck cloth"
    # The last one painted is Helen's first label, and so on back.
    names = [CELEBAMASK_HQ_FACIAL_PARTS.get(part, part) for part in own_masks[10:]]
    assert tuple(reversed(names)) == FACIAL_PARTS[1:]


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


def test_grey_photograph_becomes_three_channels(folders: Folders) -> None:
    manual_dir, data_dir = folders
    path = write_lapa(manual_dir) / "LaPa/test/images/6_0.jpg"
    Image.open(path).convert("L").save(path)
    builder = prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir)
    grey = np.asarray(Image.open(path))
    (example,) = examples(builder, "test")
    np.testing.assert_array_equal(example["image"], np.repeat(grey[..., None], 3, axis=-1))


def test_files_of_operating_systems_are_passed_over(folders: Folders) -> None:
    manual_dir, data_dir = folders
    images = write_lapa(manual_dir) / "LaPa/train/images"
    for name in ("._1_0.jpg", ".DS_Store", "Thumbs.db"):
        (images / name).write_bytes(b"x")
    builder = prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir)
    assert metadata(builder).counts["train"] == 3


def test_many_shards_keep_the_order(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    manual_dir, data_dir = folders
    monkeypatch.setattr(tree_encoding, "_RAW_BYTES_PER_SHARD", 1)
    builder = prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir)
    assert builder.info.splits["train"].num_shards == 3
    assert [e["id"] for e in examples(builder, "train")] == [b"1_0", b"2_0", b"3_0"]


def test_number_of_workers_changes_nothing(folders: Folders) -> None:
    manual_dir, data_dir = folders
    write_helen(manual_dir)
    prepared = [
        metadata(
            prepare("helen", manual_dir=str(manual_dir), data_dir=f"{data_dir}{n}", num_workers=n)
        )
        for n in (1, 5)
    ]
    assert prepared[0] == prepared[1]


def test_ordered_map_holds_few_results() -> None:
    started, lock = [], threading.Lock()

    def square(n: int) -> int:
        time.sleep(0.001 * (n % 3))
        with lock:
            started.append(n)
        return n * n

    results = ordered_map(square, range(200), num_workers=3)
    assert next(results) == 0
    time.sleep(0.05)
    assert len(started) <= 7
    assert list(results) == [n * n for n in range(1, 200)]


def test_ordered_map_loses_no_result_where_its_items_fail() -> None:
    def items() -> Iterator[int]:
        yield from range(6)
        raise MemoryError

    results, taken = ordered_map(lambda n: n * n, items(), num_workers=1, ahead=8), []
    with pytest.raises(MemoryError):
        taken.extend(results)
    assert taken == [0, 1, 4, 9, 16, 25]


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_documentation_files(name: str) -> None:
    documentation = data_builders.BUILDERS[name].get_metadata()
    assert documentation.tags
    assert set(documentation.tags) <= set(tfds.core.dataset_metadata.valid_tags())
    assert "--manual_dir" in documentation.description
    assert "@inproceedings" in documentation.citation


# Without TensorFlow.


def test_without_tensorflow(folders: Folders) -> None:
    manual_dir, data_dir = folders
    code = """
import sys
from fpliif_jax import data_builders
from fpliif_jax.data_builders.prepare import prepare
import tensorflow_datasets as tfds
prepare("lapa", manual_dir=sys.argv[1], data_dir=sys.argv[2])
print(sum(len(list(s)) for s in tfds.data_source("lapa", data_dir=sys.argv[2]).values()))
for name in sys.modules:
    assert name.split(".")[0] not in ("tensorflow", "jax"), name
    own = {"commands"}  # an empty room, and what fpliif_jax itself needs
    own |= {f"commands.{name}" for name in ("first_imports", "lazy_exports", "one_module")}
    part = name.partition("fpliif_jax.")[2]
    assert not part or part.startswith("data_builders") or part in own, name
"""
    run = run_python(code, write_lapa(manual_dir), data_dir)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "6\n"


# Counts.


def test_other_counts_than_official_are_used_with_one_warning(
    folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    manual_dir, data_dir = folders
    shutil.rmtree(write_lapa(manual_dir) / "LaPa/test")
    for entry in (manual_dir / "LaPa/val").iterdir():
        shutil.rmtree(entry)
        entry.mkdir()
    for _ in range(2):
        builder = prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir)
    (message,) = [r.getMessage() for r in caplog.records if "official" in r.getMessage()]
    assert "train 3 of 18,176" in message
    assert "validation 0 of 2,000 (missing or empty, skipped)" in message
    assert "test 0 of 2,000 (missing or empty, skipped)" in message
    prepared = metadata(builder)
    assert not prepared.complete
    assert prepared.counts == {"train": 3, "validation": 0, "test": 0}
    assert prepared.official_counts == {"train": 18_176, "validation": 2_000, "test": 2_000}
    assert list(builder.info.splits) == ["train"]


def test_official_counts_are_complete(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    manual_dir, data_dir = folders
    counts = {"train": 3, "validation": 2, "test": 1}
    monkeypatch.setattr(data_builders.BUILDERS["lapa"], "OFFICIAL_COUNTS", counts)
    builder = prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir)
    assert metadata(builder).complete
    assert not [r for r in caplog.records if "official" in r.getMessage()]


def test_the_official_total_divided_otherwise_is_not_complete(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    manual_dir, data_dir = folders
    builder = prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir)
    complete = {}
    for counts in itertools.permutations((3, 2, 1)):
        official = dict(zip(("train", "validation", "test"), counts, strict=True))
        monkeypatch.setattr(type(builder), "OFFICIAL_COUNTS", official)
        complete[counts] = metadata(builder).complete
    assert [counts for counts, is_complete in complete.items() if is_complete] == [(3, 2, 1)]


def test_missing_list_is_a_missing_split(folders: Folders) -> None:
    manual_dir, data_dir = folders
    (write_helen(manual_dir) / HELEN_FOLDER / "tuning.txt").unlink()
    (manual_dir / HELEN_FOLDER / "testing.txt").write_text("\n")
    builder = prepare("helen", manual_dir=str(manual_dir), data_dir=data_dir)
    assert metadata(builder).counts == {"train": 2, "validation": 0, "test": 0}


# Which tree a prepared set is from.


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


def test_merge_profiles_have_their_own_sets_and_fingerprints(folders: Folders) -> None:
    manual_dir, data_dir = folders
    write_celebamask_hq(manual_dir)
    prepared = [
        metadata(
            prepare(
                "celebamask_hq", builder_config=c, manual_dir=str(manual_dir), data_dir=data_dir
            )
        )
        for c in (None, "official", "farl")
    ]
    assert [p.builder_config for p in prepared] == ["official", "official", "farl"]
    assert prepared[0].fingerprint == prepared[1].fingerprint != prepared[2].fingerprint


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


def test_a_builder_without_a_file_is_a_builder() -> None:
    code = "class Typed(base, skip_registration=True): pass"
    for module in (
        "typed_in",
        "builtins",
    ):  # as in an interpreter; inspect raises another error for each
        exec(code, {"__name__": module, "base": face_parsing_builder.FaceParsingBuilder})


def test_metadata_of_an_unprepared_set(folders: Folders) -> None:
    _, data_dir = folders
    with pytest.raises(DataError, match="no prepared set"):
        metadata(tfds.builder("lapa", data_dir=data_dir))


# Interrupted preparation.


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


# Bad input: what is done to a good tree, and what the message must name.


def truncate(path: pathlib.Path, keep: float = 0.5) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])


def recolour(path: pathlib.Path, mode: str) -> None:
    Image.open(path).convert(mode).save(path, format="PNG")


def replace_text(path: pathlib.Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def save_one_bit(path: pathlib.Path) -> None:
    """Saves all zero labels as a greyscale PNG of one bit a pixel."""
    Image.fromarray(np.zeros(SIZE, np.uint8)).convert("1").save(path, format="PNG")


def transpose(path: pathlib.Path) -> None:
    Image.open(path).transpose(Image.Transpose.ROTATE_90).save(path, quality=95)


def nest(folder: pathlib.Path) -> None:
    """Moves a folder into a new one of the same name: unpacked one level too deep."""
    inner = folder.parent / "moved"
    folder.rename(inner)
    folder.mkdir()
    inner.rename(folder / folder.name)


def through_jpeg(path: pathlib.Path) -> None:
    """Half white, half black, and noise where the two meet."""
    mask = np.zeros(SIZE, np.uint8)
    mask[:, 5:] = 255
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, format="JPEG", quality=80)
    save_png(path, np.asarray(Image.open(stream)))


def leave_only_macos_files(manual_dir: pathlib.Path, folder: str) -> None:
    """What is there when the set itself was unpacked elsewhere: __MACOSX with the same tree."""
    (manual_dir / "__MACOSX").mkdir()
    (manual_dir / folder).rename(manual_dir / "__MACOSX" / folder)


LAPA_BAD: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "no mask folder": (
        lambda d: shutil.rmtree(d / "LaPa/val/labels"),
        ("LaPa/val/labels", "missing"),
    ),
    "no image folder": (
        lambda d: shutil.rmtree(d / "LaPa/val/images"),
        ("LaPa/val/images", "missing"),
    ),
    "image without label": (
        lambda d: (d / "LaPa/train/labels/2_0.png").unlink(),
        ("train/images/2_0.jpg", "train/labels/2_0.png"),
    ),
    "label without image": (
        lambda d: (d / "LaPa/train/images/2_0.jpg").unlink(),
        ("train/labels/2_0.png", "train/images/2_0.jpg"),
    ),
    "label of another aspect ratio": (
        lambda d: save_png(d / "LaPa/test/labels/6_0.png", random_labels(6, (12, 12))),
        ("test/images/6_0.jpg", "test/labels/6_0.png", "16 x 12", "12 x 12", "aspect ratio"),
    ),
    "turned image": (
        lambda d: transpose(d / "LaPa/test/images/6_0.jpg"),
        ("test/images/6_0.jpg", "12 x 16", "aspect ratio"),
    ),
    "label id out of range": (
        lambda d: save_png(d / "LaPa/val/labels/4_0.png", np.full(SIZE, 11, np.uint8)),
        ("val/labels/4_0.png", "label id 11", "out of range"),
    ),
    "RGB label": (
        lambda d: recolour(d / "LaPa/val/labels/4_0.png", "RGB"),
        ("val/labels/4_0.png", "8-bit RGB", "greyscale"),
    ),
    "palette label": (
        lambda d: recolour(d / "LaPa/val/labels/4_0.png", "P"),
        ("val/labels/4_0.png", "8-bit palette", "converted"),
    ),
    "label of fewer bits": (
        lambda d: save_one_bit(d / "LaPa/val/labels/4_0.png"),
        ("val/labels/4_0.png", "1-bit greyscale"),
    ),
    "JPEG label": (
        lambda d: shutil.copy(d / "LaPa/val/images/4_0.jpg", d / "LaPa/val/labels/4_0.png"),
        ("val/labels/4_0.png", "not a PNG"),
    ),
    "truncated label": (
        lambda d: truncate(d / "LaPa/val/labels/4_0.png"),
        ("val/labels/4_0.png", "truncated"),
    ),
    "truncated image": (
        lambda d: truncate(d / "LaPa/train/images/3_0.jpg", 0.9),
        ("train/images/3_0.jpg", "truncated"),
    ),
    "empty image": (
        lambda d: truncate(d / "LaPa/train/images/3_0.jpg", 0),
        ("train/images/3_0.jpg", "empty"),
    ),
    "no image at all": (
        lambda d: (d / "LaPa/train/images/3_0.jpg").write_text("<html>404</html>"),
        ("train/images/3_0.jpg", "not a JPEG"),
    ),
    "CMYK image": (
        lambda d: Image.new("CMYK", (16, 12)).save(d / "LaPa/train/images/3_0.jpg"),
        ("train/images/3_0.jpg", "CMYK"),
    ),
    "image with another ending": (
        lambda d: (d / "LaPa/train/images/3_0.jpg").rename(d / "LaPa/train/images/3_0.JPG"),
        ("train/images/3_0.JPG", ".jpg"),
    ),
    "unpacked too deep": (lambda d: nest(d / "LaPa"), ("LaPa/LaPa", "one level too deep")),
    "unpacked into a folder": (
        lambda d: shutil.move(d / "LaPa", d / "LaPa.tar" / "LaPa"),
        ("LaPa.tar/LaPa", "one level too deep", "--manual_dir="),
    ),
    "not unpacked": (
        lambda d: (shutil.rmtree(d / "LaPa"), (d / "LaPa.tar.gz").touch()),
        ("LaPa.tar.gz", "not unpacked"),
    ),
    "one id in two splits": (
        lambda d: (
            shutil.copy(d / "LaPa/train/images/2_0.jpg", d / "LaPa/test/images/2_0.jpg"),
            shutil.copy(d / "LaPa/train/labels/2_0.png", d / "LaPa/test/labels/2_0.png"),
        ),
        ("test/images/2_0.jpg", "train/images/2_0.jpg", "another split"),
    ),
    "only what macOS leaves": (
        lambda d: leave_only_macos_files(d, "LaPa"),
        ("LaPa: there is no such folder", "https://"),
    ),
    "name that is not UTF-8": (
        lambda d: os.rename(
            d / "LaPa/val/images/4_0.jpg", os.fsencode(d) + b"/LaPa/val/images/4\xff.jpg"
        ),
        ("val/images/4\\udcff.jpg", "not UTF-8"),
    ),
    "name of two lines": (
        lambda d: (d / "LaPa/val/images/4_0.jpg").rename(d / "LaPa/val/images/4\n0.jpg"),
        ("val/images/4\\n0.jpg", "no counterpart"),
    ),
    "all splits empty": (
        lambda d: [p.unlink() for p in d.glob("LaPa/*/*/*.*")],
        ("LaPa", "empty", "https://"),
    ),
}

CELEBAMASK_HQ = "CelebAMask-HQ"
MASKS = f"{CELEBAMASK_HQ}/CelebAMask-HQ-mask-anno"
IMAGES = f"{CELEBAMASK_HQ}/CelebA-HQ-img"
MAPPING = f"{CELEBAMASK_HQ}/CelebA-HQ-to-CelebA-mapping.txt"

CELEBAMASK_HQ_BAD: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "no mask folder": (lambda d: shutil.rmtree(d / MASKS), (MASKS, "missing")),
    "no numbered mask folder": (
        lambda d: shutil.rmtree(d / MASKS / "1"),
        (f"{IMAGES}/2000.jpg", f"{MASKS}/1"),
    ),
    "no mapping file": (lambda d: (d / MAPPING).unlink(), (MAPPING, "missing")),
    "image without mask": (
        lambda d: (d / MASKS / "0/00010_skin.png").unlink(),
        (f"{IMAGES}/10.jpg", "no mask"),
    ),
    "mask without image": (
        lambda d: save_mask(d / CELEBAMASK_HQ, 77, "nose", np.ones(SIZE, bool)),
        (f"{MASKS}/0/00077_nose.png", "77.jpg"),
    ),
    "row without image": (
        lambda d: replace_text(d / MAPPING, "1999 ", "1998 "),
        (f"{IMAGES}/1999.jpg", MAPPING),
    ),
    "image missing": (lambda d: (d / IMAGES / "1.jpg").unlink(), (f"{IMAGES}/1.jpg", MAPPING)),
    "image in no row": (
        lambda d: save_image(d / IMAGES / "11.jpg"),
        (f"{IMAGES}/11.jpg", "no row", MAPPING),
    ),
    "image twice in the mapping": (
        lambda d: replace_text(d / MAPPING, "\n2 ", "\n1 "),
        (MAPPING, "line 4", "image 1 "),
    ),
    "row that is none": (
        lambda d: replace_text(d / MAPPING, "\n2 ", "\ntwo "),
        (MAPPING, "line 4", "'two "),
    ),
    "row with a number of 5,000 digits": (
        lambda d: replace_text(d / MAPPING, "\n2 ", f"\n{'2' * 5000} "),
        (MAPPING, "line 4", "'2222", "…"),
    ),
    "row with digits of another script": (
        lambda d: replace_text(d / MAPPING, "\n2 ", "\n\u0662 "),
        (MAPPING, "line 4"),
    ),
    "mask that went through JPEG": (
        lambda d: through_jpeg(d / MASKS / "0/00010_skin.png"),
        ("00010_skin.png", "neither black nor white", "JPEG", "Restore"),
    ),
    "grey mask": (
        lambda d: save_png(d / MASKS / "0/00010_skin.png", np.full(SIZE, 128, np.uint8)),
        ("00010_skin.png", "100.0%", "128"),
    ),
    "mask of 0, 1 and 255": (
        lambda d: save_png(
            d / MASKS / "0/00010_skin.png", np.resize(np.array([0, 1, 255], np.uint8), SIZE)
        ),
        ("00010_skin.png", "33.3%", "such as 1"),
    ),
    "only what macOS leaves": (
        lambda d: leave_only_macos_files(d, CELEBAMASK_HQ),
        ("CelebAMask-HQ: there is no such folder", "https://"),
    ),
    "masks of two sizes": (
        lambda d: save_mask(d / CELEBAMASK_HQ, 10, "nose", np.ones((6, 8), bool)),
        ("00010_nose.png", "00010_skin.png", "8 x 6", "16 x 12"),
    ),
    "another aspect ratio": (
        lambda d: save_image(d / IMAGES / "10.jpg", size=(24, 24)),
        (f"{IMAGES}/10.jpg", "24 x 24", "16 x 12"),
    ),
    "unknown part": (
        lambda d: save_mask(d / CELEBAMASK_HQ, 10, "beard", np.ones(SIZE, bool)),
        ("00010_beard.png", "neck_l"),
    ),
    "mask in another folder": (
        lambda d: shutil.move(d / MASKS / "0/00010_skin.png", d / MASKS / "1/00010_skin.png"),
        (f"{MASKS}/1/00010_skin.png", f"{MASKS}/0/00010_skin.png"),
    ),
    "palette mask": (
        lambda d: recolour(d / MASKS / "0/00010_skin.png", "P"),
        ("00010_skin.png", "palette"),
    ),
    "coloured mask": (
        lambda d: Image.new("RGB", (16, 12), "red").save(d / MASKS / "0/00010_skin.png"),
        ("00010_skin.png", "colours"),
    ),
    "truncated image": (
        lambda d: truncate(d / IMAGES / "10.jpg", 0.9),
        (f"{IMAGES}/10.jpg", "truncated"),
    ),
    "image with leading zeros": (
        lambda d: (d / IMAGES / "10.jpg").rename(d / IMAGES / "00010.jpg"),
        (f"{IMAGES}/00010.jpg", "leading zeros"),
    ),
    "unpacked too deep": (
        lambda d: nest(d / CELEBAMASK_HQ),
        ("CelebAMask-HQ/CelebAMask-HQ", "one level too deep"),
    ),
}

HELEN_BAD: dict[str, tuple[Spoil, tuple[str, ...]]] = {
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

BAD = [
    pytest.param(name, spoil, fragments, id=f"{name}: {title}")
    for name, cases in (
        ("lapa", LAPA_BAD),
        ("celebamask_hq", CELEBAMASK_HQ_BAD),
        ("helen", HELEN_BAD),
    )
    for title, (spoil, fragments) in cases.items()
]


@pytest.mark.parametrize(("name", "spoil", "fragments"), BAD)
def test_bad_input(folders: Folders, name: str, spoil: Spoil, fragments: tuple[str, ...]) -> None:
    manual_dir, data_dir = folders
    spoil(WRITERS[name](manual_dir))
    with pytest.raises(DataError) as error:
        prepare(name, manual_dir=str(manual_dir), data_dir=data_dir)
    for fragment in fragments:
        assert fragment in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 2000
    assert not prepared_files(data_dir)


@pytest.mark.parametrize("white", [1, 255])
def test_masks_of_two_values(white: int) -> None:
    expected = random_labels(0) > 5
    content = raw_images.encode_png(expected * np.uint8(white))
    found = raw_images.decode_binary_mask(content, pathlib.Path("mask.png"))
    np.testing.assert_array_equal(found, expected)
    for mask in (np.zeros(SIZE, np.uint8), np.full(SIZE, white, np.uint8)):
        found = raw_images.decode_binary_mask(raw_images.encode_png(mask), pathlib.Path("m.png"))
        np.testing.assert_array_equal(found, mask != 0)


def test_label_maps_of_another_size_than_their_photos_are_told(
    folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    manual_dir, data_dir = folders
    write_lapa(manual_dir)
    for n in (2, 3):
        save_png(manual_dir / f"LaPa/train/labels/{n}_0.png", random_labels(n, (6, 8)))
    builder = prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir)
    messages = [r.getMessage() for r in caplog.records if "label maps" in r.getMessage()]
    assert len(messages) == 1
    assert "2 label maps, the first train/labels/2_0.png" in messages[0]
    assert examples(builder, "train")[1]["label_map"].shape == (6, 8, 1)


def test_label_maps_of_celebamask_hq_are_of_another_size_without_a_word(
    folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    manual_dir, data_dir = folders
    prepare("celebamask_hq", manual_dir=str(write_celebamask_hq(manual_dir)), data_dir=data_dir)
    assert not [r for r in caplog.records if "label maps" in r.getMessage()]


def test_files_of_macos_beside_the_set_are_passed_over(folders: Folders) -> None:
    manual_dir, data_dir = folders
    write_lapa(manual_dir)
    save_image(manual_dir / "__MACOSX/LaPa/train/images/._1_0.jpg")
    builder = prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir)
    assert metadata(builder).counts["train"] == 3
    with pytest.raises(DataError, match="only what macOS adds"):
        prepare("lapa", manual_dir=str(manual_dir / "__MACOSX"), data_dir=data_dir)


@pytest.mark.parametrize(("name", "folder"), [("lapa", "LaPa"), ("celebamask_hq", CELEBAMASK_HQ)])
def test_manual_dir_is_the_set_itself(folders: Folders, name: str, folder: str) -> None:
    manual_dir, data_dir = folders
    WRITERS[name](manual_dir)
    with pytest.raises(DataError, match=f"this is {folder} itself.*--manual_dir={manual_dir}$"):
        prepare(name, manual_dir=str(manual_dir / folder), data_dir=data_dir)


@pytest.mark.parametrize("limit", [SIZE[0] * SIZE[1] - 1, SIZE[0] * SIZE[1] // 3])
def test_image_of_too_many_pixels(
    folders: Folders,
    monkeypatch: pytest.MonkeyPatch,
    recwarn: pytest.WarningsRecorder,
    limit: int,
) -> None:
    manual_dir, data_dir = folders
    write_lapa(manual_dir)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(DataError, match=r"1_0\.jpg.* pixels"):
        prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir)
    assert not [w for w in recwarn if w.category is Image.DecompressionBombWarning]


def test_folder_that_cannot_be_written(folders: Folders) -> None:
    manual_dir, data_dir = folders
    pathlib.Path(data_dir).write_text("a file where a folder should be")
    with pytest.raises(DataError, match="--data_dir"):
        prepare("lapa", manual_dir=str(write_lapa(manual_dir)), data_dir=data_dir)


# The command line.


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
