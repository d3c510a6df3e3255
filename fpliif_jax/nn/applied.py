"""Networks with their values."""

import dataclasses
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import flax.linen as nn

from fpliif_jax.nn.variables import Variables

P = ParamSpec("P")
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Applied:
    """A network with its values: a function of (method of its class, arguments), with the types of the method.

    Flax's own `apply` knows neither the arguments nor what comes back. The values stay as they are.
    """

    network: nn.Module
    variables: Variables

    def __call__(
        self, method: Callable[Concatenate[Any, P], T], *inputs: P.args, **settings: P.kwargs
    ) -> T:
        """What `method` of the network gives, `FPLIIF.encode` or `FPLIIF.__call__`; of a subclass, its own."""

        def bound(network: nn.Module) -> T:
            return getattr(network, method.__name__)(*inputs, **settings)

        output: Any = self.network.apply(self.variables, method=bound)
        return output
