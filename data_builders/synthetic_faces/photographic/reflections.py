"""What eyeglasses mirror: windows, lamps, the sky, or a veil of light.

Where it is so bright that it covers at least half of what lies beneath, labels are as under a dark lens: eyes and
brows become eyeglasses in the 19 classes and skin in the 11. Elsewhere they stay.
"""

from dataclasses import dataclass

import numpy as np

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.accessories import Eyeglasses, hide_eyes
from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas, Patch
from fpliif_jax.data_builders.synthetic_faces.curves import ellipse
from fpliif_jax.data_builders.synthetic_faces.photographic.odds import chosen

_SHARE = 0.5  # of all glasses
_KINDS = {"window": 0.3, "lamp": 0.3, "sky": 0.2, "veil": 0.2}
_TINTS = {"white": (1.0, 1.0, 1.0), "blue": (0.80, 0.90, 1.0), "warm": (1.0, 0.94, 0.82),
          "green": (0.62, 1.0, 0.78), "violet": (0.80, 0.70, 1.0)}  # fmt: skip
_TINT_ODDS = (0.42, 0.25, 0.15, 0.10, 0.08)  # the last two are those of coated lenses


@dataclass(frozen=True)
class Reflection:
    """`kind`: window, lamp, sky or veil. `at`, `size`: shares of a lens's width and height, from its middle."""

    kind: str
    colour: np.ndarray
    opacity: float
    at: tuple[float, float]
    size: tuple[float, float]
    slant: float
    bars: int
    softness: float
    parallax: float  # by how much it lies elsewhere on the other lens
    only_side: int  # -1 or 1: seen in one lens alone; 0: in both


def sample_reflection(rng: np.random.Generator) -> Reflection | None:
    """Samples what a pair of glasses mirrors; None if nothing that is seen."""
    shows = rng.random() < _SHARE
    kind = chosen(rng, _KINDS)
    tint = list(_TINTS.values())[int(rng.choice(len(_TINTS), p=_TINT_ODDS))]
    opaque = rng.random() < 0.3
    small = rng.uniform(0.10, 0.28), rng.uniform(0.10, 0.34)
    large = rng.uniform(0.28, 0.60), rng.uniform(0.35, 0.75)
    mirrored = Reflection(
        kind,
        colour=np.array(tint) * rng.uniform(0.86, 1.0),
        opacity=float(rng.uniform(0.6, 0.97) if opaque else rng.uniform(0.14, 0.48)),
        at=(float(rng.uniform(-0.34, 0.34)), float(rng.uniform(-0.34, 0.18))),
        size=small if kind == "lamp" else large,
        slant=float(rng.normal(0, 0.22)),
        bars=int(rng.integers(0, 3)),
        softness=float(rng.uniform(0.0, 0.03)),
        parallax=float(rng.normal(0, 0.10)),
        only_side=int(rng.choice([-1, 0, 1], p=[0.15, 0.7, 0.15])),
    )
    return mirrored if shows else None


def draw_reflection(canvas: Canvas, unit: float, glasses: Eyeglasses, mirrored: Reflection) -> None:
    """Draws a reflection over the lenses, not over the frame. `unit`: pixels of the head's unit."""
    bare = np.ones((canvas.size, canvas.size), np.float32)
    glasses.frame.of(bare)[:] -= glasses.frame.alpha
    for side, lens in zip((-1, 1), glasses.lenses, strict=True):
        if mirrored.only_side == -side:
            continue
        inside = canvas.coverage(lens)
        if inside.empty:
            continue
        glare = _glare(canvas, unit, lens, inside, mirrored, side)
        if glare.empty:
            continue
        cover = glare.scaled(glare.of(bare) * np.float32(mirrored.opacity))
        hide_eyes(canvas, cover)
        canvas.mark_19(cover, classes.EYEGLASSES)
        canvas.paint(cover, mirrored.colour)


def _glare(
    canvas: Canvas, unit: float, lens: np.ndarray, inside: Patch, mirrored: Reflection, side: int
) -> Patch:
    """How bright each pixel of one lens is, of what is mirrored: 0 … 1."""
    low, high = lens.min(0), lens.max(0)
    middle, spread = (low + high) / 2, high - low
    blur = mirrored.softness * unit
    if mirrored.kind in ("sky", "veil"):
        rows = np.arange(inside.rows.start, inside.rows.stop, dtype=np.float32) + 0.5
        columns = np.arange(inside.columns.start, inside.columns.stop, dtype=np.float32) + 0.5
        y = ((rows - middle[1]) / spread[1]).astype(np.float32)[:, None]
        x = ((columns - middle[0]) / spread[0]).astype(np.float32)[None]
        if mirrored.kind == "sky":  # bright above, down to a horizon
            line = np.float32(mirrored.at[1] + 0.25) + np.float32(0.4 * mirrored.slant) * x
            bend = np.float32(0.06) * np.sin(9 * x + np.float32(20 * mirrored.parallax))
            field = np.clip(0.55 + (line + bend - y) * 0.7, 0, 1) * (y < line + bend)
        else:  # one side of a slanted edge
            edge = x * np.float32(np.cos(2.2 * mirrored.slant)) + y * np.float32(0.6)
            field = np.clip((edge * np.sign(mirrored.at[0]) + 0.05) * 5, 0, 1)
            field *= np.float32(0.75) + np.float32(0.25) * np.abs(x)
        return inside.scaled(field.astype(np.float32))
    centre = middle + spread * (mirrored.at[0] + side * mirrored.parallax, mirrored.at[1])
    half = 0.5 * spread * mirrored.size
    if mirrored.kind == "lamp":
        if mirrored.bars:  # a bulb or an umbrella; else a box
            return canvas.coverage(ellipse(centre, half), blur=blur, inside=inside)
        return canvas.coverage(_box(centre, half, mirrored.slant, 0.0), blur=blur, inside=inside)
    panes, rails = [], mirrored.bars + 1
    part = half * (1 / rails - 0.08, 0.42)  # between bars
    for column in range(rails):
        for row in (-0.5, 0.5):
            offset = half * ((2 * column + 1) / rails - 1, row)
            place = centre + _turned(offset, mirrored.slant)
            panes.append(_box(place, part, mirrored.slant, side * 0.12))
    return canvas.coverage(panes, blur=blur, inside=inside)


def _turned(points: np.ndarray, slant: float) -> np.ndarray:
    """Sheared as a window in a curved lens is."""
    return points + np.stack([0 * points[..., 1], slant * points[..., 0]], -1)


def _box(centre: np.ndarray, half: np.ndarray, slant: float, taper: float) -> np.ndarray:
    corners = np.array([(-1, -1 - taper), (1, -1 + taper), (1, 1 - taper), (-1, 1 + taper)])
    return centre + _turned(corners * half, slant)
