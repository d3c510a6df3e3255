"""The state of a run as a checkpoint holds it: nested dicts of arrays alone, compared by their names."""

import hashlib
from typing import Any

import flax.serialization
import numpy as np
from flax import traverse_util

from fpliif_jax.nn.variables import leaves_by_path

PyTree = Any
ArrayTree = dict[str, Any]  # nested dicts of arrays alone


def of_state(state: PyTree) -> ArrayTree:
    """The arrays of a state, of NumPy: named tuples become dicts, empty nodes go."""
    flat = traverse_util.flatten_dict(flax.serialization.to_state_dict(state))
    return traverse_util.unflatten_dict({path: np.asarray(leaf) for path, leaf in flat.items()})


def as_state(arrays: ArrayTree, like: PyTree) -> PyTree:
    """A state of the structure of `like`, with the arrays that `of_state` gave of it, and its empty nodes."""
    template = traverse_util.flatten_dict(
        flax.serialization.to_state_dict(like), keep_empty_nodes=True
    )
    flat = traverse_util.flatten_dict(arrays)
    nodes = {
        path: node if node is traverse_util.empty_node else flat[path]
        for path, node in template.items()
    }
    return flax.serialization.from_state_dict(like, traverse_util.unflatten_dict(nodes))


def digest(arrays: ArrayTree) -> str:
    """SHA-256 of names, dtypes, shapes and values."""
    whole = hashlib.sha256()
    for name, array in sorted(_by_name(arrays).items()):
        whole.update(f"{name} {array.dtype} {array.shape} ".encode())
        whole.update(np.asarray(array).tobytes())
    return whole.hexdigest()


def first_difference(saved: PyTree, expected: PyTree) -> str | None:
    """The first name, shape or dtype that differs between checkpoint and config's model, in words; None if none does.

    Args:
      saved: nested dicts of arrays.
      expected: nested dicts of arrays, or of their shapes.
    """
    saved, expected = _by_name(saved), _by_name(expected)
    for name in sorted(saved.keys() | expected.keys()):
        if name not in saved:
            return f"{name} is missing"
        if name not in expected:
            return f"{name} is in the checkpoint, not in the model of this config"
        found, wanted = (f"{of.dtype}{list(of.shape)}" for of in (saved[name], expected[name]))
        if found != wanted:
            return f"{name} is {found} in the checkpoint, {wanted} for this config"
    return None


def _by_name(arrays: ArrayTree) -> dict[str, Any]:
    return {"/".join(path): array for path, array in leaves_by_path(arrays).items()}
