"""Tests of what the environment says of the processes that were started together with this one."""

import pytest

from fpliif_jax.devices import launcher, parallel

_OPEN_MPI_4 = {
    "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1:34911",
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
}
_SLURM = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NUM_NODES": "2", "SLURM_LOCALID": "1"}


@pytest.mark.parametrize(
    ("environment", "name", "num_processes"),
    [
        (_SLURM, "Slurm", 4),
        (_OPEN_MPI_4, "Open MPI", 4),
        ({**_OPEN_MPI_4, "SLURM_STEP_NUM_TASKS": "2"}, "Open MPI", 4),  # mpirun by srun
        ({**_SLURM, "PMI_SIZE": "4"}, "Slurm", 4),  # srun --mpi=pmi2
        ({"PMI_SIZE": "2", "PMI_RANK": "1"}, "MPI", 2),
        ({"WORLD_SIZE": "8", "RANK": "3"}, "torchrun", 8),
        ({"TPU_WORKER_HOSTNAMES": "t0,t1,t2,t3", "TPU_WORKER_ID": "1"}, "Cloud TPU", 4),
        ({"TPU_WORKER_HOSTNAMES": "t0,t1", "MEGASCALE_NUM_SLICES": "2"}, "Cloud TPU", 4),
        ({"TPU_PROCESS_ADDRESSES": "a:1,b:1"}, "Cloud TPU", 2),
        ({"JOB_COMPLETION_INDEX": "0", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "Kubernetes", None),
    ],
)
def test_a_launcher_of_several_processes_is_known(
    environment: dict[str, str], name: str, num_processes: int | None
) -> None:
    found = launcher.detect(environment)
    assert found is not None
    assert name in found.name
    assert found.num_processes == num_processes


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4"},  # within sbatch, outside srun
        {"SLURM_STEP_NUM_TASKS": "1"},
        {"OMPI_COMM_WORLD_SIZE": "1", "PMI_SIZE": "1", "WORLD_SIZE": ""},
        {"TPU_WORKER_HOSTNAMES": "localhost"},
        {"KUBERNETES_SERVICE_HOST": "10.0.0.1"},  # in every pod
    ],
)
def test_a_process_alone_is_alone(environment: dict[str, str]) -> None:
    assert launcher.detect(environment) is None


@pytest.mark.parametrize(
    ("environment", "takes_all"),
    [
        (_SLURM, False),  # two on each machine: one device each
        ({**_SLURM, "SLURM_STEP_NUM_NODES": "4"}, True),  # one on each machine: all of its devices
        ({**_SLURM, "CUDA_VISIBLE_DEVICES": "0,1"}, False),
        ({**_SLURM, "CUDA_VISIBLE_DEVICES": "0"}, False),  # one for both: JAX refuses the second
        ({**_SLURM, "SLURM_GPUS_PER_TASK": "1"}, True),  # its own, from number 0 on
        (_OPEN_MPI_4, False),
        ({**_OPEN_MPI_4, "OMPI_COMM_WORLD_LOCAL_SIZE": "1"}, True),
    ],
)
def test_which_devices_of_a_machine_a_process_takes(
    environment: dict[str, str], takes_all: bool
) -> None:
    found = launcher.detect(environment)
    assert found is not None
    assert found.takes_all_devices == takes_all


def test_distributed_off_is_a_run_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    assert parallel.is_one_of_several("auto", None)
    assert not parallel.is_one_of_several("off", None)
    parallel.initialize("off")  # does not try to join
    with pytest.raises(parallel.ParallelError, match="contradict"):
        parallel.initialize("off", "host:1", 2, 0)


def test_other_kinds_of_mpi_are_asked_through_mpi4py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher.importlib.util, "find_spec", lambda name: name == "mpi4py")
    for environment, detection in (
        ({"PMI_SIZE": "2"}, "mpi4py"),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, "mpi4py"),  # Open MPI 5
        (_OPEN_MPI_4, None),
        (_SLURM, None),
    ):
        found = launcher.detect(environment)
        assert found is not None
        assert found.detection == detection


def test_processes_of_one_run_have_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    parallel.check_same_in_all("seed 1")
    sent = []
    monkeypatch.setattr(parallel, "_of_all", lambda number: [number, *sent])
    parallel.check_same_in_all("seed 1")
    monkeypatch.setattr(parallel, "_of_all", lambda number: sent.append(number) or sent)
    parallel.check_same_in_all("seed 1")
    with pytest.raises(parallel.ParallelError, match="different settings.*--distributed=off"):
        parallel.check_same_in_all("seed 2")
