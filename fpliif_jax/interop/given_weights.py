"""Weights that the command line gives to evaluate: a file's, or those of the package."""

import dataclasses

import ml_collections

from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.interop.weights_of_file import read_weights
from fpliif_jax.run_folder.checkpoint import CheckpointError
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems.state_dict import InteropError
from fpliif_jax.training.train_and_evaluate import GivenWeights
from fpliif_jax.weights import shipped


def of_flags(torch_checkpoint: str | None, weights: str | None) -> GivenWeights | None:
    """What --torch_checkpoint or --weights asks for; None where neither is given.

    Raises:
      SettingsError: both are.
      WeightsError: the package has no such weights.
    """
    if torch_checkpoint and weights:
        raise SettingsError("--torch_checkpoint and --weights are both given: give one of them")
    if torch_checkpoint:
        path = expanded(torch_checkpoint)
        flag, run_name = f"--torch_checkpoint={torch_checkpoint}", f"torch-{path.name}"
        return GivenWeights(flag, run_name, lambda config: read_weights(path, config))
    if weights:
        flag, run_name = f"--weights={weights}", f"weights-{shipped.path(weights).stem}"
        return GivenWeights(flag, run_name, lambda config: _read_shipped(weights, config))
    return None


def _read_shipped(name: str, config: ml_collections.ConfigDict) -> InferenceCheckpoint:
    """Weights of the package as the model of a config; SettingsError where they are not."""
    shipped.content(name)  # compares the file with its digest
    known = shipped.shipped(name)
    try:
        weights = read_weights(shipped.path(name), config)
    except (InteropError, CheckpointError) as error:
        raise SettingsError(
            f"--weights={name} goes with --config={known.config} and its data: {error}"
        ) from error
    return dataclasses.replace(weights, note=known.note)
