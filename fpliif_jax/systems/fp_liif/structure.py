"""FP-LIIF: which network a state dict of the exchange format is of, by names and shapes alone."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

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


class Norms(NamedTuple):
    """What the norms of the network hold: scale and bias, running statistics."""

    affine: bool
    running: bool


class Structure(NamedTuple):
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
    norms: Norms
    rcmlp: tuple[int, ...]
    mlp: tuple[int, ...]
    num_classes: int


def structure_of(shapes: Mapping[str, Shape]) -> Structure | None:
    """The FP-LIIF that these entries are, or come nearest to; None where no name is one of its.

    Whatever several entries tell is decided by the majority, so that one wrong entry is the one reported.
    The time it takes, and the size of the network, are in proportion to the number of entries, whatever
    indices they claim.

    Args:
      shapes: of the entries, by name; None for what has none.
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
    return Structure(
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


def _norms(names: Iterable[str], count: int) -> Norms:
    """The contents of norms: those that at least half of the `count` possible norms have."""
    leaves = Counter(
        "running" if leaf.startswith("running_") else "affine"
        for module, _, leaf in (name.rpartition(".") for name in names)
        if module.endswith(("norm1", "norm2"))
    )
    return Norms(affine=leaves["affine"] >= count, running=leaves["running"] >= count)


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
