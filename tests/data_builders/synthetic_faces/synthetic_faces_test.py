"""Drawn faces: what the label maps promise, and the three raw trees read back."""

import hashlib
import itertools
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.raw.drawn import SETTINGS_FILE
from fpliif_jax.data_builders.synthetic_faces import (
    Face,
    dataset,
    draw_face,
    drawing_versions,
    write_dataset,
)
from fpliif_jax.data_builders.synthetic_faces.__main__ import main
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas
from fpliif_jax.data_builders.synthetic_faces.job import face_seed

REPOSITORY = pathlib.Path(__file__).parents[3]
SIZE = 64
OFFICIAL_ORDER = ["skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear",
                  "mouth", "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck",
                  "cloth"]  # fmt: skip
# LaPa's id for each of CelebAMask-HQ's: skin, nose, eyes, brows, mouth, lips, hair; else 0. The person's left eye
# (4) and brow (6) are on the right of the picture.
LAPA_ID = {1: 1, 2: 6, 4: 5, 5: 4, 6: 3, 7: 2, 10: 8, 11: 7, 12: 9, 13: 10}
EYE_G = 3


def tree_bytes(root: pathlib.Path) -> dict[str, str]:
    """Digest of every file, by its path in the tree."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def read(path: pathlib.Path, mode: str) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == mode, f"{path} has mode {image.mode}"
        return np.asarray(image)


@pytest.fixture(scope="module")
def faces() -> list[Face]:
    return [draw_face(face_seed(3, "train", i), SIZE) for i in range(150)]


# --- Drawing


def test_face_has_the_documented_types(faces: list[Face]) -> None:
    face = faces[0]
    assert face.image.shape == (SIZE, SIZE, 3) and face.image.dtype == np.uint8
    assert face.label_map.shape == (SIZE, SIZE) and face.label_map.dtype == np.uint8
    assert face.lapa_label_map.shape == (SIZE, SIZE) and face.lapa_label_map.dtype == np.uint8
    assert face.landmarks.shape == (106, 2) and face.landmarks.dtype == np.float32


def test_every_class_occurs(faces: list[Face]) -> None:
    assert {int(v) for f in faces for v in np.unique(f.label_map)} == set(range(19))
    assert {int(v) for f in faces for v in np.unique(f.lapa_label_map)} == set(range(11))


def test_parts_are_large_enough_to_learn(faces: list[Face]) -> None:
    # At 64 pixels: an eye five pixels wide, a face filling about half of the picture.
    def width(label: int) -> float:
        spans = [np.ptp(np.nonzero(f.lapa_label_map == label)[1]) + 1 for f in faces
                 if (f.lapa_label_map == label).any()]  # fmt: skip
        return float(np.median(spans))

    assert width(4) >= 5 and width(5) >= 5
    assert 0.45 * SIZE <= width(1) <= 0.75 * SIZE
    present = np.mean([[np.any(f.lapa_label_map == c) for c in range(11)] for f in faces], 0)
    assert present[[0, 1, 2, 3, 4, 5, 6, 7, 9, 10]].min() > 0.9 and 0.3 < present[8] < 0.8


def test_traits_vary(faces: list[Face]) -> None:
    for trait in ("hair_style", "glasses", "hat", "earrings", "necklace", "occluder"):
        assert len({getattr(f.person, trait) for f in faces}) > 1, trait
    assert any(f.person.eye_openness == (0, 0) for f in faces)
    assert {f.person.mouth_opening > 0 for f in faces} == {True, False}
    for trait, deviation in (("yaw", 0.1), ("pitch", 0.05), ("roll", 0.05), ("unit", 0.02)):
        assert np.std([getattr(f.person, trait) for f in faces]) > deviation, trait


def test_each_label_map_has_the_sides_of_its_sets(faces: list[Face]) -> None:
    # CelebAMask-HQ's l_eye (4) lies on the right-hand side of the picture, LaPa's left eye (4) on the left.
    for right, left, label_map in ((4, 5, "label_map"), (6, 7, "label_map"), (8, 9, "label_map"),
                                   (5, 4, "lapa_label_map"), (3, 2, "lapa_label_map")):  # fmt: skip
        seen = 0
        for face in faces:
            labels = getattr(face, label_map)
            left_x, right_x = (np.nonzero(labels == label)[1] for label in (left, right))
            if left_x.size and right_x.size:
                seen += 1
                assert left_x.mean() < right_x.mean()
        assert seen > 50


def test_eleven_classes_follow_the_nineteen(faces: list[Face]) -> None:
    expected = np.array([LAPA_ID.get(label, 0) for label in range(19)])
    for face in faces:
        elsewhere = face.label_map != EYE_G
        np.testing.assert_array_equal(
            face.lapa_label_map[elsewhere], expected[face.label_map][elsewhere]
        )


def test_eyeglasses_leave_what_is_beneath_them(faces: list[Face]) -> None:
    clear = [f for f in faces if f.person.glasses == "clear" and not f.person.occluder]
    dark = [f for f in faces if f.person.glasses == "dark" and not f.person.occluder]
    beneath = {f.person.glasses: set() for f in clear + dark}
    for face in clear + dark:
        beneath[face.person.glasses] |= set(face.lapa_label_map[face.label_map == EYE_G].tolist())
    assert 1 in beneath["clear"] and 1 in beneath["dark"]
    # A clear lens shows the eyes, in both label maps; a dark one hides them.
    open_eyed = [f for f in clear if not f.person.hat]
    assert all((f.label_map == 4).any() or (f.label_map == 5).any() for f in open_eyed)
    assert all((f.lapa_label_map == 4).sum() <= 2 for f in dark)
    for face in dark:
        assert (face.lapa_label_map[face.label_map == EYE_G] == 1).mean() > 0.4


def test_occluder_is_background_in_front_of_the_face(faces: list[Face]) -> None:
    for kind in ("hand", "blob", "microphone"):
        face = next(f for f in faces if f.person.occluder == kind)
        front = face.layers[-1].patch  # the shape painted last
        hidden = front.alpha >= 0.5
        assert hidden.any()
        assert not face.label_map[front.rows, front.columns][hidden].any()
        assert not face.lapa_label_map[front.rows, front.columns][hidden].any()


def test_picture_and_labels_show_the_same_geometry(faces: list[Face]) -> None:
    # Within one face: lips are redder than the skin, an inner mouth is darker, hair and sclera
    # differ from skin. Shifted by a few pixels the labels would not fit any more.
    plain = [f for f in faces if not f.person.occluder]

    def contrast(shift: int) -> float:
        total = []
        for face in plain:
            labels = np.roll(face.label_map, shift, (0, 1))
            red = face.image[..., 0].astype(float) - face.image[..., 1]
            lips, skin = np.isin(labels, (11, 12)), labels == 1
            if lips.any():
                total.append(red[lips].mean() - red[skin].mean())
        return float(np.mean(total))

    assert contrast(0) > 15
    assert contrast(0) > 2 * contrast(3) and contrast(0) > 2 * contrast(-3)


def test_landmarks_lie_on_their_parts(faces: list[Face]) -> None:
    # Mean of the points of a group against the centroid of the label, for open views of the part.
    groups = {5: slice(66, 74), 4: slice(75, 83), 7: slice(33, 42), 6: slice(42, 51)}
    plain = [f for f in faces if not (f.person.occluder or f.person.glasses or f.person.hat)]
    plain = [f for f in plain if f.person.hair_style not in ("fringe", "long", "wavy", "bob")]
    assert len(plain) > 20
    for face in plain:
        for label, points in groups.items():
            rows, columns = np.nonzero(face.label_map == label)
            centre = face.landmarks[points].mean(0) - 0.5
            assert np.hypot(*(centre - (columns.mean(), rows.mean()))) < 2.0
        left_to_right = face.landmarks[:33, 0]
        assert left_to_right[0] < left_to_right[16] < left_to_right[32]


def test_same_face_at_another_size(faces: list[Face]) -> None:
    for i, face in enumerate(faces[:8]):
        larger = draw_face(face_seed(3, "train", i), 2 * SIZE)
        agreement = (larger.label_map[::2, ::2] == face.label_map).mean()
        assert agreement > 0.93  # all but the borders between the classes


# Of the fixture's 150 faces: pixels of each class, and of some pictures the product with a pattern.
PIXELS_OF_19 = (276385, 141203, 11847, 8318, 2244, 2240, 2983, 2970, 3354, 3367, 2903, 2832, 4387,
                89563, 19326, 944, 962, 17674, 20898)  # fmt: skip
PIXELS_OF_11 = (343032, 148728, 3041, 3059, 2240, 2244, 12180, 2832, 2903, 4387, 89754)
PRODUCTS = {0: -895, 1: 1760, 2: 9278, 3: 4463, 4: 1300, 5: 464, 6: 10300, 7: 820,
            83: 4617, 88: 9003, 105: 4987, 121: 6910}  # the last four wink, each with one eye  # fmt: skip


def test_faces_are_those_of_this_drawing_version(faces: list[Face]) -> None:
    """Whoever changes what is drawn raises `drawing_version`, or sets that differ would pass for the same."""
    later = {
        layout: version
        for layout, version in drawing_versions.DRAWING_VERSIONS.items()
        if version > 1
    }
    assert later == {"lapa": 2, "helen": 2}
    for label_map, pixels in (("label_map", PIXELS_OF_19), ("lapa_label_map", PIXELS_OF_11)):
        labels = np.concatenate([getattr(face, label_map).ravel() for face in faces])
        # Another processor's rounding may move a pixel or two of 614,400.
        np.testing.assert_allclose(np.bincount(labels), pixels, rtol=0, atol=3)
    pattern = np.random.default_rng(0).normal(size=(SIZE, SIZE, 3))
    for index, product in PRODUCTS.items():
        # A grey level more or less in each of 400 of 12,288 values makes 20.
        assert abs((faces[index].image * pattern).sum() - product) < 40, index


def test_a_set_of_another_builder_is_not_outdated(tmp_path: pathlib.Path) -> None:
    assert drawing_versions.why_outdated("of_my_own", tmp_path) is None


def test_generator_and_seed_are_accepted() -> None:
    from_int = draw_face(5, SIZE)
    generator = np.random.Generator(np.random.PCG64(5))
    np.testing.assert_array_equal(draw_face(generator, SIZE).image, from_int.image)
    assert not np.array_equal(draw_face(generator, SIZE).image, from_int.image)


# --- Canvas


def test_coverage_is_the_area_of_the_shape() -> None:
    canvas = Canvas(16)
    # A square from 2.5 to 5 in x and from 3 to 7.25 in y: areas by hand.
    square = np.array([(2.5, 3.0), (5.0, 3.0), (5.0, 7.25), (2.5, 7.25)])
    patch = canvas.coverage(square)
    cover = np.zeros((16, 16))
    cover[patch.rows, patch.columns] = patch.alpha
    expected = np.zeros((16, 16))
    expected[3:7, 2:5] = 1
    expected[7, 2:5] = 0.25
    expected[3:8, 2] *= 0.5
    # Borders fall on an 8 x 8 grid in each pixel, and Pillow draws them a grid line wide.
    np.testing.assert_allclose(cover, expected, atol=0.3)
    assert abs(cover.sum() - expected.sum()) < 1.5
    assert cover[4:6, 3:5].min() == 1 and not cover[:2].any() and not cover[:, 7:].any()


def test_pixel_gets_the_topmost_shape_that_covers_half_of_it() -> None:
    canvas = Canvas(8)
    whole = np.array([(0.0, 0.0), (8.0, 0.0), (8.0, 8.0), (0.0, 8.0)])
    canvas.mark(canvas.coverage(whole), 1)
    canvas.mark(canvas.coverage(whole * 0.5 + (0.3, 0)), 13)  # x from 0.3 to 4.3
    np.testing.assert_array_equal(canvas.label_map[0], [13, 13, 13, 13, 1, 1, 1, 1])
    np.testing.assert_array_equal(canvas.lapa_label_map[0], [10, 10, 10, 10, 1, 1, 1, 1])


def test_edges_are_anti_aliased(faces: list[Face]) -> None:
    for face in faces[:20]:
        masks = face.soft_masks()
        hair = masks[10]
        partial = (hair > 12) & (hair < 242)
        border = (face.lapa_label_map == 10)[:, 1:] != (face.lapa_label_map == 10)[:, :-1]
        if border.sum() > 40:
            assert partial.sum() > 0.4 * border.sum()


def test_soft_masks_add_up_and_agree_with_the_label_map(faces: list[Face]) -> None:
    for face in faces[:40]:
        masks = face.soft_masks()
        assert masks.shape == (11, SIZE, SIZE) and masks.dtype == np.uint8
        np.testing.assert_array_equal(masks.argmax(0), face.lapa_label_map)
        # Eleven roundings of at most a half, one more step where two classes change places.
        assert np.abs(masks.sum(0, dtype=int) - 255).max() <= 6


# --- The three trees, read back


COUNTS = {"train": 4, "val": 2, "test": 1}


def write(layout: str, folder: pathlib.Path, **options: object) -> pathlib.Path:
    settings = {"image_size": SIZE, "seed": 11, "num_workers": 1} | options
    return write_dataset(layout, folder, *COUNTS.values(), **settings)


def drawn_faces() -> list[tuple[str, int, Face]]:
    return [
        (split, i, draw_face(face_seed(11, split, i), SIZE))
        for split, count in COUNTS.items()
        for i in range(count)
    ]


def assert_same_picture(path: pathlib.Path, image: np.ndarray) -> None:
    # JPEG of quality 95 leaves a few grey levels of error, and more where the chroma is halved.
    error = read(path, "RGB").astype(float) - image
    assert np.abs(error).mean() < 5


def test_lapa_tree_reads_back(tmp_path: pathlib.Path) -> None:
    root = write("lapa", tmp_path)
    assert root == tmp_path / "LaPa"
    for split, count in COUNTS.items():
        stems = [sorted(p.stem for p in (root / split / kind).iterdir())
                 for kind in ("images", "labels", "landmarks")]  # fmt: skip
        assert stems[0] == stems[1] == stems[2] and len(stems[0]) == count
    for split, index, face in drawn_faces():
        stem = sorted(p.stem for p in (root / split / "images").iterdir())[index]
        assert_same_picture(root / split / "images" / f"{stem}.jpg", face.image)
        labels = read(root / split / "labels" / f"{stem}.png", "L")
        np.testing.assert_array_equal(labels, face.lapa_label_map)
        lines = (root / split / "landmarks" / f"{stem}.txt").read_text().splitlines()
        assert lines[0] == "106"
        points = np.array([[float(v) for v in line.split()] for line in lines[1:]])
        np.testing.assert_allclose(points, face.landmarks, atol=1e-3)


def celebamask_hq_masks(root: pathlib.Path, number: int) -> dict[str, np.ndarray]:
    folder = root / "CelebAMask-HQ-mask-anno" / str(number // 2000)
    masks = {}
    for path in folder.glob(f"{number:05d}_*.png"):
        pixels = read(path, "RGB")
        assert set(np.unique(pixels)) == {0, 255}  # a part that is not visible has no file
        masks[path.stem.split("_", 1)[1]] = (pixels == 255).all(-1)
    return masks


def merged(masks: dict[str, np.ndarray], order: list[str]) -> np.ndarray:
    label_map = np.zeros(next(iter(masks.values())).shape, np.uint8)
    for part in order:
        if part in masks:
            label_map[masks[part]] = OFFICIAL_ORDER.index(part) + 1
    return label_map


def test_celebamask_hq_tree_reads_back(tmp_path: pathlib.Path) -> None:
    root = write("celebamask_hq", tmp_path)
    assert root == tmp_path / "CelebAMask-HQ"
    header, *rows = (root / "CelebA-HQ-to-CelebA-mapping.txt").read_text().splitlines()
    assert header.split() == ["idx", "orig_idx", "orig_file"]
    splits = {"train": [], "val": [], "test": []}
    for row in rows:
        number, orig_idx, orig_file = row.split()
        assert int(orig_file.removesuffix(".jpg")) == int(orig_idx) + 1
        name = "train" if int(orig_idx) < 162770 else "val" if int(orig_idx) < 182637 else "test"
        splits[name].append(int(number))
    assert {name: len(numbers) for name, numbers in splits.items()} == COUNTS
    for split, index, face in drawn_faces():
        number = splits[split][index]
        assert_same_picture(root / "CelebA-HQ-img" / f"{number}.jpg", face.image)
        masks = celebamask_hq_masks(root, number)
        np.testing.assert_array_equal(merged(masks, OFFICIAL_ORDER), face.label_map)
        # Masks overlap, as the official ones do: another order gives another label map.
        wrong = merged(masks, OFFICIAL_ORDER[::-1])
        assert (wrong != face.label_map).any()


def test_celebamask_hq_masks_of_another_size(tmp_path: pathlib.Path) -> None:
    root = write("celebamask_hq", tmp_path, mask_size=32)
    for number, (split, index, _) in enumerate(drawn_faces()):
        assert read(root / "CelebA-HQ-img" / f"{number}.jpg", "RGB").shape == (SIZE, SIZE, 3)
        label_map = merged(celebamask_hq_masks(root, number), OFFICIAL_ORDER)
        expected = draw_face(face_seed(11, split, index), 32).label_map
        np.testing.assert_array_equal(label_map, expected)


def test_helen_tree_reads_back(tmp_path: pathlib.Path) -> None:
    root = write("helen", tmp_path)
    assert root == tmp_path / "SmithCVPR2013_dataset_resized"
    names: dict[str, list[str]] = {}
    lists = {"train": "exemplars.txt", "val": "tuning.txt", "test": "testing.txt"}
    for split, file_name in lists.items():
        rows = (root / file_name).read_text().splitlines()
        assert all(int(row.split(" , ")[0]) > 0 for row in rows)
        names[split] = [row.split(" , ")[1] for row in rows]
    assert {split: len(found) for split, found in names.items()} == COUNTS
    soft_pixels = 0
    for split, index, face in drawn_faces():
        name = names[split][index]
        assert_same_picture(root / "images" / f"{name}.jpg", face.image)
        files = sorted((root / "labels" / name).iterdir())
        assert [p.name for p in files] == [f"{name}_lbl{k:02d}.png" for k in range(11)]
        masks = np.stack([read(path, "L") for path in files])
        np.testing.assert_array_equal(masks.argmax(0), face.lapa_label_map)
        soft_pixels += int(((masks > 0) & (masks < 255)).any(0).sum())
    assert soft_pixels > 100 * sum(COUNTS.values())


def test_empty_splits_are_left_out(tmp_path: pathlib.Path) -> None:
    root = write_dataset("lapa", tmp_path, 2, 0, 0, image_size=32, num_workers=1)
    assert (root / "train" / "images").is_dir() and not (root / "val").exists()
    root = write_dataset("helen", tmp_path, 0, 0, 1, image_size=32, num_workers=1)
    assert (root / "exemplars.txt").read_text() == ""


# --- Sameness


@pytest.mark.parametrize("layout", ["lapa", "celebamask_hq", "helen"])
def test_same_seed_gives_the_same_bytes_on_any_number_of_workers(
    layout: str, tmp_path: pathlib.Path
) -> None:
    one, two, other = (
        tree_bytes(write(layout, tmp_path / str(i), num_workers=workers, seed=seed))
        for i, (workers, seed) in enumerate([(1, 11), (2, 11), (1, 12)])
    )
    assert one == two
    pictures = [path for path in one if path.endswith(".jpg")]
    assert len(pictures) == sum(COUNTS.values())
    assert all(one[path] != other[path] for path in pictures)
    assert len({one[path] for path in pictures}) == len(pictures)


def test_longer_set_begins_with_the_shorter_one(tmp_path: pathlib.Path) -> None:
    short = tree_bytes(write_dataset("lapa", tmp_path / "a", 2, 1, 0, 32, num_workers=1))
    long = tree_bytes(write_dataset("lapa", tmp_path / "b", 3, 2, 1, 32, num_workers=1))
    del short[SETTINGS_FILE]
    assert short.items() <= long.items()


def test_finished_set_is_kept_and_another_one_replaces_it(tmp_path: pathlib.Path) -> None:
    root = write("lapa", tmp_path)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    write("lapa", tmp_path)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    write_dataset("lapa", tmp_path, 1, 0, 0, image_size=32, num_workers=1)
    assert len(list(root.rglob("*.jpg"))) == 1
    assert json.loads((root / SETTINGS_FILE).read_text())["image_size"] == 32


# --- Errors


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"layout": "lapaa"}, "lapa, celebamask_hq, helen"),
        ({"num_train": -1}, "num_train=-1"),
        ({"num_train": 0, "num_val": 0, "num_test": 0}, "at least one face"),
        ({"layout": "celebamask_hq", "num_val": 19_868}, "num_val=19868"),
        ({"image_size": 8}, "image_size=8"),
        ({"mask_size": 32}, "mask_size=32"),
        ({"layout": "celebamask_hq", "mask_size": 0}, "mask_size=0"),
        ({"seed": -1}, "seed=-1"),
        ({"num_workers": 0}, "num_workers=0"),
    ],
)
def test_bad_arguments(change: dict[str, object], part: str, tmp_path: pathlib.Path) -> None:
    arguments = {"layout": "lapa", "num_train": 1, "num_val": 0, "num_test": 0, "image_size": 64}
    with pytest.raises(DataError, match=part):
        write_dataset(output_dir=tmp_path, **(arguments | change))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("split", "most"), [("train", 162_770), ("val", 19_867), ("test", 19_962)])
def test_celebamask_hq_holds_as_many_as_celeba_has(
    split: str, most: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CelebA has 162,770, 19,867 and 19,962 photographs."""
    monkeypatch.setattr(dataset, "_draw", lambda *_: None)
    counts = {"num_train": 0, "num_val": 0, "num_test": 0, f"num_{split}": most}
    write_dataset("celebamask_hq", tmp_path, **counts, num_workers=1)
    with pytest.raises(DataError, match=f"num_{split}={most + 1}"):
        write_dataset("celebamask_hq", tmp_path, **counts | {f"num_{split}": most + 1})


