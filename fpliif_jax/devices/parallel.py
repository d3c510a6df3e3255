"""Everything that knows there is more than one device or more than one host.

The rest of the code sees a function of one shard of a batch and sums over shards. Moving from
`jax.pmap` to `jax.shard_map` is a change to this file alone.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.devices import launcher

AXIS = "devices"
PyTree = Any


_HEARTBEAT_SECONDS = 20  # after which a process that sends nothing is taken for gone; JAX waits 100
# Parts of the messages about a process that is gone, or that does not come to the first collective within Gloo's 30 s.
_LOST = (
    "heartbeat",
    "UNAVAILABLE",
    "Barrier failed",
    "Gloo context initialization failed",
    "closed by peer",
    "reset by peer",
)


class ParallelError(UserError):
    """The processes of a run cannot work together; the message says why."""


class AbsentDevices(NamedTuple):
    """Devices that this process does not have, but that its programs can be compiled for.

    Attributes:
      devices: of a topology of `jax.experimental.topologies`, all of one kind.
      backend: of JAX, were they there: 'gpu' or 'tpu'.
      memory_bytes: of one of them, as far as JAX would use it.
    """

    devices: tuple[jax.Device, ...]
    backend: str
    memory_bytes: int


_absent: AbsentDevices | None = None


@contextlib.contextmanager
def compiling_for(absent: AbsentDevices) -> Iterator[None]:
    """All that asks for devices gets these, as the only ones of one process; programs can be compiled, not run."""
    global _absent
    _absent = absent
    try:
        with jax.default_device(absent.devices[0]):
            yield
    finally:
        _absent = None


def backend_and_memory() -> tuple[str, int | None]:
    """JAX's backend, and the bytes of one device that it may use; None where that is not known, as on CPUs."""
    if _absent is not None:
        return _absent.backend, _absent.memory_bytes
    memory = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
    return jax.default_backend(), memory


def _local_device_count() -> int:
    """Devices of this process."""
    return jax.local_device_count() if _absent is None else len(_absent.devices)


def _device_count() -> int:
    """Devices of all processes."""
    return jax.device_count() if _absent is None else len(_absent.devices)


def is_one_of_several(distributed: str, num_processes: int | None) -> bool:
    """Whether this process was started as one of several of a run, or may have been.

    Args:
      distributed: 'auto' or 'off', see `initialize`.
      num_processes: of the run, as the person gave it, or None.
    """
    if num_processes is not None:
        return True
    return distributed == "auto" and (
        launcher.detect(os.environ) is not None or launcher.is_cloud_tpu()
    )


def tells_of_a_lost_process(error: BaseException | None) -> bool:
    """Whether an error came from JAX because another process of the run is gone."""
    while error is not None and not isinstance(error, jax.errors.JaxRuntimeError):
        error = error.__cause__ or error.__context__
    return (
        error is not None and jax.process_count() > 1 and any(word in str(error) for word in _LOST)
    )


def initialize(
    distributed: str = "auto",
    coordinator_address: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
) -> None:
    """Joins the processes of a multi-host run; does nothing for a single process.

    Args:
      distributed: 'auto': by the three arguments where they are set, else with those that a launcher has started
        together (Slurm, MPI, an indexed Kubernetes job, Cloud TPU); 'off': this process is a run of its own.
      coordinator_address: host:port of process 0.
      num_processes: number of processes of the run.
      process_id: index of this process, from 0.

    Raises:
      ParallelError: only some of the three are set, the coordinator cannot be reached, or a launcher has started
        several processes and JAX does not find them.
    """
    is_set = [coordinator_address is not None, num_processes is not None, process_id is not None]
    if any(is_set) and not all(is_set):
        raise ParallelError(
            "a run over several hosts needs --coordinator_address, --num_processes and "
            "--process_id together"
        )
    if any(is_set) and distributed == "off":
        raise ParallelError("--distributed=off and --num_processes contradict each other")
    if not is_one_of_several(distributed, num_processes):
        return
    # It takes SIGTERM for itself, and a run that a cluster ends would not save: commands.interruption handles it.
    jax.config.update("jax_enable_preemption_service", False)
    if os.environ.get("JAX_PLATFORMS", "") == "cpu":
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
    started_by = launcher.detect(os.environ)
    # An empty list: all that the process sees. None: JAX's own rule, one device for each process of a machine.
    takes_all = started_by is None or started_by.takes_all_devices
    devices = [] if takes_all and "JAX_LOCAL_DEVICE_IDS" not in os.environ else None
    if any(is_set):
        _join(coordinator_address, num_processes, process_id, local_device_ids=devices)
    elif started_by is not None:
        _join_by_launcher(started_by, devices)
    else:  # TPUs, which may be those of one machine alone
        try:
            _join()
        except ParallelError as error:
            if "coordinator_address should be defined" not in str(error):  # JAX knows of no other
                raise


def _join(*process: Any, **options: Any) -> None:
    try:
        jax.distributed.initialize(
            *process, heartbeat_timeout_seconds=_HEARTBEAT_SECONDS, **options
        )
    except Exception as error:  # JAX's cluster detection asks services by packages of their own
        reason = str(error).rstrip(".")
        raise ParallelError(f"the processes could not join: {reason}") from error


def _join_by_launcher(started_by: launcher.Launcher, devices: list[int] | None) -> None:
    several = started_by.num_processes or "several"
    try:
        _join(cluster_detection_method=started_by.detection, local_device_ids=devices)
    except ParallelError as error:
        raise ParallelError(
            f"{started_by.name} has started this process as one of {several}; {error}. "
            f"{_remedy(started_by)}"
        ) from error


