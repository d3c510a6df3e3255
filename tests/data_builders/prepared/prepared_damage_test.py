"""Damage inside a prepared set: one line that offers the rebuild, or the very same examples."""

import dataclasses
import hashlib
import io
import json
import pathlib
import random
import shutil
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from tiny_run import tiny_config

from fpliif_jax.data import resized_split
from fpliif_jax.data.dataset import Dataset, load_dataset
from fpliif_jax.data.resized_split import load_split
from fpliif_jax.data_builders import synthetic_faces
from fpliif_jax.data_builders.class_names import LAPA_AND_HELEN
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.prepare import metadata, prepare
from fpliif_jax.data_builders.prepared import prepared_set

INFO, FEATURES, ORIGIN = "dataset_info.json", "features.json", "raw_tree.json"
HOSTILE = (
    b"null", b"[]", b"{}", b"-1", b"1e999", b"NaN", b"9" * 5000, b'"\\ud800"', b'"../../x"', b"[" * 100_000,
)  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, pathlib.Path]:
    """A raw download of eight faces, and where it is prepared."""
    folder = tmp_path_factory.mktemp("sound")
    raw, data = folder / "raw", folder / "data"
    synthetic_faces.write_dataset(
        "lapa", raw, num_train=4, num_val=2, num_test=2, image_size=40, num_workers=1
    )
    prepare("lapa", manual_dir=str(raw), data_dir=str(data))
    return raw, data


def content(data_dir: pathlib.Path) -> str:
    """Digest of all that a run takes from a prepared set."""
    builder = prepare("lapa", data_dir=str(data_dir))
    prepared = metadata(builder)
    dataset = Dataset(builder, prepared, tiny_config().data)
    # How faces were drawn is noted beside the label maps' digests, which are made anew without it.
    digest = hashlib.sha256(repr(dataclasses.replace(prepared, drawing=None)).encode())
    for split in ("train", "validation", "test"):
        source = resized_split._open_source(dataset, split)
        for position in range(len(source)):
            example = source[position]
            digest.update(example["id"])
            digest.update(example["image"].tobytes())
            digest.update(example["label_map"].tobytes())
    return digest.hexdigest()


def mutated(old: bytes, chance: random.Random) -> bytes:
    """A file with flipped bits, other bytes, zeros, a part missing or too much, or a hostile value."""
    new = bytearray(old)
    start = chance.randrange(len(new))
    match chance.choice(("flip", "flip", "random", "zeros", "cut", "grow", "digit", "hostile")):
        case "flip":
            for _ in range(chance.choice((1, 4))):
                new[chance.randrange(len(new))] ^= 1 << chance.randrange(8)
        case "random":
            length = min(chance.randint(1, 60), len(new) - start)
            new[start : start + length] = chance.randbytes(length)
        case "zeros":
            length = min(chance.randint(1, 3000), len(new) - start)
            new[start : start + length] = bytes(length)
        case "cut":
            del new[start:]
        case "grow":
            new += chance.randbytes(chance.randint(1, 500))
        case "digit":
            digits = [place for place, value in enumerate(new) if 48 <= value <= 57]
            new[chance.choice(digits)] = 48 + chance.randrange(10)
        case "hostile":
            new[start : start + chance.randint(0, 10)] = chance.choice(HOSTILE)
    return bytes(new)


@pytest.mark.parametrize("seed", range(8))
def test_random_damage_is_told_or_changes_nothing(
    tmp_path: pathlib.Path, sound: tuple[pathlib.Path, pathlib.Path], seed: int
) -> None:
    _, data = sound
    expected = content(data)
    shutil.copytree(data, tmp_path / "data")
    files = sorted(path for path in tmp_path.glob("data/lapa/1.0.0/*") if path.is_file())
    chance = random.Random(seed)
    told = 0
    for _ in range(12):
        file = chance.choice(files)
        old = file.read_bytes()
        file.write_bytes(mutated(old, chance))
        try:
            assert content(tmp_path / "data") == expected, file
        except DataError as error:
            told += 1
            assert "\n" not in str(error)
            assert str(tmp_path / "data/lapa") in str(error) and "--rebuild" in str(error)
        file.write_bytes(old)
    assert told > 2


def change(name: str, edit: Callable[[dict], object]) -> Callable[[pathlib.Path], None]:
    def damage(folder: pathlib.Path) -> None:
        value = json.loads((folder / name).read_text())
        edit(value)
        (folder / name).write_text(json.dumps(value))

    return damage


def write(name: str, text: bytes) -> Callable[[pathlib.Path], object]:
    return lambda folder: (folder / name).write_bytes(text)


def first_split(info: dict) -> dict:
    return info["splits"][0]


DAMAGE = {
    "no JSON": (write(INFO, b"{"), INFO),
    "not UTF-8": (write(INFO, b'{"name": "\xff"}'), INFO),
    "a list": (write(INFO, b"[]"), ""),
    "another schema": (write(INFO, b'{"splits": 3}'), ""),
    "too deep": (write(INFO, b"[" * 100_000), INFO),
    "number of 5,000 digits": (write(INFO, b'{"splits": ' + b"1" * 5000 + b"}"), INFO),
    "too large": (write(INFO, b" " * 2**21), INFO),
    "another version": (change(INFO, lambda info: info.update(version="9.0.0")), ""),
    "a shard that is shorter": (
        change(INFO, lambda info: first_split(info).update(shardLengths=["1"])),
        "differ",
    ),
    "a split that is gone": (change(INFO, lambda info: info["splits"].pop()), "differ"),
    "shards elsewhere": (
        change(INFO, lambda info: first_split(info).update(filepathTemplate="../../{SPLIT}")),
        "",
    ),
    "features without JSON": (write(FEATURES, b"{"), FEATURES),
    "origin without JSON": (write(ORIGIN, b"{"), ORIGIN),
    "origin of another kind": (write(ORIGIN, b"[1]"), ORIGIN),
    "one digit of the fingerprint": (
        change(ORIGIN, lambda note: note.update(fingerprint="0" * 64)),
        ORIGIN,
    ),
    "fingerprint of an older note": (
        change(ORIGIN, lambda note: (note.pop("sha256"), note.update(fingerprint="x"))),
        ORIGIN,
    ),
    "counts of an older note": (
        change(ORIGIN, lambda note: (note.pop("sha256"), note.update(counts={"train": "4"}))),
        ORIGIN,
    ),
    "counts that are none": (
        change(ORIGIN, lambda note: (note.pop("sha256"), note.update(counts=None))),
        ORIGIN,
    ),
}


