"""Tests of what a prepared set records of its contents: whether faces are drawn, and digests of its labels."""

import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from fpliif_jax import data_builders
from fpliif_jax.data_builders import face_parsing_builder, synthetic_faces
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.prepare import PreparedMetadata, metadata, prepare
from fpliif_jax.data_builders.prepared import label_digests
from fpliif_jax.data_builders.raw import drawn
from fpliif_jax.data_builders.synthetic_faces.job import Job
from fpliif_jax.data_builders.synthetic_faces.layouts import LAYOUTS, helen_name, lapa_id

COUNTS = {"num_train": 3, "num_val": 2, "num_test": 1}
IN_SPLITS = {"train": 3, "validation": 2, "test": 1}


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pathlib.Path]:
    """Raw trees of drawn faces, by layout."""
    folders = {}
    for layout in LAYOUTS:
        folders[layout] = tmp_path_factory.mktemp(layout)
        synthetic_faces.write_dataset(
            layout, folders[layout], image_size=32, num_workers=1, **COUNTS
        )
    return folders


def undrawn(layout: str, download: pathlib.Path, manual_dir: pathlib.Path) -> pathlib.Path:
    """A copy that nothing shows to be drawn: without the marker, and with other names."""
    shutil.copytree(download, manual_dir)
    for marker in manual_dir.rglob(drawn.SETTINGS_FILE):
        marker.unlink()
    for path in sorted(manual_dir.rglob("synthetic_*"), reverse=True):
        path.rename(path.with_name(path.name.replace("synthetic_", "photo_")))
    for path in manual_dir.glob(f"{LAYOUTS[layout].folder}/*.txt"):
        path.write_text(path.read_text().replace("synthetic_", "photo_"))
    return manual_dir


def prepared(name: str, manual_dir: pathlib.Path, data_dir: pathlib.Path) -> PreparedMetadata:
    return metadata(prepare(name, manual_dir=str(manual_dir), data_dir=str(data_dir)))


def digests(of: PreparedMetadata) -> dict[str, dict[str, str | None]]:
    return label_digests.digests_of_splits(of.label_digests)


def contents_file(data_dir: pathlib.Path) -> pathlib.Path:
    (path,) = data_dir.rglob("contents.json")
    return path


