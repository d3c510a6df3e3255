"""Joins the processes of a run over several hosts, and says why they cannot be joined."""

import os
from typing import Any

import jax

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.devices import launcher, parallel

_HEARTBEAT_SECONDS = 20  # after which a process that sends nothing is taken for gone; JAX waits 100


class ParallelError(UserError):
    """The processes of a run cannot work together; the message says why."""


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
    if not parallel.is_same_in_all(settings):
        raise ParallelError(
            "the processes of this run were started with different settings; processes that are "
            "runs of their own need --distributed=off"
        )
