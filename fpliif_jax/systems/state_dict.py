"""State dicts checked entry by entry against a table of what they must hold, and turned into variables.

A table tells, for each name of a state dict, its shape in PyTorch's layout and where the value is among
the Flax variables. The layouts differ in the order of the axes of kernels alone.
"""

import itertools
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.nn.variables import Path, Variables

_NAMED_AT_MOST = 5  # entries of one kind in a message
_SHOWN_AT_MOST = 120  # characters of one of them
_HOLDERS = ("state_dict", "model_state_dict")
_WRAPPERS = ("module.", "_orig_mod.")
_TO_FLAX = {4: (2, 3, 1, 0), 2: (1, 0)}  # OIHW -> HWIO, [outputs, inputs] -> [inputs, outputs]
_TO_TORCH = {4: (3, 2, 0, 1), 2: (1, 0)}
# What PyTorch calls the leaves of Flax; a bias is a bias.
TORCH_LEAVES = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}


class InteropError(UserError):
    """Weights do not fit the model, or a file cannot be read; the message says what and where."""


class Entry(NamedTuple):
    """An entry of a state dict.

    Attributes:
      shape: in PyTorch's layout.
      path: of the leaf among the variables; None: no forward pass reads it, so Flax has no such leaf.
    """

    shape: tuple[int, ...]
    path: Path | None


Table = dict[str, Entry]


# ------------------------------------------------------------------------- tables of entries


def weight_entries(
    name: str, path: Path | None, shape: tuple[int, ...], use_bias: bool = True
) -> Table:
    """A convolution or dense layer; `shape` is that of its weight, outputs first."""
    table = {f"{name}.weight": Entry(shape, _leaf("params", path, "kernel"))}
    if use_bias:
        table[f"{name}.bias"] = Entry(shape[:1], _leaf("params", path, "bias"))
    return table


def norm_entries(
    name: str, path: Path | None, features: int, *, affine: bool = True, running: bool = True
) -> Table:
    """A norm, with what it has of scale and bias (`affine`) and running statistics (`running`)."""
    leaves = {}
    if affine:
        leaves["weight"] = _leaf("params", path, "scale")
        leaves["bias"] = _leaf("params", path, "bias")
    if running:
        leaves["running_mean"] = _leaf("batch_stats", path, "mean")
        leaves["running_var"] = _leaf("batch_stats", path, "var")
    return {f"{name}.{key}": Entry((features,), leaf) for key, leaf in leaves.items()}


def _leaf(collection: str, path: Path | None, name: str) -> Path | None:
    return None if path is None else (collection, *path, name)


# ------------------------------------------------------------------------------ conversion


