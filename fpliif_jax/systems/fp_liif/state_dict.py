"""FP-LIIF: names and shapes of the exchange format, both ways.

The names are those of PyTorch modules that mirror the Flax ones: `encoder.groups.2.blocks.15.conv1.weight` is
('params', 'encoder', 'groups_2', 'blocks_15', 'conv1', 'kernel'). Dense layers are numbered as in
`torch.nn.Sequential`, where the activations between them count: `decoder.mlp.0`, `decoder.mlp.2`, …
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from fpliif_jax.nn.variables import Variables, leaves_by_path
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

Shape = tuple[int, ...] | None

_INDEX = r"(0|[1-9][0-9]{0,8})"
_DOUBLE = r"(?:conv1|conv2|norm1|norm2)"
# Every name that some FP-LIIF has. The indices are groups of the match.
_NAMES = {
    "head": re.compile(r"encoder\.head\.(?:weight|bias)"),
    "block": re.compile(rf"encoder\.groups\.{_INDEX}\.blocks\.{_INDEX}\.{_DOUBLE}\.\w+"),
    "tail": re.compile(rf"encoder\.groups\.{_INDEX}\.tail\.(?:weight|bias)"),
    "down": re.compile(rf"encoder\.downs\.{_INDEX}\.(?:weight|bias)"),
    "rcmlp": re.compile(rf"decoder\.rcmlp\.{_INDEX}\.(?:weight|bias)"),
    "mlp": re.compile(rf"decoder\.mlp\.{_INDEX}\.(?:weight|bias)"),
    "unet": re.compile(
        rf"decoder\.(?:(?:latent|bottleneck|joins\.{_INDEX})\.{_DOUBLE}\.\w+"
        rf"|(?:ups\.{_INDEX}|head)\.(?:weight|bias))"
    ),
}


class _Norms(NamedTuple):
    """What the norms of the network hold: scale and bias, running statistics."""

    affine: bool
    running: bool


class _Structure(NamedTuple):
    """What tells the names and shapes of one FP-LIIF.

    Attributes:
      features: channels of the encoder.
      group_blocks: residual blocks of each group.
      norms: what they hold.
      rcmlp: widths from its input on; empty where there is none, and for the U-Net.
      mlp: widths from its input to the classes; empty for the U-Net.
      num_classes: C.
    """

    features: int
    group_blocks: tuple[int, ...]
    norms: _Norms
    rcmlp: tuple[int, ...]
    mlp: tuple[int, ...]
    num_classes: int


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
    structure = _structure(shapes)
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
    structure = _structure({name: shape_of(value) for name, value in entries.items()})
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


def _title(beginning: str, structure: _Structure) -> str:
    blocks = structure.group_blocks
    shown = ", ".join(map(str, blocks[:5])) + (", …" if len(blocks) > 5 else "")
    decoder = "LIIF" if structure.mlp else "U-Net"
    return (
        f"{beginning} FP-LIIF with {structure.features} features, groups of {shown} blocks, "
        f"{decoder} decoder and {structure.num_classes} classes"
    )


# ------------------------------------------------------------------ names and shapes -> structure


def _structure(shapes: Mapping[str, Shape]) -> _Structure | None:
    """The FP-LIIF that these entries are, or come nearest to; None where no name is one of its.

    Whatever several entries tell is decided by the majority, so that one wrong entry is the one reported.
    The time it takes, and the size of the network, are in proportion to the number of entries, whatever
    indices they claim.
    """
    kinds: dict[str, dict[str, tuple[str | None, ...]]] = {kind: {} for kind in _NAMES}
    for name in shapes:
        for kind, pattern in _NAMES.items():
            if match := pattern.fullmatch(name):
                kinds[kind][name] = match.groups()
    if not any(kinds.values()):
        return None
    of_encoder = [name for kind in ("head", "block", "tail", "down") for name in kinds[kind]]
    features = _majority(_axis(shapes[name], 0) for name in of_encoder)
    group_blocks = _group_blocks(kinds)
    is_unet = len(kinds["unet"]) > len(kinds["rcmlp"]) + len(kinds["mlp"])
    if is_unet:
        head = [f"decoder.head.{leaf}" for leaf in ("weight", "bias")]
        rcmlp, mlp = (), ()
        num_classes = _majority(_axis(shapes.get(name), 0) for name in head)
    else:
        rcmlp, mlp = _mlp_widths(kinds, shapes, features)
        num_classes = mlp[-1]
    norms = 2 * (sum(group_blocks) + (2 + len(group_blocks) if is_unet else 0))
    return _Structure(
        features, group_blocks, _norms([*kinds["block"], *kinds["unet"]], norms),
        rcmlp, mlp, num_classes,
    )  # fmt: skip


def _group_blocks(kinds: Mapping[str, Mapping[str, tuple[Any, ...]]]) -> tuple[int, ...]:
    blocks: dict[int, set[int]] = {}
    for group, block in kinds["block"].values():
        blocks.setdefault(int(group), set()).add(int(block))
    groups = blocks.keys() | {int(group) for (group,) in kinds["tail"].values()}
    groups |= {int(down) + 1 for (down,) in kinds["down"].values()}
    return tuple(max(1, _count(blocks.get(group, ()))) for group in range(max(1, _count(groups))))


def _norms(names: Iterable[str], count: int) -> _Norms:
    """What at least half of the entries that `count` norms could have are there for."""
    leaves = Counter(
        "running" if leaf.startswith("running_") else "affine"
        for module, _, leaf in (name.rpartition(".") for name in names)
        if module.endswith(("norm1", "norm2"))
    )
    return _Norms(affine=leaves["affine"] >= count, running=leaves["running"] >= count)


def _mlp_widths(
    kinds: Mapping[str, Mapping[str, tuple[Any, ...]]],
    shapes: Mapping[str, Shape],
    features: int,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Widths of the reduce-channel MLP (empty: there is none) and of the MLP, inputs first."""
    unfolded = (9 * features, features)  # with the neighbourhood and without
    rcmlp: tuple[int, ...] = ()
    sampled = unfolded
    if kinds["rcmlp"]:
        inputs, *widths = _dense_widths("rcmlp", kinds, shapes)
        rcmlp = (_nearest_choice(inputs, unfolded), *widths)
        sampled = rcmlp[-1:]
    inputs, *widths = _dense_widths("mlp", kinds, shapes)
    # The position's two, and the global feature or not.
    allowed = [width + 2 + extra for width in sampled for extra in (features, 0)]
    return rcmlp, (_nearest_choice(inputs, allowed), *widths)


