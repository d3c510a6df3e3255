"""Cloth of scarves, hoods and hats: a colour, a pattern, folds, and the light of the lamp on them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fpliif_jax.data_builders.synthetic_faces.canvas import Canvas, Patch
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.person import vivid_colour
from fpliif_jax.data_builders.synthetic_faces.photographic.noise import fractal_noise
from fpliif_jax.data_builders.synthetic_faces.photographic.odds import chosen
from fpliif_jax.data_builders.synthetic_faces.photographic.person import PhotographicPerson


@dataclass(frozen=True)
class Fabric:
    """Colours [3], sRGB. `pattern`: plain, knit, stripes, checks or print, with `pitch` periods in a unit, turned by
    `turn` radians."""

    colour: np.ndarray
    second: np.ndarray
    pattern: str
    pitch: float
    turn: float
    folds: float  # how deep


def sample_fabric(
    rng: np.random.Generator, patterns: Mapping[str, float], folds: tuple[float, float]
) -> Fabric:
    """A fabric with one of `patterns`, by their odds, and a depth of folds between the two."""
    pattern = chosen(rng, patterns)
    value = float(rng.choice([rng.uniform(0.02, 0.2), rng.uniform(0.15, 0.7), rng.uniform(0.7, 1)]))
    grey = np.clip(value + rng.normal(0, 0.02, 3), 0.02, 0.97)
    colour = grey if rng.random() < 0.55 else vivid_colour(rng) * rng.uniform(0.5, 1.0)
    return Fabric(
        colour=colour,
        second=np.clip(colour + rng.choice([-1, 1]) * rng.uniform(0.1, 0.6), 0.02, 0.97)
        if rng.random() < 0.5
        else vivid_colour(rng),
        pattern=pattern,
        pitch=float(rng.uniform(3, 11)),
        turn=float(rng.uniform(-0.5, 0.5)),
        folds=float(rng.uniform(*folds)),
    )


def paint_fabric(
    canvas: Canvas,
    patch: Patch,
    pose: HeadPose,
    person: PhotographicPerson,
    fabric: Fabric,
    rng: np.random.Generator,
    light: float = 1.0,
) -> None:
    """Lays the fabric over the patch; `rng` decides where its folds are, `light` how much of the lamp reaches it."""
    if patch.empty:
        return
    x, y = (patch.of(axis) for axis in pose.unplaced_grid(canvas.size))
    creases = patch.of(fractal_noise(rng, canvas.size, 6, 48, 0.65)) * np.float32(fabric.folds)
    share = _second_share(fabric, x, y + np.float32(0.25) * creases, canvas.size, patch, rng)
    hard = np.float32(1 - person.ambient)
    side = np.clip(x * np.float32(np.sign(person.light[0] or 1.0) * 0.5), -1, 1)
    lit = np.float32(light * (0.48 + 0.45 * person.ambient)) * (1 + np.float32(0.45) * hard * side)
    lit *= np.clip(1 + creases, 0.35, 1.7)
    if fabric.pattern == "knit":
        lit *= 1 - np.float32(0.35) * share
        share = np.zeros_like(share)
    for channel in range(3):
        first, second = np.float32(fabric.colour[channel]), np.float32(fabric.second[channel])
        plane = patch.of(canvas.colour)[..., channel]
        painted = (first + (second - first) * share) * lit * np.float32(person.key[channel])
        plane += (np.clip(painted, 0.01, 1) - plane) * patch.alpha


def _second_share(
    fabric: Fabric,
    x: np.ndarray,
    y: np.ndarray,
    size: int,
    patch: Patch,
    rng: np.random.Generator,
) -> np.ndarray:
    """How much of the second colour each pixel shows, 0 … 1; of knitted cloth how deep it lies between the ribs."""
    c, s = np.float32(np.cos(fabric.turn)), np.float32(np.sin(fabric.turn))
    across, along = (c * x + s * y), (c * y - s * x)
    turn = np.float32(2 * np.pi * fabric.pitch)
    if fabric.pattern == "knit":
        return 0.5 + 0.5 * np.sin(across * turn)
    if fabric.pattern == "stripes":
        return (np.sin(along * turn / 3) > 0.2) * np.float32(0.85)
    if fabric.pattern == "checks":
        one, other = (np.sin(axis * turn / 3) > 0.3 for axis in (across, along))
        return (one + np.float32(1) * other) * np.float32(0.42)
    if fabric.pattern == "print":
        return np.clip(3 * patch.of(fractal_noise(rng, size, 24, 48, 0.8)) - 1, 0, 1)
    return np.zeros_like(x)
