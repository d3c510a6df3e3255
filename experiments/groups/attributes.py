"""The groups that drawn photographic faces are in: by what was drawn, not by what somebody sees in the picture."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from fpliif_jax.data_builders.synthetic_faces.photographic.person import PhotographicPerson

# sRGB to CIE XYZ relative to the white point D65 (IEC 61966-2-1).
_XYZ_OF_RGB = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
) / [[0.9505], [1.0], [1.089]]
# Lowest individual typology angle of each class of skin, in degrees (Chardon et al. 1991; Del Bino and Bernerd 2013).
_SKIN_CLASSES = {
    "very light": 55,
    "light": 41,
    "intermediate": 28,
    "tan": 10,
    "brown": -30,
    "dark": -180,
}


@dataclasses.dataclass(frozen=True)
class Attribute:
    """A way to divide faces into groups.

    Attributes:
      name: 'skin tone'.
      groups: every group there can be, in the order of a table.
      group_of: the group of a face by what was drawn.
    """

    name: str
    groups: tuple[str, ...]
    group_of: Callable[[PhotographicPerson], str]


def typology_angle(skin: np.ndarray) -> float:
    """Individual typology angle of a colour of skin, in degrees: atan2(L* − 50, b*), the lighter the larger.

    Args:
      skin: sRGB [3], 0 … 1.
    """
    linear = np.where(skin <= 0.04045, skin / 12.92, ((skin + 0.055) / 1.055) ** 2.4)
    x, y, z = _XYZ_OF_RGB @ linear
    _, y_root, z_root = (
        value ** (1 / 3) if value > (6 / 29) ** 3 else value / 3 * (29 / 6) ** 2 + 4 / 29
        for value in (x, y, z)
    )
    return math.degrees(math.atan2(116 * y_root - 16 - 50, 200 * (y_root - z_root)))


def _skin_tone(person: PhotographicPerson) -> str:
    angle = typology_angle(person.skin)
    return next(name for name, lowest in _SKIN_CLASSES.items() if angle > lowest)


def _facial_hair(person: PhotographicPerson) -> str:
    if person.beard or person.moustache:
        return "beard or moustache"
    return "stubble" if person.stubble else "none"


def _steps(
    name: str,
    value: Callable[[PhotographicPerson], float],
    groups: tuple[str, ...],
    limits: tuple[float, ...],
) -> Attribute:
    """Groups of a number: the first below limits[0], the next below limits[1], …"""

    def group_of(person: PhotographicPerson) -> str:
        return groups[int(np.searchsorted(limits, value(person), side="right"))]

    return Attribute(name, groups, group_of)


def _degrees(name: str, angle: Callable[[PhotographicPerson], float], *limits: int) -> Attribute:
    groups = (
        f"below {limits[0]}°",
        *(f"{low} to {high}°" for low, high in zip(limits, limits[1:], strict=False)),
        f"{limits[-1]}° and more",
    )
    return _steps(name, lambda person: abs(math.degrees(angle(person))), groups, limits)


ATTRIBUTES = (
    Attribute("skin tone", tuple(_SKIN_CLASSES), _skin_tone),
    _steps("lines of age", lambda p: p.age, ("few", "some", "many"), (1 / 3, 2 / 3)),
    Attribute(
        "drawn as",
        ("feminine", "masculine"),
        lambda p: "feminine" if p.feminine else "masculine",
    ),
    Attribute("facial hair", ("none", "stubble", "beard or moustache"), _facial_hair),
    Attribute(
        "hair",
        ("bald", "buzz", "short", "quiff", "fringe", "bob", "long", "wavy", "afro", "bun"),
        lambda p: p.hair_style,
    ),
    Attribute("glasses", ("none", "clear", "dark"), lambda p: p.glasses or "none"),
    Attribute("hat", ("none", "beanie", "cap", "brimmed"), lambda p: p.hat or "none"),
    Attribute(
        "covered by",
        ("nothing", "hand", "microphone", "blob"),
        lambda p: p.occluder or "nothing",
    ),
    Attribute(
        "eyes",
        ("open", "one closed", "both closed"),
        lambda p: ("both closed", "one closed", "open")[sum(map(bool, p.eye_openness))],
    ),
    Attribute(
        "mouth",
        ("neutral", "closed smile", "toothy smile", "open mouth"),
        lambda p: p.expression,
    ),
    _degrees("turned aside", lambda p: p.yaw, 10, 20),
    _degrees("turned up or down", lambda p: p.pitch, 5, 10),
    _degrees("tilted", lambda p: p.roll, 5, 10),
    _steps(
        "width of the face",
        lambda p: 2 * p.unit,
        ("below 1/2 of the picture", "1/2 to 5/8", "5/8 and more"),
        (1 / 2, 5 / 8),
    ),
    _steps(
        "light from all sides",
        lambda p: p.ambient,
        ("little", "medium", "much"),
        (0.45, 0.65),
    ),
    _degrees("lamp from the side", lambda p: math.asin(p.light[0]), 15, 30),
)
