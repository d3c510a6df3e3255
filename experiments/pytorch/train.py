"""Trains FP-LIIF in PyTorch and evaluates it: python -m experiments.pytorch.train --config=configs/lapa.py.

The config, the batches and their order, what is drawn for each augmentation and the initial weights are those of
`python -m fpliif_jax.main`, and so are the files that the run leaves but for the checkpoints; results.json has
"framework": "pytorch".
"""

import os
import pathlib
import sys
from logging import Formatter

import jax
import ml_collections
import torch
from absl import app, flags, logging
from ml_collections import config_flags

from fpliif_jax import systems
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data_builders import standard_streams
from fpliif_jax.data_builders.errors import USER_ERRORS, error_line
from fpliif_jax.evaluation.results import table
from fpliif_jax.experiments.pytorch import evaluation, loop
from fpliif_jax.interruption import Interruption
from fpliif_jax.preflight import (
    SettingsError,
    check_classes,
    check_settings,
    define_config_flag,
    parse_flags,
)
from fpliif_jax.run_folder import run_lock, run_record

_CONFIG = define_config_flag()
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Run's folder; none: runs/<config>-pytorch/seed<seed>."
)
_DEVICE = flags.DEFINE_string("device", None, "'cpu' or 'cuda[:N]'; none: cuda if there is one.")


def main(argv: list[str]) -> None:
    """Trains and evaluates; errors a person can mend are one line and exit code 1."""
    if len(argv) > 1:
        sys.exit(f"error: unexpected argument {argv[1]!r}; settings are --config.FIELD=VALUE")
    logging.set_verbosity(logging.WARNING)
    logging.get_absl_handler().setFormatter(Formatter("%(levelname)s: %(message)s"))
    interruption = Interruption()
    config = _CONFIG.value
    if not systems.of(config).has_torch_twin:
        sys.exit(
            f"error: config.model.name is {config.model.name!r}, which has no PyTorch twin: use "
            "python -m fpliif_jax.main"
        )
    name = pathlib.Path(config_flags.get_config_filename(flags.FLAGS["config"])).stem
    workdir = pathlib.Path(_WORKDIR.value or f"runs/{name}-pytorch/seed{config.seed}").expanduser()
    jax.config.update("jax_platforms", "cpu")  # it draws the augmentations; the GPU is PyTorch's
    try:
        check_settings(config)
        device = choose_device(_DEVICE.value)
        apply_to_torch(config)
        run(config, workdir, device, interruption)
    except USER_ERRORS as error:
        sys.exit(error_line(error))
    sys.exit(interruption.exit_code if interruption.requested else 0)


def run(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    device: torch.device,
    stop: Interruption,
) -> None:
    """Prepares the data, trains and evaluates."""
    run_record.check_workdir(workdir)
    dataset = load_dataset(config.data)
    check_classes(config, dataset)
    workdir.mkdir(parents=True, exist_ok=True)
    with run_lock.locked(workdir):
        if not loop.train(config, workdir, dataset, device, stop) or stop.requested:
            print(f"interrupted and saved in {workdir}: the same command goes on", file=sys.stderr)
            return
        results = evaluation.evaluate_run(config, workdir, dataset, device)
        print(f"{table(results)}\n{workdir / 'results.json'}")


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
        torch.utils.deterministic.fill_uninitialized_memory = False  # a check that costs time
    precision = "high" if config.matmul_precision == "default" else config.matmul_precision
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = precision != "highest"


if __name__ == "__main__":
    standard_streams.outlive_readers()
    app.run(main, flags_parser=parse_flags)
