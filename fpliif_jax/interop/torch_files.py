"""Files of `torch.save`, read without executing the code that a pickle can carry."""

import io
import os
import pathlib
import pickle
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from fpliif_jax.commands import command_names
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.interop.pickle_check import ForbiddenPickleError, check_pickle
from fpliif_jax.systems.state_dict import InteropError

# Files of STN-iCNN are below 0.3 GB, the state of three optimisers included; those of FP-LIIF below 0.1 GB.
LARGEST_CHECKPOINT = 4 * 2**30  # bytes
_LARGEST_PICKLE = 64 * 2**20  # bytes; a state dict has some hundred a tensor
_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C  # of the older format's first pickle


class _PickledDtype:
    """Takes the place of `numpy.dtype` in a checkpoint: the type of a scalar and nothing else.

    NumPy's own does not survive some states that a file can set.
    """

    def __init__(self, code: str, *flags: Any) -> None:
        del flags
        if code not in ("f8", "f4", "i8"):
            raise pickle.UnpicklingError(f"a scalar of dtype {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


def _pickled_scalar(dtype: _PickledDtype, data: bytes) -> float | int:
    """Takes the place of NumPy's maker of scalars in a checkpoint."""
    if not isinstance(dtype, _PickledDtype) or len(data) != dtype.dtype.itemsize:
        raise pickle.UnpicklingError("a scalar whose size is not that of its dtype")
    return np.frombuffer(data, dtype.dtype)[0].item()


def load_torch_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a file of `torch.save`, of the zip format or the older one, without executing its code.

    Besides what `torch.load(weights_only=True)` admits, a file may hold NumPy scalars, under the
    names of NumPy 1 and 2: the authors' files have their best error so.

    Args:
      path: of a `.pth` or `.pth.tar` file.

    Returns:
      the dictionary saved, with PyTorch tensors on the host.

    Raises:
      InteropError: PyTorch is missing; or the file is missing, damaged, larger than
        `LARGEST_CHECKPOINT` (unpacked), holds anything but data, or no dictionary.
    """
    path = expanded(path)
    torch = _import_torch(f"reading {path}")
    if not path.is_file():
        raise InteropError(f"there is no file {path}")
    scalar_names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    allowed = [(_PickledDtype, "numpy.dtype"), *((_pickled_scalar, name) for name in scalar_names)]
    try:
        size = _unpacked_size(path)
        if size > LARGEST_CHECKPOINT:
            raise InteropError(
                f"{path} unpacks to {size} bytes, more than the {LARGEST_CHECKPOINT} allowed"
            )
        _check_pickles(path, size)
        with torch.serialization.safe_globals(allowed):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except InteropError:
        raise
    except Exception as error:  # a damaged pickle raises anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        # PyTorch advises to read such a file without its safety: nothing to pass on.
        reason = type(error).__name__ if "weights_only" in str(error) else reason
        raise InteropError(
            f"{path} is damaged, is not a PyTorch checkpoint, or holds more than data (which is "
            f"never executed): {reason}"
        ) from error
    if not isinstance(content, dict):
        raise InteropError(f"{path} holds a {type(content).__name__}, not a dictionary of weights")
    return content


def _unpacked_size(path: pathlib.Path) -> int:
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _check_pickles(path: pathlib.Path, size: int) -> None:
    """Looks at every pickle of the file that would be carried out.

    Raises:
      ForbiddenPickleError: one of them does more than hold weights.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.split("/")[-1] == "data.pkl"]
            if len(names) != 1:
                raise ForbiddenPickleError(f"it has {len(names)} lists of tensors, not one")
            if archive.getinfo(names[0]).file_size > _LARGEST_PICKLE:
                raise ForbiddenPickleError("its list of tensors is longer than any file of weights")
            check_pickle(io.BytesIO(archive.read(names[0])), size)
        return
    with open(path, "rb") as file:
        if check_pickle(file, size) != _MAGIC_NUMBER:
            raise ForbiddenPickleError("it is no file of torch.save")
        for _ in range(4):  # version, system, content, names of the storages
            check_pickle(file, size)


def save_torch_checkpoint(file: BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes what `torch.load(weights_only=True)` reads as a state dict: names to CPU tensors.

    Raises:
      InteropError: PyTorch is missing.
    """
    torch = _import_torch("writing this file")
    file.write(torch_bytes({name: torch.from_numpy(array) for name, array in arrays.items()}))


def torch_bytes(content: Any) -> memoryview:
    """What `torch.save` writes, made in memory: of a full disk it raises a RuntimeError about positions.

    Raises:
      InteropError: PyTorch is missing.
    """
    buffer = io.BytesIO()
    _import_torch("writing this file").save(content, buffer)
    return buffer.getbuffer()


def _import_torch(purpose: str) -> Any:
    try:
        import torch
    except ImportError as error:
        raise InteropError(command_names.missing_package(purpose, "torch")) from error
    return torch
