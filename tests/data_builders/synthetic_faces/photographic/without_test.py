"""Photographic drawn faces without some of their parts: what is gone, what stays, and sets of their own."""

from collections.abc import Collection

import numpy as np
import pytest

from fpliif_jax.data_builders.synthetic_faces import Face, draw_face
from fpliif_jax.data_builders.synthetic_faces.job import face_seed
from fpliif_jax.data_builders.synthetic_faces.photographic.without import PARTS

SIZE = 64
EYES, GLASSES, MOUTH, HAIR, WORN = (4, 5), 3, 10, 13, (3, 14, 15, 16)  # hat, earring, necklace too


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
