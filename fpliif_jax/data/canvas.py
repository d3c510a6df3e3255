"""Framing of a picture on a square canvas.

STN-iCNN (section 2.5.1) pads images, "because the padding operation can retain the
original image information". A picture of h × w lies on a black square canvas of side S with its
upper left corner at ((S - h) // 2, (S - w) // 2): centred, half a pixel up or left where the margin
is odd. One that is longer than S, or than `longest_side` where that is given, is reduced first, keeping its
aspect ratio, until its longer side is so long; the other is rounded to whole pixels, half up, and at least 1.
Nothing is ever enlarged. The label map is brought to the picture's size on the canvas, whatever
its own, and has the background, 0, around it.
"""

import numpy as np

from fpliif_jax.data.resize import check_size, resize_image, resize_label_map
from fpliif_jax.data_builders.errors import SettingsError


def canvas_size(
    size: tuple[int, int], side: int, longest_side: int | None = None
) -> tuple[int, int]:
    """Height and width, in pixels, of a picture of `size` (height, width) on a canvas of `side`.

    Raises:
      ValueError: a size or side below 1.
      SettingsError: a longest side that the canvas does not have.
    """
    check_size(size)
    check_size((side, side))
    check_longest_side(longest_side, side)
    side = longest_side or side
    longer = max(size)
    if longer <= side:
        return size[0], size[1]
    # In integers: round(2.5) would be 2.
    height, width = (max(1, (2 * length * side + longer) // (2 * longer)) for length in size)
    return height, width


def canvas_window(side: int, size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a square canvas that a picture takes.

    Args:
      side: of the canvas, in pixels.
      size: (height, width) of the picture on it, as `canvas_size` gives them.

    Returns:
      (rows, columns): `canvas[rows, columns]` is the picture.

    Raises:
      ValueError: the picture is larger than the canvas, or has no pixels.
    """
    check_size(size)
    if max(size) > side:
        raise ValueError(f"a picture of {size[0]} x {size[1]} is larger than a canvas of {side}²")
    top, left = ((side - length) // 2 for length in size)
    return slice(top, top + size[0]), slice(left, left + size[1])


def check_longest_side(longest_side: int | None, side: int) -> None:
    """Raises SettingsError unless pictures with such a side fit a canvas of that side; None always does."""
    if longest_side is not None and not 1 <= longest_side <= side:
        raise SettingsError(
            f"config.data.longest_side is {longest_side}; it must be 1 to config.data.image_size = {side}, or none"
        )


def place_on_canvas(
    image: np.ndarray, side: int, bicubic: str = "pillow", longest_side: int | None = None
) -> tuple[np.ndarray, tuple[int, int]]:
    """Centres an image on a black square, reduced if it is larger; the module tells the rule.

    Args:
      image: uint8 [H, W, 3].
      side: of the canvas, in pixels.
      bicubic: the filter that reduces, as in `resize_image`.
      longest_side: of the picture, in pixels; None: the canvas's.

    Returns:
      (canvas uint8 [side, side, 3], (height, width) of the picture on it, for `canvas_window`).

    Raises:
      ValueError: wrong shape or dtype, or a side below 1.
      SettingsError: unknown filter, or a longest side that the canvas does not have.
    """
    size = canvas_size(image.shape[:2], side, longest_side)
    canvas = np.zeros((side, side, 3), np.uint8)
    canvas[canvas_window(side, size)] = resize_image(image, size, bicubic)
    return canvas, size


def place_labels_on_canvas(
    labels: np.ndarray,
    side: int,
    size: tuple[int, int],
    num_classes: int,
    method: str = "class_bicubic",
    bicubic: str = "pillow",
) -> np.ndarray:
    """Centres a label map on a square of background (0), where its image lies on the canvas.

    Args:
      labels: uint8 [H, W], class ids below `num_classes`; H and W need not be the image's.
      side: of the canvas, in pixels.
      size: (height, width) of the picture on the canvas, as `place_on_canvas` gives them.
      num_classes: number of classes.
      method: as in `resize_label_map`, for label maps of another size.
      bicubic: as in `resize_label_map`.

    Returns:
      uint8 [side, side].

    Raises:
      SettingsError, ValueError: as `resize_label_map` and `canvas_window`.
    """
    canvas = np.zeros((side, side), np.uint8)
    window = canvas_window(side, size)
    canvas[window] = resize_label_map(labels, size, num_classes, method, bicubic)
    return canvas
