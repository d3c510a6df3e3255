"""Which launcher has started this process, and as one of how many: read from the environment it leaves.

JAX itself finds the other processes (`jax.distributed`, its cluster detection). Here is asked only what JAX does not
say: whether there are others at all, so that a run that should have joined them is an error, not one of N runs that
each believe to be alone, and which of the machine's devices the process may take.
"""

import dataclasses
import importlib.util
import pathlib
from collections.abc import Mapping

_SLURM_TASKS = "SLURM_STEP_NUM_TASKS"
_OPEN_MPI_PROCESSES = "OMPI_COMM_WORLD_SIZE"
# The number of processes, where the launcher says it: variable -> launcher.
_COUNTS = {  # in this order: mpirun may have started its own helpers by srun
    _OPEN_MPI_PROCESSES: "Open MPI",
    "PMI_SIZE": "MPI",
    _SLURM_TASKS: "Slurm",
    "WORLD_SIZE": "torchrun",
}
# Names of the processes, separated by commas.
_NAMES = {
    "TPU_PROCESS_ADDRESSES": "Cloud TPU",
    "TPU_WORKER_HOSTNAMES": "Cloud TPU",
}
# Variables that launchers leave in each process of a group whose size they do not say.
_INDEXES = {"JOB_COMPLETION_INDEX": "an indexed Kubernetes job"}
_HOW_TO_JOIN = {
    "MPI": "JAX joins processes of this MPI through mpi4py: pip install mpi4py",
    "Open MPI": "JAX joins processes of Open MPI 5 through mpi4py: pip install mpi4py",
    "an indexed Kubernetes job": 'JAX asks Kubernetes for them: pip install "jax[k8s]", see docs/clusters.md',
}
_PCI_DEVICES = pathlib.Path("/sys/bus/pci/devices")
_GOOGLE, _NETWORK_CARD = "0x1ae0", "0x0042"  # PCI identities
_GIVEN = "give --coordinator_address, --num_processes and --process_id"


@dataclasses.dataclass(frozen=True)
class Launcher:
    """What has started this process as one of several.

    Attributes:
      name: for the person, 'Slurm'.
      num_processes: of the run; None where the launcher leaves that to be asked for.
      detection: method of JAX's cluster detection to name; None where JAX finds it alone.
      takes_all_devices: whether this process may take every device that it sees; otherwise JAX gives the process of
        local index i the i-th device.
    """

    name: str
    num_processes: int | None
    detection: str | None = None
    takes_all_devices: bool = False

    @property
    def how_to_join(self) -> str:
        """What the person can do where JAX cannot join the processes."""
        return _HOW_TO_JOIN.get(self.name, _GIVEN)


def detect(environment: Mapping[str, str]) -> Launcher | None:
    """The launcher that has started this process as one of several; None for a process that is alone.

    Args:
      environment: variables of the process, `os.environ`.
    """
    for variable, name in _COUNTS.items():
        count = _number(environment.get(variable))
        # srun --mpi=pmi2 speaks MPI's language to the processes, and JAX knows Slurm's.
        is_slurm = variable == "PMI_SIZE" and count == _number(environment.get(_SLURM_TASKS))
        if count > 1 and not is_slurm:
            return Launcher(
                name, count, _detection(variable, environment), _takes_all_devices(environment)
            )
    for variable, name in _NAMES.items():
        count = len(environment.get(variable, "").split(","))
        count *= max(_number(environment.get("MEGASCALE_NUM_SLICES")), 1)
        if environment.get(variable) and count > 1:
            return Launcher(name, count)
    for variable, name in _INDEXES.items():
        if variable in environment:
            return Launcher(name, None, takes_all_devices=True)
    return None


def is_cloud_tpu() -> bool:
    """Whether this machine has TPUs: its neighbours of the same slice are known to Google's metadata server alone."""
    if importlib.util.find_spec("libtpu") is None:
        return False
    for device in _PCI_DEVICES.glob("*"):
        vendor, model = ((device / name).read_text().strip() for name in ("vendor", "device"))
        if vendor == _GOOGLE and model != _NETWORK_CARD:
            return True
    return False


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _detection(variable: str, environment: Mapping[str, str]) -> str | None:
    """JAX knows Open MPI 4 by itself; it asks other kinds of MPI through mpi4py, and only when told so."""
    is_mpi = variable == "PMI_SIZE" or (
        variable == _OPEN_MPI_PROCESSES and "OMPI_MCA_orte_hnp_uri" not in environment
    )
    return "mpi4py" if is_mpi and importlib.util.find_spec("mpi4py") is not None else None


def _takes_all_devices(environment: Mapping[str, str]) -> bool:
    """Whether no other process of the run may take a device of this machine that this process sees.

    One process a machine drives all devices there; and a process that Slurm gave devices of its own (--gpus-per-task)
    sees these alone, from number 0 on, whatever its index among the machine's processes.
    """
    tasks, nodes = (
        _number(environment.get(name)) for name in (_SLURM_TASKS, "SLURM_STEP_NUM_NODES")
    )
    is_alone_here = tasks > 1 and tasks == nodes
    is_alone_here |= environment.get("OMPI_COMM_WORLD_LOCAL_SIZE") == "1"
    return is_alone_here or "SLURM_GPUS_PER_TASK" in environment