def unwrapped(content: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The state dict in what a training script saved: {'state_dict': …, 'epoch': 3}."""
    for key in _HOLDERS:
        held = content.get(key)
        if isinstance(held, Mapping) and all(shape_of(value) is None for value in content.values()):
            return held
    return content


def named_entries(state_dict: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """The entries by `prefix` and name, as text: a file can have any keys.

    What DataParallel and torch.compile put before all names is left out.
    """
    entries = {_text(name): value for name, value in state_dict.items()}
    for wrapper in _WRAPPERS * 2:  # in either order
        if entries and all(name.startswith(wrapper) for name in entries):
            entries = {name.removeprefix(wrapper): value for name, value in entries.items()}
    return {prefix + name: value for name, value in entries.items()}


def _text(name: Any) -> str:
    try:
        return str(name)
    except (ValueError, RecursionError):  # numbers of more than 4,300 digits, tuples of tuples of …
        return f"({type(name).__name__})"


def without_counters(entries: Mapping[str, Any]) -> dict[str, Any]:
    """The entries but `num_batches_tracked`, which PyTorch's batch norms count and seldom use."""
    return {
        name: value
        for name, value in entries.items()
        if name.rpartition(".")[2] != "num_batches_tracked"
    }


def to_variables(entries: Mapping[str, Any], table: Table, title: str) -> Variables:
    """Variables from the entries of a state dict, if all of the table are there, and no others.

    Args:
      entries: names to NumPy arrays or PyTorch tensors of any floating dtype.
      table: what there must be.
      title: what this is and what it must fit; the error begins with it.

    Returns:
      float32 arrays that share no memory with the entries, as nested dicts.

    Raises:
      InteropError: entries are missing, unknown, misshapen, or not finite floating-point numbers.
    """
    misshapen, not_numbers, leaves = [], [], {}
    for name, (shape, path) in table.items():
        if name not in entries:
            continue
        # The shape first: a tensor of a hostile file may claim any size without having the memory.
        own_shape = shape_of(entries[name])
        if own_shape is not None and own_shape != shape:
            misshapen.append(f"{name} is {list(own_shape)}, expected {list(shape)}")
            continue
        value = None if own_shape is None else _floating_array(entries[name])
        if value is None:
            not_numbers.append(f"{name} ({_kind(entries[name])})")
        elif path is not None:
            leaves[path] = _transposed(value, _TO_FLAX)
    _refuse(
        title,
        missing=[name for name in table if name not in entries],
        unknown=[name for name in entries if name not in table],
        misshapen=misshapen,
        not_numbers=not_numbers,
    )
    return traverse_util.unflatten_dict(leaves)


def to_state_dict(leaves: Mapping[Path, Any], table: Table, title: str) -> dict[str, np.ndarray]:
    """The way back, for a table all of whose entries have a path.

    Args:
      leaves: flat variables: paths to JAX or NumPy arrays.
      table: what there must be.
      title: as in `to_variables`.

    Returns:
      contiguous float32 arrays in the table's order, which share no memory with the leaves.

    Raises:
      InteropError: as in `to_variables`; leaves are named by their paths, with their shapes in Flax's layout.
    """
    by_path = {path: (name, shape) for name, (shape, path) in table.items() if path is not None}
    misshapen, not_numbers, arrays = [], [], {}
    for path, (name, shape) in by_path.items():
        if path not in leaves:
            continue
        own_shape = torch_shape(leaves[path])
        if own_shape is not None and own_shape != shape:
            ours = [shape[axis] for axis in _TO_FLAX.get(len(shape), range(len(shape)))]
            misshapen.append(f"{joined(path)} is {list(leaves[path].shape)}, expected {ours}")
            continue
        value = None if own_shape is None else _floating_array(leaves[path])
        if value is None:
            not_numbers.append(f"{joined(path)} ({_kind(leaves[path])})")
        else:
            arrays[name] = _transposed(value, _TO_TORCH)
    _refuse(
        title,
        missing=[joined(path) for path in by_path if path not in leaves],
        unknown=[joined(path) for path in leaves if path not in by_path],
        misshapen=misshapen,
        not_numbers=not_numbers,
    )
    return arrays


def joined(path: Path) -> str:
    """('params', 'encoder', …) as 'params/encoder/…'."""
    return "/".join(map(str, path))


def shape_of(value: Any) -> tuple[int, ...] | None:
    """Shape of an array or tensor; None of anything else."""
    shape = getattr(value, "shape", None)
    return None if shape is None else tuple(shape)


def torch_shape(value: Any) -> tuple[int, ...] | None:
    """The shape that a Flax array has in PyTorch's layout; None of anything that is no array."""
    shape = shape_of(value)
    if shape is None:
        return None
    return tuple(shape[axis] for axis in _TO_TORCH.get(len(shape), range(len(shape))))


def _transposed(value: np.ndarray, axes: Mapping[int, tuple[int, ...]]) -> np.ndarray:
    """The array with its axes in the other order that its number of axes asks for, contiguous."""
    return np.ascontiguousarray(value.transpose(axes.get(value.ndim)))


def _kind(value: Any) -> str:
    return str(getattr(value, "dtype", type(value).__name__))


def _floating_array(value: Any) -> np.ndarray | None:
    """float32 of an array or a PyTorch tensor; None where it is no array of finite floating-point numbers."""
    if hasattr(value, "detach"):
        try:
            value = value.detach().cpu()
            # NumPy has no bfloat16.
            value = value.float().numpy() if value.is_floating_point() else value.numpy()
        except (RuntimeError, TypeError):  # sparse, quantised, without memory
            return None
    elif isinstance(value, jax.Array):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        return None
    # JAX's rules, which know bfloat16 and its like. Integers are quantised or of another network: no scale is told.
    if not jnp.issubdtype(value.dtype, jnp.floating):
        return None
    with np.errstate(over="ignore"):
        value = np.array(value, np.float32)
    return value if np.isfinite(value).all() else None


# -------------------------------------------------------------------------------- messages


def _refuse(
    title: str,
    *,
    missing: list[str],
    unknown: list[str],
    misshapen: list[str],
    not_numbers: list[str],
) -> None:
    problems = {
        "missing": missing,
        "unknown": unknown,
        "of another shape": misshapen,
        "not arrays of finite floating-point numbers": not_numbers,
    }
    counts = [f"{len(names)} {kind}: {some(names)}" for kind, names in problems.items() if names]
    if counts:
        raise InteropError(f"{title}: {'; '.join(counts)}")


def some(names: Collection[str]) -> str:
    """The first of these names and how many more there are, in one line of bounded length."""
    more = len(names) - _NAMED_AT_MOST
    shown = ", ".join(map(shown_name, itertools.islice(names, _NAMED_AT_MOST)))
    return shown + (f" and {more} more" if more > 0 else "")


def shown_name(name: str) -> str:
    """A name from a file, in one line of bounded length."""
    if len(name) > _SHOWN_AT_MOST:
        name = name[: _SHOWN_AT_MOST - 1] + "…"
    return name if name.isprintable() else repr(name)
