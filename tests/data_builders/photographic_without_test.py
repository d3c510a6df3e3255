"""Photographic drawn faces without some of their parts: what is gone, what stays, and sets of their own."""

import json
import pathlib
from collections.abc import Collection

import numpy as np
import pytest
from tiny_run import tiny_config

from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.synthetic_faces import Face, __main__, draw_face, write_dataset
from fpliif_jax.data_builders.synthetic_faces.job import face_seed
from fpliif_jax.data_builders.synthetic_faces.photographic.without import PARTS

SIZE = 64
EYES, GLASSES, MOUTH, HAIR, WORN = (4, 5), 3, 10, 13, (3, 14, 15, 16)  # hat, earring, necklace too
OPTIONS = {"image_size": 32, "num_workers": 1, "style": "photographic"}


def _draw(index: int, without: Collection[str] = ()) -> Face:
    return draw_face(face_seed(0, "train", index), SIZE, "photographic", without)


@pytest.fixture(scope="module")
def faces() -> list[Face]:
    return [_draw(index) for index in range(12)]


@pytest.mark.parametrize("part", PARTS)
def test_each_part_shows_and_labels_stay_exact_without_it(faces: list[Face], part: str) -> None:
    others = [_draw(index, [part]) for index in range(12)]
    changed = [not np.array_equal(a.image, b.image) for a, b in zip(faces, others, strict=True)]
    assert any(changed)
    # Not every face has these.
    assert all(changed) or part in ("hair_over_face", "occluders", "accessories")
    for face in others[:4]:
        np.testing.assert_array_equal(face.soft_masks().argmax(0), face.lapa_label_map)
    if part in ("camera", "background", "shadows"):  # they have no labels
        for a, b in zip(faces, others, strict=True):
            np.testing.assert_array_equal(a.label_map, b.label_map)


def test_a_wall_is_of_one_colour_where_nothing_has_taken_a_photograph() -> None:
    face = _draw(0, ["background", "camera"])
    corner = face.image[:6, :6].reshape(-1, 3)
    assert (corner == corner[0]).all()
    assert not (_draw(0, ["camera"]).image[:6, :6] == corner[0]).all()


def test_what_is_left_out_is_in_no_face() -> None:
    # A hat, glasses, an open mouth, a hand, closed eyes, dark glasses.
    indices = (0, 2, 5, 11, 21, 43)
    full, bare = (
        [_draw(index, without) for index in indices]
        for without in ((), ("accessories", "occluders", "expressions", "hair_over_face"))
    )
    for labels in (WORN, MOUTH):
        assert any(np.isin(face.label_map, labels).any() for face in full)
        assert not any(np.isin(face.label_map, labels).any() for face in bare)
    assert all((face.label_map == eye).any() for face in bare for eye in EYES)
    assert any(face.person.fringe for face in full)
    assert not any(face.person.fringe or face.person.occluder for face in bare)


def test_frontal_faces_of_one_size_have_their_eyes_in_one_place() -> None:
    """Where the eyes are, then, is but for the person's own proportions the same."""

    def spread(without: Collection[str]) -> float:
        faces = (_draw(index, ("accessories", "occluders", "hair_over_face", "expressions", *without))
                 for index in range(12))  # fmt: skip
        middles = [np.argwhere(np.isin(face.label_map, EYES)).mean(0) for face in faces]
        return float(np.linalg.norm(np.std(middles, 0)))

    assert spread(("pose", "framing")) < 0.5 * spread(())


def test_a_set_without_parts_is_another_set(tmp_path: pathlib.Path) -> None:
    full = write_dataset("lapa", tmp_path / "full", 1, 0, 0, **OPTIONS)
    settings = json.loads((full / "synthetic_faces.json").read_text())
    assert "without" not in settings  # as before: no set is drawn anew
    root = write_dataset("lapa", tmp_path / "new", 1, 0, 0, without=["pose", "camera"], **OPTIONS)
    own = json.loads((root / "synthetic_faces.json").read_text())
    assert own == {**settings, "without": "camera,pose"}
    drawn = root.stat().st_mtime_ns
    same = {"without": ("camera", "pose", "camera"), **OPTIONS}
    write_dataset("lapa", tmp_path / "new", 1, 0, 0, **same)
    assert root.stat().st_mtime_ns == drawn
    write_dataset("lapa", tmp_path / "new", 1, 0, 0, **OPTIONS)  # the whole drawing: drawn anew
    picture = "train/images/synthetic_train_000000.jpg"
    assert (root / picture).read_bytes() == (full / picture).read_bytes()


def test_what_cannot_be_left_out_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match="without='nose': choose of camera, background, shadows"):
        write_dataset("lapa", tmp_path, 1, 0, 0, without=["nose"], **OPTIONS)
    with pytest.raises(DataError, match="without=camera: it is for style=photographic"):
        write_dataset("lapa", tmp_path, 1, 0, 0, image_size=32, without=["camera"])


def test_the_command_leaves_parts_out_of_set_and_contact_sheet(tmp_path: pathlib.Path) -> None:
    command = ["--layout=lapa", f"--output_dir={tmp_path}", "--num_train=1", "--num_val=0", "--num_test=0",
               "--image_size=32", "--style=photographic"]  # fmt: skip
    sheets = [tmp_path / "full.png", tmp_path / "without.png"]
    assert __main__.main([*command, f"--contact_sheet={sheets[0]}"]) == 0
    assert __main__.main([*command, f"--contact_sheet={sheets[1]}", "--without=pose,camera"]) == 0
    settings = json.loads((tmp_path / "LaPa" / "synthetic_faces.json").read_text())
    assert settings["without"] == "camera,pose"
    assert sheets[0].read_bytes() != sheets[1].read_bytes()


def test_a_config_draws_each_set_in_a_folder_of_its_own(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path / "raw", tmp_path / "prepared").data
    config.synthetic.update({"num_train": 1, "num_val": 1, "num_test": 1, "image_size": 48})
    config.synthetic.style = "photographic"
    full = load_dataset(config).metadata
    config.synthetic.without = ("pose", "camera")
    bare = load_dataset(config).metadata
    assert bare.fingerprint != full.fingerprint
    assert bare.drawing["without"] == "camera,pose" and "without" not in full.drawing
    names = sorted(path.name for path in (tmp_path / "raw").iterdir() if path.is_dir())
    assert names[1] == f"{names[0]}-without-camera-pose"
