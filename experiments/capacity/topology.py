"""The devices of a chip that is not here."""

import jax
from jax.experimental import topologies

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.devices import parallel
from fpliif_jax.experiments.capacity.before_jax import COMPILERS
from fpliif_jax.experiments.capacity.chips import Chip, Gpu


def absent_devices(chip: Chip, count: int) -> parallel.AbsentDevices:
    """Absent devices of a chip, `count` of them, for `parallel.compiling_for`.

    Raises:
      UserError: the installed compiler does not know the chip.
    """
    try:
        if isinstance(chip, Gpu):
            topology = topologies.get_topology_desc(
                platform="cuda", target_config=chip.target_config(), topology=f"1x1x{count}"
            )
        else:
            topology = topologies.get_topology_desc(platform="tpu", topology_name=chip.topology)
    except (jax.errors.JaxRuntimeError, RuntimeError, ValueError) as error:
        package = COMPILERS[chip.backend]
        reason = str(error).splitlines()[0]
        raise UserError(
            f"--chip={chip.name}: the installed {package} cannot compile for it: {reason}"
        ) from error
    devices = tuple(topology.devices[:count])
    return parallel.AbsentDevices(devices, chip.backend, chip.usable_bytes)
