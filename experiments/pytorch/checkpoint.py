"""Checkpoints of a PyTorch run: <workdir>/checkpoints/last.pt and best.pt, tensors and numbers alone."""

import pathlib
import pickle
from typing import Any, TypedDict

import torch

from fpliif_jax.data_builders.host import atomic_file
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.interop.torch_files import torch_bytes
from fpliif_jax.run_folder.checkpoint import CheckpointError


class Saved(TypedDict):
    """The content of a checkpoint.

    Attributes:
      progress: as `training.progress.Progress` has it.
      model, optimizer: their `state_dict`.
    """

    progress: JsonObject
    model: dict[str, torch.Tensor]
    optimizer: dict[str, Any]


def path_of(workdir: pathlib.Path, which: str) -> pathlib.Path:
    """The file of the 'last' or the 'best' checkpoint."""
    return workdir / "checkpoints" / f"{which}.pt"


def save(workdir: pathlib.Path, which: str, content: Saved) -> None:
    """Writes a checkpoint: the file is always either the old one or the new one, whole."""
    path = path_of(workdir, which)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file.replacing(path) as file:
        file.write(torch_bytes(content))


def load(workdir: pathlib.Path, which: str) -> Saved | None:
    """Reads a checkpoint onto the CPU without executing what it may contain; None where there is none.

    Raises:
      CheckpointError: the file is damaged or something else.
    """
    path = path_of(workdir, which)
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        missing = {"model", "progress"} - content.keys()
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _unreadable(path, reason) from error
    if missing:
        raise _unreadable(path, ", ".join(sorted(missing)))
    return content


def _unreadable(path: pathlib.Path, why: str) -> CheckpointError:
    return CheckpointError(f"{path} cannot be read ({why}); delete it to go on without it")