# Drawn, or not.


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_a_drawn_set_is_known_in_every_layout(
    layout: str, downloads: dict[str, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    found = prepared(layout, downloads[layout], tmp_path / "data")
    assert found.drawn is True
    assert found.drawing == {
        "layout": layout, **COUNTS, "image_size": 32, "mask_size": 32, "seed": 0,
        "drawing_version": synthetic_faces.DRAWING_VERSIONS[layout],
    }  # fmt: skip
    other = undrawn(layout, downloads[layout], tmp_path / "raw")
    found = prepared(layout, other, tmp_path / "other")
    assert (found.drawn, found.drawing) == (False, None)


def _moved_into_a_folder_below(root: pathlib.Path, manual_dir: pathlib.Path) -> None:
    shutil.copytree(root, manual_dir / root.name)
    (manual_dir / root.name / drawn.SETTINGS_FILE).rename(manual_dir / drawn.SETTINGS_FILE)


def _linked_as_a_whole(root: pathlib.Path, manual_dir: pathlib.Path) -> None:
    (manual_dir / root.name).symlink_to(root)


def _linked_by_folder(root: pathlib.Path, manual_dir: pathlib.Path) -> None:
    (manual_dir / root.name).mkdir()
    for part in root.iterdir():
        if part.name != drawn.SETTINGS_FILE:
            (manual_dir / root.name / part.name).symlink_to(part)


def _linked_by_file(root: pathlib.Path, manual_dir: pathlib.Path) -> None:
    shutil.copytree(root, manual_dir / root.name, copy_function=os.symlink)
    (manual_dir / root.name / drawn.SETTINGS_FILE).unlink()


def _damaged_marker(root: pathlib.Path, manual_dir: pathlib.Path) -> None:
    shutil.copytree(root, manual_dir / root.name)
    (manual_dir / root.name / drawn.SETTINGS_FILE).write_bytes(b"[" * 100_000)


@pytest.mark.parametrize(
    "place",
    [
        _moved_into_a_folder_below,
        _linked_as_a_whole,
        _linked_by_folder,
        _linked_by_file,
        _damaged_marker,
    ],
)
def test_the_marker_is_found_wherever_it_lies(
    place: Callable[[pathlib.Path, pathlib.Path], None],
    downloads: dict[str, pathlib.Path],
    tmp_path: pathlib.Path,
) -> None:
    """Of CelebAMask-HQ, whose ids do not tell."""
    manual_dir = tmp_path / "raw"
    manual_dir.mkdir()
    place(downloads["celebamask_hq"] / "CelebAMask-HQ", manual_dir)
    found = prepared("celebamask_hq", manual_dir, tmp_path / "data")
    assert found.drawn is True
    assert (found.drawing is None) == (place is _damaged_marker)


def test_helen_unpacked_into_a_folder_of_ones_own_choice(
    downloads: dict[str, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    root = undrawn("helen", downloads["helen"], tmp_path / "raw") / LAYOUTS["helen"].folder
    shutil.copy(next(downloads["helen"].rglob(drawn.SETTINGS_FILE)), tmp_path / "raw")
    assert prepared("helen", root, tmp_path / "data").drawing["layout"] == "helen"


def test_one_drawn_face_among_others_is_enough(
    downloads: dict[str, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    manual_dir = undrawn("lapa", downloads["lapa"], tmp_path / "raw")
    for kind, suffix in (("images", "jpg"), ("labels", "png")):
        face = f"LaPa/test/{kind}/synthetic_test_000000.{suffix}"
        shutil.copy(downloads["lapa"] / face, manual_dir / face)
    assert prepared("lapa", manual_dir, tmp_path / "data").drawn is True


def test_ids_are_those_that_the_generator_gives() -> None:
    tasks = Job("lapa", 2, 1, 1, 32, 32, 0).tasks()
    for identifier in (name(task) for name in (lapa_id, helen_name) for task in tasks):
        assert drawn.has_drawn_id(["10007657194_0", identifier])
    for identifier in ("synthetic", "synthetic_face_1", "a_synthetic_000001_1", "17"):
        assert not drawn.has_drawn_id([identifier])


# Digests.


def expected_digests(layout: str, data_dir: pathlib.Path) -> dict[str, dict[str, str]]:
    """From the examples that the prepared set gives, by the definition in words."""
    lines: dict[str, dict[str, list[str]]] = {"ids": {}, "labels": {}}
    for split, source in prepare(layout, data_dir=str(data_dir)).as_data_source().items():
        for example in source:
            name, labels = example["id"].decode(), example["label_map"][..., 0]
            head = f"{name}\0{labels.shape[0]}\0{labels.shape[1]}\0".encode()
            one = hashlib.sha256(head + labels.tobytes()).hexdigest()
            for place in (split, "all"):
                lines["ids"].setdefault(place, []).append(name)
                lines["labels"].setdefault(place, []).append(one)
    return {
        what: {
            place: hashlib.sha256("".join(f"{line}\n" for line in sorted(own)).encode()).hexdigest()
            for place, own in places.items()
        }
        for what, places in lines.items()
    }


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_digests_are_of_ids_sizes_and_stored_label_maps(
    layout: str, downloads: dict[str, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    found = prepared(layout, downloads[layout], tmp_path)
    assert digests(found) == expected_digests(layout, tmp_path)


def test_compression_and_order_change_no_digest_and_one_pixel_does(
    downloads: dict[str, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    before = prepared("lapa", downloads["lapa"], tmp_path / "data")
    copy = tmp_path / "raw"
    shutil.copytree(downloads["lapa"], copy)
    label_files = sorted(copy.rglob("*.png"))
    for path in label_files:
        content = path.read_bytes()
        Image.open(path).save(path, format="PNG", compress_level=0)
        assert path.read_bytes() != content
    again = prepared("lapa", copy, tmp_path / "again")
    assert again.fingerprint != before.fingerprint
    assert again.label_digests == before.label_digests
    backwards = {
        split: dict(reversed(ids.items())) for split, ids in reversed(before.label_digests.items())
    }
    assert label_digests.digests_of_splits(backwards) == digests(before)

    labels = np.array(Image.open(label_files[-1]))  # of a validation face
    labels[3, 4] = (labels[3, 4] + 1) % 11
    Image.fromarray(labels).save(label_files[-1])
    changed = digests(prepared("lapa", copy, tmp_path / "changed"))
    assert changed["ids"] == digests(before)["ids"]
    differs = {
        name: changed["labels"][name] != digests(before)["labels"][name]
        for name in changed["labels"]
    }
    assert differs == {"train": False, "validation": True, "test": False, "all": True}


def test_same_pixels_in_another_shape_or_under_another_id_differ() -> None:
    pixels = np.arange(6, dtype=np.uint8)
    maps = [("a", pixels.reshape(2, 3)), ("a", pixels.reshape(3, 2)), ("b", pixels.reshape(2, 3))]
    assert len({label_digests.label_map_digest(*one) for one in maps}) == 3
    # Rows of a larger array, as cropping makes them, count as what they show.
    wide = np.arange(12, dtype=np.uint8).reshape(2, 6)[:, :3]
    assert label_digests.label_map_digest("a", wide) == label_digests.label_map_digest(
        "a", wide.copy()
    )


def test_another_division_of_the_same_faces_shows(
    downloads: dict[str, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    before = digests(prepared("helen", downloads["helen"], tmp_path / "data"))
    copy = tmp_path / "raw"
    shutil.copytree(downloads["helen"], copy)
    root = copy / LAYOUTS["helen"].folder
    lists = [root / name for name in ("tuning.txt", "testing.txt")]
    texts = [path.read_text() for path in lists]
    for path, text in zip(lists, reversed(texts), strict=True):
        path.write_text(text)
    after = digests(prepared("helen", copy, tmp_path / "other"))
    for what in ("ids", "labels"):
        assert after[what]["all"] == before[what]["all"]
        assert after[what]["train"] == before[what]["train"]
        assert after[what]["validation"] == before[what]["test"] != before[what]["validation"]


def test_official_ids_are_checked_where_they_are_known(
    downloads: dict[str, pathlib.Path], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = data_builders.BUILDERS["celebamask_hq"]
    assert {"0", "29999"} < builder.OFFICIAL_IDS
    assert len(builder.OFFICIAL_IDS) == sum(builder.OFFICIAL_COUNTS.values()) == 30_000
    download = downloads["celebamask_hq"]
    assert prepared("celebamask_hq", download, tmp_path).official_ids is False
    monkeypatch.setattr(builder, "OFFICIAL_IDS", frozenset("012345"))
    assert prepared("celebamask_hq", download, tmp_path).official_ids is True
    assert prepared("lapa", downloads["lapa"], tmp_path).official_ids is None


# Sets of an earlier version, which has left no such record.


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
@pytest.mark.parametrize("is_tree_given", [True, False])
def test_a_set_of_an_earlier_version_gets_its_record_once(
    layout: str,
    is_tree_given: bool,
    downloads: dict[str, pathlib.Path],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = prepared(layout, downloads[layout], tmp_path)
    record = contents_file(tmp_path)
    record.unlink()
    given = str(downloads[layout]) if is_tree_given else None
    found = metadata(prepare(layout, manual_dir=given, data_dir=str(tmp_path)))
    assert found.label_digests == before.label_digests
    if is_tree_given:
        assert found == before
    else:  # numbers do not tell
        assert found.drawn is (None if layout == "celebamask_hq" else True)
    monkeypatch.setattr(
        face_parsing_builder.FaceParsingBuilder, "_digest_labels", lambda *_: pytest.fail("again")
    )
    assert metadata(prepare(layout, manual_dir=given, data_dir=str(tmp_path))) == found
    # The tree tells what was not known, also later.
    assert prepared(layout, downloads[layout], tmp_path) == before


def test_a_marker_that_turns_up_later_counts(
    downloads: dict[str, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    copy = undrawn("celebamask_hq", downloads["celebamask_hq"], tmp_path / "raw")
    assert prepared("celebamask_hq", copy, tmp_path / "data").drawn is False
    found = prepared("celebamask_hq", downloads["celebamask_hq"], tmp_path / "data")
    assert found.drawn is True and found.drawing["seed"] == 0
    assert prepared("celebamask_hq", copy, tmp_path / "data") == found


@pytest.mark.parametrize("content", ["", "[]", '{"label_digests": [], "drawn": 1, "drawing": 0}'])
def test_a_damaged_record_is_made_anew(
    content: str, downloads: dict[str, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    before = prepared("lapa", downloads["lapa"], tmp_path)
    contents_file(tmp_path).write_text(content)
    assert prepared("lapa", downloads["lapa"], tmp_path) == before
    assert json.loads(contents_file(tmp_path).read_text())["drawn"] is True


def test_an_old_set_that_may_only_be_read_is_used_without_a_record(
    downloads: dict[str, pathlib.Path],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    prepared("lapa", downloads["lapa"], tmp_path)
    contents_file(tmp_path).unlink()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    found = prepared("lapa", downloads["lapa"], tmp_path)
    assert (found.drawn, found.label_digests, found.official_ids) == (None, None, None)
    assert found.counts == IN_SPLITS
    assert any(
        "python -m fpliif_jax.data_builders.prepare lapa" in one.getMessage()
        for one in caplog.records
    )


def test_a_rebuild_replaces_the_record(
    downloads: dict[str, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    copy = undrawn("lapa", downloads["lapa"], tmp_path / "raw")
    before = prepared("lapa", downloads["lapa"], tmp_path / "data")
    with pytest.raises(DataError, match="prepared from other data.*--rebuild"):
        prepared("lapa", copy, tmp_path / "data")
    builder = prepare("lapa", manual_dir=str(copy), data_dir=str(tmp_path / "data"), rebuild=True)
    assert metadata(builder).drawn is False
    assert metadata(builder).label_digests.keys() == before.label_digests.keys()
    assert digests(metadata(builder))["ids"] != digests(before)["ids"]
