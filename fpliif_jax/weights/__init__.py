"""Trained weights that come with the package, by name; docs/weights.md has the card of each, with what it cannot do."""

from typing import TYPE_CHECKING

from fpliif_jax.commands.lazy_exports import lazy_exports

_MODULES = {
    "NAMES": "fpliif_jax.weights.shipped",
    "WeightsError": "fpliif_jax.weights.shipped",
    "load": "fpliif_jax.weights.shipped_model",
}
if TYPE_CHECKING:
    from fpliif_jax.weights.shipped import NAMES, WeightsError
    from fpliif_jax.weights.shipped_model import load
else:
    __getattr__, __dir__ = lazy_exports(__name__, _MODULES)
__all__ = ["NAMES", "WeightsError", "load"]
