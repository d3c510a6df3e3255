"""Tests of class names in words: whose left is left is the set's, and no two classes read alike."""

import pytest

from fpliif_jax.data_builders import class_names
from fpliif_jax.pictures.colours import PART_OF_ALIAS

SETS = (class_names.LAPA_AND_HELEN, class_names.CELEBAMASK_HQ, class_names.FACIAL_PARTS)


@pytest.mark.parametrize("names", SETS)
def test_no_two_classes_of_a_set_read_alike(names: tuple[str, ...]) -> None:
    titles = [class_names.class_title(name) for name in names]
    assert len(set(titles)) == len(names)
    assert not any("_" in title for title in titles)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("l_lip", "lower lip"),
        ("ear_r", "earring"),
        ("r_ear", "right ear"),
        ("neck_l", "necklace"),
        ("left_brow", "left brow"),
        ("l_somebody_s_own", "l somebody s own"),
    ],
)
def test_a_class_is_read_as_its_set_means_it(name: str, title: str) -> None:
    assert class_names.class_title(name) == title


def test_the_person_s_left_is_read_as_left_though_it_is_painted_as_the_picture_s_right() -> None:
    assert class_names.whose_left(class_names.CELEBAMASK_HQ) == class_names.PERSON
    for part in ("brow", "eye", "ear"):
        for short, side, other in (("l", "left", "right"), ("r", "right", "left")):
            assert class_names.class_title(f"{short}_{part}") == f"{side} {part}"
            assert PART_OF_ALIAS[f"{short}_{part}"] == f"{other}_{part}"


def test_which_sets_have_sides() -> None:
    assert all(class_names.has_sides(names) for names in SETS)
    assert not class_names.has_sides(("background", "skin", "l_lip", "u_lip", "ear_r"))


def test_the_same_part_of_another_set_is_found_by_what_the_names_mean_not_by_how_they_look() -> (
    None
):
    lapa, mask_hq = class_names.LAPA_AND_HELEN, class_names.CELEBAMASK_HQ
    parts = dict(zip(mask_hq, class_names.same_parts(mask_hq, lapa), strict=True))
    meant = {name: None if id is None else lapa[id] for name, id in parts.items()}
    assert meant["l_brow"] == "right_brow"  # the person's left is on the right of the picture
    assert meant["r_eye"] == "left_eye"
    assert (meant["mouth"], meant["l_lip"]) == ("inner_mouth", "lower_lip")
    assert meant["hair"] == "hair" and meant["background"] == "background"
    new = {"eye_g", "l_ear", "r_ear", "hat", "ear_r", "neck_l", "neck", "cloth"}
    assert {name for name, other in meant.items() if other is None} == new

    back = class_names.same_parts(lapa, mask_hq)
    assert [mask_hq[id] for id in back if id is not None] == [
        *("background", "skin", "r_brow", "l_brow", "r_eye", "l_eye"),
        *("nose", "u_lip", "mouth", "l_lip", "hair"),
    ]
    assert class_names.same_parts(("face", "hair"), lapa) == (None, 10)


def test_the_same_part_is_found_whatever_else_a_set_of_one_s_own_names() -> None:
    lapa, mask_hq = class_names.LAPA_AND_HELEN, class_names.CELEBAMASK_HQ
    mixed = ("background", "left_eye", "right_eye", "l_lip", "mouth")
    assert class_names.same_parts(mixed, lapa) == (0, 4, 5, 9, 8)
    # A mouth without lips beside it has them, and is no class of those sets.
    assert class_names.same_parts(("background", "skin", "mouth"), lapa) == (0, 1, None)
    ears = class_names.same_parts(("left_ear", "right_ear"), mask_hq)
    assert [mask_hq[id] for id in ears if id is not None] == ["r_ear", "l_ear"]
    assert class_names.same_parts(("l_ear", "r_ear", "ear_r"), mask_hq) == (8, 9, 15)