def _dense_widths(
    name: str,
    kinds: Mapping[str, Mapping[str, tuple[Any, ...]]],
    shapes: Mapping[str, Shape],
) -> list[int]:
    """Inputs of the first layer and outputs of all, as weights, biases and the next inputs tell."""
    indices = {int(index) for (index,) in kinds[name].values()}
    least = 2 if name == "mlp" else 1
    layers = max(least, _count({index // 2 for index in indices if index % 2 == 0}))
    weights_, biases = (
        [shapes.get(f"decoder.{name}.{2 * layer}.{leaf}") for layer in range(layers)]
        for leaf in ("weight", "bias")
    )
    outputs = [
        _majority((_axis(weight, 0), _axis(bias, 0), _axis(following, 1)))
        for weight, bias, following in zip(weights_, biases, [*weights_[1:], None], strict=True)
    ]
    return [_axis(weights_[0], 1) or 0, *outputs]


def _count(indices: Collection[int]) -> int:
    """How many there are, gaps included, which will be named as missing.

    Indices that would leave more than half of the places empty do not count: a large one is no reason to
    count up to it.
    """
    places = enumerate(sorted(indices), start=1)
    return max((index + 1 for place, index in places if index < 2 * place), default=0)


def _nearest_choice(width: int, allowed: Collection[int]) -> int:
    """The width if it is allowed; else the first, against which it will be reported."""
    return width if width in allowed else next(iter(allowed))


def _axis(shape: Shape, axis: int) -> int | None:
    return shape[axis] if shape is not None and len(shape) > axis else None


def _majority(votes: Iterable[int | None]) -> int:
    """The most frequent width, the first of equals; 1 where nobody votes."""
    counted = Counter(vote for vote in votes if vote)
    return counted.most_common(1)[0][0] if counted else 1


# ------------------------------------------------------------------ structure -> names and shapes


def _table(structure: _Structure) -> Table:
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


def _unet(structure: _Structure) -> Table:
    base, norms = structure.features, structure.norms
    widths = (4 * base,) + (base,) * (len(structure.group_blocks) - 1)
    table = _double_convolution("decoder.latent", base, 4 * base, norms)
    table |= _double_convolution("decoder.bottleneck", 4 * base, 8 * base, norms)
    for index, (below, width) in enumerate(zip((8 * base, *widths), widths, strict=False)):
        table |= _layer(f"decoder.ups.{index}", (width, below, 3, 3))
    for index, width in enumerate(widths):
        table |= _double_convolution(f"decoder.joins.{index}", 2 * width, width, norms)
    return table | _layer("decoder.head", (structure.num_classes, widths[-1], 1, 1))


def _double_convolution(name: str, inputs: int, features: int, norms: _Norms) -> Table:
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
