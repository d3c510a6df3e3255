"""The arguments that say which trained model a command takes, a run's or one that comes with the package.

parser = command_line.CommandParser(…)
trained_model.add_arguments(parser)
…
chosen = trained_model.load(flags)
output = trained_model.make_output_folder(flags, "groups")
"""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING, NamedTuple

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.weights import shipped

if TYPE_CHECKING:  # a command's --help need not wait for JAX
    from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint


class ChosenModel(NamedTuple):
    """A trained model and where it is from.

    Attributes:
      trained: the model.
      checkpoint: 'best', 'last' or 'after_STAGE'.
      origin: the folder of the run, or '--weights=NAME'.
      description: 'the best checkpoint (step 3)' or "the weights 'drawn' (step 3500)", to be said to the person.
    """

    trained: InferenceCheckpoint
    checkpoint: str
    origin: str
    description: str


def add_arguments(parser: argparse.ArgumentParser, workdir_help: str = "folder of a run") -> None:
    """Adds --workdir, --checkpoint and --weights, none of them required: `load` says what is missing."""
    parser.add_argument("--workdir", help=workdir_help)
    parser.add_argument(
        "--weights",
        metavar="NAME",
        help=f"instead of --workdir: weights that come with the package ({', '.join(shipped.NAMES)})",
    )
    parser.add_argument("--checkpoint", help="of a run: best (default), last or after_STAGE")


def load(flags: argparse.Namespace, default: str | None = None) -> ChosenModel:
    """The model that the arguments of `add_arguments` name.

    Args:
      flags: with `workdir`, `weights` and `checkpoint`.
      default: name of the weights that are taken where neither --workdir nor --weights is given.

    Raises:
      WeightsError: both are given, or neither and there is no default; or --checkpoint without --workdir;
        or see `shipped.content`.
      CheckpointError: the run has no such checkpoint, or it is damaged.
    """
    from fpliif_jax.run_folder.inference_checkpoint import load_for_inference
    from fpliif_jax.weights import shipped_model

    if flags.workdir is not None and flags.weights is not None:
        raise shipped.WeightsError("--workdir and --weights are both given: give one of them")
    if flags.workdir is not None:
        workdir = str(expanded(flags.workdir))
        checkpoint = flags.checkpoint or "best"
        trained = load_for_inference(workdir, checkpoint)
        description = f"the {checkpoint} checkpoint (step {trained.step})"
        return ChosenModel(trained, checkpoint, workdir, description)
    name = flags.weights if flags.weights is not None else default
    if name is None:
        raise shipped.WeightsError(
            f"give --workdir=RUN or --weights=NAME ({', '.join(shipped.NAMES)})"
        )
    if flags.checkpoint is not None:
        raise shipped.WeightsError("--checkpoint is for --workdir: weights are one checkpoint")
    trained = shipped_model.load(name)
    description = f"the weights {name!r} (step {trained.step})"
    return ChosenModel(trained, shipped.CHECKPOINT, f"--weights={name}", description)


def make_output_folder(flags: argparse.Namespace, name: str) -> pathlib.Path:
    """Makes the folder for a command's results: --output, or `name` in the run's folder or in runs/weights-NAME.

    Args:
      flags: with `workdir` and `weights`, of which one is given, and `output`.
      name: of the folder.

    Raises:
      UserError: there can be no such folder.
    """
    of_model = flags.workdir or f"runs/weights-{flags.weights}"
    folder = expanded(flags.output or pathlib.Path(of_model) / name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output={folder}: {error.strerror or error}") from error
    return folder
