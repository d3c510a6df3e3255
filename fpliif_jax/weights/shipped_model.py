"""Weights that come with the package as prediction and evaluation take a model."""

import json

from safetensors import numpy as safetensors_numpy

from fpliif_jax import systems
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems import saved_config
from fpliif_jax.weights import shipped


def load(name: str) -> InferenceCheckpoint:
    """The model of the weights with that name.

    Args:
      name: one of `NAMES`.

    Returns:
      The model, its class names, the settings it was trained with (places of data as the system's default has
      them), and a note that says where it comes from.

    Raises:
      WeightsError: there is no such name, or the file is missing, damaged or another.
    """
    data = shipped.content(name)
    # The file is the one that was put here, byte for byte, so its header needs no checks.
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata = json.loads(header["__metadata__"]["fpliif_jax"])
    config = saved_config.completed(metadata["config"])
    return InferenceCheckpoint(
        config,
        systems.of(config).exchange.from_torch(safetensors_numpy.load(data)),
        tuple(metadata["class_names"]),
        metadata["step"],
        None,
        shipped.shipped(name).note,
        metadata["whose_left"],
    )
