"""Where points of the head and the body fall in the picture.

Head coordinates: x to the right of the picture, y down, z towards the viewer; the origin is the
middle of the head at the height of the nose's root; one unit is half the width of the face. Eyes
lie near y = -0.15, the mouth near 0.8, the chin near 1.4, the top of the skull near -1.6.
"""

import numpy as np

from fpliif_jax.data_builders.synthetic_faces.curves import Points

_DEPTH = 0.8  # of the head's front, in units
_PERSPECTIVE = 0.07
_NECK_BASE = (0.0, 1.62, -0.35)


def surface_depth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """z of the head's front, an ellipsoid, over head coordinates (x, y)."""
    return _DEPTH * np.sqrt(np.maximum(0.04, 1 - (x / 1.1) ** 2 - ((y - 0.05) / 1.75) ** 2))


class HeadPose:
    """Turns head and body coordinates into pixels.

    yaw (positive: towards the picture's right), pitch (positive: looking down), roll (positive:
    clockwise): radians. centre: (x, y) pixels of the head's origin. unit: pixels in one unit.
    """

    def __init__(
        self, yaw: float, pitch: float, roll: float, centre: tuple[float, float], unit: float
    ) -> None:
        self.yaw, self.pitch, self.roll, self.unit = yaw, pitch, roll, unit
        self.centre = np.asarray(centre, float)
        self._yaw_axes = (float(np.cos(yaw)), float(np.sin(yaw)))
        self._pitch_axes = (float(np.cos(pitch)), float(np.sin(pitch)))
        self._roll_matrix = self._rotation(roll)
        self._body_matrix = self._rotation(0.25 * roll)
        self._body_origin = self.at([_NECK_BASE])[0]

    @staticmethod
    def _rotation(angle: float) -> np.ndarray:
        c, s = np.cos(angle), np.sin(angle)
        return np.array([[c, s], [-s, c]])  # for row vectors, y down

    def turned(self, points: Points) -> np.ndarray:
        """Head points [N, 3] after yaw, pitch and perspective, before roll: units [N, 2]."""
        return self._turned(*np.asarray(points, float).T)

    def _turned(self, x: np.ndarray, y: np.ndarray, z: np.ndarray | float) -> np.ndarray:
        (c, s), (cp, sp) = self._yaw_axes, self._pitch_axes
        x, z = x * c + z * s, z * c - x * s
        y, z = y * cp + z * sp, z * cp - y * sp
        turned, shrink = np.empty((len(x), 2)), 1 - _PERSPECTIVE * z
        np.divide(x, shrink, out=turned[:, 0])
        np.divide(y, shrink, out=turned[:, 1])
        return turned

    def placed(self, points: np.ndarray) -> np.ndarray:
        """Turned points [N, 2] in units -> pixels [N, 2]."""
        return self.centre + self.unit * (points @ self._roll_matrix)

    def at(self, points: Points) -> np.ndarray:
        """Head points [N, 3] -> pixels [N, 2]."""
        return self.placed(self.turned(points))

    def turned_on_face(self, points: Points, lift: float | np.ndarray = 0.0) -> np.ndarray:
        """Points [N, 2] of the face's surface, raised by `lift`, before roll: units [N, 2]."""
        x, y = np.asarray(points, float).T
        return self._turned(x, y, surface_depth(x, y) + lift)

    def on_face(self, points: Points, lift: float | np.ndarray = 0.0) -> np.ndarray:
        """Points [N, 2] of the face's surface, raised by `lift`, in pixels [N, 2]."""
        return self.placed(self.turned_on_face(points, lift))

    def on_plane(self, points: Points, depth: float = 0.0) -> np.ndarray:
        """Points [N, 2] of the plane z = `depth` of the head, in pixels [N, 2]."""
        x, y = np.asarray(points, float).T
        return self.placed(self._turned(x, y, depth))

    def on_body(self, points: Points) -> np.ndarray:
        """Points [N, 2] of the body, whose origin is the neck's base, in pixels [N, 2]."""
        return self._body_origin + self.unit * (np.asarray(points, float) @ self._body_matrix)

    def unplaced_grid(self, size: int, step: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Centres of every `step`-th pixel of a canvas in turned units: x and y, each float32 [n, n]."""
        offset = np.arange(0, size, step, dtype=np.float32) + np.float32(0.5)
        x = (offset - np.float32(self.centre[0])) / np.float32(self.unit)
        y = (offset - np.float32(self.centre[1])) / np.float32(self.unit)
        c, s = np.float32(np.cos(self.roll)), np.float32(np.sin(self.roll))
        return c * x[None, :] + s * y[:, None], c * y[:, None] - s * x[None, :]
