"""Trains FP-LIIF in PyTorch and evaluates it: what `python -m experiments.pytorch.train` does."""

import os
import pathlib
import sys

import jax
import ml_collections
import torch
from absl import logging

from fpliif_jax import systems
from fpliif_jax.commands.interruption import SAID_SAVED, Interruption
from fpliif_jax.data.dataset import load_datasets
from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.evaluation.score_table import table
from fpliif_jax.experiments.pytorch import evaluation, loop
from fpliif_jax.experiments.pytorch.read_fields import check_read
from fpliif_jax.run_folder import run_lock, run_record
from fpliif_jax.training.preflight import check_classes, check_scored_classes, check_settings


def main(
    config: ml_collections.ConfigDict, config_name: str, workdir: str | None, device: str | None
) -> int:
    """Trains and evaluates.

    Args:
      config: of the run.
      config_name: 'lapa'; the run's folder is called after it.
      workdir: of the run; None: runs/<config>-pytorch/seed<seed>.
      device: 'cpu' or 'cuda[:N]'; None: cuda if there is one.

    Returns:
      the exit code.

    Raises:
      UserError, OSError: what `command_line.run` ends with in one line.
    """
    logging.set_verbosity(logging.WARNING)
    interruption = Interruption()
    jax.config.update("jax_platforms", "cpu")  # it draws the augmentations; the GPU is PyTorch's
    check_settings(config)
    if not systems.of(config).has_torch_twin:
        raise SettingsError(
            f"config.model.name is {config.model.name!r}, which has no PyTorch twin: use "
            "python -m fpliif_jax.main"
        )
    check_read(config)
    folder = expanded(workdir or f"runs/{config_name}-pytorch/seed{config.seed}")
    chosen = choose_device(device)
    apply_to_torch(config)
    return 0 if run(config, folder, chosen, interruption) else interruption.exit_code


def run(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    device: torch.device,
    stop: Interruption,
) -> bool:
    """Prepares the data, trains and evaluates; whether that is finished, and not stopped and saved."""
    run_record.check_workdir(workdir)
    trained_on, scored_on = load_datasets(config, trains=True)
    check_classes(config, trained_on)
    check_classes(config, scored_on)
    check_scored_classes(trained_on, scored_on)
    workdir.mkdir(parents=True, exist_ok=True)
    with run_lock.locked(workdir):
        if not loop.train(config, workdir, trained_on, device, stop) or stop.requested:
            print(f"{SAID_SAVED}{workdir}: the same command goes on", file=sys.stderr)
            return False
        results = evaluation.evaluate_run(config, workdir, scored_on, device)
        print(f"{table(results)}\n{workdir / 'results.json'}")
    return True


def choose_device(name: str | None) -> torch.device:
    """The device of that name; without a name a GPU where there is one, else the CPU.

    Raises:
      SettingsError: there is no such device.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(f"--device={name} cannot be used: {reason}") from error
    return device


def apply_to_torch(config: ml_collections.ConfigDict) -> None:
    """Sets matrix precision and deterministic kernels.

    PyTorch has no deterministic gradient of `grid_sample` on a GPU: it says so once and goes on, and runs there
    may differ in the last bits.
    """
    if config.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        # pyrefly: ignore[missing-attribute] - PyTorch makes it at run time
        torch.utils.deterministic.fill_uninitialized_memory = False  # a check that costs time
    precision = "high" if config.matmul_precision == "default" else config.matmul_precision
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = precision != "highest"
