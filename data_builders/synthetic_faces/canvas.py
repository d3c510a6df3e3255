"""A picture and its label maps, painted together from the same anti-aliased shapes."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fpliif_jax.data_builders.synthetic_faces import classes
from fpliif_jax.data_builders.synthetic_faces.curves import Numbers

_FINE_GRID_LIMIT = 96  # shapes up to this many pixels across get an 8 x 8 grid, larger ones 4 x 4


def colour_field(shape: tuple[int, int]) -> np.ndarray:
    """Zeros of `shape` (height, width), float32 [height, width, 3], in memory one plane after the other.

    NumPy then runs along rows and not over three values at a time, which is several times faster.
    """
    return np.moveaxis(np.zeros((3, *shape), np.float32), 0, -1)


class Patch(NamedTuple):
    """Part of each pixel that a shape covers, within the shape's bounding box.

    `rows`, `columns`: the box on the canvas. `alpha`: float32 [h, w], 0 … 1.
    """

    rows: slice
    columns: slice
    alpha: np.ndarray

    def of(self, field: np.ndarray) -> np.ndarray:
        """The box of a field of the canvas, [size, size] or [size, size, 3]."""
        return field[self.rows, self.columns]

    def scaled(self, factor: float | np.ndarray) -> "Patch":
        """The same box with `alpha * factor` (a scalar or [h, w])."""
        return Patch(self.rows, self.columns, self.alpha * np.float32(factor))

    def within(self, other: "Patch") -> "Patch":
        """The part of this patch inside `other`: the product of both coverages."""
        top = max(self.rows.start, other.rows.start)
        left = max(self.columns.start, other.columns.start)
        bottom = max(top, min(self.rows.stop, other.rows.stop))
        right = max(left, min(self.columns.stop, other.columns.stop))

        def crop(patch: "Patch") -> np.ndarray:
            y, x = patch.rows.start, patch.columns.start
            return patch.alpha[top - y : bottom - y, left - x : right - x]

        return Patch(slice(top, bottom), slice(left, right), crop(self) * crop(other))

    @property
    def empty(self) -> bool:
        return self.alpha.size == 0


class LabelLayer(NamedTuple):
    """One labelled shape of the 11-class drawing, kept for the soft masks."""

    patch: Patch
    lapa_label: int


class Canvas:
    """Square canvas of `size` pixels a side.

    colour: float32 [size, size, 3], sRGB, 0 … 1, a `colour_field`.
    label_map: uint8 [size, size], the 19 classes of CelebAMask-HQ.
    lapa_label_map: uint8 [size, size], the 11 classes of LaPa and Helen.
    lapa_layers: the labelled shapes of the 11-class map, back to front.

    A pixel's label is that of the topmost shape covering at least half of it.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.colour = colour_field((size, size))
        self.label_map = np.zeros((size, size), np.uint8)
        self.lapa_label_map = np.zeros((size, size), np.uint8)
        self.lapa_layers: list[LabelLayer] = []

    def coverage(
        self,
        polygons: np.ndarray | Sequence[np.ndarray],
        holes: Sequence[np.ndarray] = (),
        blur: float = 0.0,
        inside: Patch | None = None,
    ) -> Patch:
        """Coverage of the union of `polygons` less `holes`, each [N, 2] (x, y) in pixels.

        `blur`: standard deviation in pixels of a Gaussian that softens the edge (for shading; a
        labelled shape stays sharp). `inside`: a patch that clips the shape.
        """
        if isinstance(polygons, np.ndarray):
            polygons = [polygons]
        shapes = [*polygons, *holes]
        corners = np.concatenate(shapes)
        margin = int(3 * blur) + 1
        (x_low, y_low), (x_high, y_high) = corners.min(0).tolist(), corners.max(0).tolist()
        left, top = max(math.floor(x_low) - margin, 0), max(math.floor(y_low) - margin, 0)
        right = min(math.ceil(x_high) + margin, self.size)
        bottom = min(math.ceil(y_high) + margin, self.size)
        if inside is not None:  # what lies further off than the blur reaches does not matter
            left = max(left, inside.columns.start - margin)
            right = min(right, inside.columns.stop + margin)
            top = max(top, inside.rows.start - margin)
            bottom = min(bottom, inside.rows.stop + margin)
        if top >= bottom or left >= right:
            return Patch(slice(0, 0), slice(0, 0), np.zeros((0, 0), np.float32))
        fine = 8 if max(bottom - top, right - left) <= _FINE_GRID_LIMIT else 4
        if blur > 1:
            fine = 2
        mask = Image.new("L", ((right - left) * fine, (bottom - top) * fine))
        draw = ImageDraw.Draw(mask)
        # Pillow's coordinates are whole pixels, whose centres lie half a pixel further.
        points = np.rint((corners - (left, top)) * fine - 0.5).astype(int).ravel().tolist()
        start = 0
        for number, shape in enumerate(shapes):
            stop = start + 2 * len(shape)
            draw.polygon(points[start:stop], fill=255 if number < len(polygons) else 0)
            start = stop
        mask = mask.reduce(fine)
        if blur > 0:
            mask = mask.filter(ImageFilter.GaussianBlur(blur))
        alpha = np.asarray(mask) * np.float32(1 / 255)
        patch = Patch(slice(top, bottom), slice(left, right), alpha)
        return patch if inside is None else patch.within(inside)

    def glow(self, centre: Numbers, radii: Numbers, angle: float = 0.0) -> Patch:
        """Gaussian spot with standard deviations `radii` (pixels), turned by `angle` (radians)."""
        reach = 2.6 * max(radii)
        (x, y), size = (float(v) for v in centre), self.size
        left, right = max(int(x - reach), 0), max(min(int(x + reach), size), 0)
        top, bottom = max(int(y - reach), 0), max(min(int(y + reach), size), 0)
        left, top = min(left, right), min(top, bottom)
        dx = np.arange(left, right, dtype=np.float32)[None, :] + np.float32(0.5 - x)
        dy = np.arange(top, bottom, dtype=np.float32)[:, None] + np.float32(0.5 - y)
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        u, v = (c * dx + s * dy) / np.float32(radii[0]), (c * dy - s * dx) / np.float32(radii[1])
        return Patch(slice(top, bottom), slice(left, right), np.exp(-0.5 * (u * u + v * v)))

    def paint(self, patch: Patch, colour: Numbers, opacity: float = 1.0) -> None:
        """Lay `colour` ([3], or of each pixel of the patch [h, w, 3]) over the patch."""
        if patch.empty:
            return
        target = patch.of(self.colour)
        change = np.asarray(colour, np.float32) - target
        change *= (patch.alpha * np.float32(opacity))[..., None]
        target += change

    def tint(self, patch: Patch, factor: float | Numbers) -> None:
        """Multiply what is there by `factor` (a scalar or [3]) where the patch covers it."""
        if patch.empty:
            return
        change = np.asarray(factor, np.float32) - np.float32(1)
        planes = patch.of(self.colour).transpose(2, 0, 1)
        planes *= 1 + patch.alpha * change[..., None, None]

    def mark(self, patch: Patch, label: int) -> None:
        """Label the patch with one of the 19 classes, and its 11-class equivalent."""
        self.mark_19(patch, label)
        self.mark_11(patch, int(classes.LAPA_CLASS[label]))

    def mark_19(self, patch: Patch, label: int) -> None:
        """Label the patch in the 19-class map alone."""
        patch.of(self.label_map)[patch.alpha >= 0.5] = label

    def mark_11(self, patch: Patch, lapa_label: int) -> None:
        """Label the patch in the 11-class map alone."""
        patch.of(self.lapa_label_map)[patch.alpha >= 0.5] = lapa_label
        self.lapa_layers.append(LabelLayer(patch, lapa_label))
