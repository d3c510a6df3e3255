"""Files of weights, of the format that the end of their name tells."""

import hashlib
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from fpliif_jax.data_builders.host import atomic_file
from fpliif_jax.interop.safetensors_files import load_safetensors, safetensors_bytes
from fpliif_jax.interop.torch_files import load_torch_checkpoint, save_torch_checkpoint
from fpliif_jax.systems.state_dict import InteropError

_STAND_IN_BYTES = 256
SAFETENSORS, TORCH = (".safetensors",), (".pth", ".pt", ".pth.tar")


def read_file(path: str | os.PathLike[str]) -> tuple[dict[str, Any], str | None]:
    """Reads weights; what is not called `.safetensors` is taken for a file of `torch.save`.

    Returns:
      names to arrays or tensors, whatever the file holds; and the metadata that `write_file` put there,
      None where there is none.

    Raises:
      InteropError: see `load_safetensors` and `load_torch_checkpoint`.
    """
    _check_is_no_stand_in(path)
    if _is_called(path, SAFETENSORS):
        return load_safetensors(path)
    return load_torch_checkpoint(path), None


def _check_is_no_stand_in(path: str | os.PathLike[str]) -> None:
    """Refuses what a download that went wrong leaves under the name of the file."""
    if not os.path.isfile(path):
        return  # the readers say so
    try:
        with open(path, "rb") as file:
            beginning = file.read(_STAND_IN_BYTES).lstrip().lower()
    except OSError as error:
        raise InteropError(f"{path} cannot be read: {error.strerror or error}") from error
    if beginning.startswith(b"version https://git-lfs"):
        raise InteropError(
            f"{path} is a pointer of Git LFS, not the weights: fetch them with git lfs pull"
        )
    if beginning.startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise InteropError(f"{path} is a web page, not weights: download the file itself")


def check_name(path: str | os.PathLike[str]) -> None:
    """Refuses a name to write to that tells no format.

    Raises:
      InteropError: says which there are.
    """
    if not _is_called(path, SAFETENSORS + TORCH):
        allowed = ", ".join(SAFETENSORS + TORCH)
        raise InteropError(f"{path}: the name of a file of weights ends with one of {allowed}")


def write_file(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], metadata: str
) -> None:
    """Writes weights so that the file is always either the old one or the new one, whole.

    Args:
      path: its end tells the format. Folders that are missing are made.
      arrays: contiguous, by name.
      metadata: text that a `.safetensors` file keeps; others have no place for it.

    Raises:
      InteropError: the name tells no format, PyTorch is missing, or the file cannot be written.
    """
    check_name(path)
    path = pathlib.Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file.replacing(path) as file:
            if _is_called(path, SAFETENSORS):
                file.write(safetensors_bytes(arrays, metadata))
            else:
                save_torch_checkpoint(file, arrays)
    except OSError as error:
        raise InteropError(f"{path} cannot be written: {error.strerror or error}") from error


def sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_called(path: str | os.PathLike[str], endings: tuple[str, ...]) -> bool:
    return os.fspath(path).lower().endswith(endings)
