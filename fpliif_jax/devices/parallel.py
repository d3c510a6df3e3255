"""Everything that knows there is more than one device or more than one host, once the processes are joined.

The rest of the code sees a function of one shard of a batch and sums over shards. Moving from
`jax.pmap` to `jax.shard_map` is a change to this file alone.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils

AXIS = "devices"
PyTree = Any

# Parts of the messages about a process that is gone, or that does not come to the first collective within Gloo's 30 s.
_LOST = (
    "heartbeat",
    "UNAVAILABLE",
    "Barrier failed",
    "Gloo context initialization failed",
    "closed by peer",
    "reset by peer",
)


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


def tells_of_a_lost_process(error: BaseException | None) -> bool:
    """Whether an error came from JAX because another process of the run is gone."""
    while error is not None and not isinstance(error, jax.errors.JaxRuntimeError):
        error = error.__cause__ or error.__context__
    return (
        error is not None and jax.process_count() > 1 and any(word in str(error) for word in _LOST)
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
