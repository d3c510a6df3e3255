"""Weights from and for PyTorch, by name: state dicts, checked entry by entry, and Flax variables.

Nothing of the other side runs: state dicts are plain mappings from names to arrays, and files are read
without executing the code that a pickle can carry.
"""

from typing import TYPE_CHECKING

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
if TYPE_CHECKING:
    from fpliif_jax.interop.run_weights import make_run, write_weights
    from fpliif_jax.interop.torch_files import LARGEST_CHECKPOINT, load_torch_checkpoint
    from fpliif_jax.interop.weights_of_file import read_weights
    from fpliif_jax.systems.fp_liif.state_dict import fpliif_from_torch, fpliif_to_torch
    from fpliif_jax.systems.state_dict import InteropError
    from fpliif_jax.systems.stn_icnn.exchange_format import stn_icnn_to_torch
    from fpliif_jax.systems.stn_icnn.state_dict import stn_icnn_from_torch
else:
    __getattr__, __dir__ = lazy_exports(__name__, _MODULES)
__all__ = [
    "InteropError",
    "LARGEST_CHECKPOINT",
    "fpliif_from_torch",
    "fpliif_to_torch",
    "load_torch_checkpoint",
    "make_run",
    "read_weights",
    "stn_icnn_from_torch",
    "stn_icnn_to_torch",
    "write_weights",
]
