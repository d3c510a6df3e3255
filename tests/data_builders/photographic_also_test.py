"""What photographic drawn faces also show, scarves and such: labels, what stays as it is, and sets of their own."""

import dataclasses
import json
import pathlib
from collections.abc import Collection
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter
from tiny_run import tiny_config

from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.synthetic_faces import Face, __main__, draw_face, write_dataset
from fpliif_jax.data_builders.synthetic_faces.job import face_seed
from fpliif_jax.data_builders.synthetic_faces.photographic import (
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
OPTIONS = {"image_size": 32, "num_workers": 1, "style": "photographic"}


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
SHOWN = {"scarves": (3, 15, 31, 39), "reflections": (2, 22, 27, 43), "hats": (0, 11, 42)}


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


def test_things_are_as_frequent_as_is_documented() -> None:
    rngs = [np.random.default_rng(seed) for seed in range(2000)]
    for sample, share in (
        (neckwear.sample_neckwear, 0.10),
        (head_covers.sample_head_cover, 0.03),
        (reflections.sample_reflection, 0.50),
    ):
        found = np.mean([sample(rng) is not None for rng in rngs])
        assert abs(found - share) < 4 * np.sqrt(share * (1 - share) / 2000)


def test_a_set_with_additions_is_another_set(tmp_path: pathlib.Path) -> None:
    bare = write_dataset("lapa", tmp_path / "bare", 1, 0, 0, **OPTIONS)
    settings = json.loads((bare / "synthetic_faces.json").read_text())
    assert settings["style_version"] == 2 and "also" not in settings  # none is drawn anew
    also = ["scarves", "hats"]
    root = write_dataset("lapa", tmp_path / "more", 1, 0, 0, also=also, **OPTIONS)
    own = json.loads((root / "synthetic_faces.json").read_text())
    assert own == {**settings, "style_version": 3, "also": "hats,scarves"}
    drawn = root.stat().st_mtime_ns
    write_dataset("lapa", tmp_path / "more", 1, 0, 0, also=("hats", "scarves", "hats"), **OPTIONS)
    assert root.stat().st_mtime_ns == drawn


def test_what_cannot_be_added_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match="also='wings': choose of scarves, reflections, hats"):
        write_dataset("lapa", tmp_path, 1, 0, 0, also=["wings"], **OPTIONS)
    with pytest.raises(DataError, match="also=hats: it is for style=photographic"):
        write_dataset("lapa", tmp_path, 1, 0, 0, image_size=32, also=["hats"])


def test_the_command_adds_to_set_and_contact_sheet(tmp_path: pathlib.Path) -> None:
    command = ["--layout=lapa", f"--output_dir={tmp_path}", "--num_train=1", "--num_val=0", "--num_test=0",
               "--image_size=32", "--style=photographic"]  # fmt: skip
    sheets = [tmp_path / "bare.png", tmp_path / "more.png"]
    assert __main__.main([*command, f"--contact_sheet={sheets[0]}"]) == 0
    assert __main__.main([*command, f"--contact_sheet={sheets[1]}", "--also=hats,jewels"]) == 0
    settings = json.loads((tmp_path / "LaPa" / "synthetic_faces.json").read_text())
    assert settings["also"] == "hats,jewels"
    assert sheets[0].read_bytes() != sheets[1].read_bytes()


def test_a_config_draws_each_set_in_a_folder_of_its_own(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path / "raw", tmp_path / "prepared").data
    config.synthetic.update({"num_train": 1, "num_val": 1, "num_test": 1, "image_size": 48})
    config.synthetic.style = "photographic"
    bare = load_dataset(config).metadata
    config.synthetic.also = ("scarves", "hats")
    more = load_dataset(config).metadata
    assert more.fingerprint != bare.fingerprint
    assert more.drawing["also"] == "hats,scarves" and "also" not in bare.drawing
    names = sorted(path.name for path in (tmp_path / "raw").iterdir() if path.is_dir())
    assert [name.split("-photographic")[1] for name in names] == ["2", "3-also-hats-scarves"]
