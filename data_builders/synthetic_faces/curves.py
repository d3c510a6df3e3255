"""Smooth curves through a few points, as polylines: float64 arrays [N, 2] of (x, y)."""

import functools
from collections.abc import Sequence

import numpy as np

Numbers = np.ndarray | Sequence[float]
Points = np.ndarray | Sequence[Sequence[float]]


def _through_inner(points: np.ndarray, samples: int) -> np.ndarray:
    """Catmull-Rom curve from the second of `points` [N, D] to the last but one, itself left out."""
    t, t2, t3 = _powers(samples)
    p0, p1, p2, p3 = (p[:, None, :] for p in (points[:-3], points[1:-2], points[2:-1], points[3:]))
    curve = 0.5 * (
        2 * p1
        + (p2 - p0) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t2
        + (3 * p1 - p0 - 3 * p2 + p3) * t3
    )
    return curve.reshape(-1, points.shape[-1])


@functools.cache
def _powers(samples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    t = (np.arange(samples) / samples)[None, :, None]
    return t, t**2, t**3


def closed_curve(points: Points, samples: int = 8) -> np.ndarray:
    """Catmull-Rom curve through all `points` [N, D] and back to the first: [N * samples, D]."""
    p = np.asarray(points, float)
    return _through_inner(np.concatenate([p[-1:], p, p[:2]]), samples)


def open_curve(points: Points, samples: int = 8) -> np.ndarray:
    """Catmull-Rom curve from the first to the last of `points` [N, D]: [(N-1) * samples + 1, D]."""
    p = np.asarray(points, float)
    padded = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    return np.concatenate([_through_inner(padded, samples), p[-1:]])


def mirrored(points: Points) -> np.ndarray:
    """`points` followed by their mirror images about x = 0, in reverse order.

    Points on the axis itself are not repeated.
    """
    p = np.asarray(points, float)
    off_axis = p[np.abs(p[:, 0]) > 1e-9][::-1]
    return np.concatenate([p, off_axis * np.array([-1.0] + [1.0] * (p.shape[1] - 1))])


def ellipse(centre: Numbers, radii: Numbers, angle: float = 0.0, samples: int = 40) -> np.ndarray:
    """Ellipse turned by `angle` (radians): [samples, 2]."""
    cosine, sine = _circle(samples)
    x, y = radii[0] * cosine, radii[1] * sine
    c, s = float(np.cos(angle)), float(np.sin(angle))
    return np.column_stack([centre[0] + c * x - s * y, centre[1] + s * x + c * y])


@functools.cache
def _circle(samples: int) -> tuple[np.ndarray, np.ndarray]:
    t = np.arange(samples) * (2 * np.pi / samples)
    return np.cos(t), np.sin(t)


def ribbon(line: np.ndarray, widths: np.ndarray | float) -> np.ndarray:
    """Outline of a stroke along `line` [N, 2], `widths` [N] across it: polygon [2N, 2]."""
    tangent = np.empty_like(line)
    tangent[1:-1] = line[2:] - line[:-2]
    tangent[0], tangent[-1] = line[1] - line[0], line[-1] - line[-2]
    tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)[:, None]
    normal = np.empty_like(line)
    normal[:, 0], normal[:, 1] = -tangent[:, 1], tangent[:, 0]
    offset = normal * (np.asarray(widths)[..., None] / 2)
    return np.concatenate([line + offset, (line - offset)[::-1]])


def resample(line: np.ndarray, count: int) -> np.ndarray:
    """`count` points evenly spaced by arc length along the polyline `line` [N, 2]."""
    step = line[1:] - line[:-1]
    length = np.zeros(len(line))
    np.cumsum(np.hypot(step[:, 0], step[:, 1]), out=length[1:])
    at = np.linspace(0.0, length[-1], count)
    return np.column_stack([np.interp(at, length, line[:, i]) for i in range(2)])
