"""The colour of hair: strands, streaks and the light on them."""

import numpy as np

from fpliif_jax.data_builders.synthetic_faces.canvas import colour_field
from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose
from fpliif_jax.data_builders.synthetic_faces.photographic.noise import enlarged
from fpliif_jax.data_builders.synthetic_faces.photographic.person import PhotographicPerson
from fpliif_jax.data_builders.synthetic_faces.shading import light_before_roll


def strand_colours(
    person: PhotographicPerson, pose: HeadPose, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Lit strands: float32 [size, size, 3], meaningful where there is hair."""
    # Every second pixel is enough: hair is soft.
    x, y = pose.unplaced_grid(size, 2)
    root = pose.turned([(0.8 * person.hair_part, -1.75, 0.2)])[0].astype(np.float32)
    dx, dy = x - root[0], y - root[1]
    distance = np.sqrt(dx * dx + dy * dy)
    curly = person.hair_style in ("afro", "buzz")
    if curly:
        cells = int(rng.integers(40, 70)) if person.hair_style == "afro" else 110
        strands = np.float32(0.28) * enlarged(
            rng.standard_normal((cells, cells), np.float32), len(x)
        )
        streaks = np.zeros_like(strands)
    else:
        # Beside the face strands fall: their angle turns into the distance from the middle.
        angle = np.arctan2(dx, np.maximum(dy + np.float32(0.5), np.float32(0.25)))
        bend = np.float32(0.6 * person.hair_wave) * np.sin(np.float32(5.0) * distance + 3 * angle)
        lane = (angle + bend) * np.float32(1 + 0.4 * person.hair_raggedness)
        tables = rng.standard_normal((3, 2048)).astype(np.float32)
        wide = np.convolve(tables[0], np.full(6, 0.4), "same").astype(np.float32)
        fine = tables[1][(lane * 90 + distance * 1.5).astype(np.int32) & 2047]
        broad = wide[(lane * 60).astype(np.int32) & 2047]
        strands = np.float32(0.10) * fine + np.float32(0.16) * broad
        streaks = np.clip(tables[2][(lane * 34 + 500).astype(np.int32) & 2047], 0, 1)
    facing = _facing(person, pose, size)[::2, ::2]
    lit = np.float32(person.ambient * 0.8) + np.float32(1.1 - person.ambient * 0.85) * facing
    strands *= np.float32(person.hair_grain)
    lit *= 1 + strands
    # A band of light around the crown, 1 in its middle and 0 half a unit off it.
    band = np.maximum(1 - np.square((distance - np.float32(0.75)) * 2), np.float32(0))
    shine = band * np.maximum(np.float32(0.5) + 2 * strands, 0) * facing
    shine *= np.float32(0.35 * person.hair_shine)
    colour = person.hair.astype(np.float32)
    field = colour_field((size, size))
    share = streaks * np.float32(person.hair_streaks)
    for channel in range(3):
        dye = np.float32(person.hair_streak[channel]) - colour[channel]
        plane = (colour[channel] + dye * share) * lit * np.float32(person.key[channel])
        plane += shine * np.float32(0.35 + 0.65 * colour[channel])
        field[..., channel] = enlarged(plane, size)
    return np.clip(field, 0.005, 1, out=field)


def _facing(person: PhotographicPerson, pose: HeadPose, size: int) -> np.ndarray:
    """How much a ball a little larger than the skull faces the lamp: float32 [size, size], 0 … 1."""
    x, y = pose.unplaced_grid(size, 4)
    u, v = x / np.float32(1.5), (y + np.float32(0.35)) / np.float32(1.8)
    lx, ly, lz = np.array(light_before_roll(person, pose), np.float32)
    nz = np.sqrt(np.maximum(np.float32(0.12), 1 - u * u - v * v))
    return np.maximum(enlarged(u * lx + v * ly + nz * lz, size), 0)
