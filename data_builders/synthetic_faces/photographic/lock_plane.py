"""Where locks of hair cover the canvas, and how light or dark the topmost one is."""

import numpy as np
from PIL import Image, ImageDraw

from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose

_FINE = 2  # locks are drawn on a grid so much finer than the canvas


class LockPlane:
    """Coverage of the locks and the tone (0 … 255, 128 as the hair itself) of the topmost one."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.cover = Image.new("L", (size * _FINE,) * 2)
        self.tone = Image.new("L", (size * _FINE,) * 2, 128)
        self._cover, self._tone = ImageDraw.Draw(self.cover), ImageDraw.Draw(self.tone)

    def fill(self, polygon: np.ndarray, tone: int) -> None:
        points = np.rint(polygon * _FINE - 0.5).astype(int).ravel().tolist()
        self._cover.polygon(points, fill=255)
        self._tone.polygon(points, fill=tone)

    def ellipse(self, centre: np.ndarray, radii: np.ndarray, tone: int) -> None:
        box = np.concatenate([centre - radii, centre + radii]) * _FINE
        self._cover.ellipse(box.tolist(), fill=255)
        self._tone.ellipse(box.tolist(), fill=tone)

    def locks(self, pose: HeadPose, locks: np.ndarray, width: float, tones: np.ndarray) -> None:
        """Tapered strokes along `locks` [K, L, 3]: K points of each of L locks, in head coordinates."""
        steps, count, _ = locks.shape
        at = pose.at(locks.reshape(-1, 3)).reshape(steps, count, 2) * _FINE
        along = np.gradient(at, axis=0)
        along /= np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-6)
        across = np.stack([-along[..., 1], along[..., 0]], -1)
        profile = np.interp(np.linspace(0, 1, steps), (0, 0.2, 0.7, 1), (0.7, 1, 0.85, 0.08))
        across *= (0.5 * width * pose.unit * _FINE * profile)[:, None, None]
        outlines = np.concatenate([at + across, (at - across)[::-1]]).transpose(1, 0, 2)
        for outline, tone in zip(
            np.rint(outlines).astype(int).reshape(count, -1).tolist(), tones.tolist(), strict=True
        ):
            self._cover.polygon(outline, fill=255)
            self._tone.polygon(outline, fill=tone)

    def reduced(self) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.cover.reduce(_FINE)), np.asarray(self.tone.reduce(_FINE))
