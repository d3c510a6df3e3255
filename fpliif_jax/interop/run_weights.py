"""Weights of a run as a file, and a file of weights as a run."""

import json
import os
import pathlib
from typing import Any, NamedTuple

import ml_collections
import numpy as np
from flax import traverse_util

from fpliif_jax import systems
from fpliif_jax.data import sides
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.config_fields import Role
from fpliif_jax.interop.file_formats import check_name, sha256, write_file
from fpliif_jax.interop.weights_of_file import read_weights
from fpliif_jax.run_folder import checkpoint, run_lock
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint, load_for_inference
from fpliif_jax.run_folder.run_config import flatten_config, json_config
from fpliif_jax.run_folder.run_record import write_json
from fpliif_jax.systems.state_dict import InteropError
from fpliif_jax.weights import shipped


class Written(NamedTuple):
    """What a file of weights holds.

    Attributes:
      step: training step of the checkpoint it was made of.
      values: number of values, parameters and running statistics.
      sha256: of the file.
    """

    step: int
    values: int
    sha256: str


def write_weights(
    workdir: pathlib.Path | str, which: str, output: str | os.PathLike[str]
) -> Written:
    """Writes the weights of a run as a file in the exchange format.

    A `.safetensors` file also holds, as JSON, the run's config without the places of its data, the names of
    its classes and whose left they mean, and the checkpoint and its step.

    Args:
      workdir: the run's folder.
      which: 'best' or 'last'.
      output: its end tells the format, see `files.write_file`; an older file is replaced.

    Raises:
      CheckpointError: there is no such checkpoint, or it is damaged.
      InteropError: the run's system has no such format, the weights are not finite, or the file cannot be written.
    """
    check_name(output)
    return write_model(load_for_inference(workdir, which), which, str(workdir), output)


def write_model(
    trained: InferenceCheckpoint, which: str, origin: str, output: str | os.PathLike[str]
) -> Written:
    """Writes a trained model as `write_weights` does.

    Args:
      trained: the model.
      which: the checkpoint that it is of, 'best' or 'last'.
      origin: where it is from, named in errors.
      output: see `write_weights`.

    Raises:
      InteropError: see `write_weights`.
    """
    output = expanded(output)
    check_name(output)
    name = trained.config.model.name
    to_torch = systems.of_name(name).exchange.to_torch if name in systems.names() else None
    if to_torch is None:
        can_be = [name for name in systems.names() if systems.of_name(name).exchange.to_torch]
        raise InteropError(
            f"{origin} is a run of {name!r}: only weights of "
            f"{', '.join(map(repr, can_be))} can be written"
        )
    arrays = to_torch(trained.variables)
    metadata = json.dumps(metadata_of(trained, which), ensure_ascii=False, sort_keys=True)
    write_file(output, arrays, metadata)
    values = sum(int(np.size(array)) for array in arrays.values())
    return Written(trained.step, values, sha256(output))


def metadata_of(trained: InferenceCheckpoint, which: str) -> dict[str, Any]:
    """What a file says of the model in it: config without places, class names and sides, checkpoint and step."""
    flat = flatten_config(json_config(trained.config))
    config = traverse_util.unflatten_dict(
        {
            field: value
            for field, value in flat.items()
            if not _is_place(field, value)  # nobody else's business
        },
        sep=".",
    )
    return {
        "config": config,
        "class_names": trained.class_names,
        "whose_left": sides.whose_left(config, trained.whose_left),
        "checkpoint": which,
        "step": trained.step,
    }


def _is_place(field: str, value: Any) -> bool:
    """Whether a field names where something lies on this machine."""
    if field == "train.init_from":
        return shipped.is_folder_of_run(value)
    return config_fields.has_role(field, Role.PLACE)


def make_run(
    path: str | os.PathLike[str], config: ml_collections.ConfigDict, workdir: pathlib.Path | str
) -> str:
    """Makes a run whose 'best' checkpoint, at step 0, holds the weights of a file.

    Args:
      path: see `read_weights`.
      config: see `read_weights`; it becomes the run's.
      workdir: the run's folder, without checkpoints and results.

    Returns:
      the note on where the weights are from.

    Raises:
      InteropError: the file cannot be used, see `read_weights`, or the folder not.
      CheckpointError: the networks in the file are not those of the config.
      RunLockError: another process is at work in the folder.
    """
    weights = read_weights(path, config)
    workdir = expanded(workdir)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        with run_lock.locked(workdir):
            for name in ("checkpoints", "results.json"):
                if (workdir / name).exists():
                    raise InteropError(
                        f"{workdir} already holds a run ({name}); use another --workdir, or delete "
                        "this one"
                    )
            saved_config = json_config(config)
            write_json(workdir / "config.json", saved_config)
            progress = {
                "config": saved_config,
                "fingerprint": None,
                "class_names": list(weights.class_names),
                "whose_left": weights.whose_left,
                "step": 0,
                "note": weights.note,
            }
            checkpoint.save(workdir, "best", 0, weights.variables, progress)
    except OSError as error:
        raise InteropError(f"{workdir} cannot be written: {error.strerror or error}") from error
    # pyrefly: ignore[bad-return] - what is read from a file has a note
    return weights.note
