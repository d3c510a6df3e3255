"""What is settled before JAX is imported: whether a chip can be compiled for, and that JAX keeps to the CPU."""

import importlib.util
import os

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.capacity.chips import Chip

# The package that compiles for a backend, by its name when it is imported.
COMPILERS = {"gpu": "jax_cuda13_plugin", "tpu": "libtpu"}
# Trying kernels needs the chip; without this flag XLA would look for one.
_UNTRIED = "--xla_gpu_autotune_level=0"


def check_compiler(chip: Chip) -> None:
    """Says at once where the package that compiles for the chip is missing.

    Raises:
      ModuleNotFoundError: `command_line.run` says how to install it.
    """
    package = COMPILERS[chip.backend]
    if importlib.util.find_spec(package) is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)


def check_devices(chip: Chip, count: int) -> None:
    """Refuses a number of devices that there is no topology for.

    Raises:
      UserError: says how many there may be.
    """
    most = chip.most_devices
    if count < 1 or (most is not None and count > most):
        allowed = "at least 1" if most is None else f"1 to {most} for {chip.name}"
        raise UserError(f"--devices={count}: give {allowed}")


def prepare_jax() -> None:
    """Keeps JAX on the CPU, whatever the machine has, and XLA from looking for a chip. Call it before JAX is used."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    # libtpu looks for the machine's metadata otherwise, which takes minutes where there are none.
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
    # It keeps other processes out, for the sake of chips that nothing here touches.
    os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_gpu_autotune_level" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_UNTRIED}".strip()
