"""Where locks of hair cover the canvas, and how light or dark the topmost one is."""

import numpy as np
from PIL import Image, ImageDraw

from fpliif_jax.data_builders.synthetic_faces.head_pose import HeadPose

_FINE = 2  # locks are drawn on a grid so much finer than the canvas


class LockPlane:
    """Coverage of the locks and the tone (1 … 255, 128 as the hair itself) of the topmost one."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._tones = Image.new("L", (size * _FINE,) * 2)  # 0 where there is no lock
        self._draw = ImageDraw.Draw(self._tones)

    def fill(self, polygon: np.ndarray, tone: int) -> None:
        points = np.rint(polygon * _FINE - 0.5).astype(int).ravel().tolist()
        self._draw.polygon(points, fill=tone)

    def ellipse(self, centre: np.ndarray, radii: np.ndarray, tone: int) -> None:
        box = np.concatenate([centre - radii, centre + radii]) * _FINE
        self._draw.ellipse(box.tolist(), fill=tone)

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
            self._draw.polygon(outline, fill=tone)

    def reduced(self) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
        """The box of all locks (rows, columns), and within it coverage (0 … 255) and tone: uint8 [h, w]."""
        left, top, right, bottom = self._tones.getbbox() or (0, 0, _FINE, _FINE)
        left, top, right, bottom = (
            left // _FINE,
            top // _FINE,
            -(-right // _FINE),
            -(-bottom // _FINE),
        )
        box = self._tones.crop((left * _FINE, top * _FINE, right * _FINE, bottom * _FINE))
        tones = np.asarray(box)
        cover = _reduced((tones != 0) * np.uint8(255))
        tone = _reduced(tones + (tones == 0) * np.uint8(128))
        return (slice(top, bottom), slice(left, right)), cover, tone


def _reduced(fine: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(fine).reduce(_FINE))
