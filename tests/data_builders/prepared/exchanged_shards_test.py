"""Files of a prepared set that took each other's place: one line that names the file and offers the rebuild."""

import json
import os
import pathlib
import re
import shutil
from collections.abc import Callable

import pytest
from tiny_run import tiny_config

from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data.resized_split import load_split
from fpliif_jax.data_builders import synthetic_faces, tree_encoding
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.prepare import prepare

COUNTS = {"num_train": 4, "num_val": 4, "num_test": 4}
IN_A_SHARD = 2  # examples


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, pathlib.Path]:
    """A raw download of twelve faces, and where it is prepared in two shards a split; so is another one."""
    folder = tmp_path_factory.mktemp("sound")
    with pytest.MonkeyPatch.context() as patch:
        lengths = [IN_A_SHARD] * (4 // IN_A_SHARD)
        patch.setattr(tree_encoding, "_shard_lengths", lambda tree, examples: lengths)
        for name, seed in (("raw", 0), ("other", 1)):
            synthetic_faces.write_dataset(
                "lapa", folder / name, image_size=40, seed=seed, num_workers=1, **COUNTS
            )
            data_dir = folder / f"{name}-prepared"
            prepare("lapa", manual_dir=str(folder / name), data_dir=str(data_dir))
    return folder / "raw", folder / "raw-prepared"


@pytest.fixture
def copied(sound: tuple[pathlib.Path, pathlib.Path], tmp_path: pathlib.Path) -> pathlib.Path:
    """Folder of a copy of the prepared set; it lies in `tmp_path / "data"`."""
    shutil.copytree(sound[1], tmp_path / "data")
    return tmp_path / "data/lapa/1.0.0"


def shards(folder: pathlib.Path, split: str) -> list[pathlib.Path]:
    return sorted(folder.glob(f"*-{split}.*"))


def exchange(first: pathlib.Path, second: pathlib.Path) -> pathlib.Path:
    """Gives two files each other's name; returns the first."""
    spare = first.with_name("spare")
    first.rename(spare)
    second.rename(first)
    spare.rename(second)
    return first


def _between_splits(folder: pathlib.Path, other: pathlib.Path) -> pathlib.Path:
    return exchange(shards(folder, "train")[1], shards(folder, "test")[0])


def _within_a_split(folder: pathlib.Path, other: pathlib.Path) -> pathlib.Path:
    return exchange(*shards(folder, "validation"))


def _of_another_set(folder: pathlib.Path, other: pathlib.Path) -> pathlib.Path:
    """Whose examples have the same ids."""
    return pathlib.Path(shutil.copyfile(shards(other, "test")[1], shards(folder, "test")[1]))


def _twice(folder: pathlib.Path, other: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(shutil.copyfile(shards(folder, "train")[0], shards(folder, "train")[1]))


def _missing(folder: pathlib.Path, other: pathlib.Path) -> pathlib.Path:
    (shard := shards(folder, "train")[1]).unlink()
    return shard


def _shorter(folder: pathlib.Path, other: pathlib.Path) -> pathlib.Path:
    os.truncate(shard := shards(folder, "train")[1], 70_000)
    return shard


@pytest.mark.parametrize(
    "damage", [_between_splits, _within_a_split, _of_another_set, _twice, _missing, _shorter]
)
@pytest.mark.parametrize("is_tree_given", [True, False])
def test_a_shard_in_another_ones_place_is_named(
    sound: tuple[pathlib.Path, pathlib.Path],
    copied: pathlib.Path,
    damage: Callable[[pathlib.Path, pathlib.Path], pathlib.Path],
    is_tree_given: bool,
) -> None:
    raw, _ = sound
    shard = damage(copied, raw.parent / "other-prepared/lapa/1.0.0")
    with pytest.raises(DataError, match=rf"damaged.*{re.escape(shard.name)}.*--rebuild") as told:
        prepare(
            "lapa", manual_dir=str(raw) if is_tree_given else None, data_dir=str(copied.parents[1])
        )
    assert "\n" not in str(told.value)


def test_every_example_is_compared_as_it_is_read(
    copied: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that the look at a start's beginning passes over, and shards exchanged after it."""
    dataset = load_dataset(tiny_config("", copied.parents[1]).data)
    shard = _between_splits(copied, copied)
    with pytest.raises(DataError, match=rf"damaged.*{re.escape(shard.name)}.*--rebuild"):
        load_split(dataset, "train", (32,))
    _between_splits(copied, copied)
    assert len(load_split(dataset, "train", (32,))) == 4


def test_another_label_map_of_the_same_face_is_told(
    sound: tuple[pathlib.Path, pathlib.Path], copied: pathlib.Path
) -> None:
    dataset = load_dataset(tiny_config("", copied.parents[1]).data)
    shard = _of_another_set(copied, sound[0].parent / "other-prepared/lapa/1.0.0")
    with pytest.raises(DataError, match=rf"{re.escape(shard.name)}.*another label map.*--rebuild"):
        load_split(dataset, "test", (32,))


def _edit_contents(folder: pathlib.Path, edit: Callable[[dict], object]) -> None:
    note = json.loads((folder / "contents.json").read_text())
    del note["sha256"]
    edit(note["label_digests"])
    (folder / "contents.json").write_text(json.dumps(note))


@pytest.mark.parametrize("edit", [lambda ids: ids.pop("test"), lambda ids: ids["test"].popitem()])
def test_a_record_of_another_number_of_examples_is_no_record(
    sound: tuple[pathlib.Path, pathlib.Path],
    copied: pathlib.Path,
    edit: Callable[[dict], object],
) -> None:
    _edit_contents(copied, edit)
    with pytest.raises(DataError, match=r"damaged.*contents\.json.*test.*--rebuild"):
        prepare("lapa", data_dir=str(copied.parents[1]))


def test_a_set_of_an_earlier_version_is_compared_with_its_tree(
    sound: tuple[pathlib.Path, pathlib.Path], copied: pathlib.Path
) -> None:
    """It has no record; what it holds is recorded unless the tree says otherwise."""
    raw, _ = sound
    (copied / "contents.json").unlink()
    shard = _between_splits(copied, copied)
    with pytest.raises(DataError, match=rf"damaged.*{re.escape(shard.name)}.*--rebuild"):
        prepare("lapa", manual_dir=str(raw), data_dir=str(copied.parents[1]))
    assert not (copied / "contents.json").exists()
    _between_splits(copied, copied)
    prepare("lapa", manual_dir=str(raw), data_dir=str(copied.parents[1]))
    assert (copied / "contents.json").exists()
