"""Earrings and necklaces of many kinds, of metal, pearls and stones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas
from fpliif_jax.data_builders.synthetic_faces.curves import ellipse, open_curve, resample, ribbon
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.person import vivid_colour
from fpliif_jax.data_builders.synthetic_faces.photographic.odds import chosen
from fpliif_jax.data_builders.synthetic_faces.photographic.person import PhotographicPerson

_EARRINGS = {"stud": 0.26, "hoop": 0.20, "drop": 0.20, "chain": 0.14, "tiers": 0.12, "disc": 0.08}
_NECKLACES = {"chain": 0.40, "pearls": 0.22, "choker": 0.12, "beads": 0.14, "rows": 0.12}
_METALS = np.array([(0.83, 0.66, 0.28), (0.72, 0.73, 0.76), (0.80, 0.56, 0.44)])
_PEARL = np.array([0.90, 0.87, 0.82])


@dataclass(frozen=True)
class Jewel:
    """`kind`: one of `_EARRINGS` or of `_NECKLACES`. `size`: a factor; `length`: units that it hangs down."""

    kind: str
    metal: np.ndarray
    stone: np.ndarray
    size: float
    length: float


def sample_earrings(rng: np.random.Generator) -> Jewel:
    """A pair for who wears one."""
    return _sample(rng, _EARRINGS, (0.2, 0.75))


def sample_necklace(rng: np.random.Generator) -> Jewel:
    """One for who wears one."""
    return _sample(rng, _NECKLACES, (0.05, 0.70))


def _sample(
    rng: np.random.Generator, kinds: dict[str, float], length: tuple[float, float]
) -> Jewel:
    kind = chosen(rng, kinds)
    stone = _PEARL if rng.random() < 0.4 else vivid_colour(rng)
    metal = _METALS[int(rng.choice(3, p=[0.45, 0.40, 0.15]))] * rng.uniform(0.75, 1.1)
    return Jewel(
        kind,
        metal=np.clip(metal, 0, 1),
        stone=stone,
        size=float(rng.uniform(0.75, 1.35)),
        length=float(rng.uniform(*length)),
    )


class _Workshop:
    """Paints pieces of one jewel in the light of its person. Lengths in pixels."""

    def __init__(
        self, canvas: Canvas, pose: HeadPose, person: PhotographicPerson, jewel: Jewel, label: int
    ) -> None:
        self.canvas, self.unit, self.label = canvas, pose.unit, label
        light = 0.55 + 0.45 * person.ambient
        self.metal, self.stone, self.pearl = (
            jewel.metal * light,
            jewel.stone * light,
            _PEARL * light,
        )

    def lay(
        self, shapes: list[np.ndarray], colour: np.ndarray, holes: Sequence[np.ndarray] = ()
    ) -> None:
        """A flat piece, dark at its edge, with a shadow beneath."""
        canvas = self.canvas
        below = [shape + np.array([0, 0.035]) * self.unit for shape in shapes]
        shadow = canvas.coverage(below, blur=0.02 * self.unit)
        canvas.tint(shadow.scaled(0.5), (0.6, 0.5, 0.48))
        piece = canvas.coverage(shapes, holes)
        canvas.paint(piece, colour * 0.6)
        shift = np.array([-0.012, -0.014]) * self.unit
        lit = canvas.coverage([shape + shift for shape in shapes], [hole + shift for hole in holes])
        canvas.paint(lit.within(piece), np.minimum(colour * 1.25, 1))
        canvas.mark(piece, self.label)

    def set(
        self, at: Sequence[np.ndarray], radius: float, colour: np.ndarray, long: float = 1.0
    ) -> None:
        """Round pieces in the places [2], `long` times as high as wide, each with a point of light."""
        radii = np.array([radius, radius * long])
        self.lay([ellipse(place, radii, samples=14) for place in at], colour)
        glints = [ellipse(place - 0.3 * radii, 0.32 * radii, samples=8) for place in at]
        self.canvas.paint(self.canvas.coverage(glints), (1, 1, 1), 0.75)


def draw_earrings(canvas: Canvas, pose: HeadPose, person: PhotographicPerson, jewel: Jewel) -> None:
    """Draws earrings at the lobes, hanging straight down; hidden where the head turns the ear away."""
    shop = _Workshop(canvas, pose, person, jewel, classes.EARRING)
    for side in (-1, 1):
        if side * pose.yaw <= 0.22:
            lobe = pose.at([(side * 1.02, 0.34 * person.ear_size, -0.03)])[0]
            _draw_earring(shop, jewel, lobe, 0.3 + 0.7 * abs(np.sin(pose.yaw - 0.7 * side)))


def _draw_earring(shop: _Workshop, jewel: Jewel, lobe: np.ndarray, openness: float) -> None:
    """`openness`: how much of its width a ring that hangs from front to back shows."""
    down = np.array([0.0, 1.0]) * shop.unit
    s, long = jewel.size * shop.unit, jewel.length * down
    if jewel.kind == "stud":
        shop.set([lobe], 0.065 * s, shop.stone)
    elif jewel.kind == "hoop":
        radii = 0.45 * jewel.length * shop.unit * np.array([openness, 1.0])
        middle = lobe + down * 0.45 * jewel.length
        wire = np.minimum(0.05 * s, 0.5 * radii)
        shop.lay([ellipse(middle, radii)], shop.metal, [ellipse(middle, radii - wire)])
    elif jewel.kind == "drop":
        shop.lay([ribbon(np.stack([lobe, lobe + 0.6 * long]), 0.025 * s)], shop.metal)
        shop.set([lobe], 0.04 * s, shop.metal)
        shop.set([lobe + 0.6 * long + 0.08 * down], 0.09 * s, shop.stone, 1.3)
    elif jewel.kind == "chain":
        shop.set(
            [lobe + share * long * 1.2 for share in np.linspace(0, 1, 9)], 0.035 * s, shop.metal
        )
    elif jewel.kind == "tiers":
        foot = lobe + 0.9 * long
        across = np.array([0.10, 0.0]) * jewel.length * shop.unit
        shop.lay([np.stack([lobe, foot + 3 * across, foot - 3 * across])], shop.metal)
        stones = [lobe + long * (0.2 + 0.22 * row) + column * across
                  for row in range(4) for column in np.arange(-row, row + 1, 2)]  # fmt: skip
        shop.set(stones, (0.02 + 0.04 * jewel.length) * s, shop.stone)
    else:
        middle = lobe + down * (0.06 + 0.26 * jewel.size)
        shop.set([lobe], 0.035 * s, shop.metal)
        holes = [ellipse(middle, (0.09 * s, 0.12 * s))] if jewel.size < 1 else []
        shop.lay([ellipse(middle, (0.18 * s, 0.24 * s))], shop.metal, holes)


def draw_necklace(canvas: Canvas, pose: HeadPose, person: PhotographicPerson, jewel: Jewel) -> None:
    """Draws a necklace around the neck's base, or closer to the chin as a choker."""
    shop = _Workshop(canvas, pose, person, jewel, classes.NECKLACE)
    unit, w, s = pose.unit, person.neck_width, jewel.size * pose.unit
    if jewel.kind == "choker":
        arc = [(-w - 0.01, -0.22), (-0.5 * w, 0.0), (0.0, 0.08), (0.5 * w, 0.0), (w + 0.01, -0.22)]
        line = pose.on_body(open_curve(arc))
        shop.lay([ribbon(line, 0.10 * s)], shop.stone)
        shop.set([line[len(line) // 2]], 0.05 * s, shop.metal)
        return
    arc = open_curve([(-w - 0.02, -0.20), (-0.68 * w - 0.1, 0.12 + 0.30 * jewel.length), (0.0, 0.26 + jewel.length),
                      (0.68 * w + 0.1, 0.12 + 0.30 * jewel.length), (w + 0.02, -0.20)], 10)  # fmt: skip
    line = pose.on_body(arc)
    if jewel.kind == "chain":
        shop.lay([ribbon(line, 0.04 * s)], shop.metal)
        shop.set(list(resample(line, 25)), 0.022 * s, shop.metal)  # links that catch the lamp
        shop.set([line[len(line) // 2] + np.array([0, 0.07]) * unit], 0.07 * s, shop.stone, 1.3)
        return
    radius = 0.075 if jewel.kind == "beads" else 0.048
    for row in range(3 if jewel.kind == "rows" else 1):
        around = pose.on_body(arc * (1.0, 1.0 + 0.10 * row) + (0, 0.12 * row))
        length = np.hypot(*np.diff(around, axis=0).T).sum()
        beads = resample(around, max(int(length / (1.9 * radius * s)), 2))
        shop.set(list(beads), radius * s, shop.pearl if jewel.kind == "pearls" else shop.stone)
