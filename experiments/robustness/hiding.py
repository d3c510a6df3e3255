"""Hides parts of a face behind what surrounds them, for the test of Fig. 5 of STN-iCNN."""

import numpy as np

SWEEPS = 24  # of averaging on each scale: coarser scales have settled what is far from the border


def part_region(labels: np.ndarray, own: tuple[int, ...], margin: int) -> np.ndarray:
    """The pixels to hide: a part and what is within `margin` of it, other parts left alone.

    Args:
      labels: integer [H, W], 0 for what is no part.
      own: labels of the part.
      margin: pixels by which the part is dilated, in each of the eight directions.

    Returns:
      bool [H, W].
    """
    part = np.isin(labels, own)
    for axis in (0, 1):
        grown = part.copy()
        for shift in range(1, min(margin, part.shape[axis] - 1) + 1):  # further ones leave the map
            grown |= _shifted(part, shift, axis) | _shifted(part, -shift, axis)
        part = grown
    return part & ((labels == 0) | np.isin(labels, own))


def fill_from_border(image: np.ndarray, hidden: np.ndarray, barrier: np.ndarray) -> np.ndarray:
    """Replaces a region by a smooth continuation of the pixels that touch it.

    The fill approximates the solution of Laplace's equation with the border's colours given, from
    coarse scales to fine ones: every pixel is a weighted mean of its border, so no colour is outside the
    border's range in any channel. Nothing is random.

    Args:
      image: uint8 [H, W, 3].
      hidden: bool [H, W], the region. Where no background touches it, it stays as it is.
      barrier: bool [H, W], pixels that are no background: they lend no colour to the fill.

    Returns:
      uint8 [H, W, 3], different from `image` inside the region only.
    """
    filled = image.copy()
    if not hidden.any():
        return filled
    rows, columns = (
        slice(max(indices.min() - 1, 0), indices.max() + 2) for indices in np.nonzero(hidden)
    )
    region = hidden[rows, columns]
    touching = np.zeros_like(region)
    for axis in (0, 1):
        touching |= _shifted(region, 1, axis) | _shifted(region, -1, axis)
    border = touching & ~region & ~barrier[rows, columns]
    if not border.any():
        return filled
    window = filled[rows, columns]
    smooth = _solve(window * border[..., None].astype(np.float32), region, border)
    window[region] = np.rint(smooth[region]).astype(np.uint8)
    return filled


def _solve(values: np.ndarray, hidden: np.ndarray, border: np.ndarray) -> np.ndarray:
    """Fills `hidden`: float32 [h, w, C], bool [h, w] twice -> float32 [h, w, C]; border not empty."""
    if not hidden.any():
        return values
    height, width = hidden.shape
    even = ((0, height % 2), (0, width % 2))
    counts = _blocks(np.pad(border, even).astype(np.float32)).sum(axis=(1, 3))
    sums = _blocks(np.pad(values * border[..., None], (*even, (0, 0)))).sum(axis=(1, 3))
    means = sums / np.maximum(counts, 1)[..., None]
    coarse_hidden = _blocks(np.pad(hidden, even)).any(axis=(1, 3)) & (counts == 0)
    coarse = _solve(means, coarse_hidden, counts > 0)
    guess = coarse.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    values = np.where(hidden[..., None], guess, values)
    counted = (hidden | border).astype(np.float32)[..., None]
    neighbours = sum(_shifted(counted, shift, axis) for axis in (0, 1) for shift in (1, -1))
    # A pixel among barriers alone has no neighbour to be like: it keeps the coarser scale's value.
    is_averaged = hidden[..., None] & (neighbours > 0)
    divisor = np.maximum(neighbours, 1)
    for _ in range(SWEEPS):
        known = values * counted
        total = sum(_shifted(known, shift, axis) for axis in (0, 1) for shift in (1, -1))
        values = np.where(is_averaged, total / divisor, values)
    return values


def _blocks(array: np.ndarray) -> np.ndarray:
    """[2h, 2w, …] -> [h, 2, w, 2, …]."""
    height, width = array.shape[:2]
    return array.reshape(height // 2, 2, width // 2, 2, *array.shape[2:])


def _shifted(array: np.ndarray, shift: int, axis: int) -> np.ndarray:
    """Moved along an axis, zeros coming in."""
    moved = np.zeros_like(array)
    if abs(shift) >= array.shape[axis]:
        return moved
    source, target = slice(None, -shift), slice(shift, None)
    if shift < 0:
        source, target = slice(-shift, None), slice(None, shift)
    before = (slice(None),) * axis
    moved[(*before, target)] = array[(*before, source)]
    return moved
