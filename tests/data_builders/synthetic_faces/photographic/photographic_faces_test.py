"""The style "photographic" of drawn faces: sizes as in photographs' label maps, exact labels, and sets of its own."""

import json
import pathlib

import numpy as np
import pytest
from tiny_run import tiny_config

from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.synthetic_faces import (
    Face,
    draw_face,
    drawing_versions,
    write_dataset,
)
from fpliif_jax.data_builders.synthetic_faces.drawing import STYLES
from fpliif_jax.data_builders.synthetic_faces.job import face_seed
from fpliif_jax.fields import config_fields

SIZE = 96
L_EYE, R_EYE, L_BROW, NOSE, MOUTH, U_LIP, L_LIP, HAIR = 4, 5, 6, 2, 10, 11, 12, 13
FACE = (1, 2, 4, 5, 6, 7, 10, 11, 12)


@pytest.fixture(scope="module")
def faces() -> list[Face]:
    return [draw_face(face_seed(3, "train", i), SIZE, "photographic") for i in range(80)]


def test_style_is_one_of_its_own(faces: list[Face]) -> None:
    plain = draw_face(face_seed(3, "train", 0), SIZE)
    assert not np.array_equal(plain.image, faces[0].image)
    np.testing.assert_array_equal(
        plain.image, draw_face(face_seed(3, "train", 0), SIZE, "plain").image
    )
    assert STYLES == ("plain", "photographic")
    rule = config_fields.FIELDS["data.synthetic.style"].rule
    assert not rule.problem("photographic") and not rule.problem(None)
    assert rule.problem("plain")  # that is None, as in runs of before there were styles


def test_faces_have_the_documented_types_and_every_class(faces: list[Face]) -> None:
    for face in faces[:3]:
        assert face.image.shape == (SIZE, SIZE, 3) and face.image.dtype == np.uint8
        assert face.landmarks.shape == (106, 2) and face.landmarks.dtype == np.float32
    assert {int(v) for f in faces for v in np.unique(f.label_map)} == set(range(19))
    assert {int(v) for f in faces for v in np.unique(f.lapa_label_map)} == set(range(11))


def test_one_seed_draws_one_face_at_any_size(faces: list[Face]) -> None:
    for i, face in enumerate(faces[:6]):
        again = draw_face(face_seed(3, "train", i), SIZE, "photographic")
        np.testing.assert_array_equal(again.image, face.image)
        larger = draw_face(face_seed(3, "train", i), 2 * SIZE, "photographic")
        assert (larger.label_map[::2, ::2] == face.label_map).mean() > 0.92  # all but the borders
        middle = larger.image.reshape(SIZE, 2, SIZE, 2, 3).mean((1, 3)) - face.image
        assert np.abs(middle).mean() < 25  # the camera's blur and noise are not those of that size


# Of the fixture's 80 faces: pixels of each class, and the mean colours of some pictures.
PIXELS = (298081, 162268, 14493, 3923, 1506, 1534, 2913, 3001, 2221, 2297, 1932, 2807, 4923, 196034,
          5551, 586, 696, 22799, 9715)  # fmt: skip
COLOURS = {0: (97.47, 76.12, 65.58), 1: (124.98, 112.93, 107.65), 2: (147.55, 136.83, 123.87),
           3: (182.94, 159.68, 146.84), 4: (152.38, 130.86, 106.37), 5: (158.23, 163.61, 166.85),
           9: (54.65, 40.03, 34.07)}  # fmt: skip


def test_faces_are_those_of_this_style_version(faces: list[Face]) -> None:
    """Whoever changes what the style draws raises STYLE_VERSIONS, or sets that differ would pass for the same."""
    assert drawing_versions.STYLE_VERSIONS == {"photographic": 2}
    labels = np.concatenate([face.label_map.ravel() for face in faces])
    # Another processor's rounding may move some pixels of 737,280.
    np.testing.assert_allclose(np.bincount(labels), PIXELS, rtol=0, atol=12)
    for index, colour in COLOURS.items():
        # Another JPEG coder rounds otherwise, on average by far less than a tenth of a grey level.
        np.testing.assert_allclose(faces[index].image.mean((0, 1)), colour, atol=0.1)


# Quartiles over label maps of 4,000 photographs (CelebAMask-HQ, 256 pixels), in distances between the eyes.
QUARTILES = {
    "area of an eye": (0.030, 0.047),
    "area of a brow": (0.053, 0.092),
    "y of a brow": (-0.305, -0.221),
    "area of the nose": (0.313, 0.386),
    "lower end of the nose": (0.708, 0.816),
    "y of the upper lip": (0.949, 1.084),
    "area of the upper lip": (0.054, 0.086),
    "area of the lower lip": (0.095, 0.136),
    "y of the lower lip": (1.123, 1.255),
    "y of the chin": (1.729, 1.964),
}


def _sizes(labels: np.ndarray) -> dict[str, float]:
    """Areas in squared distances of the eyes; y from their middle, downwards across their line."""
    at = {k: np.argwhere(labels == k)[:, ::-1] for k in range(19)}
    left, right = at[R_EYE].mean(0), at[L_EYE].mean(0)
    axis, middle = right - left, (left + right) / 2
    distance = np.hypot(*axis)
    down = np.array([-axis[1], axis[0]]) / distance

    def y(label: int) -> np.ndarray:
        return (at[label] - middle) @ down / distance

    return {
        "area of an eye": len(at[L_EYE]) / distance**2,
        "area of a brow": len(at[L_BROW]) / distance**2,
        "y of a brow": y(L_BROW).mean(),
        "area of the nose": len(at[NOSE]) / distance**2,
        "lower end of the nose": np.percentile(y(NOSE), 99),
        "y of the upper lip": y(U_LIP).mean(),
        "area of the upper lip": len(at[U_LIP]) / distance**2,
        "area of the lower lip": len(at[L_LIP]) / distance**2,
        "y of the lower lip": y(L_LIP).mean(),
        "y of the chin": max(y(k).max() for k in FACE if len(at[k])),
    }


