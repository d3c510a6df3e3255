"""Resizing of images and label maps.

Resizing is NumPy and Pillow on the host and lets go of the interpreter lock where it matters, so
that threads scale. Nothing here imports JAX.

The paper (FP-LIIF, section 4) resizes images and masks "by bicubic interpolation" without saying
which. Pillow's filter widens with the scale (antialiasing), PyTorch's does not; the argument
`bicubic` tells them apart, because the choice changes the ground truth.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from fpliif_jax.fields import field_checks


def resize_image(image: np.ndarray, size: tuple[int, int], bicubic: str = "pillow") -> np.ndarray:
    """Resizes a colour image with a bicubic filter, rounded and clipped to 8 bits.

    Args:
      image: uint8 [H, W, 3].
      size: (height, width) of the result, in pixels.
      bicubic: 'pillow' (a = -0.5, antialiased, 8-bit between the two passes, the order of which is
        another for tall pictures since Pillow 13, so that some bits are) or 'pytorch'
        (torch.nn.functional.interpolate with mode='bicubic', align_corners=False, antialias=False:
        a = -0.75, edge pixels repeated).

    Returns:
      uint8 [height, width, 3]; the input itself when the size is already right.

    Raises:
      SettingsError: unknown filter.
      ValueError: wrong shape or dtype, or a size below 1.
    """
    field_checks.check({"data.bicubic": bicubic})
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image must be uint8 [H, W, 3], got {image.dtype} {list(image.shape)}")
    check_size(size)
    if image.shape[:2] == tuple(size):
        return image
    if bicubic == "pillow":
        height, width = size
        resized = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
        return np.asarray(resized)
    interpolated = _apply_taps(image, _bicubic_taps(image.shape[1], size[1]), axis=1)
    interpolated = _apply_taps(interpolated, _bicubic_taps(image.shape[0], size[0]), axis=0)
    return np.clip(np.rint(interpolated), 0, 255).astype(np.uint8)


def resize_label_map(
    labels: np.ndarray,
    size: tuple[int, int],
    num_classes: int,
    method: str = "class_bicubic",
    bicubic: str = "pillow",
) -> np.ndarray:
    """Resizes a label map; no label appears that the input does not have.

    Args:
      labels: uint8 [H, W], class ids below `num_classes`.
      size: (height, width) of the result, in pixels.
      num_classes: number of classes.
      method: 'class_bicubic' resizes the one-hot map of each class with the bicubic filter in
        floating point and takes the class with the largest value (the lowest id where several are
        equal); 'nearest' takes the pixel whose area holds the centre of the new one.
      bicubic: 'pillow' or 'pytorch' as in `resize_image`; 'nearest' does not depend on it.

    Returns:
      uint8 [height, width]; the input itself when the size is already right.

    Raises:
      SettingsError: unknown method or filter.
      ValueError: wrong shape or dtype, a label that is no class, or a size below 1.
    """
    field_checks.check({"data.label_resize": method, "data.bicubic": bicubic})
    if labels.dtype != np.uint8 or labels.ndim != 2:
        raise ValueError(f"labels must be uint8 [H, W], got {labels.dtype} {list(labels.shape)}")
    check_size(size)
    highest = int(labels.max())
    if highest >= num_classes:
        raise ValueError(
            f"label {highest} is none of the {num_classes} classes 0…{num_classes - 1}"
        )
    if labels.shape == tuple(size):
        return labels
    if method == "nearest":
        rows = _nearest_pixels(labels.shape[0], size[0])
        columns = _nearest_pixels(labels.shape[1], size[1])
        return labels[rows[:, None], columns]

    class_scores = _pillow_class_scores if bicubic == "pillow" else _pytorch_class_scores
    # The filter's weights sum to one at every pixel, so the largest score is positive: a class
    # whose score is exactly 0 (absent, or out of the filter's reach) never wins and is left out.
    best_score = np.zeros(size, np.float32)
    best_class = np.zeros(size, np.uint8)
    for class_id in np.flatnonzero(np.bincount(labels.ravel(), minlength=num_classes)):
        scores, columns = class_scores(labels == class_id, size)
        better = scores > best_score[:, columns]  # strict: ties stay with the lower id
        best_score[:, columns][better] = scores[better]
        best_class[:, columns][better] = class_id
    return best_class


def _pillow_class_scores(mask: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, slice]:
    """Resizes one class's map, bool [H, W], to float32 scores of the columns that can be non-zero.

    Along x, then along y, in separate passes, as Pillow does, but for tall pictures since its version
    13: in the first every row stands alone and in the second every column. So the rows without the
    class can be left out of the first pass, and the columns that came out zero out of the second, with
    the same bits in what is left.
    (Cropping both ways with Pillow's `box` would move the filter's centres by rounding errors.)
    """
    height, width = size
    occupied_rows = _extent(mask.any(axis=1))
    strip = Image.fromarray(mask[occupied_rows].astype(np.float32))
    strip = np.asarray(strip.resize((width, strip.height), Image.Resampling.BICUBIC))
    columns = _extent(strip.any(axis=0))
    tall = np.zeros((mask.shape[0], columns.stop - columns.start), np.float32)
    tall[occupied_rows] = strip[:, columns]
    tall_image = Image.fromarray(tall).resize((tall.shape[1], height), Image.Resampling.BICUBIC)
    return np.asarray(tall_image), columns


def _pytorch_class_scores(mask: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, slice]:
    """Resizes one class's map, bool [H, W], to float32 [height, width]: all columns."""
    scores = _apply_taps(mask, _bicubic_taps(mask.shape[1], size[1]), axis=1)
    scores = _apply_taps(scores, _bicubic_taps(mask.shape[0], size[0]), axis=0)
    return scores.astype(np.float32), slice(0, size[1])


def _extent(occupied: npt.ArrayLike) -> slice:
    """Slice from the first true element of a vector to the last; there must be one."""
    indices = np.flatnonzero(occupied)
    return slice(indices[0], indices[-1] + 1)


def _bicubic_taps(old_length: int, new_length: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices int [new, 4], weights float64 [new, 4] of PyTorch's cubic convolution (a = -0.75)."""
    a = -0.75
    centre = (np.arange(new_length) + 0.5) * (old_length / new_length) - 0.5
    first = np.floor(centre)
    fraction = centre - first
    distance = np.abs(fraction[:, None] - np.arange(-1, 3))
    inner = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    outer = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    weights = np.where(distance <= 1, inner, outer)
    indices = first.astype(np.int64)[:, None] + np.arange(-1, 3)
    return np.clip(indices, 0, old_length - 1), weights


def _apply_taps(array: np.ndarray, taps: tuple[np.ndarray, np.ndarray], axis: int) -> np.ndarray:
    """Weighted sum of four gathered samples along an axis, in float64."""
    indices, weights = taps
    shape = [1] * array.ndim
    shape[axis] = -1
    # pyrefly: ignore[bad-return] - of four arrays
    return sum(
        np.take(array, indices[:, k], axis=axis) * weights[:, k].reshape(shape) for k in range(4)
    )


def _nearest_pixels(old_length: int, new_length: int) -> np.ndarray:
    """Index of the old pixel that holds the centre of each new one: floor((i + 1/2) old / new)."""
    # In integers, so that a centre on a boundary cannot fall on the wrong side by rounding.
    return (2 * np.arange(new_length) + 1) * old_length // (2 * new_length)


def check_size(size: tuple[int, int]) -> None:
    """Raises ValueError unless a size is (height, width), each at least 1."""
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"size must be (height, width), each at least 1, got {size}")
