"""Windows of a photo: which there are, and whose each pixel is where several overlap."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

NOBODY = 255  # owns the pixels outside all windows
_MOST_WINDOWS = 64  # of a level; squares of a quarter of a square photo's side are 49


class Window(NamedTuple):
    """A part of a photo, in whole pixels; bottom and right are excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def area(self) -> int:
        return max(self.bottom - self.top, 0) * max(self.right - self.left, 0)

    def of(self, photo: np.ndarray) -> np.ndarray:
        """The part of a photo [H, W, …]."""
        return photo[self.top : self.bottom, self.left : self.right]

    def covered_by(self, other: "Window") -> float:
        """The share of this window that lies within the other."""
        common = Window(
            max(self.top, other.top),
            max(self.left, other.left),
            min(self.bottom, other.bottom),
            min(self.right, other.right),
        )
        return common.area / self.area

    def scaled(self, size: tuple[int, int], new_size: tuple[int, int]) -> "Window":
        """The window of a picture of `new_size` that shows what this one does of a picture of `size`, rounded.

        It lies within that picture and has at least one pixel.
        """
        height, width = (new / old for new, old in zip(new_size, size, strict=True))
        top, bottom = min(round(self.top * height), new_size[0] - 1), round(self.bottom * height)
        left, right = min(round(self.left * width), new_size[1] - 1), round(self.right * width)
        return Window(top, left, max(bottom, top + 1), max(right, left + 1))


def covering(size: tuple[int, int], level: int) -> list[Window]:
    """Windows that cover a picture and overlap by half.

    Args:
      size: (height, width), in pixels.
      level: 0, the whole; 1, squares of half of the longer side, or of the shorter side where that is less; and so on.

    Returns:
      At most 64; none where there would be more, or where they are those of the level before.
    """
    if level == 0:
        return [Window(0, 0, *size)]
    side, side_before = (min(min(size), -(-max(size) >> one)) for one in (level, level - 1))
    is_square = size[0] == size[1]
    if side == side_before and (level > 1 or is_square):
        return []
    counts = [2 * -(-length // side) - 1 for length in size]
    if counts[0] * counts[1] > _MOST_WINDOWS:
        return []
    rows, columns = (
        np.linspace(0, length - side, count).round().astype(int).tolist()
        for length, count in zip(size, counts, strict=True)
    )
    return [Window(top, left, top + side, left + side) for top in rows for left in columns]


def owners(windows: Sequence[Window], size: tuple[int, int]) -> np.ndarray:
    """Which window each pixel of a picture belongs to: the one whose centre is nearest, in halves of its sides.

    Args:
      windows: of the picture, at most 254.
      size: (height, width), in pixels.

    Returns:
      uint8 [height, width], the index of a window; 255 outside all.
    """
    owner = np.full(size, NOBODY, np.uint8)
    nearest = np.full(size, np.inf, np.float32)
    for index, window in enumerate(windows):
        rows, columns = (
            np.abs(2 * (np.arange(first, end, dtype=np.float32) + 0.5 - first) / (end - first) - 1)
            for first, end in ((window.top, window.bottom), (window.left, window.right))
        )
        distance = np.maximum(rows[:, None], columns)
        is_nearer = distance < window.of(nearest)
        window.of(nearest)[is_nearer] = distance[is_nearer]
        window.of(owner)[is_nearer] = index
    return owner
