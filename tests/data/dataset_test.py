"""Tests of fpliif_jax.data: what a split has, and its resized images and label maps."""

import dataclasses
import hashlib
import pathlib
import shutil

import ml_collections
import numpy as np
import pytest
from PIL import Image
from tiny_run import tiny_config

from fpliif_jax.data import resize, resize_cache
from fpliif_jax.data.dataset import Dataset, load_dataset
from fpliif_jax.data.renamed_labels import class_table
from fpliif_jax.data.resized_split import Split, load_split
from fpliif_jax.data_builders import class_names, synthetic_faces
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.prepare import PreparedMetadata, prepare
from fpliif_jax.fields import config_fields


def test_cache_holds_the_resized_download(
    lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir).data
    dataset = load_dataset(config)
    split = load_split(dataset, "validation", (32, 16))
    assert len(split) == 5
    assert split.image_sizes.dtype == np.int32 and split.image_sizes.tolist() == [[32, 32]] * 5
    for position, identifier in enumerate(split.ids):
        folder = lapa_download / "LaPa" / "val"
        image = np.asarray(Image.open(folder / "images" / f"{identifier}.jpg"))
        labels = np.asarray(Image.open(folder / "labels" / f"{identifier}.png"))
        np.testing.assert_array_equal(
            split.images[position], resize.resize_image(image, (32, 32), "pillow")
        )
        for size in (32, 16):
            np.testing.assert_array_equal(
                split.labels[size][position],
                resize.resize_label_map(
                    labels, (size, size), 11, method="class_bicubic", bicubic="pillow"
                ),
            )


def test_synthetic_faces_need_folders_of_their_own() -> None:
    config = tiny_config().data
    config.synthetic.num_train = 3
    with pytest.raises(DataError, match="folders of their own"):
        load_dataset(config)


def test_synthetic_faces_are_drawn_once(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path / "raw", tmp_path / "prepared").data
    config.synthetic.update({"num_train": 2, "num_val": 1, "num_test": 1, "image_size": 48})
    counts = load_dataset(config).metadata.counts
    assert counts == {"train": 2, "validation": 1, "test": 1}
    (drawn,) = (folder for folder in (tmp_path / "raw").iterdir() if folder.is_dir())
    before = drawn.stat().st_mtime_ns
    load_dataset(config)
    assert drawn.stat().st_mtime_ns == before
    config.synthetic.num_train = 3  # other faces: other folders, nothing reused
    assert load_dataset(config).metadata.counts["train"] == 3


def _canvas_config(
    name: str, manual_dir: pathlib.Path, data_dir: pathlib.Path, **changes: object
) -> ml_collections.ConfigDict:
    config = tiny_config(manual_dir, data_dir).data
    config.update({"name": name, "framing": "canvas", "labels": "facial_parts", **changes})
    return config


def _load(config: ml_collections.ConfigDict, name: str, sizes: tuple[int, ...] = (32,)) -> Split:
    return load_split(load_dataset(config), name, sizes)


