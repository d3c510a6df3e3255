"""What a drawing of this style can show beyond its own parts, and the random numbers of each of these things.

Each has a generator of its own, from where the drawing's stands before its first number: no number of the drawing
moves, and a face that shows none of these things is the same with and without them, to the byte.
"""

import copy
from collections.abc import Collection

import numpy as np

SCARVES = "scarves"
REFLECTIONS = "reflections"
HATS = "hats"
JEWELS = "jewels"
HALF_LENGTH = "half_length"
# In this order they are numbered: add at the end.
ADDITIONS = (SCARVES, REFLECTIONS, HATS, JEWELS, HALF_LENGTH)


def own_generators(
    rng: np.random.Generator, also: Collection[str]
) -> dict[str, np.random.Generator]:
    """The generator of each of `also`, some of `ADDITIONS`; `rng` stays where it is."""
    if not also:
        return {}
    entropy = copy.deepcopy(rng).integers(2**63, size=4).tolist()
    return {
        name: np.random.Generator(np.random.PCG64([*entropy, number]))
        for number, name in enumerate(ADDITIONS)
        if name in also
    }
