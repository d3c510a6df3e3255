"""Everything that differs from face to face, drawn from a random generator."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

SKIN_TONES = np.array(
    [
        (0.96, 0.82, 0.74),
        (0.94, 0.77, 0.66),
        (0.89, 0.69, 0.56),
        (0.80, 0.59, 0.45),
        (0.67, 0.46, 0.34),
        (0.50, 0.33, 0.24),
        (0.38, 0.24, 0.18),
    ]
)
HAIR_COLOURS = np.array(
    [
        (0.09, 0.08, 0.09),
        (0.17, 0.11, 0.08),
        (0.27, 0.17, 0.11),
        (0.40, 0.26, 0.16),
        (0.46, 0.20, 0.11),
        (0.70, 0.38, 0.18),
        (0.80, 0.63, 0.38),
        (0.91, 0.80, 0.58),
        (0.52, 0.52, 0.53),
        (0.86, 0.85, 0.84),
        (0.75, 0.35, 0.55),
        (0.25, 0.42, 0.62),
    ]
)
_HAIR_COLOUR_ODDS = np.array([16, 18, 16, 12, 6, 6, 10, 6, 5, 4, 1, 1]) / 101
IRIS_COLOURS = np.array(
    [
        (0.26, 0.16, 0.09),
        (0.36, 0.22, 0.12),
        (0.45, 0.33, 0.17),
        (0.36, 0.44, 0.28),
        (0.36, 0.52, 0.66),
        (0.46, 0.54, 0.58),
    ]
)
HAIR_STYLES = {
    "bald": 5,
    "buzz": 7,
    "short": 18,
    "quiff": 10,
    "fringe": 12,
    "bob": 13,
    "long": 17,
    "wavy": 13,
    "afro": 8,
    "bun": 9,
}
LONG_STYLES = ("bob", "long", "wavy")
HATS = ("beanie", "cap", "brimmed")


@dataclass(frozen=True)
class Person:
    """One face's traits. Lengths are head units (half a face's width), angles radians, colours
    sRGB 0 … 1. Pairs are (the person's left, the person's right) where nothing else is said."""

    yaw: float
    pitch: float
    roll: float
    unit: float  # fraction of the picture's side
    centre: tuple[float, float]  # of the head's origin, fractions of the picture's side
    light: np.ndarray  # unit vector towards the light: right, down, towards the viewer
    ambient: float
    skin: np.ndarray
    iris: np.ndarray
    lips: np.ndarray
    makeup: float
    jaw: float
    chin: float
    length: float
    eye_spacing: float
    eye_width: float  # half
    eye_height: float  # half, when open
    eye_tilt: float
    eye_openness: tuple[float, float]
    eye_height_shift: float
    gaze: tuple[float, float]
    brow_colour: np.ndarray
    brow_height: tuple[float, float]
    brow_arch: float
    brow_width: float
    nose_width: float  # half
    nose_length: float
    nose_height: float
    mouth_width: float  # half
    mouth_y: float
    smile: float
    mouth_opening: float
    upper_lip: float
    lower_lip: float
    teeth: bool
    beard: float
    moustache: float
    ear_size: float
    hair_style: str
    hair: np.ndarray
    hair_volume: float
    hair_length: float
    hair_part: float
    hair_shine: float
    hairline: float
    hair_over_ears: bool
    glasses: str | None
    glasses_colour: np.ndarray
    glasses_roundness: float
    glasses_size: float
    hat: str | None
    hat_colour: np.ndarray
    earrings: str | None
    necklace: str | None
    jewel_colour: np.ndarray
    cloth_colour: np.ndarray
    cloth_style: str
    occluder: str | None


def _choice(rng: np.random.Generator, odds: Mapping[str, float]) -> str:
    names = list(odds)
    weights = np.array([odds[name] for name in names], float)
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]


def _normal(rng: np.random.Generator, deviation: float, limit: float) -> float:
    return float(np.clip(rng.normal(0.0, deviation), -limit, limit))


def vivid_colour(rng: np.random.Generator) -> np.ndarray:
    """A random colour, from nearly grey to saturated: [3]."""
    value = rng.uniform(0.12, 0.95)
    hue = rng.uniform(0, 2 * np.pi)
    saturation = rng.uniform(0.0, 0.55) * value
    wheel = np.cos(hue - np.array([0.0, 2.0944, 4.1888]))
    return np.clip(value + saturation * wheel, 0.03, 0.97)


def sample_person(rng: np.random.Generator) -> Person:
    """Traits of one face. Uses `rng` alone, and nothing of the picture's size.

    The order of the draws is a contract, which is why this is one long function: one more, one less or two that change
    places draw other faces from the same seed, and that is another version of the drawing.
    """

    def uniform(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def happens(odds: float) -> bool:
        return bool(rng.random() < odds)

    tone = uniform(0, len(SKIN_TONES) - 1)
    skin = np.array([np.interp(tone, np.arange(len(SKIN_TONES)), c) for c in SKIN_TONES.T])
    skin = np.clip(skin * rng.normal(1.0, 0.03) * rng.normal(1.0, 0.010, 3), 0.08, 0.98)
    style = _choice(rng, HAIR_STYLES)
    feminine = happens(0.9 if style in (*LONG_STYLES, "bun") else 0.2)
    hair = HAIR_COLOURS[int(rng.choice(len(HAIR_COLOURS), p=_HAIR_COLOUR_ODDS))]
    hair = np.clip(hair * rng.normal(1.0, 0.06, 3), 0.04, 0.95)
    makeup = uniform(0.3, 1.0) if feminine and happens(0.65) else 0.0
    lips = skin * (0.90, 0.64, 0.64)
    if makeup:
        stick = np.array(
            [(0.75, 0.12, 0.18), (0.80, 0.35, 0.40), (0.60, 0.15, 0.25), (0.85, 0.45, 0.42)]
        )[int(rng.integers(4))]
        lips = lips + (stick - lips) * 0.75 * makeup
    light = np.array([_normal(rng, 0.45, 0.9), uniform(-0.75, -0.05), uniform(0.75, 1.1)])
    openness = uniform(0.75, 1.05)
    eyes = [openness, openness]
    if happens(0.06):
        eyes = [0.0, 0.0]
    elif happens(0.03):
        eyes[int(rng.integers(2))] = 0.0
    brow_lift = _normal(rng, 0.03, 0.06)
    opening = uniform(0.06, 0.34) if happens(0.55) else 0.0
    unit = uniform(0.235, 0.325)
    bearded = not feminine and happens(0.4)
    glasses = _choice(rng, {"": 78, "clear": 16, "dark": 6}) or None
    hat = _choice(rng, {"": 88, **dict.fromkeys(HATS, 4)}) or None
    occluder = _choice(rng, {"": 87, "hand": 7, "blob": 4, "microphone": 2}) or None
    return Person(
        yaw=_normal(rng, 0.20, 0.38),
        pitch=_normal(rng, 0.11, 0.22),
        roll=_normal(rng, 0.14, 0.40),
        unit=unit,
        centre=(
            0.5 + _normal(rng, 0.035, 0.08),
            0.49 - 0.17 * (unit - 0.2) + _normal(rng, 0.03, 0.06),
        ),
        light=light / np.linalg.norm(light),
        ambient=uniform(0.42, 0.75),
        skin=skin,
        iris=IRIS_COLOURS[int(rng.integers(len(IRIS_COLOURS)))] * uniform(0.8, 1.15),
        lips=np.clip(lips, 0.05, 0.95),
        makeup=makeup,
        jaw=uniform(0.90, 1.0) if feminine else uniform(0.97, 1.08),
        chin=uniform(0.75, 1.0) if feminine else uniform(0.9, 1.25),
        length=uniform(0.93, 1.05),
        eye_spacing=uniform(0.41, 0.46),
        eye_width=uniform(0.195, 0.235),
        eye_height=uniform(0.075, 0.105),
        eye_tilt=uniform(-0.015, 0.04),
        eye_openness=(eyes[0], eyes[1]),
        eye_height_shift=_normal(rng, 0.02, 0.04),
        gaze=(_normal(rng, 0.03, 0.07), _normal(rng, 0.01, 0.025)),
        brow_colour=np.clip(np.minimum(hair * uniform(0.55, 0.85), skin * 0.62), 0.03, 0.9),
        brow_height=(
            brow_lift + _normal(rng, 0.012, 0.03),
            brow_lift + _normal(rng, 0.012, 0.03),
        ),
        brow_arch=uniform(0.02, 0.11),
        brow_width=uniform(0.09, 0.14) if feminine else uniform(0.12, 0.18),
        nose_width=uniform(0.21, 0.29),
        nose_length=uniform(0.92, 1.06),
        nose_height=uniform(0.22, 0.32),
        mouth_width=uniform(0.35, 0.45),
        mouth_y=uniform(0.82, 0.88),
        smile=uniform(-0.05, 0.14),
        mouth_opening=opening,
        upper_lip=uniform(0.10, 0.15),
        lower_lip=uniform(0.14, 0.20),
        teeth=happens(0.8),
        beard=uniform(0.25, 0.8) if bearded else 0.0,
        moustache=uniform(0.3, 0.9) if bearded and happens(0.7) else 0.0,
        ear_size=uniform(0.85, 1.15),
        hair_style=style,
        hair=hair,
        hair_volume=uniform(0.7, 1.3),
        hair_length={"bob": uniform(0.9, 1.5), "bun": 0.0}.get(style, uniform(1.8, 3.2)),
        hair_part=_normal(rng, 0.3, 0.5),
        hair_shine=uniform(0.15, 0.6),
        hairline=uniform(-0.06, 0.08),
        hair_over_ears=happens(0.6),
        glasses=glasses,
        glasses_colour=vivid_colour(rng) * uniform(0.15, 0.9),
        glasses_roundness=uniform(2.0, 5.0),
        glasses_size=uniform(0.92, 1.12),
        hat=hat,
        hat_colour=vivid_colour(rng),
        earrings=_choice(rng, {"": 2, "stud": 1, "hoop": 1.5, "drop": 1.5}) or None
        if feminine and happens(0.7)
        else None,
        necklace=_choice(rng, {"beads": 1, "chain": 1}) if feminine and happens(0.35) else None,
        jewel_colour=np.array([(0.86, 0.70, 0.30), (0.80, 0.81, 0.84), (0.93, 0.91, 0.87)])[
            int(rng.integers(3))
        ],
        cloth_colour=vivid_colour(rng),
        cloth_style=_choice(rng, {"crew": 4, "vee": 3, "shirt": 3, "high": 1}),
        occluder=occluder,
    )
