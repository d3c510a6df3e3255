"""Whose left is left: where the pixels of the two sides lie in every layout, and what earlier runs had."""

import json
import os
import pathlib

import ml_collections
import numpy as np
import pytest
from PIL import Image
from tiny_run import tiny_config

from fpliif_jax.data import sides
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data.renamed_labels import class_table
from fpliif_jax.data.resized_split import load_split
from fpliif_jax.data_builders import class_names
from fpliif_jax.data_builders.class_names import mirrored_classes
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.prepare import prepare
from fpliif_jax.data_builders.raw.drawn import SETTINGS_FILE
from fpliif_jax.data_builders.synthetic_faces import classes, draw_face, write_dataset
from fpliif_jax.data_builders.synthetic_faces.job import face_seed
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.run_config import json_config
from fpliif_jax.run_folder.same_run import check_same_run

MINI = pathlib.Path(__file__).parents[3] / "shared" / "data" / "celebamask_hq_mini" / "labels"
PICTURES_SIDES = [("left_brow", "right_brow"), ("left_eye", "right_eye")]
PERSONS_SIDES = [("r_brow", "l_brow"), ("r_eye", "l_eye"), ("r_ear", "l_ear")]
# Faces are turned by up to .4 radians and never lie on their side, so one side is always the left one.
FACES = 12
OLD_LAPA_CLASS = np.array([0, 1, 6, 0, 4, 5, 2, 3, 0, 0, 8, 7, 9, 10, 0, 0, 0, 0, 0], np.uint8)
SWAPPED = np.array([0, 1, 3, 2, 5, 4, 6, 7, 8, 9, 10], np.uint8)


