"""Multiply-accumulates of one image, of the literal form of the models, by part.

The counting is that which reproduces the "FLOPS" of FP-LIIF's Table 6:

- a convolution or dense layer: one for each weight and output position; biases, activations and sums
  are free;
- a norm: 4 an element, 5 with scale and bias; the same for instance and batch norm;
- sampling (bilinear or nearest, by `grid_sample` or resizing by interpolation): 4 a sampled value.
  Small pooling windows are free;
- a mean over all of a grid (the global feature): 1 an element. Without it the first entry of Table 6
  would be 27.43 and not 27.44.

Literal: FP-LIIF unfolds, samples, and evaluates the whole MLP for every member of the ensemble. What
fpliif_jax computes is the same function in fewer operations; those are not counted here.
"""

import ml_collections

from fpliif_jax import systems

SAMPLING = 4


def count(config: ml_collections.ConfigDict, image_size: int, output_size: int) -> dict[str, int]:
    """Multiply-accumulates of one image, by part, in the order of computation; {} of a system that does not count them.

    Args:
      config: `config.model`.
      image_size: side of the image, in pixels.
      output_size: side of the output.
    """
    total: dict[str, int] = {}
    parts_of = systems.of_name(config.name).network.multiply_accumulates
    for name, operations in parts_of(config, image_size, output_size) if parts_of else ():
        total[name] = total.get(name, 0) + operations
    return total


def convolution(side: int, inputs: int, outputs: int, kernel_size: int = 3) -> int:
    """Multiply-accumulates of a convolution whose square output has that side."""
    return side**2 * inputs * outputs * kernel_size**2


def dense(positions: int, widths: tuple[int, ...]) -> int:
    """Multiply-accumulates of dense layers between these widths, at so many positions."""
    return positions * sum(a * b for a, b in zip(widths[:-1], widths[1:], strict=True))


def norm(elements: int, affine: bool) -> int:
    """Multiply-accumulates of a norm over so many elements."""
    return elements * (5 if affine else 4)


def halved(side: int) -> int:
    """The side after a convolution or pooling of stride 2 that is padded by half of its odd size."""
    return (side - 1) // 2 + 1
