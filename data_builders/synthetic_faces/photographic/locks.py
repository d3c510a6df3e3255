"""Locks of hair in head coordinates: [K, L, 3], K points of each of L locks, with a tone for each [L]."""

import numpy as np

from fpliif_jax.data_builders.synthetic_faces.curves import open_curve
from fpliif_jax.data_builders.synthetic_faces.head_pose import surface_depth
from fpliif_jax.data_builders.synthetic_faces.photographic.person import PhotographicPerson


def tones(rng: np.random.Generator, count: int) -> np.ndarray:
    """Random tones of locks, int [count]: 128 is the hair itself."""
    return np.clip(rng.normal(122, 26, count), 50, 200).astype(int)


def _curve(points: np.ndarray, samples: int = 4) -> np.ndarray:
    """Smooth curves through [K, L, 3] points of L locks: [(K - 1) * samples + 1, L, 3]."""
    steps, count, _ = points.shape
    return open_curve(points.reshape(steps, -1), samples).reshape(-1, count, 3)


def falling_locks(
    person: PhotographicPerson, rng: np.random.Generator, count: int, behind: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Locks from the parting over the temples down beside the face, the outer ones first."""
    side = np.where(rng.random(count) < 0.5, 1.0, -1.0)
    if not behind and any(person.sides_fall):
        falls = np.where(side > 0, person.sides_fall[0], person.sides_fall[1])
        side = np.where(falls, side, -side)
    lane = np.sort(rng.uniform(0, 1, count))[::-1]  # 0 beside the face, 1 outside
    volume = person.hair_fall
    cover = np.where(side > 0, person.cheek_cover[0], person.cheek_cover[1])
    inner = np.full(count, 0.3) if behind else 0.97 - cover
    spread = lane * (1.02 + volume - inner)
    part = person.hair_part * side
    end = person.hair_length + rng.normal(0, 0.15 + 0.25 * person.hair_raggedness, count)
    stray = rng.normal(0, 0.08, count)
    # Stations from the parting to the tip: x on the lock's side, y.
    stations = [
        (part + 0.05 + 0.15 * lane, -1.50 - 0.15 * person.hair_volume * lane),
        (0.5 * part + 0.42 + (0.38 + 0.35 * volume) * lane, -1.25 - 0.2 * lane),
        (0.86 + (0.12 + 0.75 * volume) * lane, np.full(count, -0.62)),
        (inner - 0.02 + spread, np.full(count, 0.05)),
        (inner - 0.05 + spread + 0.10 * lane, 0.5 * end),
        (inner - 0.10 + spread + 0.15 * lane + stray, end),
    ]
    z = np.full(count, -0.30 if behind else 0.0)
    locks = _curve(np.stack([np.stack([side * x, y, z], -1) for x, y in stations]), 5)
    phase = rng.uniform(0, np.pi, count) + np.where(side > 0, 0.0, 2.0)
    y = locks[..., 1]
    locks[..., 0] += person.hair_wave * np.sin(5.5 * y + phase) * np.clip(y + 0.8, 0, 1)
    locks[..., 0] += 0.04 * person.hair_raggedness * np.sin(3 * y + 7 * phase)
    return locks, tones(rng, count)


def cap_locks(
    person: PhotographicPerson, rng: np.random.Generator, outer: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Tufts over the skull whose tips break its outline."""
    count = 32
    where = rng.uniform(0.04, 0.96, count) * (len(outer) - 1)
    edge = np.stack([np.interp(where, np.arange(len(outer)), outer[:, i]) for i in (0, 1)], -1)
    spiky = person.hair_style in ("short", "quiff", "fringe")
    lean = rng.normal(0, 0.5 if spiky else 0.2, count) + (edge[:, 0] - 0.8 * person.hair_part) * 1.2
    stick_out = (0.09 if spiky else 0.02) * person.hair_raggedness * rng.uniform(0, 1, count) ** 1.5
    centre = np.array([0.0, -0.45])
    root = centre + (edge - centre) * rng.uniform(0.72, 0.9, count)[:, None]
    out = (edge - centre) / np.linalg.norm(edge - centre, axis=1, keepdims=True)
    sideways = np.stack([-out[:, 1], out[:, 0]], -1)
    tip = edge + out * stick_out[:, None] + sideways * (lean * 0.22)[:, None]
    middle = 0.5 * (root + tip) + sideways * (lean * 0.04)[:, None] + out * 0.03
    points = np.stack([np.column_stack([p, np.zeros(count)]) for p in (root, middle, tip)])
    return _curve(points, 4), tones(rng, count)


def hairline_locks(
    person: PhotographicPerson, rng: np.random.Generator, line: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fine hairs from the forehead and temples backwards."""
    count = 30
    where = rng.uniform(0.26, 0.74, count) * (len(line) - 1)  # not at the temples
    root = np.stack([np.interp(where, np.arange(len(line)), line[:, i]) for i in (0, 1)], -1)
    crown = np.array([0.6 * person.hair_part, -1.65])
    back = (crown - root) / np.maximum(np.linalg.norm(crown - root, axis=1, keepdims=True), 0.1)
    start = root - back * rng.uniform(-0.04, 0.03 + 0.05 * person.hair_raggedness, count)[:, None]
    bend = rng.normal(0, 0.05, (count, 2))
    middle, end = root + back * 0.15 + bend, root + back * 0.35
    depth = [_scalp_depth(p) for p in (end, middle, start)]
    points = np.stack(
        [np.column_stack([p, d]) for p, d in zip((end, middle, start), depth, strict=True)]
    )
    return _curve(points, 3), tones(rng, count)


def _scalp_depth(p: np.ndarray) -> np.ndarray:
    turn = np.clip((1.02 - np.abs(p[:, 0])) / 0.3, 0.06, 1)
    return turn * surface_depth(p[:, 0], p[:, 1])


def fringe_locks(
    person: PhotographicPerson, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Locks over the forehead, straight down or swept aside."""
    reach = person.fringe_reach
    away = -np.sign(person.hair_part or 1.0)
    if person.fringe == "straight":
        count = 40
        tip_x = np.linspace(-0.88, 0.88, count) + rng.normal(0, 0.05, count)
        tip_y = reach + 0.20 * tip_x**2 + rng.normal(0, 0.02 + 0.06 * person.hair_raggedness, count)
        root_x = 0.75 * tip_x + 0.25 * person.hair_part
    elif person.fringe == "swept":
        count = 26
        along = np.linspace(0.15, 1, count)
        tip_x = person.hair_part + away * along * (1.0 + abs(person.hair_part))
        tip_y = (
            -0.85
            + (reach + 0.85) * along**1.2
            + rng.normal(0, 0.04 + 0.05 * person.hair_raggedness, count)
        )
        root_x = person.hair_part + away * 0.15 * along
    else:
        count = 7
        tip_x = rng.uniform(-0.8, 0.8, count)
        tip_y = reach + rng.normal(0, 0.12, count)
        root_x = 0.6 * tip_x + rng.normal(0, 0.1, count)
    root_y = np.full(count, -1.30)
    middle_x = 0.35 * root_x + 0.65 * tip_x + (0.18 * away if person.fringe == "swept" else 0)
    middle_y = (
        np.minimum(-1.0, tip_y - 0.15) if person.fringe == "swept" else 0.5 * (root_y + tip_y)
    )
    ends = []
    for x, y in ((root_x, root_y), (middle_x, middle_y), (tip_x, tip_y)):
        x = np.clip(x, -0.98, 0.98)
        ends.append(np.stack([x, y, surface_depth(x, y) + 0.05], -1))
    return _curve(np.stack(ends), 5), tones(rng, count)