def test_foreign_folder_is_refused(tmp_path: pathlib.Path) -> None:
    picture = tmp_path / "LaPa" / "train" / "images" / "1.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_text("downloaded")
    with pytest.raises(DataError, match="LaPa.*overwrite"):
        write("lapa", tmp_path)
    assert picture.read_text() == "downloaded"
    write("lapa", tmp_path, overwrite=True)
    assert not picture.exists()
    assert len(list((tmp_path / "LaPa").rglob("*.jpg"))) == sum(COUNTS.values())


def test_output_dir_that_is_a_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file"):
        write("lapa", tmp_path / "file")


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failed_drawing_leaves_nothing(
    failure: BaseException, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing_share(*args: object) -> object:
        yield None
        raise failure

    monkeypatch.setattr(dataset, "draw_share", failing_share)
    expected = DataError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write("lapa", tmp_path)
    assert [p for p in tmp_path.iterdir() if not p.name.endswith(".lock")] == []


def test_failed_drawing_keeps_the_finished_set(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree_bytes(write("lapa", tmp_path))
    monkeypatch.setattr(dataset, "draw_share", lambda *args: iter(()))

    def failing_rename(*args: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(pathlib.Path, "rename", failing_rename)
    with pytest.raises(DataError, match="Input/output error"):
        write("lapa", tmp_path, seed=99)
    monkeypatch.undo()
    assert tree_bytes(tmp_path / "LaPa") == before


def test_failing_worker_ends_the_drawing(tmp_path: pathlib.Path) -> None:
    # The workers cannot import the package any more when their interpreter is no Python.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(DataError, match="process ended with code 1"):
            write("lapa", tmp_path, num_workers=2)
    assert not (tmp_path / "LaPa").exists()


def test_a_killed_worker_ends_the_drawing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where memory is short."""
    program = tmp_path / "killed"
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(DataError, match="process ended with code -9 .*for want of memory"):
        write("lapa", tmp_path, num_workers=2)
    assert not (tmp_path / "LaPa").exists()


def test_killed_drawing_is_never_taken_for_finished(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-m", "data_builders.synthetic_faces", "--layout=lapa",
               f"--output_dir={tmp_path}", "--num_train=5000", "--num_val=0", "--num_test=0",
               "--image_size=64", "--num_workers=1"]  # fmt: skip
    process = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    for _ in itertools.count():
        if any(tmp_path.rglob("*.png")):
            break
        assert process.poll() is None
    process.kill()
    process.wait()
    assert not (tmp_path / "LaPa").exists()
    root = write("lapa", tmp_path)
    assert len(list(root.rglob("*.png"))) == sum(COUNTS.values())
    assert [p.name for p in tmp_path.iterdir() if not p.name.endswith(".lock")] == ["LaPa"]


# --- Command line


def test_command_line(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "sheet.png"
    arguments = ["--layout=helen", f"--output_dir={tmp_path}", "--num_train=2", "--num_val=1",
                 "--num_test=1", "--image_size=32"]  # fmt: skip
    assert main([*arguments, f"--contact_sheet={sheet}"]) == 0
    with Image.open(sheet) as image:
        assert image.size == (4 * 2 * 32, 32)
    assert "4 faces in" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="^error: .*none"):
        main([*arguments, f"--contact_sheet={tmp_path}/none/sheet.png"])
    with pytest.raises(SystemExit, match="^error: .*sheet.nothing: .* Name a .png file"):
        main([*arguments, f"--contact_sheet={tmp_path}/sheet.nothing"])
    with pytest.raises(SystemExit, match=r"^error: .*sheet.xbm: .*cannot write mode RGB as XBM"):
        main([*arguments, f"--contact_sheet={tmp_path}/sheet.xbm"])
    with pytest.raises(SystemExit, match=r"^error: .*sheet.blp: .* \(.+\)\. Name a .png file"):
        main([*arguments, f"--contact_sheet={tmp_path}/sheet.blp"])
    with pytest.raises(SystemExit, match="^error: image_size=3.*$"):
        main([*arguments[:-1], "--image_size=3"])


def test_a_bug_in_drawing_is_no_matter_of_the_contact_sheet_s_name(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("operands could not be broadcast together")

    monkeypatch.setattr("fpliif_jax.data_builders.synthetic_faces.__main__.draw_face", broken)
    with pytest.raises(ValueError, match="broadcast"):
        main(["--layout=lapa", f"--output_dir={tmp_path}", "--num_train=1", "--num_val=1",
              "--num_test=1", "--image_size=32", f"--contact_sheet={tmp_path}/s.png"])  # fmt: skip
