"""FP-LIIF: names and shapes of the exchange format, both ways.

The names are those of PyTorch modules that mirror the Flax ones: `encoder.groups.2.blocks.15.conv1.weight` is
('params', 'encoder', 'groups_2', 'blocks_15', 'conv1', 'kernel'). Dense layers are numbered as in
`torch.nn.Sequential`, where the activations between them count: `decoder.mlp.0`, `decoder.mlp.2`, …
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from fpliif_jax.nn.variables import Variables, leaves_by_path
from fpliif_jax.systems.fp_liif.structure import Norms, Structure, structure_of
from fpliif_jax.systems.state_dict import (
    TORCH_LEAVES,
    InteropError,
    Path,
    Table,
    joined,
    named_entries,
    norm_entries,
    shape_of,
    some,
    to_state_dict,
    to_variables,
    torch_shape,
    unwrapped,
    weight_entries,
    without_counters,
)


def fpliif_to_torch(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The state dict that PyTorch's FP-LIIF has for the variables of ours.

    Args:
      variables: {'params': …[, 'batch_stats': …]} of any FP-LIIF, JAX or NumPy arrays of any floating dtype.

    Returns:
      names to contiguous float32 NumPy arrays in PyTorch's layout, in the order of its modules; they share no
      memory with the variables. `num_batches_tracked`, which evaluation does not need, is not among them.

    Raises:
      InteropError: leaves are missing, unknown, misshapen, or not finite floating-point numbers. The message names
        them.
    """
    if not isinstance(variables, Mapping):
        raise InteropError(f"not variables of FP-LIIF: a {type(variables).__name__}")
    leaves = leaves_by_path(variables)
    shapes = {_torch_name(path): torch_shape(leaf) for path, leaf in leaves.items()}
    structure = structure_of(shapes)
    if structure is None:
        content = some([joined(path) for path in leaves]) or "nothing"
        raise InteropError(f"not variables of FP-LIIF: they hold {content}")
    return to_state_dict(leaves, _table(structure), _title("these variables do not fit", structure))


def fpliif_from_torch(state_dict: Mapping[str, Any]) -> Variables:
    """Variables of FP-LIIF from a state dict of the exchange format; the inverse of `fpliif_to_torch`.

    The settings that shape the network (features, blocks, norms, decoder, widths) are read from names and
    shapes, then every entry is compared with what a network of these settings has.

    Args:
      state_dict: names to NumPy arrays or PyTorch tensors, of any floating dtype. `num_batches_tracked` is ignored.

    Returns:
      {'params': …[, 'batch_stats': …]}, float32 NumPy arrays that share no memory with the input.

    Raises:
      InteropError: this is no state dict of FP-LIIF; or entries are missing, unknown, misshapen, or not finite
        floating-point numbers. The message names them.
    """
    if not isinstance(state_dict, Mapping):
        raise _unknown_kind(f"a {type(state_dict).__name__}")
    state_dict = unwrapped(state_dict)
    entries = without_counters(named_entries(state_dict))
    structure = structure_of({name: shape_of(value) for name, value in entries.items()})
    if structure is None:
        raise _unknown_kind("a mapping with " + (some(entries) or "no entries"))
    return to_variables(
        entries, _table(structure), _title("this state dict does not fit", structure)
    )


def _torch_name(path: Path) -> str:
    *modules, leaf = map(str, path[1:] or path)
    parts = [re.sub(r"_([0-9]+)$", r".\1", module) for module in modules]
    return ".".join([*parts, TORCH_LEAVES.get(leaf, leaf)])


def _unknown_kind(problem: str) -> InteropError:
    return InteropError(
        f"not weights of FP-LIIF: {problem}. Accepted are state dicts with the names of the exchange "
        "format (encoder.head.weight, …, decoder.mlp.0.weight, …; docs/weights.md)"
    )


def _title(beginning: str, structure: Structure) -> str:
    blocks = structure.group_blocks
    shown = ", ".join(map(str, blocks[:5])) + (", …" if len(blocks) > 5 else "")
    decoder = "LIIF" if structure.mlp else "U-Net"
    return (
        f"{beginning} FP-LIIF with {structure.features} features, groups of {shown} blocks, "
        f"{decoder} decoder and {structure.num_classes} classes"
    )


def _table(structure: Structure) -> Table:
    """All entries, in the order of PyTorch's modules."""
    features, norms = structure.features, structure.norms
    groups = len(structure.group_blocks)
    table = _layer("encoder.head", (features, 3, 3, 3))
    square = (features, features, 3, 3)
    for group, blocks in enumerate(structure.group_blocks):
        for block in range(blocks):
            name = f"encoder.groups.{group}.blocks.{block}"
            table |= _double_convolution(name, features, features, norms)
        if group == groups - 1:
            table |= _layer(f"encoder.groups.{group}.tail", square)
    for down in range(groups - 1):
        table |= _layer(f"encoder.downs.{down}", square)
    if not structure.mlp:
        return table | _unet(structure)
    for name, widths in (("rcmlp", structure.rcmlp), ("mlp", structure.mlp)):
        for index, (inputs, outputs) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            table |= _layer(f"decoder.{name}.{2 * index}", (outputs, inputs))
    return table


def _unet(structure: Structure) -> Table:
    base, norms = structure.features, structure.norms
    widths = (4 * base,) + (base,) * (len(structure.group_blocks) - 1)
    table = _double_convolution("decoder.latent", base, 4 * base, norms)
    table |= _double_convolution("decoder.bottleneck", 4 * base, 8 * base, norms)
    for index, (below, width) in enumerate(zip((8 * base, *widths), widths, strict=False)):
        table |= _layer(f"decoder.ups.{index}", (width, below, 3, 3))
    for index, width in enumerate(widths):
        table |= _double_convolution(f"decoder.joins.{index}", 2 * width, width, norms)
    return table | _layer("decoder.head", (structure.num_classes, widths[-1], 1, 1))


def _double_convolution(name: str, inputs: int, features: int, norms: Norms) -> Table:
    table: Table = {}
    for index, width in ((1, inputs), (2, features)):
        table |= _layer(f"{name}.conv{index}", (features, width, 3, 3))
        table |= norm_entries(
            f"{name}.norm{index}", _path(f"{name}.norm{index}"), features, **norms._asdict()
        )
    return table


def _layer(name: str, shape: tuple[int, ...]) -> Table:
    return weight_entries(name, _path(name), shape)


def _path(name: str) -> Path:
    """'encoder.groups.0.blocks.1.conv1' as ('encoder', 'groups_0', 'blocks_1', 'conv1')."""
    return tuple(re.sub(r"\.([0-9]+)", r"_\1", name).split("."))