def _remedy(started_by: launcher.Launcher) -> str:
    return f"{started_by.how_to_join}; to train in this process alone, say --distributed=off"


def check_joined(distributed: str, num_processes: int | None) -> None:
    """Checks that all processes that a launcher has started have joined. Call it when JAX has its devices.

    Where a person says how many there are, no launcher is asked: these may be a part of what it has started.

    Args:
      distributed: 'auto' or 'off', see `initialize`.
      num_processes: of the run, as the person gave it, or None.

    Raises:
      ParallelError: there are fewer or more.
    """
    if distributed == "off" or num_processes is not None:
        return
    started_by = launcher.detect(os.environ)
    if started_by is None or started_by.num_processes in (None, jax.process_count()):
        return
    raise ParallelError(
        f"{started_by.name} has started {started_by.num_processes} processes; {jax.process_count()} joined. "
        f"{_remedy(started_by)}"
    )


def check_same_in_all(settings: str) -> None:
    """Checks that every process of the run was started with the same settings.

    Args:
      settings: all of them, as text.

    Raises:
      ParallelError: the processes have different ones.
    """
    if not is_same_in_all(settings):
        raise ParallelError(
            "the processes of this run were started with different settings; processes that are "
            "runs of their own need --distributed=off"
        )


def is_same_in_all(text: str) -> bool:
    """Whether every process of the run has the same text."""
    digest = hashlib.sha256(text.encode()).digest()
    return len(set(_of_all(int.from_bytes(digest[:7])))) == 1


def is_main_process() -> bool:
    """True in the one process that writes files and talks to the person."""
    return jax.process_index() == 0


def barrier(name: str) -> None:
    """Waits until every process has come to the barrier of that name."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def of_main_process(number: int | None) -> int | None:
    """The main process's number, in every process."""
    return _of_all(number)[0]


def smallest(number: int | None) -> int | None:
    """The smallest of every process's numbers; None where a process has None."""
    numbers = _of_all(number)
    return None if None in numbers else min(numbers)  # pyrefly: ignore[bad-specialization] - no None


def largest(number: int | None) -> int | None:
    """The largest of every process's numbers; None where a process has None."""
    numbers = _of_all(number)
    return None if None in numbers else max(numbers)  # pyrefly: ignore[bad-specialization] - no None


def _of_all(number: int | None) -> list[int | None]:
    """Every process's number, from 0 on, or None."""
    if jax.process_count() == 1:
        return [number]
    # -1 is None; int32 pairs, since JAX has no int64 by default.
    pair = np.array(divmod(-1 if number is None else number, 2**30), np.int32)
    pairs = multihost_utils.process_allgather(pair)
    numbers = [int(high) * 2**30 + int(low) for high, low in pairs]
    return [None if one < 0 else one for one in numbers]


def pmap(function: Callable, *, donate_argnums: tuple[int, ...] = ()) -> jax.stages.Wrapped:
    """Runs `function` on each device's shard; arguments and results have a leading device axis."""
    devices = None if _absent is None else _absent.devices
    return jax.pmap(function, axis_name=AXIS, donate_argnums=donate_argnums, devices=devices)


def psum(tree: PyTree) -> PyTree:
    """Sums every leaf over all devices of all hosts; inside `pmap` only."""
    return jax.lax.psum(tree, AXIS)


def all_gather(tree: PyTree) -> PyTree:
    """Joins every leaf's leading axis over all devices, in batch order; inside `pmap` only."""
    return jax.tree.map(lambda leaf: jax.lax.all_gather(leaf, AXIS, tiled=True), tree)


def replicate(tree: PyTree) -> PyTree:
    """Puts a copy of a host tree on every local device: leaves [...] -> [local devices, ...]."""
    count = _local_device_count()
    # In memory of its own: a CPU device takes an array as it lies, and nothing else may lie in what is donated.
    copies = jax.tree.map(
        lambda leaf: np.array(np.broadcast_to(np.asarray(leaf), (count, *np.shape(leaf)))), tree
    )
    place = jax.pmap(lambda leaf: leaf, axis_name=AXIS)
    if jax.process_count() > 1:
        return place(copies)
    # Placed as `pmap` places one small array: a program of the hundreds of leaves of a state takes a second to compile.
    return jax.device_put(copies, place(np.zeros(count, np.int8)).sharding)


def unreplicate(tree: PyTree) -> PyTree:
    """Brings the first local device's copy of a replicated tree to the host, as NumPy arrays."""
    return jax.tree.map(lambda leaf: np.array(leaf.addressable_shards[0].data)[0], tree)


def rows_per_device(batch_size: int, microbatch: int = 0) -> int:
    """Rows that each device holds of a global batch, padding included.

    Args:
      batch_size: examples in the global batch.
      microbatch: examples a device works on at once; 0 for all of its rows.
    """
    rows = -(-batch_size // _device_count())
    if microbatch:
        rows = -(-rows // microbatch) * microbatch
    return rows


def local_rows(batch_size: int, microbatch: int = 0) -> slice:
    """Which rows of the padded global batch this process loads."""
    count = rows_per_device(batch_size, microbatch) * _local_device_count()
    first = jax.process_index() * count
    return slice(first, first + count)


def shard(batch: PyTree) -> PyTree:
    """Splits this process's rows over its devices: leaves [N, ...] -> [local devices, N/devices, ...]."""
    count = _local_device_count()
    return jax.tree.map(lambda leaf: leaf.reshape(count, -1, *leaf.shape[1:]), batch)
