"""What photographic drawn faces also show, scarves and such: labels, what stays as it is, and sets of their own."""

import dataclasses
from collections.abc import Collection
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from fpliif_jax.data_builders.synthetic_faces import Face, draw_face
from fpliif_jax.data_builders.synthetic_faces.job import face_seed
from fpliif_jax.data_builders.synthetic_faces.photographic import (
    arms,
    half_length,
    hats,
    head_covers,
    jewels,
    neckwear,
    reflections,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.also import ADDITIONS, own_generators

SIZE = 64
EYEGLASSES, EYES_AND_BROWS, HAIR, HAT, EARRING, NECKLACE, CLOTH = (
    3,
    (4, 5, 6, 7),
    13,
    14,
    15,
    16,
    18,
)
LAPA_BACKGROUND, LAPA_SKIN = 0, 1


def _draw(index: int, also: Collection[str] = (), without: Collection[str] = ()) -> Face:
    return draw_face(face_seed(0, "train", index), SIZE, "photographic", without, also)


def _same(one: Face, other: Face) -> bool:
    return all(
        np.array_equal(getattr(one, field), getattr(other, field))
        for field in ("image", "label_map", "lapa_label_map", "landmarks")
    )


@pytest.fixture(scope="module")
def faces() -> list[Face]:
    return [_draw(index) for index in range(44)]


# Of those 44.
SHOWN = {
    "scarves": (3, 15, 31, 39),
    "reflections": (2, 22, 27, 43),
    "hats": (0, 11, 42),
    "half_length": (4, 6, 7, 14, 15, 16, 20, 21, 24, 26, 27, 32, 41),
}


@pytest.mark.parametrize("addition", SHOWN)
def test_faces_that_do_not_show_an_addition_keep_every_byte(
    faces: list[Face], addition: str
) -> None:
    changed = {i for i, face in enumerate(faces) if not _same(_draw(i, [addition]), face)}
    assert changed == set(SHOWN[addition])


def test_an_addition_moves_no_random_number_of_the_drawing() -> None:
    """Nor of another addition: each has a generator of its own."""
    states = []
    for also in ((), ADDITIONS):
        rngs = [np.random.Generator(np.random.PCG64(face_seed(0, "train", i))) for i in range(6)]
        for rng in rngs:
            draw_face(rng, SIZE, "photographic", (), also)
        states.append([rng.bit_generator.state for rng in rngs])
    assert states[0] == states[1]
    rng = np.random.default_rng(4)
    every = own_generators(rng, ADDITIONS)
    values = {name: one.random() for name, one in every.items()}
    assert len(set(values.values())) == len(ADDITIONS)
    for name in ADDITIONS:
        assert own_generators(rng, [name])[name].random() == values[name]


def test_labels_stay_exact_and_a_seed_draws_the_same_again() -> None:
    for index in (0, 3, 15, 22, 31):
        face = _draw(index, ADDITIONS)
        np.testing.assert_array_equal(face.soft_masks().argmax(0), face.lapa_label_map)
        assert _same(_draw(index, ADDITIONS), face)
        larger = draw_face(face_seed(0, "train", index), 2 * SIZE, "photographic", (), ADDITIONS)
        assert (larger.label_map[::2, ::2] == face.label_map).mean() > 0.92  # all but the borders


def _always(monkeypatch: pytest.MonkeyPatch, module: Any, kind: str, share: str = "") -> None:
    """Draws one kind on every face that may show it."""
    if share:
        monkeypatch.setattr(module, share, 1.0)
    kinds = "_EARRINGS" if kind in jewels._EARRINGS else "_NECKLACES" if module is jewels else "_KINDS"  # fmt: skip
    monkeypatch.setattr(module, kinds, {kind: 1.0})


@pytest.mark.parametrize("kind", neckwear._KINDS)
def test_what_is_worn_around_the_neck_is_cloth(
    monkeypatch: pytest.MonkeyPatch, faces: list[Face], kind: str
) -> None:
    monkeypatch.setattr(head_covers, "_SHARE", 0.0)
    _always(monkeypatch, neckwear, kind, "_SHARE")
    more = 0
    for index, before in enumerate(faces[:10]):
        face = _draw(index, ["scarves"])
        moved = face.label_map != before.label_map
        assert (face.label_map[moved] == CLOTH).all()
        assert (face.lapa_label_map[face.label_map == CLOTH] == LAPA_BACKGROUND).all()
        more += int(moved.sum())
    assert more > 10 * 30


@pytest.mark.parametrize("kind", head_covers._KINDS)
def test_covered_hair_is_cloth(
    monkeypatch: pytest.MonkeyPatch, faces: list[Face], kind: str
) -> None:
    _always(monkeypatch, head_covers, kind, "_SHARE")
    for index, before in enumerate(faces[:10]):
        face = _draw(index, ["scarves"])
        assert (face.label_map == CLOTH).sum() > (before.label_map == CLOTH).sum() + 300
        hair, was = ((one.label_map == HAIR) for one in (face, before))
        assert hair.sum() < 0.6 * was.sum() or not was.any()
        assert not (face.lapa_label_map == 10)[face.label_map == CLOTH].any()
        assert not (face.label_map == HAT).any()
        if kind == "closed":
            assert not hair.any() and not (face.lapa_label_map == 10).any()


def _near(mask: np.ndarray) -> np.ndarray:
    """The mask and the pixels around it: edges cover less than half of some."""
    return np.asarray(Image.fromarray(mask).convert("L").filter(ImageFilter.MaxFilter(3))) > 0


@pytest.mark.parametrize("kind", reflections._KINDS)
@pytest.mark.parametrize("opacity", [0.3, 0.9])
def test_glare_hides_eyes_where_it_is_opaque(
    monkeypatch: pytest.MonkeyPatch, kind: str, opacity: float
) -> None:
    sample = reflections.sample_reflection
    _always(monkeypatch, reflections, kind, "_SHARE")

    def of_one_opacity(rng: np.random.Generator) -> reflections.Reflection | None:
        shown = sample(rng)
        return None if shown is None else dataclasses.replace(shown, opacity=opacity)

    monkeypatch.setattr(
        "fpliif_jax.data_builders.synthetic_faces.photographic.drawing.sample_reflection",
        of_one_opacity,
    )
    hidden = 0
    for index in (2, 7, 9, 22, 62, 63, 68, 72):  # clear glasses
        before, face = (_draw(index, also, ["camera"]) for also in ((), ["reflections"]))
        moved = face.label_map != before.label_map
        assert (face.label_map[moved] == EYEGLASSES).all()
        assert np.isin(before.label_map[moved], EYES_AND_BROWS).all()
        moved_11 = face.lapa_label_map != before.lapa_label_map
        np.testing.assert_array_equal(moved_11, moved)
        assert (face.lapa_label_map[moved] == LAPA_SKIN).all()
        lit = (face.image != before.image).any(-1)
        assert lit.any() or kind != "veil"
        assert not (lit & ~_near(np.isin(before.label_map, (EYEGLASSES, *EYES_AND_BROWS)))).any()
        hidden += int(moved.sum())
    assert (hidden > 0) == (opacity > 0.5)


@pytest.mark.parametrize("kind", hats._KINDS)
def test_each_kind_of_hat_is_a_hat(
    monkeypatch: pytest.MonkeyPatch, faces: list[Face], kind: str
) -> None:
    _always(monkeypatch, hats, kind)
    for index in SHOWN["hats"]:
        face = _draw(index, ["hats"])
        top = np.argwhere(face.label_map == HAT)[:, 0]
        assert len(top) > 40 and top.mean() < SIZE / 2
        assert (face.lapa_label_map[face.label_map == HAT] == LAPA_BACKGROUND).all()


@pytest.mark.parametrize("kind", [*jewels._EARRINGS, *jewels._NECKLACES])
def test_each_kind_of_jewel_has_its_label(
    monkeypatch: pytest.MonkeyPatch, faces: list[Face], kind: str
) -> None:
    _always(monkeypatch, jewels, kind)
    label, trait = (EARRING, "earrings") if kind in jewels._EARRINGS else (NECKLACE, "necklace")
    wearers = [i for i, face in enumerate(faces) if getattr(face.person, trait)]
    shown = [int((_draw(index, ["jewels"]).label_map == label).sum()) for index in wearers]
    assert wearers and max(shown) >= 2


@pytest.mark.parametrize("kind", arms._POSTURES)
def test_half_length_pictures_show_a_body_below_a_small_face(
    monkeypatch: pytest.MonkeyPatch, faces: list[Face], kind: str
) -> None:
    monkeypatch.setattr(half_length, "_SHARE", 1.0)
    monkeypatch.setattr(arms, "_ODDS", {kind: 1})
    widths = []
    for index, before in enumerate(faces[:12]):
        face = _draw(index, ["half_length"])
        widths.append(2 * face.person.unit)
        np.testing.assert_array_equal(face.person.skin, before.person.skin)
        rows, columns = np.nonzero(face.lapa_label_map)  # face and hair
        assert rows.max() < 0.75 * SIZE and columns.min() > 0 and columns.max() < SIZE - 1
        cloth = face.label_map == CLOTH
        assert cloth.mean() > 0.1 and cloth[-SIZE // 8 :].any()
        shoulders = np.ptp(np.nonzero(cloth)[1]) / SIZE
        assert 1.5 < shoulders / widths[-1] < 5.5
    assert min(widths) >= 0.15 and max(widths) <= 0.30


@pytest.mark.parametrize("index", [0, 4, 11, 114])
def test_bare_arms_are_background(monkeypatch: pytest.MonkeyPatch, index: int) -> None:
    monkeypatch.setattr(half_length, "_SHARE", 1.0)
    labels = []
    for sleeve in (0.12, 1.95):
        monkeypatch.setattr(arms, "_SLEEVES", {sleeve: 1})
        labels.append(_draw(index, ["half_length"]).label_map)
    short, long = labels
    assert (short[short != long] == 0).all() and (long[short != long] == CLOTH).all()
    assert (short != long).sum() > 50


@pytest.mark.parametrize("index", [11, 114])  # a hand, a microphone
@pytest.mark.parametrize("sleeve", arms._SLEEVES)
def test_a_hand_before_the_face_has_an_arm(
    monkeypatch: pytest.MonkeyPatch, index: int, sleeve: float
) -> None:
    monkeypatch.setattr(half_length, "_SHARE", 1.0)
    monkeypatch.setattr(arms, "_SLEEVES", {sleeve: 1})
    bare, face = (_draw(index, ["half_length"], without) for without in (["occluders"], []))
    moved = face.label_map != bare.label_map
    assert np.isin(face.label_map[moved], (0, CLOTH)).all()
    assert (bare.label_map[moved] != 0).any() and (face.label_map[moved] == 0).sum() > 5
    np.testing.assert_array_equal(face.soft_masks().argmax(0), face.lapa_label_map)


def test_things_are_as_frequent_as_is_documented() -> None:
    rngs = [np.random.default_rng(seed) for seed in range(2000)]
    for sample, share in (
        (neckwear.sample_neckwear, 0.10),
        (head_covers.sample_head_cover, 0.03),
        (reflections.sample_reflection, 0.50),
        (half_length.sample_half_length, 1 / 3),
    ):
        found = np.mean([sample(rng) is not None for rng in rngs])
        assert abs(found - share) < 4 * np.sqrt(share * (1 - share) / 2000)
