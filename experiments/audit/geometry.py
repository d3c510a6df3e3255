"""Equation 21 of STN-iCNN against its Fig. 7 and 8, in both conventions of grid sampling."""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from fpliif_jax.configs import stn_icnn_helen
from fpliif_jax.experiments.audit.finding import Finding
from fpliif_jax.experiments.audit.sentences import describe

_EVEN_SIZE = 80  # beside the odd one of §3.3, as Fig. 7 has both
# Form of θ, `align_corners` of grid generator and sampler, centre of the pixel at index c.
READINGS = (
    ("eq. 21", True, 0.0),
    ("eq. 21", False, 0.5),
    ("the code's", True, 0.0),  # s = (p − 1)/(S − 1), t = −1 + 2c/(S − 1)
)


def check() -> Iterator[Finding]:
    """The finding about eq. 21; it needs no published value."""
    yield _equation_21()


def looked_at(reading: tuple[str, bool, float], size: int, centre: int, side: int) -> np.ndarray:
    """Where a crop looks along one axis.

    Args:
      reading: of `READINGS`.
      size: of the crop, in pixels.
      centre: index of the pixel that it is around.
      side: of the canvas, in pixels.

    Returns:
      float64 [size], pixels, 0 at the centre of the first.
    """
    form, align_corners, offset = reading
    scale, shift = size / side, -1 + 2 * (centre + offset) / side
    if form != "eq. 21":
        scale, shift = (size - 1) / (side - 1), -1 + 2 * centre / (side - 1)
    if align_corners:
        return (scale * np.linspace(-1, 1, size) + shift + 1) / 2 * (side - 1)
    grid = (2 * np.arange(size) + 1) / size - 1
    return ((scale * grid + shift + 1) * side - 1) / 2


def crop_errors(reading: tuple[str, bool, float], size: int) -> tuple[float, float]:
    """Largest difference of a bilinear crop from the baseline's slice, on a canvas of noise.

    Returns:
      in float32 grey values of [0, 1], 0 where every bit is the same; and in pixels beside.
    """
    side = stn_icnn_helen.get_config().data.image_size
    canvas = np.random.default_rng(0).random((side, side), np.float32)
    grey = beside = 0.0
    for centre in ((side // 2, side // 2), (side // 8, side * 7 // 8), (side // 3, side // 5)):
        first = [index - size // 2 for index in centre]
        positions = [looked_at(reading, size, index, side) for index in centre]
        crop = ndimage.map_coordinates(
            canvas, np.meshgrid(*positions, indexing="ij"), output=np.float64, order=1
        ).astype(np.float32)
        rows, columns = (slice(start, start + size) for start in first)
        grey = max(grey, float(np.abs(crop - canvas[rows, columns]).max()))
        for position, start in zip(positions, first, strict=True):
            beside = max(beside, float(np.abs(position - start - np.arange(size)).max()))
    return grey, beside


def _equation_21() -> Finding:
    config = stn_icnn_helen.get_config()
    odd, side = config.model.crop_size, config.data.image_size
    header = ("θ", "align_corners", "centre", f"{odd}²", f"{_EVEN_SIZE}²")
    lines: list[tuple[str, ...]] = [header]
    exact = {}
    for reading in READINGS:
        form, align_corners, offset = reading
        errors = [crop_errors(reading, size) for size in (odd, _EVEN_SIZE)]
        exact[reading] = [_described(*one) == _SAME for one in errors]
        centre = "c + ½" if offset else "c"
        lines.append((form, str(align_corners), centre, *(_described(*one) for one in errors)))
    corners, pixels = READINGS[0], READINGS[1]
    depends = exact[pixels] == [True, False] and not exact[corners][0]
    return describe(
        "stn-icnn-equation-21",
        "recipe",
        "doubt" if depends else "contradiction",
        table=lines,
        side=side,
        odd=odd,
        even=_EVEN_SIZE,
        beside=crop_errors(corners, odd)[1],
        depends=depends,
    )


_SAME = "the same bits"


def _described(grey: float, pixels: float) -> str:
    return f"{grey:.2f}, {pixels:.1f} pixels" if grey else _SAME
