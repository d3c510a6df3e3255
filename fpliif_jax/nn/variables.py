"""The values that a network computes with, as Flax has them."""

from collections.abc import Mapping
from typing import Any

from flax import traverse_util

# {'params'[, 'batch_stats']: {network: {…: array}}}; shapes and dtypes in the arrays' place where it says so.
Variables = dict[str, Any]
Path = tuple[str, ...]


def leaves_by_path(variables: Mapping[str, Any]) -> dict[Path, Any]:
    """The leaves of nested dicts by their path, ('params', 'encoder', …); empty dicts have none."""
    leaves: dict[Path, Any] = traverse_util.flatten_dict(dict(variables))
    return leaves