@pytest.mark.parametrize(("damage", "named"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_metadata(
    tmp_path: pathlib.Path,
    sound: tuple[pathlib.Path, pathlib.Path],
    damage: Callable[[pathlib.Path], object],
    named: str,
) -> None:
    raw, data = sound
    expected = content(data)
    shutil.copytree(data, tmp_path / "data")
    damage(tmp_path / "data/lapa/1.0.0")
    for manual_dir in (None, str(raw)):
        with pytest.raises(DataError, match=f"damaged.*{named}.*--rebuild") as error:
            prepare("lapa", manual_dir=manual_dir, data_dir=str(tmp_path / "data"))
        assert "\n" not in str(error.value) and len(str(error.value)) < 1000
    prepare("lapa", manual_dir=str(raw), data_dir=str(tmp_path / "data"), rebuild=True)
    assert content(tmp_path / "data") == expected


def test_damaged_examples_are_told_by_a_run(
    tmp_path: pathlib.Path, sound: tuple[pathlib.Path, pathlib.Path]
) -> None:
    raw, data = sound
    shutil.copytree(data, tmp_path / "data")
    (shard,) = (tmp_path / "data/lapa/1.0.0").glob("*validation*")
    old = shard.read_bytes()
    dataset = load_dataset(tiny_config("", tmp_path / "data").data)
    shard.write_bytes(old.replace(b"IHDR", b"IHDX"))
    load_split(dataset, "train", (32,))
    with pytest.raises(DataError, match=f"damaged.*{shard.name}.*--manual_dir={raw}.*--rebuild"):
        load_split(dataset, "validation", (32,))
    shard.write_bytes(old)
    assert len(load_split(dataset, "validation", (32,))) == 2


@pytest.mark.parametrize("kind", ["RGB", "16 bits", "GIF"])
def test_label_maps_of_another_kind_are_damaged(
    sound: tuple[pathlib.Path, pathlib.Path], kind: str
) -> None:
    examples = prepare("lapa", data_dir=str(sound[1])).encoded_examples("test")
    labels = examples.label_map(0, examples[0])
    picture = Image.fromarray(labels.astype(np.uint16) if kind == "16 bits" else labels)
    stream = io.BytesIO()
    picture = picture.convert("RGB") if kind == "RGB" else picture
    picture.save(stream, format="GIF" if kind == "GIF" else "PNG")
    with pytest.raises(DataError, match="damaged.*test.*--rebuild"):
        examples.label_map(0, {**examples[0], "label_map": stream.getvalue()})


def test_photos_of_another_kind_are_damaged(
    sound: tuple[pathlib.Path, pathlib.Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = resized_split._DecodedByPillow(prepare("lapa", data_dir=str(sound[1])), "test")
    stream = io.BytesIO()
    Image.fromarray(source[0]["image"]).save(stream, format="BMP")
    monkeypatch.setattr(
        source, "_source", [{**source._source[0], "image": stream.getvalue()}], raising=True
    )
    with pytest.raises(DataError, match="damaged.*--rebuild"):
        source[0]


def test_a_note_gives_an_official_set_no_other_classes(
    tmp_path: pathlib.Path, sound: tuple[pathlib.Path, pathlib.Path]
) -> None:
    shutil.copytree(sound[1], tmp_path / "data")
    folder = tmp_path / "data/lapa/1.0.0"
    origin = prepared_set.read_origin(folder)
    names = ["background", *reversed(LAPA_AND_HELEN[1:])]
    prepared_set.write_origin(folder, dataclasses.replace(origin, class_names=names))
    assert metadata(prepare("lapa", data_dir=str(tmp_path / "data"))).class_names == LAPA_AND_HELEN


@pytest.mark.parametrize("name", ["ids.npy", "images-32-pillow.npy"])
@pytest.mark.parametrize("damage", ["cut", "empty", "zip", "header", "pickle"])
def test_damaged_resized_images(
    tmp_path: pathlib.Path,
    sound: tuple[pathlib.Path, pathlib.Path],
    caplog: pytest.LogCaptureFixture,
    name: str,
    damage: str,
) -> None:
    _, data = sound
    config = tiny_config("", data).copy_and_resolve_references()
    with config.unlocked():
        config.data.cache_dir = str(tmp_path)
    dataset = load_dataset(config.data)
    load_split(dataset, "test", (32,))
    (path,) = tmp_path.glob(f"*/test/{name}")
    old = path.read_bytes()
    path.write_bytes(
        {
            "cut": old[:-1],
            "empty": b"",
            "zip": b"PK\x03\x04" + old,
            "header": old.replace(b"(2,", b"(9,", 1),
            "pickle": old.replace(b"'descr': '", b"'descr':'O", 1),
        }[damage]
    )
    assert len(load_split(dataset, "test", (32,))) == 2
    assert path.read_bytes() == old
    (line,) = (line for line in caplog.messages if "made anew" in line)
    assert line.startswith(f"{path}: damaged, ")