def _medians(faces: list[Face]) -> dict[str, float]:
    with_all = [
        f.label_map
        for f in faces
        if all((f.label_map == k).sum() > 3 for k in (L_EYE, R_EYE, L_BROW, NOSE, U_LIP, L_LIP))
    ]
    assert len(with_all) > 0.6 * len(faces)
    sizes = [_sizes(labels) for labels in with_all]
    return {name: float(np.median([s[name] for s in sizes])) for name in QUARTILES}


def test_parts_have_the_sizes_and_places_of_photographs(faces: list[Face]) -> None:
    outside = {
        name: value
        for name, value in _medians(faces).items()
        if not QUARTILES[name][0] <= value <= QUARTILES[name][1]
    }
    assert not outside
    # The plain style does not: its eyes are 1.6 times too large, its mouth lies too low.
    plain = _medians([draw_face(face_seed(3, "train", i), SIZE) for i in range(12)])
    assert plain["area of an eye"] > 0.047 and plain["y of the lower lip"] > 1.255


def test_pictures_and_labels_show_the_same_geometry(faces: list[Face]) -> None:
    # Lips are redder than skin; eyes and hair stand out. Shifted by some pixels the labels fit less.
    def contrast(shift: int) -> float:
        total = []
        for face in faces:
            labels = np.roll(face.label_map, shift, (0, 1))
            red = face.image[..., 0].astype(float) - face.image[..., 1]
            lips, skin = np.isin(labels, (U_LIP, L_LIP)), labels == 1
            if lips.any() and not face.person.occluder:
                total.append(red[lips].mean() - red[skin].mean())
        return float(np.mean(total))

    assert contrast(0) > 10
    assert contrast(0) > 1.5 * contrast(5) and contrast(0) > 1.5 * contrast(-5)


def test_landmarks_lie_on_their_parts(faces: list[Face]) -> None:
    groups = {R_EYE: slice(66, 74), L_EYE: slice(75, 83), 7: slice(33, 42), L_BROW: slice(42, 51)}
    plain = [
        f
        for f in faces
        if not (f.person.occluder or f.person.glasses or f.person.hat or f.person.fringe)
        and max(f.person.cheek_cover) < 0.1
    ]
    assert len(plain) > 12
    for face in plain:
        for label, points in groups.items():
            rows, columns = np.nonzero(face.label_map == label)
            centre = face.landmarks[points].mean(0) - 0.5
            if len(rows) > 8:
                assert np.hypot(*(centre - (columns.mean(), rows.mean()))) < 4.0


def test_hair_hides_what_is_beneath_it(faces: list[Face]) -> None:
    # A fringe that reaches below the brows covers some of them, in picture and labels alike.
    low = [f for f in faces if f.person.fringe == "straight" and f.person.fringe_reach > -0.40]
    high = [f for f in faces if not f.person.fringe]
    assert low and high

    def brows(some: list[Face]) -> float:
        return float(np.mean([np.isin(f.label_map, (6, 7)).mean() for f in some]))

    assert brows(low) < 0.6 * brows(high)


def test_soft_masks_agree_with_the_label_map(faces: list[Face]) -> None:
    for face in faces[:12]:
        np.testing.assert_array_equal(face.soft_masks().argmax(0), face.lapa_label_map)


def test_sets_of_a_style_have_settings_of_their_own(tmp_path: pathlib.Path) -> None:
    options = {"image_size": 32, "num_workers": 1}
    plain = write_dataset("lapa", tmp_path / "plain", 1, 0, 0, **options)
    settings = json.loads((plain / "synthetic_faces.json").read_text())
    assert "style" not in settings  # as before there were styles: no set is drawn anew
    root = write_dataset("lapa", tmp_path / "new", 1, 0, 0, style="photographic", **options)
    assert json.loads((root / "synthetic_faces.json").read_text()) == {
        **settings, "style": "photographic", "style_version": drawing_versions.STYLE_VERSIONS["photographic"],
    }  # fmt: skip
    drawn = root.stat().st_mtime_ns
    write_dataset("lapa", tmp_path / "new", 1, 0, 0, style="photographic", **options)
    assert root.stat().st_mtime_ns == drawn
    write_dataset("lapa", tmp_path / "new", 1, 0, 0, **options)  # another style: drawn anew
    picture = "train/images/synthetic_train_000000.jpg"
    assert (root / picture).read_bytes() == (plain / picture).read_bytes()
    with pytest.raises(DataError, match="style='cubist': choose one of plain, photographic"):
        write_dataset("lapa", tmp_path / "new", 1, 0, 0, style="cubist", **options)


def test_a_config_draws_the_style_it_names(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path / "raw", tmp_path / "prepared").data
    config.synthetic.update({"num_train": 1, "num_val": 1, "num_test": 1, "image_size": 48})
    config.synthetic.style = "photographic"
    assert load_dataset(config).metadata.counts["train"] == 1
    (folder,) = (path.name for path in (tmp_path / "raw").iterdir() if path.is_dir())
    assert folder.endswith(f"-photographic{drawing_versions.STYLE_VERSIONS['photographic']}")


def test_one_seed_is_one_face_at_every_size() -> None:
    """Clothes that only one of two sizes shows do not shift what is drawn after them."""
    for seed in (0, 17, 20):  # of these one size shows a few pixels of cloth, or none
        small, large = (draw_face(seed, size, "photographic").label_map for size in (128, 256))
        assert np.mean(large[::2, ::2] != small) < 0.05
