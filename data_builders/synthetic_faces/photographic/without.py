"""Parts that a drawing of this style can do without, for asking what each of them is good for.

Most are traits: they are changed once a person has been sampled, so that the rest of the person stays as it was.
The two others are no part of a person, and `drawing` asks for them by name: the camera, and the background, whose mean
colour stays.
"""

import dataclasses
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from fpliif_jax.data_builders.synthetic_faces.photographic.person import PhotographicPerson

CAMERA = "camera"
BACKGROUND = "background"
FRAMING = "framing"
_OPEN_EYE = 0.92  # the means of what is sampled for a face
_CLOSE_UP = 0.281
_MIDDLE = 0.535

Changes = dict[str, Any]  # fields of a person, and what they become


def _without_shadows(_: PhotographicPerson) -> Changes:
    """Light from all sides alike: no lamp, none from behind."""
    return {"light": np.array([0.0, 0.0, 1.0]), "ambient": 1.0, "rim": 0.0}


def _without_skin_texture(_: PhotographicPerson) -> Changes:
    """No folds, pores, blotches, freckles, shine, stubble or beards."""
    bare = ("skin_grain", "blotches", "freckles", "shine", "age", "stubble", "beard", "moustache")
    return dict.fromkeys(bare, 0.0)


def _without_hair_texture(_: PhotographicPerson) -> Changes:
    """Hair of one tone, with an even outline: no single locks, strands, streaks, waves."""
    return dict.fromkeys(("hair_grain", "hair_streaks", "hair_wave", "hair_raggedness"), 0.0)


def _without_hair_over_face(_: PhotographicPerson) -> Changes:
    """No fringe, and no hair before the cheeks."""
    return {"fringe": None, "cheek_cover": (-0.10, -0.10)}


def _without_occluders(_: PhotographicPerson) -> Changes:
    """No hand, microphone or thing before the face."""
    return {"occluder": None}


def _without_accessories(_: PhotographicPerson) -> Changes:
    """No glasses, hat or jewels."""
    return dict.fromkeys(("glasses", "hat", "earrings", "necklace"))


def _without_expressions(_: PhotographicPerson) -> Changes:
    """Neutral: lips closed, eyes open, brows at rest."""
    return {
        "expression": "neutral",
        "smile": 0.0,
        "mouth_opening": 0.0,
        "eye_openness": (_OPEN_EYE, _OPEN_EYE),
        "brow_height": (0.0, 0.0),
    }


def _without_pose(person: PhotographicPerson) -> Changes:
    """Upright and frontal, at the place where the turned face is."""
    x, y = person.centre
    return {
        "yaw": 0.0,
        "pitch": 0.0,
        "roll": 0.0,
        "centre": (x + 0.55 * person.unit * float(np.sin(person.yaw)), y),
    }


def _without_framing(person: PhotographicPerson) -> Changes:
    """All of one size, in the middle."""
    x = 0.5 - 0.55 * _CLOSE_UP * float(np.sin(person.yaw))
    return {"unit": _CLOSE_UP, "centre": (x, _MIDDLE)}


_TRAITS: dict[str, Callable[[PhotographicPerson], Changes]] = {
    "shadows": _without_shadows,
    "skin_texture": _without_skin_texture,
    "hair_texture": _without_hair_texture,
    "hair_over_face": _without_hair_over_face,
    "occluders": _without_occluders,
    "accessories": _without_accessories,
    "expressions": _without_expressions,
    "pose": _without_pose,
    FRAMING: _without_framing,
}
PARTS = (CAMERA, BACKGROUND, *_TRAITS)


def changed(person: PhotographicPerson, without: Collection[str]) -> PhotographicPerson:
    """The person without some of `PARTS`; those that are no traits change nothing here."""
    for part, changes in _TRAITS.items():
        if part in without:
            person = dataclasses.replace(person, **changes(person))
    return person
