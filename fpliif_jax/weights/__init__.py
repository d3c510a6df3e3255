"""Trained weights that come with the package, by name; docs/weights.md has the card of each, with what it cannot do."""

from fpliif_jax.commands.lazy_exports import lazy_exports

_MODULES = {
    "NAMES": "fpliif_jax.weights.shipped",
    "WeightsError": "fpliif_jax.weights.shipped",
    "load": "fpliif_jax.weights.shipped_model",
}
__getattr__, __dir__ = lazy_exports(__name__, _MODULES)
__all__ = list(_MODULES)
