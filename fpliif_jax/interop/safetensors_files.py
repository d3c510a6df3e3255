"""Files of the safetensors format, which is a header in JSON and the numbers, and holds no code."""

import os
import pathlib
from collections.abc import Mapping

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors import numpy as safetensors_numpy

from fpliif_jax.interop.torch_files import LARGEST_CHECKPOINT
from fpliif_jax.systems.state_dict import InteropError

LARGEST_HEADER = 4 * 2**20  # bytes; of the systems here below 0.1 MB
# What one key of the metadata holds is text in JSON. There is one, for the library writes several in
# random order, and the same weights would give other bytes every time.
METADATA_KEY = "fpliif_jax"


def load_safetensors(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], str | None]:
    """Reads a file whole.

    Args:
      path: of a `.safetensors` file.

    Returns:
      The arrays by name, and our entry of the metadata, None where it has none.

    Raises:
      InteropError: the file is missing, damaged, or larger than `LARGEST_CHECKPOINT`, its header larger than
        `LARGEST_HEADER`; or it has arrays of types that NumPy does not know.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InteropError(f"there is no file {path}")
    try:
        _check_sizes(path)
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            return {name: file.get_tensor(name) for name in file.keys()}, metadata.get(METADATA_KEY)  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InteropError(
            f"{path} is damaged, is not a safetensors file, or has arrays of another type: {reason}"
        ) from error


def safetensors_bytes(arrays: Mapping[str, np.ndarray], metadata: str) -> bytes:
    """The content of a file: the same for the same arrays (contiguous) and metadata."""
    return safetensors_numpy.save(dict(arrays), metadata={METADATA_KEY: metadata})


def _check_sizes(path: pathlib.Path) -> None:
    size = path.stat().st_size
    if size > LARGEST_CHECKPOINT:
        raise InteropError(f"{path} has {size} bytes, more than the {LARGEST_CHECKPOINT} allowed")
    with open(path, "rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if header > min(size, LARGEST_HEADER):
        raise InteropError(
            f"{path} is damaged or is not a safetensors file: its header claims {header} bytes"
        )
