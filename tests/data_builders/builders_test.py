"""What holds for the builders of all sets, on tiny raw trees: registration, counts, shards, files passed over."""

import itertools
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from raw_sets import (
    WRITERS,
    Folders,
    examples,
    random_labels,
    run_python,
    save_image,
    save_png,
    write_helen,
    write_lapa,
)

from fpliif_jax import data_builders
from fpliif_jax.data_builders import face_parsing_builder, tree_encoding
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.prepare import metadata, prepare


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


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_documentation_files(name: str) -> None:
    documentation = data_builders.BUILDERS[name].get_metadata()
    assert documentation.tags
    assert set(documentation.tags) <= set(tfds.core.dataset_metadata.valid_tags())
    assert "--manual_dir" in documentation.description
    assert "@inproceedings" in documentation.citation


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
    own |= {
        f"commands.{name}"
        for name in ("first_imports", "lazy_exports", "missing_packages", "one_module")
    }
    part = name.partition("fpliif_jax.")[2]
    assert not part or part.startswith("data_builders") or part in own, name
"""
    run = run_python(code, write_lapa(manual_dir), data_dir)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "6\n"


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


def test_a_builder_without_a_file_is_a_builder() -> None:
    code = "class Typed(base, skip_registration=True): pass"
    for module in (
        "typed_in",
        "builtins",
    ):  # as in an interpreter; inspect raises another error for each
        exec(code, {"__name__": module, "base": face_parsing_builder.FaceParsingBuilder})


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


def test_files_of_macos_beside_the_set_are_passed_over(folders: Folders) -> None:
    manual_dir, data_dir = folders
    write_lapa(manual_dir)
    save_image(manual_dir / "__MACOSX/LaPa/train/images/._1_0.jpg")
    builder = prepare("lapa", manual_dir=str(manual_dir), data_dir=data_dir)
    assert metadata(builder).counts["train"] == 3
    with pytest.raises(DataError, match="only what macOS adds"):
        prepare("lapa", manual_dir=str(manual_dir / "__MACOSX"), data_dir=data_dir)


@pytest.mark.parametrize(("name", "folder"), [("lapa", "LaPa"), ("celebamask_hq", "CelebAMask-HQ")])
def test_manual_dir_is_the_set_itself(folders: Folders, name: str, folder: str) -> None:
    manual_dir, data_dir = folders
    WRITERS[name](manual_dir)
    with pytest.raises(DataError, match=f"this is {folder} itself.*--manual_dir={manual_dir}$"):
        prepare(name, manual_dir=str(manual_dir / folder), data_dir=data_dir)
