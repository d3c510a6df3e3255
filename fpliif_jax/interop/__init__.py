"""Weights from and for PyTorch, by name: state dicts, checked entry by entry, and Flax variables.

Nothing of the other side runs: state dicts are plain mappings from names to arrays, and files are read
without executing the code that a pickle can carry.
"""

from fpliif_jax.commands.lazy_exports import lazy_exports

_MODULES = {
    "InteropError": "fpliif_jax.systems.state_dict",
    "LARGEST_CHECKPOINT": "fpliif_jax.interop.torch_files",
    "fpliif_from_torch": "fpliif_jax.systems.fp_liif.state_dict",
    "fpliif_to_torch": "fpliif_jax.systems.fp_liif.state_dict",
    "load_torch_checkpoint": "fpliif_jax.interop.torch_files",
    "make_run": "fpliif_jax.interop.run_weights",
    "read_weights": "fpliif_jax.interop.weights_of_file",
    "stn_icnn_from_torch": "fpliif_jax.systems.stn_icnn.state_dict",
    "stn_icnn_to_torch": "fpliif_jax.systems.stn_icnn.exchange_format",
    "write_weights": "fpliif_jax.interop.run_weights",
}
__getattr__, __dir__ = lazy_exports(__name__, _MODULES)
__all__ = list(_MODULES)
