"""Traits of the faces of this style: those of a plain one with other odds, and what only this style shows.

Sizes have the means and spreads of label maps of 4,000 photographs, relative to the distance of the eyes.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from fpliif_jax.data_builders.synthetic_faces.person import (
    HAIR_COLOURS,
    HATS,
    LONG_STYLES,
    SKIN_TONES,
    Person,
    sample_person,
    vivid_colour,
)
from fpliif_jax.data_builders.synthetic_faces.photographic.odds import chosen

_HAIR_COLOUR_ODDS = np.array([20, 20, 16, 13, 7, 4, 11, 9, 4, 4, 0.7, 0.5])
_HAIR_STYLES = {
    "bald": 3,
    "buzz": 7,
    "short": 18,
    "quiff": 7,
    "fringe": 6,
    "bob": 16,
    "long": 30,
    "wavy": 28,
    "afro": 4,
    "bun": 8,
}
_EXPRESSIONS = {"neutral": 30, "closed smile": 12, "toothy smile": 42, "open mouth": 16}


@dataclass(frozen=True)
class PhotographicPerson(Person):
    """Lengths, angles and colours as in Person; shares and strengths are 0 … 1 where nothing else is said.
    Pairs are (the person's left, the person's right)."""

    feminine: bool  # by these odds make-up, beard, jewels and lengths were drawn
    expression: str  # neutral, closed smile, toothy smile or open mouth
    brow_y: float
    brow_ends: tuple[float, float]  # x of the inner and of the outer one
    brow_fall: float  # of the outer end below the inner
    brow_opacity: float
    iris_size: float  # radius
    lashes: float
    age: float
    skin_grain: float  # folds and pores
    blotches: float  # of the skin
    freckles: float
    shine: float
    stubble: float
    key: np.ndarray  # colour of the lamp
    fill: np.ndarray  # colour of the ambient light
    rim: float  # light from behind; its sign is the side
    hair_grain: float  # how much locks and strands differ in tone
    hair_streak: np.ndarray
    hair_streaks: float
    hair_fall: float  # volume of long hair beside the face, units
    hair_wave: float
    hair_raggedness: float
    hair_strand: float  # width of a lock
    cheek_cover: tuple[float, float]  # how far falling hair covers the face, units
    sides_fall: tuple[bool, bool]  # whether long hair falls in front of the shoulder
    fringe: str | None  # straight, swept or wisps
    fringe_reach: float  # y of its tips
    neck_width: float  # half
    neckline: float  # how far below the neck's base clothes begin
    cloth_pattern: str | None
    collar_colour: np.ndarray


def sample_photographic_person(rng: np.random.Generator) -> PhotographicPerson:
    """Traits of one face. Uses `rng` alone, and nothing of the picture's size.

    The order of the draws is a contract, which is why this is one long function: one more, one less or two that change
    places draw other faces from the same seed, and that is another version of the drawing.
    """

    def uniform(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def normal(mean: float, deviation: float, low: float, high: float) -> float:
        return float(min(max(rng.normal(mean, deviation), low), high))

    def happens(odds: float) -> bool:
        return bool(rng.random() < odds)

    base = sample_person(rng)
    style = chosen(rng, _HAIR_STYLES)
    feminine = happens(0.93 if style in (*LONG_STYLES, "bun") else 0.25)
    age = uniform(0, 1) ** 1.7
    tone = 6 * uniform(0, 1) ** 1.6
    skin = np.array([np.interp(tone, np.arange(len(SKIN_TONES)), c) for c in SKIN_TONES.T])
    skin = np.clip(skin * rng.normal(0.97, 0.05) * rng.normal(1.0, 0.025, 3), 0.08, 0.99)
    odds = _HAIR_COLOUR_ODDS.copy()
    odds[8:10] *= 0.3 + 3 * age
    odds[:3] *= 1 + 0.5 * tone
    hair = HAIR_COLOURS[int(rng.choice(len(odds), p=odds / odds.sum()))]
    hair = np.clip(hair * rng.normal(1.0, 0.12) * rng.normal(1.0, 0.06, 3), 0.03, 0.97)
    streak = HAIR_COLOURS[int(rng.choice(len(odds), p=odds / odds.sum()))]
    makeup = uniform(0.2, 1.0) if feminine and happens(0.75) else 0.0
    lips = skin * (uniform(0.86, 1.0), uniform(0.56, 0.76), uniform(0.58, 0.78))
    if makeup:
        stick = np.array([(0.75, 0.12, 0.18), (0.82, 0.42, 0.45), (0.55, 0.15, 0.22),
                          (0.86, 0.50, 0.47), (0.72, 0.38, 0.34)])[int(rng.integers(5))]  # fmt: skip
        lips = lips + (stick - lips) * uniform(0.2, 0.85) * makeup

    expression = chosen(rng, _EXPRESSIONS)
    smile, opening = uniform(-0.03, 0.04), 0.0
    if expression == "closed smile":
        smile = uniform(0.03, 0.12)
    elif expression == "toothy smile":
        smile = uniform(0.07, 0.20)
        opening = uniform(0.03, 0.19)
    elif expression == "open mouth":
        smile = uniform(-0.02, 0.08)
        opening = normal(0.09, 0.09, 0.02, 0.34)
    squint = 0.25 * max(smile, 0) / 0.2
    openness = normal(0.92, 0.16, 0.45, 1.25) * (1 - 0.7 * squint)
    eyes = [openness * normal(1, 0.04, 0.9, 1.1), openness * normal(1, 0.04, 0.9, 1.1)]
    if happens(0.04):
        eyes = [0.0, 0.0]
    elif happens(0.02):
        eyes[int(rng.integers(2))] = 0.0
    lift = normal(0, 0.03, -0.07, 0.09)

    close_up = happens(0.7)
    unit = normal(0.281, 0.012, 0.25, 0.31) if close_up else uniform(0.17, 0.38)
    across = normal(0, 0.02 if close_up else 0.06, -0.13, 0.13)
    down = normal(0.535, 0.02 if close_up else 0.06, 0.40, 0.66)
    yaw = normal(0, 0.24, -0.60, 0.60)
    bearded = not feminine and happens(0.42)
    falls = style in LONG_STYLES
    covers = [
        normal(0.05, 0.09, -0.10, 0.40) + (uniform(0.1, 0.35) if happens(0.08) else 0)
        for _ in range(2)
    ]
    fringe = None
    if falls or style == "bun":
        fringe = chosen(rng, {"": 5, "swept": 3, "straight": 1.2, "wisps": 1.8}) or None
    elif style in ("short", "quiff", "fringe"):
        kinds = {"": 3, "swept": 2, "straight": 1, "wisps": 2}
        fringe = "straight" if style == "fringe" else chosen(rng, kinds) or None
    glasses = chosen(rng, {"": 91, "clear": 6, "dark": 3}) or None
    hat = chosen(rng, {"": 94, **dict.fromkeys(HATS, 2)}) or None
    occluder = chosen(rng, {"": 92, "hand": 5, "blob": 1.5, "microphone": 1.5}) or None
    light = np.array([rng.normal(0, 0.5), uniform(-0.9, 0.0), uniform(0.55, 1.2)])
    warmth = rng.normal(0, 0.05)
    key = np.array([1 + warmth, 1.0, 1 - 1.3 * warmth])
    changes: dict[str, Any] = dict(
        yaw=yaw,
        pitch=normal(0, 0.11, -0.25, 0.25),
        roll=normal(0, 0.075, -0.30, 0.30),
        unit=unit,
        centre=(0.5 + across - 0.55 * unit * np.sin(yaw), down),
        light=light / np.linalg.norm(light),
        ambient=uniform(0.25, 0.85),
        skin=skin,
        lips=np.clip(lips, 0.05, 0.95),
        makeup=makeup,
        jaw=normal(0.97 if feminine else 1.03, 0.05, 0.86, 1.12),
        chin=normal(0.92 if feminine else 1.08, 0.12, 0.70, 1.35),
        length=normal(1.0, 0.055, 0.88, 1.14),
        eye_spacing=normal(0.433, 0.016, 0.40, 0.47),
        eye_width=normal(0.176, 0.019, 0.13, 0.22),
        eye_height=normal(0.068, 0.010, 0.048, 0.095),
        eye_tilt=normal(0.008, 0.014, -0.02, 0.045),
        eye_openness=(eyes[0], eyes[1]),
        eye_height_shift=normal(0, 0.012, -0.03, 0.03),
        gaze=(normal(0, 0.022, -0.055, 0.055), normal(0.0, 0.006, -0.014, 0.014)),
        brow_colour=np.clip(
            np.minimum(hair * uniform(0.45, 1.0), skin * uniform(0.40, 0.75)), 0.03, 0.9
        ),
        brow_height=(lift + rng.normal(0, 0.012), lift + rng.normal(0, 0.012)),
        brow_arch=uniform(0.0, 0.12) if feminine else uniform(-0.02, 0.08),
        brow_width=normal(0.100, 0.028, 0.05, 0.18)
        if feminine
        else normal(0.142, 0.034, 0.07, 0.23),
        nose_width=normal(0.255 if tone < 4 else 0.285, 0.020, 0.20, 0.34),
        nose_length=normal(0.99, 0.05, 0.86, 1.14),
        nose_height=normal(0.26, 0.035, 0.18, 0.36),
        mouth_width=normal(0.375, 0.035, 0.28, 0.47),
        mouth_y=normal(0.745, 0.03, 0.67, 0.83),
        smile=smile,
        mouth_opening=opening,
        upper_lip=normal(0.125, 0.030, 0.05, 0.20),
        lower_lip=normal(0.172, 0.034, 0.09, 0.26),
        teeth=happens(0.93 if expression == "toothy smile" else 0.6),
        beard=uniform(0.2, 0.95) if bearded and happens(0.6) else 0.0,
        moustache=uniform(0.2, 0.95) if bearded and happens(0.6) else 0.0,
        hair_style=style,
        hair=hair,
        hair_volume=uniform(0.7, 1.6),
        hair_length=uniform(0.9, 1.5) if style == "bob" else uniform(1.6, 3.4),
        hair_part=normal(0, 0.28, -0.55, 0.55),
        hair_shine=uniform(0.1, 0.9),
        hairline=normal(0.06, 0.07, -0.10, 0.22) + 0.08 * age * (not feminine),
        hair_over_ears=happens(0.88),
        glasses=glasses,
        hat=hat,
        earrings=chosen(rng, {"": 3, "stud": 1.5, "hoop": 1, "drop": 1.5}) or None
        if feminine
        else None,
        necklace=chosen(rng, {"": 3, "beads": 0.5, "chain": 1}) or None if feminine else None,
        occluder=occluder,
        cloth_style=chosen(rng, {"crew": 3, "vee": 3, "shirt": 3}),
        cloth_colour=np.clip(vivid_colour(rng) * uniform(0.3, 1.1), 0.02, 0.98),
    )
    base_traits = {f.name: getattr(base, f.name) for f in fields(Person)}
    return PhotographicPerson(
        **(base_traits | changes),
        feminine=feminine,
        expression=expression,
        brow_y=normal(-0.352, 0.028, -0.42, -0.27),
        brow_ends=(normal(0.185, 0.035, 0.09, 0.28), normal(0.83, 0.055, 0.68, 0.95)),
        brow_fall=normal(0.02, 0.03, -0.05, 0.10),
        brow_opacity=uniform(0.45, 0.98),
        iris_size=normal(0.066, 0.004, 0.056, 0.078),
        lashes=uniform(0.3, 0.8) if not makeup else uniform(0.6, 1.3),
        age=age,
        skin_grain=1.0,
        blotches=uniform(0.01, 0.05),
        freckles=uniform(0.1, 0.5) if tone < 3 and happens(0.12) else 0.0,
        shine=uniform(0.02, 0.45) ** 1.2,
        stubble=uniform(0.1, 0.5) if not feminine and happens(0.4) else 0.0,
        key=key,
        fill=np.array([1 - 0.6 * warmth, 1.0, 1 + 0.8 * warmth]) * rng.normal(1, 0.02, 3),
        rim=normal(0, 0.3, -0.7, 0.7) if happens(0.3) else 0.0,
        hair_grain=1.0,
        hair_streak=streak,
        hair_streaks=uniform(0.1, 0.6) if feminine and happens(0.45) else 0.0,
        hair_fall=uniform(0.18, 0.85),
        hair_wave={"wavy": uniform(0.03, 0.12), "long": uniform(0, 0.03)}.get(
            style, uniform(0, 0.03)
        ),
        hair_raggedness=uniform(0.1, 1.0),
        hair_strand=uniform(0.05, 0.17),
        cheek_cover=(covers[0], covers[1]),
        sides_fall=(happens(0.85), happens(0.85)),
        fringe=fringe,
        fringe_reach={"straight": uniform(-0.62, -0.28), "swept": uniform(-0.6, 0.0)}.get(
            fringe or "", uniform(-0.8, -0.2)
        ),
        neck_width=normal(0.62 if feminine else 0.72, 0.05, 0.52, 0.85),
        neckline=normal(0.35, 0.35, -0.25, 1.2) if feminine else normal(0.0, 0.12, -0.25, 0.3),
        collar_colour=np.clip(rng.uniform(0.1, 1.0) + rng.normal(0, 0.08, 3), 0.03, 0.98),
        cloth_pattern=chosen(rng, {"": 5, "stripes": 1, "print": 2}) or None,
    )