@pytest.fixture(scope="module")
def celebamask_hq_download(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Images of 64², masks of 32²."""
    folder = tmp_path_factory.mktemp("celebamask_hq")
    synthetic_faces.write_dataset(
        "celebamask_hq",
        folder,
        num_train=2,
        num_val=1,
        num_test=0,
        image_size=64,
        mask_size=32,
        num_workers=1,
    )
    return folder


def _celebamask_hq_parts(folder: pathlib.Path, number: int) -> np.ndarray:
    """Merged by hand from the mask files, in the order of CelebAMask-HQ's ids."""
    anno = folder / "CelebAMask-HQ" / "CelebAMask-HQ-mask-anno" / "0"
    parts = {
        "r_eye": 3,
        "l_eye": 4,
        "r_brow": 1,
        "l_brow": 2,
        "nose": 5,
        "mouth": 7,
        "u_lip": 6,
        "l_lip": 8,
    }
    labels = np.zeros((32, 32), np.uint8)
    for part in class_names.CELEBAMASK_HQ[1:]:
        path = anno / f"{number:05d}_{part}.png"
        if path.exists():
            labels[np.asarray(Image.open(path).convert("L")) > 127] = parts.get(part, 0)
    return labels


def test_celebamask_hq_gets_helens_parts_on_a_canvas(
    celebamask_hq_download: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    for side, top in ((100, 18), (32, 0)):
        config = _canvas_config(
            "celebamask_hq",
            celebamask_hq_download,
            tmp_path,
            image_size=side,
            label_resize="nearest",
        )
        dataset = load_dataset(config)
        assert dataset.class_names == class_names.FACIAL_PARTS
        split = load_split(dataset, "train", (side,))
        size = min(64, side)
        assert split.image_sizes.tolist() == [[size, size]] * 2
        inside = (slice(None), slice(top, top + size), slice(top, top + size))
        for identifier, image, labels in zip(
            split.ids, split.images, split.labels[side], strict=True
        ):
            number = int(identifier)
            path = celebamask_hq_download / "CelebAMask-HQ" / "CelebA-HQ-img" / f"{number}.jpg"
            expected = np.zeros((side, side, 3), np.uint8)
            picture = Image.open(path).resize((size, size), Image.Resampling.BICUBIC)
            expected[inside[1:]] = np.asarray(picture)
            np.testing.assert_array_equal(image, expected)
            parts = _celebamask_hq_parts(celebamask_hq_download, number)
            assert set(range(1, 9)) - set(np.unique(parts)) <= {7}  # mouths may be closed
            expected = np.zeros((side, side), np.uint8)
            expected[inside[1:]] = parts.repeat(size // 32, 0).repeat(size // 32, 1)
            np.testing.assert_array_equal(labels, expected)


@pytest.fixture(scope="module")
def helen_download(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Four faces, of 40 × 48, 48 × 30, 48 × 48 and 48 × 48."""
    folder = tmp_path_factory.mktemp("helen")
    synthetic_faces.write_dataset(
        "helen", folder, num_train=4, num_val=0, num_test=0, image_size=48, num_workers=1
    )
    root = folder / "SmithCVPR2013_dataset_resized"
    for image, box in zip(
        sorted((root / "images").iterdir()), ((0, 4, 48, 44), (9, 0, 39, 48)), strict=False
    ):
        for path in (image, *(root / "labels" / image.stem).iterdir()):
            with Image.open(path) as picture:
                picture.crop(box).save(path)
    return folder


def test_pictures_of_any_shape_lie_centred_with_their_sizes(
    helen_download: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    config = _canvas_config("helen", helen_download, tmp_path, image_size=45)
    split = _load(config, "train", (45,))
    assert split.image_sizes.dtype == np.int32
    # 40 × 48 and 48 × 30, the longer side reduced to 45: 37.5 rounds up, 28.125 down.
    assert dict(zip(split.ids, split.image_sizes.tolist(), strict=True)) == dict(
        zip(sorted(split.ids), [[38, 45], [45, 28], [45, 45], [45, 45]], strict=True)
    )
    root = helen_download / "SmithCVPR2013_dataset_resized"
    for position, identifier in enumerate(split.ids):
        height, width = split.image_sizes[position]
        top, left = (45 - height) // 2, (45 - width) // 2
        window = (slice(top, top + height), slice(left, left + width))
        image = np.asarray(Image.open(root / "images" / f"{identifier}.jpg"))
        resized = resize.resize_image(image, (height, width), "pillow")
        np.testing.assert_array_equal(split.images[position][window], resized)
        assert split.images[position].sum() == resized.sum(dtype=int)
        masks = [
            np.asarray(Image.open(root / "labels" / identifier / f"{identifier}_lbl{i:02d}.png"))
            for i in range(11)
        ]
        parts = np.argmax(masks, axis=0)
        parts[(parts == 1) | (parts == 10)] = 0  # skin, hair
        parts = np.maximum(parts - 1, 0).astype(np.uint8)
        resized = resize.resize_label_map(parts, (height, width), 9)
        np.testing.assert_array_equal(split.labels[45][position][window], resized)
        assert split.labels[45][position].sum() == resized.sum(dtype=int)


def test_settings_do_not_share_files_in_the_cache(
    lapa_download: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    for framing in config_fields.FIELDS["data.framing"].rule.values:
        for labels in config_fields.FIELDS["data.labels"].rule.values:
            config = _canvas_config("lapa", lapa_download, tmp_path, framing=framing, labels=labels)
            split = _load(config, "validation")
            assert split.labels[32].max() == (8 if labels == "facial_parts" else 10)
    (folder,) = (tmp_path / "resized").glob("lapa-*/validation")
    assert {path.name for path in folder.iterdir()} == {
        "digests.json",
        "ids.npy",
        "images-32-pillow.npy",
        "labels-32-class_bicubic-pillow.npy",
        "facial_parts-32-class_bicubic-pillow.npy",
        "canvas-32-pillow.npy",
        "canvas-sizes-32.npy",
        "canvas-labels-32-class_bicubic-pillow.npy",
        "canvas-facial_parts-32-class_bicubic-pillow.npy",
    }
    config.update({"labels": "facial_parts", "label_resize": "nearest"})
    _load(config, "validation")
    assert (folder / "canvas-facial_parts-32-nearest.npy").exists()


@pytest.mark.parametrize(
    "change", [("name", "helen"), ("builder_config", "farl"), ("fingerprint", "1" * 64)]
)
def test_sets_do_not_share_folders_in_the_cache(change: tuple[str, str]) -> None:
    dataset = _dataset((20, 5, 4), cache_dir="cache")
    other = dataclasses.replace(dataset.metadata, **dict([change]))
    folders = {
        dataclasses.replace(dataset, metadata=metadata).cache_folder
        for metadata in (dataset.metadata, other)
    }
    assert len(folders) == 2


def test_after_a_rebuild_pixels_are_those_of_the_new_download(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path / "raw", tmp_path / "prepared").data
    folder = tmp_path / "raw" / "LaPa" / "train"
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for colour in (50, 200):
        Image.new("RGB", (32, 32), (colour,) * 3).save(folder / "images" / "1_0.jpg")
        Image.new("L", (32, 32), colour // 50).save(folder / "labels" / "1_0.png")
        prepare(
            "lapa",
            manual_dir=config.manual_dir,
            data_dir=config.data_dir,
            num_workers=1,
            rebuild=True,
        )
        split = _load(config, "train")
        assert np.abs(split.images.astype(int) - colour).max() <= 1  # a JPEG
        assert (split.labels[32] == colour // 50).all()


def test_a_canvas_has_labels_of_its_own_size_alone(
    lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    with pytest.raises(ValueError, match=r"data\.image_size = 32"):
        _load(_canvas_config("lapa", lapa_download, data_dir), "train", (32, 16))


def test_sizes_count_as_four_bytes_each_on_the_disk(
    lapa_download: pathlib.Path,
    data_dir: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = _canvas_config("lapa", lapa_download, data_dir, cache_dir=str(tmp_path))
    usage, needed = shutil.disk_usage(tmp_path), 5 * (32 * 32 * 3 + 32 * 32 + 2 * 4)
    for free in (needed - 1, needed):
        monkeypatch.setattr(
            resize_cache.shutil, "disk_usage", lambda _, free=free: usage._replace(free=free)
        )
        if free < needed:
            with pytest.raises(DataError, match="cannot be read or written"):
                _load(config, "test")
        else:
            assert len(_load(config, "test")) == 5


def _by_hash(prefix: str, ids: list[str]) -> list[str]:
    return sorted(ids, key=lambda name: hashlib.sha256(f"{prefix} {name}".encode()).hexdigest())


def _lapa_ids(download: pathlib.Path, *splits: str) -> list[str]:
    return [
        path.stem
        for split in splits
        for path in sorted((download / "LaPa" / split / "images").iterdir())
    ]


def test_a_random_split_is_that_of_the_hashes(
    lapa_download: pathlib.Path,
    data_dir: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tiny_config(lapa_download, data_dir).data
    config.update({"split": "random", "split_seed": 3, "cache_dir": str(tmp_path)})
    dataset = load_dataset(config)
    assert dataset.counts == {"train": 13, "validation": 4, "test": 6}  # of 23: 13.8, 4.6, the rest
    order = _by_hash("3", _lapa_ids(lapa_download, "train", "val", "test"))
    decoded = []
    open_image = Image.open
    monkeypatch.setattr(
        Image, "open", lambda file, **options: decoded.append(file) or open_image(file, **options)
    )
    for name, expected in (
        ("validation", order[13:17]),
        ("test", order[17:]),
        ("train", order[:13]),
    ):
        decoded.clear()
        split = load_split(dataset, name, (32,))
        assert len(decoded) == 2 * len(expected)  # the others' ids are read, not their images
        assert list(split.ids) == expected
        for identifier, image in zip(split.ids, split.images, strict=True):
            (path,) = (lapa_download / "LaPa").glob(f"*/images/{identifier}.jpg")
            pixels = resize.resize_image(np.asarray(open_image(path)), (32, 32), "pillow")
            np.testing.assert_array_equal(image, pixels)
    config.split_seed = 4
    again = load_split(dataset, "validation", (32,))
    assert list(again.ids) == _by_hash("4", order)[13:17]


def test_digests_are_of_the_examples_that_each_split_is_given(
    lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir).data
    official = load_dataset(config).digest
    for changes in ({"split": "random", "split_seed": 3}, {"train_subset": 4}):
        config = tiny_config(lapa_download, data_dir).data
        config.update(changes)
        dataset = load_dataset(config)
        ids = {
            split: sorted(load_split(dataset, split, (32,)).ids)
            for split in ("train", "validation", "test")
        }
        ids["all"] = sorted(sum(ids.values(), []))
        assert dataset.digest["ids"] == {
            split: hashlib.sha256("".join(f"{name}\n" for name in own).encode()).hexdigest()
            for split, own in ids.items()
        }
        assert dataset.digest["labels"]["train"] != official["labels"]["train"]
    # A subset leaves the other splits as they are; a random split has the same faces in all.
    assert dataset.digest["labels"]["test"] == official["labels"]["test"]
    config.update({"split": "random", "train_subset": 0})
    mixed = load_dataset(config).digest
    assert mixed["labels"]["all"] == official["labels"]["all"]
    assert mixed["labels"]["test"] != official["labels"]["test"]
    config.split_fractions = (1.0, 0.0, 0.0)
    assert load_dataset(config).digest["labels"]["test"] is None


def test_random_splits_and_subsets_have_folders_of_their_own(
    lapa_download: pathlib.Path, data_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir).data
    config.update({"cache_dir": str(tmp_path), "train_subset": 4})
    splits = {}
    for split in ("official", "random"):
        config.split = split
        splits[split] = _load(config, "train").ids, _load(config, "validation").ids
    official, drawn = splits["official"], splits["random"]
    ids = _lapa_ids(lapa_download, "train")
    lowest = _by_hash("subset 0", ids)[:4]
    assert list(official[0]) == [name for name in ids if name in lowest]
    assert list(official[1]) == _lapa_ids(lapa_download, "val")
    order = _by_hash("0", _lapa_ids(lapa_download, "train", "val", "test"))
    lowest = _by_hash("subset 0", order[:13])[:4]
    assert list(drawn[0]) == [name for name in order[:13] if name in lowest]
    assert list(drawn[1]) == order[13:17]
    (folder,) = tmp_path.glob("lapa-*")
    with_images = {path.parent.name for path in folder.glob("*/images-*")}
    assert with_images == {
        "train-subset4-seed0",
        "validation",
        "train-random-0.6-0.2-0.2-subset4-seed0",
        "validation-random-0.6-0.2-0.2-seed0",
    }


def test_the_first_examples_by_id(
    lapa_download: pathlib.Path, data_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir).data
    config.update({"cache_dir": str(tmp_path), "split": "first", "split_counts": (12, 0, 3)})
    ids = sorted(_lapa_ids(lapa_download, "train", "val", "test"))
    dataset = load_dataset(config)
    assert dataset.counts == {"train": 12, "validation": 0, "test": 3}
    assert dataset.missing_splits == ("validation",)
    assert list(_load(config, "train").ids) == ids[:12]
    assert list(_load(config, "test").ids) == ids[12:15]
    (folder,) = tmp_path.glob("lapa-*/train-*")
    assert folder.name == "train-first-12-0-3"
    config.split_counts = (12, 9, 3)
    with pytest.raises(DataError, match=r"split_counts is \(12, 9, 3\), .* has 23 images"):
        load_dataset(config)


def test_a_subset_larger_than_the_split_is_told_with_both_numbers(
    lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir).data
    config.train_subset = 13
    assert len(_load(config, "train")) == 13
    config.train_subset = 14
    with pytest.raises(DataError, match=r"train_subset is 14.* 13 training images"):
        load_dataset(config)


def _dataset(counts: tuple[int, int, int], **changes: object) -> Dataset:
    named = dict(zip(("train", "validation", "test"), counts, strict=True))
    names = class_names.CELEBAMASK_HQ
    metadata = PreparedMetadata(
        "celebamask_hq", "official", "0" * 64, True, named, dict(named), names
    )
    config = tiny_config().data
    config.update(changes)
    return Dataset(None, metadata, config)


@pytest.mark.parametrize(
    ("counts", "shares", "expected"),
    [
        ((24183, 2993, 2824), (0.6, 0.2, 0.2), (18000, 6000, 6000)),
        ((70, 20, 10), (0.29, 0.57, 0.14), (29, 57, 14)),  # 0.29 · 100 < 29 in floating point
        ((3, 3, 1), (0.5, 0.5, 0.0), (3, 3, 1)),
        ((0, 0, 8), (1.0, 0.0, 0.0), (8, 0, 0)),
    ],
)
def test_counts_of_a_random_split(counts: tuple, shares: tuple, expected: tuple) -> None:
    dataset = _dataset(counts, split="random", split_fractions=shares)
    assert tuple(dataset.counts.values()) == expected
    names = ("train", "validation", "test")
    assert list(dataset.counts) == list(names)
    missing = [name for name, count in zip(names, expected, strict=True) if not count]
    assert list(dataset.missing_splits) == missing


def test_counts_of_an_official_split_are_the_sets_own() -> None:
    dataset = _dataset((20, 5, 4))
    assert dataset.counts == {"train": 20, "validation": 5, "test": 4}
    dataset.metadata.counts["train"] = 0
    assert dataset.counts["train"] == 0 and dataset.missing_splits == ("train",)
    subset = _dataset((20, 0, 4), train_subset=7)
    assert subset.counts == {"train": 7, "validation": 0, "test": 4}
    assert subset.metadata.counts["train"] == 20
    # Nothing to choose from: missing, not four.
    assert _dataset((0, 5, 4), train_subset=4).missing_splits == ("train",)


def test_a_set_without_one_of_the_parts_is_refused() -> None:
    names = tuple(name for name in class_names.LAPA_AND_HELEN if name != "nose")
    with pytest.raises(ValueError, match=r"'facial_parts'.*no nose among .*left_brow.*'all'"):
        class_table("facial_parts", names)
    with pytest.raises(ValueError, match=r"'lapa'.*no skin, hair among its"):
        class_table("lapa", class_names.FACIAL_PARTS)


def test_celebamask_hq_in_lapas_classes() -> None:
    """Each class by hand: the person's left is the picture's right, glasses are skin, the rest is background."""
    expected = {
        "skin": "skin", "nose": "nose", "eye_g": "skin", "l_eye": "right_eye", "r_eye": "left_eye",
        "l_brow": "right_brow", "r_brow": "left_brow", "mouth": "inner_mouth", "u_lip": "upper_lip",
        "l_lip": "lower_lip", "hair": "hair",
    }  # fmt: skip
    table = class_table("lapa", class_names.CELEBAMASK_HQ)
    names = [class_names.LAPA_AND_HELEN[label] for label in table]
    assert dict(zip(class_names.CELEBAMASK_HQ, names, strict=True)) == {
        name: expected.get(name, "background") for name in class_names.CELEBAMASK_HQ
    }
    assert class_table("lapa", class_names.LAPA_AND_HELEN) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"framing": "round"}, r"data\.framing is 'round'.*square, canvas"),
        ({"labels": "few"}, r"data\.labels is 'few'.*all, facial_parts"),
        ({"split": "mine"}, r"data\.split is 'mine'.*official, random"),
        ({"split_fractions": (0.5, 0.5)}, r"data\.split_fractions is \(0\.5, 0\.5\)"),
        ({"split_fractions": (0.6, 0.3, 0.2)}, r"data\.split_fractions.*sum must be 1"),
        ({"split_fractions": (1.2, -0.1, -0.1)}, r"data\.split_fractions.*at most 1"),
        ({"train_subset": -1}, r"data\.train_subset is -1"),
        ({"split": "first"}, r"data\.split_counts is \(\).*three numbers"),
        ({"split": "first", "split_counts": (5, -1, 2)}, r"split_counts.*at least 0"),
        ({"longest_side": 20}, r"data\.longest_side is 20.*'canvas', not 'square'"),
        ({"framing": "canvas", "longest_side": 33}, r"longest_side is 33.*1 to .*= 32, or none"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, object], message: str) -> None:
    config = tiny_config().data
    config.update(changes)
    with pytest.raises(ValueError, match=message):
        load_dataset(config)