def pixels_on_the_left_first(
    label_map: np.ndarray, names: tuple[str, ...], pairs: list[tuple[str, str]]
) -> list[bool]:
    """For each pair that is there, whether its first class lies left of its second in the picture."""
    found = []
    for pair in pairs:
        first, second = (np.nonzero(label_map == names.index(name))[1] for name in pair)
        if first.size and second.size:
            found.append(bool(first.mean() < second.mean()))
    return found


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Raw downloads of the three sets, with the same faces."""
    folder = tmp_path_factory.mktemp("downloads")
    for layout in ("lapa", "celebamask_hq", "helen"):
        write_dataset(layout, folder / layout, FACES, 0, 0, image_size=64, seed=5, num_workers=1)
    return folder


def _config(name: str, downloads: pathlib.Path, labels: str) -> ml_collections.ConfigDict:
    config = tiny_config(downloads / name, downloads / "prepared").data
    config.update({"name": name, "image_size": 64, "labels": labels, "label_resize": "nearest"})
    return config


@pytest.mark.parametrize(
    ("name", "labels", "pairs"),
    [
        ("lapa", "all", PICTURES_SIDES),
        ("helen", "all", PICTURES_SIDES),
        ("celebamask_hq", "all", PERSONS_SIDES),
        ("lapa", "facial_parts", PICTURES_SIDES),
        ("helen", "facial_parts", PICTURES_SIDES),
        ("celebamask_hq", "facial_parts", PICTURES_SIDES),
        ("celebamask_hq", "lapa", PICTURES_SIDES),
    ],
)
def test_sides_lie_where_the_set_has_them(
    name: str, labels: str, pairs: list[tuple[str, str]], downloads: pathlib.Path
) -> None:
    loaded = load_dataset(_config(name, downloads, labels))
    split = load_split(loaded, "train", (64,))
    found = [
        pixels_on_the_left_first(label_map, loaded.class_names, pairs)
        for label_map in split.labels[64]
    ]
    assert all(map(all, found))
    assert sum(map(len, found)) >= 1.5 * FACES  # glasses, hair and hands hide some
    assert loaded.whose_left == ("person" if pairs is PERSONS_SIDES else "picture")


def test_three_sets_of_the_same_faces_have_the_same_parts(downloads: pathlib.Path) -> None:
    maps = {}
    for name in ("lapa", "helen", "celebamask_hq"):
        loaded = load_dataset(_config(name, downloads, "facial_parts"))
        maps[name] = load_split(loaded, "train", (64,)).labels[64]
    np.testing.assert_array_equal(maps["lapa"], maps["helen"])
    # They differ in eyeglasses alone, which CelebAMask-HQ labels and the others look through.
    differ = maps["lapa"] != maps["celebamask_hq"]
    assert np.all(maps["celebamask_hq"][differ] == 0) and differ.mean() < 0.02


def test_the_same_faces_have_lapas_classes_where_celebamask_hq_is_labelled_so(
    downloads: pathlib.Path,
) -> None:
    lapa, celebamask_hq = (
        load_split(load_dataset(_config(name, downloads, labels)), "train", (64,)).labels[64]
        for name, labels in (("lapa", "all"), ("celebamask_hq", "lapa"))
    )
    # They differ beneath eyeglasses alone, which LaPa looks through.
    differ = lapa != celebamask_hq
    skin, hair = map(class_names.LAPA_AND_HELEN.index, ("skin", "hair"))
    assert np.isin(celebamask_hq[differ], (0, skin)).all() and differ.mean() < 0.02
    assert (celebamask_hq == hair).mean() > 0.05 and (celebamask_hq == skin).mean() > 0.05


@pytest.mark.skipif(not MINI.is_dir(), reason="the mini set of CelebAMask-HQ is not here")
def test_sides_of_photographs() -> None:
    names, native, mapped = class_names.CELEBAMASK_HQ, [], []
    table = class_table("facial_parts", names)
    for path in sorted(MINI.glob("*.png"))[:100]:
        labels = np.asarray(Image.open(path))
        native += pixels_on_the_left_first(labels, names, PERSONS_SIDES)
        mapped += pixels_on_the_left_first(table[labels], class_names.FACIAL_PARTS, PICTURES_SIDES)
    # Of all 4,248 label maps 6 pairs are the other way round: mistakes of those who made them.
    assert np.mean(native) > 0.98 and np.mean(mapped) > 0.98


def test_a_mirror_image_swaps_the_sides_of_every_set() -> None:
    for names in (
        class_names.LAPA_AND_HELEN,
        class_names.FACIAL_PARTS,
        class_names.CELEBAMASK_HQ,
    ):
        pairs = PERSONS_SIDES if names is class_names.CELEBAMASK_HQ else PICTURES_SIDES
        swapped = np.array(mirrored_classes(names))
        for one, other in pairs:
            assert swapped[names.index(one)] == names.index(other)
        label_map = np.array([[names.index(name) for name in pair] for pair in pairs])
        mirrored = swapped[label_map[:, ::-1]]
        np.testing.assert_array_equal(mirrored, label_map)


# --- Drawings: what has changed, and what has not


def test_nothing_but_the_sides_of_the_eleven_classes_has_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [draw_face(face_seed(3, "train", index), 64) for index in range(FACES)]
    monkeypatch.setattr(classes, "LAPA_CLASS", OLD_LAPA_CLASS)
    for index, face in enumerate(now):
        before = draw_face(face_seed(3, "train", index), 64)
        for kept in ("image", "label_map", "landmarks"):
            np.testing.assert_array_equal(getattr(face, kept), getattr(before, kept))
        np.testing.assert_array_equal(face.lapa_label_map, SWAPPED[before.lapa_label_map])
        np.testing.assert_array_equal(face.soft_masks(), before.soft_masks()[SWAPPED])


def test_celebamask_hq_is_drawn_as_before(
    downloads: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classes, "LAPA_CLASS", OLD_LAPA_CLASS)
    before = write_dataset("celebamask_hq", tmp_path, FACES, 0, 0, 64, seed=5, num_workers=1)
    now = downloads / "celebamask_hq" / before.name
    files = sorted(path.relative_to(now) for path in now.rglob("*") if path.is_file())
    assert len(files) > 5 * FACES
    for path in files:
        assert (now / path).read_bytes() == (before / path).read_bytes()
    assert json.loads((now / SETTINGS_FILE).read_text())["drawing_version"] == 1


def _earlier_drawing(layout: str, folder: pathlib.Path) -> pathlib.Path:
    """A set with the note of origin of the first drawing, whose sides were the person's."""
    root = write_dataset(layout, folder, 2, 1, 1, image_size=48, num_workers=1)
    file = root / SETTINGS_FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | {"drawing_version": 1}))
    return root


@pytest.mark.parametrize("layout", ["lapa", "helen"])
def test_an_earlier_drawing_is_drawn_anew_with_a_reason(
    layout: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = _earlier_drawing(layout, tmp_path)
    assert "drawn anew" not in capsys.readouterr().err
    write_dataset(layout, tmp_path, 2, 1, 1, image_size=48, num_workers=1)
    assert json.loads((root / SETTINGS_FILE).read_text())["drawing_version"] == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "drawn anew" in line)
    assert str(root) in line and "the person's, not the picture's" in line


