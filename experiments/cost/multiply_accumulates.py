"""Multiply-accumulates of one image, of the literal form of the models, by part.

The counting is that which reproduces the "FLOPS" of FP-LIIF's Table 6:

- a convolution or dense layer: one for each weight and output position; biases, activations and sums
  are free;
- a norm: 4 an element, 5 with scale and bias; the same for instance and batch norm;
- sampling (bilinear or nearest, by `grid_sample` or resizing by interpolation): 4 a sampled value.
  Small pooling windows and the plain doubling of STN-iCNN's rows are free;
- a mean over all of a grid (the global feature): 1 an element. Without it the first entry of Table 6
  would be 27.43 and not 27.44.

Literal: FP-LIIF unfolds, samples, and evaluates the whole MLP for every member of the ensemble. What
fpliif_jax computes is the same function in fewer operations; those are not counted here.
"""

import math
from collections.abc import Iterator

import ml_collections

from fpliif_jax.systems.stn_icnn import localization, model, settings

SAMPLING = 4

_Part = tuple[str, int]


def count(config: ml_collections.ConfigDict, image_size: int, output_size: int) -> dict[str, int]:
    """Multiply-accumulates of one image, by part, in the order of computation.

    Args:
      config: `config.model`.
      image_size: side of the image, in pixels. Of no consequence to STN-iCNN, which works on
        `coarse_size`, the crops and the canvas.
      output_size: side of the output; for STN-iCNN, of the canvas.
    """
    if config.name == "stn_icnn":
        parts = _stn_icnn(settings.resolve(config), output_size)
    else:
        parts = _fp_liif(config, image_size, output_size)
    total: dict[str, int] = {}
    for name, operations in parts:
        total[name] = total.get(name, 0) + operations
    return total


def convolution(side: int, inputs: int, outputs: int, kernel_size: int = 3) -> int:
    """Of a square output of that side."""
    return side**2 * inputs * outputs * kernel_size**2


def dense(positions: int, widths: tuple[int, ...]) -> int:
    """Of dense layers between these widths, at so many positions."""
    return positions * sum(a * b for a, b in zip(widths[:-1], widths[1:], strict=True))


def norm(elements: int, affine: bool) -> int:
    """Of a norm over so many elements."""
    return elements * (5 if affine else 4)


# ----------------------------------------------------------------------------------------- FP-LIIF


def _fp_liif(
    config: ml_collections.ConfigDict, image_size: int, output_size: int
) -> Iterator[_Part]:
    features, last = config.features, len(config.group_blocks) - 1
    side, sides, normed = image_size, [], 0
    yield "encoder: head", convolution(side, 3, features)
    for group, blocks in enumerate(config.group_blocks):
        sides.append(side)
        convolutions = 2 * blocks
        normed += convolutions * side**2 * features
        convolutions += group == last  # the tail
        yield (
            f"encoder: group {group + 1}",
            convolutions * convolution(side, features, features),
        )
        if group < last:
            side = _halved(side)
            yield f"encoder: down {group + 1}", convolution(side, features, features)
    yield "encoder: norms", _norms(config, normed)
    if config.decoder == "conv_unet":
        yield from _unet_decoder(config, sides, output_size)
    else:
        yield from _liif_decoder(config, side, output_size)


def _norms(config: ml_collections.ConfigDict, elements: int) -> int:
    return 0 if config.norm == "none" else norm(elements, config.norm_affine)


def _liif_decoder(
    config: ml_collections.ConfigDict, grid_size: int, output_size: int
) -> Iterator[_Part]:
    width = config.features * (9 if config.unfold else 1)
    if config.rcmlp:
        yield "decoder: RCMLP", dense(grid_size**2, (width, *config.rcmlp_features))
        width = config.rcmlp_features[-1]
    if config.global_feature:
        yield "decoder: global feature", grid_size**2 * config.features
    members = 1 if config.ensemble == "none" else 4
    sampled = width
    if config.position == "relative":
        sampled += 2  # the centre of the cell that a query falls into is looked up as well
    queries = members * output_size**2
    yield "decoder: sampling", SAMPLING * queries * sampled
    inputs = width + (config.features if config.global_feature else 0) + 2
    yield "decoder: MLP", dense(queries, (inputs, *config.mlp_features, config.num_classes))


def _unet_decoder(
    config: ml_collections.ConfigDict, sides: list[int], output_size: int
) -> Iterator[_Part]:
    base, bottom = config.features, -(-sides[-1] // 2)
    convolutions, normed, sampled = 0, 0, 0

    def double(side: int, inputs: int, outputs: int) -> None:
        nonlocal convolutions, normed
        convolutions += convolution(side, inputs, outputs) + convolution(side, outputs, outputs)
        normed += 2 * side**2 * outputs

    double(sides[-1], base, 4 * base)
    double(bottom, 4 * base, 8 * base)
    below, below_side = 8 * base, bottom
    for side, width in zip(sides[::-1], [4 * base] + [base] * (len(sides) - 1), strict=True):
        if side != below_side:
            sampled += side**2 * below
        convolutions += convolution(side, below, width)
        double(side, 2 * width, width)
        below, below_side = width, side
    convolutions += convolution(sides[0], below, config.num_classes, kernel_size=1)
    if output_size != sides[0]:
        sampled += output_size**2 * config.num_classes
    yield "decoder: convolutions", convolutions
    yield "decoder: norms", _norms(config, normed)
    yield "decoder: sampling", SAMPLING * sampled


def _halved(side: int) -> int:
    """By a convolution or pooling of stride 2 that is padded by half of its odd size."""
    return (side - 1) // 2 + 1


# ---------------------------------------------------------------------------------------- STN-iCNN


def _stn_icnn(config: ml_collections.ConfigDict, canvas_size: int) -> Iterator[_Part]:
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
        sides.append(_halved(sides[-1]) if config.pool_size == 3 else sides[-1] // 2)

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
    total += block(0, widths[0], hidden, normed=config.head_norms > 0)
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
    side = _halved(config.coarse_size)
    total = convolution(side, config.num_classes, 64, 7) + norm(side**2 * 64, affine=True)
    side, inputs = _halved(side), 64
    for group in range(4):
        width = 64 * 2**group
        if group:
            side = _halved(side)
            total += convolution(side, inputs, width, 1) + norm(side**2 * width, affine=True)
        total += convolution(side, inputs, width) + 3 * convolution(side, width, width)
        total += 4 * norm(side**2 * width, affine=True)
        inputs = width
    return total + side**2 * inputs + dense(1, (inputs, _THETA))


def _conv15(config: ml_collections.ConfigDict) -> int:
    side, inputs, total = config.coarse_size, config.num_classes, 0
    for index in range(10):
        if index % 2 == 0:
            side = _halved(side)
        total += convolution(side, inputs, 6) + norm(side**2 * 6, affine=True)
        inputs = 6
    # From 4×4 to θ's 2×3 by a kernel of 3×2; then four more, the last of which has no norm.
    positions = 2 * 3
    total += positions * 6 * 6 * (3 * 2) + norm(positions * 6, affine=True)
    return total + 4 * positions * 6 * 6 * 3**2 + 3 * norm(positions * 6, affine=True)


_THETA = math.prod((localization.PARTS, 2, 3))
_LOCALISATION = {"vgg9": _vgg9, "resnet18": _resnet18, "conv15": _conv15}
