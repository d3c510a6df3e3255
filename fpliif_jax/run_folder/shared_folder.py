"""All processes of a run work in one folder, and see the same checkpoints in it."""

import pathlib
import secrets
import time

import jax

from fpliif_jax.devices import parallel
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.checkpoint import CheckpointError

_WAITED_SECONDS = (
    20  # for a new file on a network disk; within the 30 s that Gloo waits for a process
)
_POLL_SECONDS = 0.1


def check_shared(workdir: pathlib.Path) -> None:
    """Refuses a folder that is not the same for all processes: they would wait for each other's checkpoints for ever.

    Call it in every process, while the main one holds the folder.

    Raises:
      CheckpointError: a process does not see what the main one writes, or sees other checkpoints.
    """
    if not _is_shared(workdir):
        raise CheckpointError(
            f"{workdir}: not every process of this run sees what the main one writes there; give a --workdir that "
            "all machines share"
        )
    steps = {
        which: checkpoint.saved_step(workdir, which)
        for which in (*checkpoint.kinds_beside_last(workdir), "last")
    }
    seen = [f"{which!r} of step {step}" for which, step in steps.items() if step is not None]
    if not parallel.is_same_in_all(repr(seen)):
        raise CheckpointError(
            f"{workdir}: the processes of this run see different checkpoints there, this one "
            f"{', '.join(seen) or 'none'}: the network disk lags behind; wait a moment, and start the same command in "
            "every process again"
        )


def _is_shared(workdir: pathlib.Path) -> bool:
    if jax.process_count() == 1:
        return True
    number = parallel.of_main_process(secrets.randbelow(10**8))
    # So named, whoever holds the folder next removes it where this process is killed.
    path = workdir / f".shared.{number:08d}.partial"
    if parallel.is_main_process():
        path.touch()
    parallel.barrier("a file for all processes")
    deadline = time.monotonic() + _WAITED_SECONDS
    while not (is_there := path.exists()) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    is_shared = parallel.smallest(int(is_there)) == 1
    if parallel.is_main_process():
        path.unlink(missing_ok=True)
    return is_shared
