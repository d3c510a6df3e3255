"""A trained network as a function of arrays alone, for programs that do not have this package."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np


@dataclasses.dataclass(frozen=True)
class NetworkFunction:
    """A function with the weights in it.

    Attributes:
      call: of the inputs in their order; gives as many arrays as there are names of outputs.
      inputs: by name, dtype and shape; free sizes are those of `jax.export.symbolic_shape`.
      outputs: names.
      examples: inputs of all sizes that an exported file is checked at.
      takes_nearest: whether an output takes the nearest of some values, at places that the network computes: where
        two are as near, rounding decides, and the output is another value altogether.
    """

    call: Callable[..., Sequence[jax.Array]]
    inputs: Mapping[str, jax.ShapeDtypeStruct]
    outputs: tuple[str, ...]
    examples: Sequence[tuple[np.ndarray, ...]]
    takes_nearest: bool = False