@pytest.mark.parametrize("layout", ["lapa", "helen"])
def test_an_earlier_drawing_is_not_prepared_nor_used(layout: str, tmp_path: pathlib.Path) -> None:
    raw, data_dir = tmp_path / "raw", str(tmp_path / "prepared")
    write_dataset(layout, raw, 2, 1, 1, image_size=48, num_workers=1)
    prepare(layout, manual_dir=str(raw), data_dir=data_dir)
    _earlier_drawing(layout, raw)
    for manual_dir in (str(raw), None):  # None: the set is prepared
        with pytest.raises(DataError, match="the person's, not the picture's.*Draw it anew"):
            prepare(layout, manual_dir=manual_dir, data_dir=data_dir)


def test_a_run_leaves_earlier_drawings_alone(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = tiny_config(tmp_path / "raw", tmp_path / "prepared").data
    config.synthetic.update({"num_train": 2, "num_val": 1, "num_test": 1, "image_size": 48})
    earlier = tmp_path / "raw" / "lapa-2-1-1-48px-seed0"
    root = _earlier_drawing("lapa", earlier)
    os.utime(root, (1, 1))
    loaded = load_dataset(config)
    split = load_split(loaded, "train", (32,))
    assert all(
        all(pixels_on_the_left_first(labels, loaded.class_names, PICTURES_SIDES))
        for labels in split.labels[32]
    )
    assert root.stat().st_mtime == 1
    assert (
        f"{earlier}: drawn anew in {earlier}-drawing2, for it is of drawing version 1"
        in caplog.text
    )
    caplog.clear()
    load_dataset(config)
    assert not caplog.text


def test_parts_that_an_earlier_version_resized_are_not_used(downloads: pathlib.Path) -> None:
    config = _config("celebamask_hq", downloads, "facial_parts")
    loaded = load_dataset(config)
    split = load_split(loaded, "train", (64,))
    (made,) = pathlib.Path(downloads, "prepared").glob(
        "resized/celebamask*/train/facial_parts-swapped*.npy"
    )
    made.with_name("facial_parts-64-nearest.npy").write_bytes(b"an earlier version's")
    again = load_split(loaded, "train", (64,))
    np.testing.assert_array_equal(again.labels[64], split.labels[64])
    # Where sides did not change, neither did the name: real downloads are not resized again.
    lapa = load_dataset(_config("lapa", downloads, "facial_parts"))
    load_split(lapa, "train", (64,))
    assert list(
        pathlib.Path(downloads, "prepared").glob("resized/lapa*/train/facial_parts-64-nearest.npy")
    )


# --- Runs


def _run_config(name: str, labels: str, num_train: int) -> ml_collections.ConfigDict:
    config = tiny_config()
    config.data.update({"name": name, "labels": labels})
    config.data.synthetic.num_train = num_train
    return config


@pytest.mark.parametrize(
    ("name", "labels", "num_train", "were_swapped"),
    [
        ("lapa", "all", 0, False),
        ("helen", "facial_parts", 0, False),
        ("lapa", "all", 600, True),
        ("helen", "facial_parts", 400, True),
        ("celebamask_hq", "facial_parts", 0, True),
        ("celebamask_hq", "facial_parts", 400, True),
        ("celebamask_hq", "all", 0, False),
        ("celebamask_hq", "all", 400, False),
    ],
)
def test_sides_of_earlier_runs_are_known_by_their_data(
    name: str, labels: str, num_train: int, were_swapped: bool
) -> None:
    config = _run_config(name, labels, num_train)
    names = class_names.FACIAL_PARTS
    if labels == "all":
        names = class_names.CELEBAMASK_HQ if name == "celebamask_hq" else class_names.LAPA_AND_HELEN
    recorded = class_names.whose_left(names)
    for settings in (config, json_config(config)):
        assert sides.are_swapped(settings, names, None) is were_swapped
        assert not sides.are_swapped(settings, names, recorded)
    progress = {
        "config": json_config(config),
        "class_names": list(names),
        "fingerprint": "f" * 64,
    }
    if were_swapped:
        with pytest.raises(checkpoint.CheckpointError, match="runs/x: its left_… .* are swapped"):
            check_same_run(progress, config, "f" * 64, "runs/x")
    else:
        check_same_run(progress, config, "f" * 64, "runs/x")
    check_same_run(progress | {"whose_left": recorded}, config, "f" * 64, "runs/x")
