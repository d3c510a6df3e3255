"""STN-iCNN of any settings: names and shapes of the exchange format, both ways.

The names are those of the Flax modules, joined by dots, with PyTorch's names of parameters and statistics and its order
of axes: `fine.brows.interlink_2_0_0.conv.weight` is ('params', 'fine', 'brows', 'interlink_2_0_0', 'conv', 'kernel').
The dense layer of vgg9 reads its input row by row, the channels of a pixel together (H, W, C).
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from fpliif_jax.nn.variables import Variables, leaves_by_path
from fpliif_jax.systems.state_dict import (
    TORCH_LEAVES,
    Entry,
    InteropError,
    Table,
    joined,
    named_entries,
    shape_of,
    some,
    to_state_dict,
    to_variables,
    torch_shape,
    unwrapped,
    without_counters,
)

NETWORKS = ("coarse", "localisation", "fine")
_NAME = re.compile(
    rf"(?:{'|'.join(NETWORKS)})(?:\.(?!(?:kernel|scale|bias|mean|var)\.)\w{{1,40}}){{1,3}}"
    r"\.(?:weight|bias|running_mean|running_var)"
)
_STATISTICS = {"running_mean": "mean", "running_var": "var"}
_TITLE = "these are not the variables of an STN-iCNN"


def stn_icnn_to_torch(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """State dict of an STN-iCNN in the exchange format.

    Args:
      variables: {'params': …, 'batch_stats': …}, of JAX or NumPy arrays of any floating dtype.

    Returns:
      contiguous float32 arrays that share no memory with the variables.

    Raises:
      InteropError: the variables are of no STN-iCNN, or not finite floating-point numbers.
    """
    leaves = leaves_by_path(variables)
    table: Table = {}
    for path, leaf in leaves.items():
        shape = torch_shape(leaf)
        name = ".".join((*map(str, path[1:-1]), TORCH_LEAVES.get(path[-1], str(path[-1]))))
        if shape is None or not _NAME.fullmatch(name):
            raise InteropError(f"{_TITLE}: {joined(path)}")
        table[name] = Entry(shape, path)
    if not table:
        raise InteropError(f"{_TITLE}: there are none")
    return to_state_dict(leaves, table, _TITLE)


def is_exchange_format(state_dict: object) -> bool:
    """Whether this is a state dict whose names begin as those of this format do."""
    if not isinstance(state_dict, Mapping):
        return False
    starts = tuple(f"{network}." for network in NETWORKS)
    return any(name.startswith(starts) for name in named_entries(unwrapped(state_dict)))


def stn_icnn_from_exchange_format(state_dict: Mapping[str, Any]) -> Variables:
    """The way back.

    Args:
      state_dict: names to NumPy arrays or PyTorch tensors, of any floating dtype; `num_batches_tracked` is ignored.

    Returns:
      {'params': …, 'batch_stats': …}, float32 NumPy arrays that share no memory with the input. Whether they are all
      that the model of a config needs is not told by them.

    Raises:
      InteropError: entries have other names, or are not finite floating-point numbers.
    """
    entries = without_counters(named_entries(unwrapped(state_dict)))
    unknown = [name for name in entries if not _NAME.fullmatch(name)]
    if unknown:
        raise InteropError(f"not weights of STN-iCNN: {len(unknown)} unknown: {some(unknown)}")
    table: Table = {}
    for name, value in entries.items():
        *modules, kind = name.split(".")
        shape = shape_of(value) or ()
        collection, leaf = "params", kind
        if kind in _STATISTICS:
            collection, leaf = "batch_stats", _STATISTICS[kind]
        elif kind == "weight":
            leaf = "scale" if len(shape) == 1 else "kernel"
        table[name] = Entry(shape, (collection, *modules, leaf))
    return to_variables(entries, table, "these weights do not fit STN-iCNN")


def settings_of_weights(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of config.model that the coarse network's names and shapes tell; none where there is no such network."""
    shapes = {
        path[2:]: leaf.shape
        for path, leaf in leaves_by_path(variables).items()
        if path[:2] == ("params", "coarse")
    }
    widths: list[int] = []
    while kernel := shapes.get((f"input_{len(widths)}", "conv", "kernel")):
        widths.append(kernel[-1])
    if not widths:
        return {}
    layers = 0
    while (f"interlink_{layers}_0_0", "conv", "kernel") in shapes:
        layers += 1
    return {"row_features": tuple(widths), "interlinked_layers": layers}
