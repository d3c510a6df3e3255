"""Multiply-accumulates of one image through the literal FP-LIIF, counted as Table 6 does."""

from collections.abc import Iterator

import ml_collections

from fpliif_jax.systems.multiply_accumulates import SAMPLING, convolution, dense, halved, norm


def multiply_accumulates(
    config: ml_collections.ConfigDict, image_size: int, output_size: int
) -> Iterator[tuple[str, int]]:
    """See `systems.multiply_accumulates.count`: (part, operations) in the order of computation."""
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
            side = halved(side)
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
) -> Iterator[tuple[str, int]]:
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
) -> Iterator[tuple[str, int]]:
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
