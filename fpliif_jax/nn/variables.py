"""The values that a network computes with, as Flax has them."""

from typing import Any

# {'params'[, 'batch_stats']: {network: {…: array}}}; shapes and dtypes in the arrays' place where it says so.
Variables = dict[str, Any]
