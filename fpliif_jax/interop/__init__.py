"""Weights from and for PyTorch, by name: state dicts, checked entry by entry, and Flax variables.

Nothing of the other side runs: state dicts are plain mappings from names to arrays, and files are read
without executing the code that a pickle can carry.
"""

from fpliif_jax.interop.fp_liif import fpliif_from_torch, fpliif_to_torch
from fpliif_jax.interop.read_weights import read_weights
from fpliif_jax.interop.run_weights import make_run, write_weights
from fpliif_jax.interop.state_dict import InteropError
from fpliif_jax.interop.stn_icnn import stn_icnn_from_torch
from fpliif_jax.interop.torch_files import LARGEST_CHECKPOINT, load_torch_checkpoint

__all__ = [
    "LARGEST_CHECKPOINT",
    "InteropError",
    "fpliif_from_torch",
    "fpliif_to_torch",
    "load_torch_checkpoint",
    "make_run",
    "read_weights",
    "stn_icnn_from_torch",
    "write_weights",
]
