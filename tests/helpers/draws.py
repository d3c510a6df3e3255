"""Comparisons of gradients that do not depend on one draw, nor on how one processor rounds.

A gradient jumps where an activation is 0, two maxima tie or a row of a window meets the border of a pixel. Which draws
lie within rounding of such a place depends on the processor: now and then one does. A fault shows in every draw.
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

DRAWS = range(5)


def variables_of_draw(variables: Any, draw: int) -> Any:
    """Draw 0 is the variables themselves, the others have each changed by 1e-3 of it: far beyond rounding."""
    if draw == 0:
        return variables
    random = np.random.default_rng(draw)
    return jax.tree.map(
        lambda leaf: (leaf * (1 + 1e-3 * random.standard_normal(leaf.shape))).astype(np.float32),
        variables,
    )


def assert_all_but_jumps_agree(differences: Sequence[float], rounding: float, jump: float) -> None:
    """Most draws differ by `rounding` at most, and those that jump by `jump`."""
    assert np.median(differences) <= rounding, differences
    assert np.max(differences) <= jump, differences
