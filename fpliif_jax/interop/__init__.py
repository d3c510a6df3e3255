"""Weights from and for PyTorch, by name: state dicts, checked entry by entry, and Flax variables.

Nothing of the other side runs: state dicts are plain mappings from names to arrays, and files are read
without executing the code that a pickle can carry.
"""

from fpliif_jax.interop.read_weights import read_weights
from fpliif_jax.interop.run_weights import make_run, write_weights
from fpliif_jax.interop.torch_files import LARGEST_CHECKPOINT, load_torch_checkpoint
from fpliif_jax.systems.fp_liif.state_dict import fpliif_from_torch, fpliif_to_torch
from fpliif_jax.systems.state_dict import InteropError
from fpliif_jax.systems.stn_icnn.state_dict import stn_icnn_from_torch

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
