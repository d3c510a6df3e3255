"""Multiply-accumulates of one image through STN-iCNN.

Its paper prints none. They are counted for the milliseconds that it prints: `experiments.audit` shows that of the two
systems the one that is said to be quicker does more operations (docs/audit.md, "Time for one face").
"""

import math
from collections.abc import Iterator

import ml_collections

from fpliif_jax.systems.multiply_accumulates import SAMPLING, convolution, dense, halved, norm
from fpliif_jax.systems.stn_icnn import localization, model, settings


def multiply_accumulates(
    config: ml_collections.ConfigDict, image_size: int, canvas_size: int
) -> Iterator[tuple[str, int]]:
    """See `systems.multiply_accumulates.count`: (part, operations) in the order of computation.

    The size of the image is of no consequence: networks see `coarse_size`, the crops and the canvas.
    """
    config = settings.resolve(config)
    yield "K", _icnn(config, config.coarse_size, config.num_classes)
    if config.cropper == "stn":
        yield "L", _LOCALISATION[config.localisation](config)
    sizes = model.part_sizes(config.crop_size, config.mouth_crop_size)
    yield "grid transformer", SAMPLING * sum(size**2 for size in sizes) * 3
    labels = model.fine_labels()
    parts = {"brows": 2, "eyes": 2, "nose": 1, "mouth": 1}
    for network, logits in labels.items():
        crop = config.mouth_crop_size if network == "mouth" else config.crop_size
        yield f"K_i: {network}", parts[network] * _icnn(config, crop, logits)
    mapped = sum(parts[network] * logits for network, logits in labels.items())
    yield "inverse transformer", SAMPLING * mapped * canvas_size**2


def _icnn(config: ml_collections.ConfigDict, side: int, labels: int) -> int:
    widths, kernel = config.row_features, config.kernel_size
    sides = [side]
    for _ in widths[1:]:
        sides.append(halved(sides[-1]) if config.pool_size == 3 else sides[-1] // 2)

    def block(row: int, inputs: int, outputs: int, size: int = kernel, normed: bool = True) -> int:
        norms = norm(sides[row] ** 2 * outputs, affine=True) if normed else 0
        return convolution(sides[row], inputs, outputs, size) + norms

    total = 0
    for row, width in enumerate(widths):
        total += block(row, 3, width)
        seen = sum(widths[max(row - 1, 0) : row + 2])
        again = (config.interlink_convs - 1) * block(row, width, width)
        total += config.interlinked_layers * (block(row, seen, width) + again)
        if row + 1 < len(widths):
            total += block(row, width + widths[row + 1], width)
    hidden = 2 * labels + 8
    total += block(0, widths[0], hidden)
    total += block(0, hidden, labels, normed=config.head_norms > 1)
    return total + block(0, labels, labels, config.last_kernel_size, normed=False)


def _vgg9(config: ml_collections.ConfigDict) -> int:
    side, inputs, total = config.coarse_size, config.num_classes, 0
    for width in config.localisation_features:
        total += convolution(side, inputs, width) + convolution(side, width, width)
        total += 2 * norm(side**2 * width, affine=True)
        side, inputs = (side - 3) // 2 + 1, width
    return total + dense(1, (side**2 * inputs, _THETA))


def _resnet18(config: ml_collections.ConfigDict) -> int:
    side = halved(config.coarse_size)
    total = convolution(side, config.num_classes, 64, 7) + norm(side**2 * 64, affine=True)
    side, inputs = halved(side), 64
    for group in range(4):
        width = 64 * 2**group
        if group:
            side = halved(side)
            total += convolution(side, inputs, width, 1) + norm(side**2 * width, affine=True)
        total += convolution(side, inputs, width) + 3 * convolution(side, width, width)
        total += 4 * norm(side**2 * width, affine=True)
        inputs = width
    return total + side**2 * inputs + dense(1, (inputs, _THETA))


def _conv15(config: ml_collections.ConfigDict) -> int:
    side, inputs, total = config.coarse_size, config.num_classes, 0
    for index in range(10):
        if index % 2 == 0:
            side = halved(side)
        total += convolution(side, inputs, 6) + norm(side**2 * 6, affine=True)
        inputs = 6
    # From 4×4 to θ's 2×3 by a kernel of 3×2; then four more, the last of which has no norm.
    positions = 2 * 3
    total += positions * 6 * 6 * (3 * 2) + norm(positions * 6, affine=True)
    return total + 4 * positions * 6 * 6 * 3**2 + 3 * norm(positions * 6, affine=True)


_THETA = math.prod((localization.PARTS, 2, 3))
_LOCALISATION = {"vgg9": _vgg9, "resnet18": _resnet18, "conv15": _conv15}
