"""Tests of what the environment says of the processes that were started together with this one."""

import pathlib
from typing import Any

import jax
import pytest
from tiny_run import tiny_config

from fpliif_jax.devices import joining, launcher, parallel
from fpliif_jax.training import train_and_evaluate

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
    assert joining.is_one_of_several("auto", None)
    assert not joining.is_one_of_several("off", None)
    joining.initialize("off")  # does not try to join
    with pytest.raises(joining.ParallelError, match="contradict"):
        joining.initialize("off", "host:1", 2, 0)


def test_a_launcher_is_asked_for_the_number_of_processes_that_it_alone_has_joined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable, value in _SLURM.items():
        monkeypatch.setenv(variable, value)
    joining.check_joined("off", None)
    joining.check_joined("auto", 1)  # of the four, one was named by hand
    with pytest.raises(joining.ParallelError, match="Slurm has started 4 processes; 1 joined"):
        joining.check_joined("auto", None)


class _Join:
    """Stands for JAX's way of joining processes; keeps what it was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self.error = error
        monkeypatch.setattr(jax.distributed, "initialize", self)

    def __call__(self, *process: Any, **options: Any) -> None:
        self.asked.append({"process": process, **options})
        if self.error is not None:
            raise self.error


_BY_HAND = ("auto", "host:1", 2, 0)


@pytest.mark.parametrize(
    ("environment", "processes", "devices"),
    [
        ({}, _BY_HAND, []),  # all that it sees
        (_SLURM, _BY_HAND, None),  # that of its index on the machine, by JAX's own rule
        (_SLURM, ("auto",), None),
        ({**_SLURM, "SLURM_GPUS_PER_TASK": "1"}, ("auto",), []),
    ],
)
def test_devices_that_a_person_names_have_precedence(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    processes: tuple,
    devices: list[int] | None,
) -> None:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    join = _Join(monkeypatch)
    joining.initialize(*processes)
    monkeypatch.setenv("JAX_LOCAL_DEVICE_IDS", "2,3")
    joining.initialize(*processes)
    # None leaves them to JAX, which reads the variable first; an empty list would hide it.
    assert [asked["local_device_ids"] for asked in join.asked] == [devices, None]


def _pci_devices(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, *identities: tuple[str, str]
) -> None:
    """Machine with libtpu and PCI devices of these vendors and models, as /sys shows them."""
    for position, (vendor, model) in enumerate(identities):
        device = folder / f"0000:00:{position:02x}.0"
        device.mkdir()
        (device / "vendor").write_text(f"{vendor}\n")
        (device / "device").write_text(f"{model}\n")
    monkeypatch.setattr(launcher, "_PCI_DEVICES", folder)
    monkeypatch.setattr(launcher.importlib.util, "find_spec", lambda name: name == "libtpu")


_NVIDIA, _GOOGLE_NETWORK, _TPU_V5E = (
    ("0x10de", "0x2330"),
    ("0x1ae0", "0x0042"),
    ("0x1ae0", "0x0063"),
)


@pytest.mark.parametrize(
    ("identities", "is_tpu"),
    [
        ([], False),
        ([_NVIDIA, _GOOGLE_NETWORK], False),  # a virtual machine of Google's without TPU
        ([_GOOGLE_NETWORK, _TPU_V5E, _TPU_V5E], True),
    ],
)
def test_a_machine_with_tpus_is_known_by_its_pci_devices(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    identities: list[tuple[str, str]],
    is_tpu: bool,
) -> None:
    _pci_devices(tmp_path, monkeypatch, *identities)
    assert launcher.is_cloud_tpu() is is_tpu
    assert joining.is_one_of_several("auto", None) is is_tpu
    assert not joining.is_one_of_several("off", None)
    monkeypatch.setattr(launcher.importlib.util, "find_spec", lambda name: None)
    assert not launcher.is_cloud_tpu()  # nothing that could drive one


def test_tpus_of_one_machine_alone_are_a_run_of_one_process(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pci_devices(tmp_path, monkeypatch, _TPU_V5E)
    with pytest.raises(ValueError) as nothing_found:  # JAX's own words where it knows of no others
        jax._src.distributed.State().initialize()
    join = _Join(monkeypatch, nothing_found.value)
    joining.initialize()
    assert join.asked == [{"process": (), "heartbeat_timeout_seconds": 20}]
    joining.check_joined("auto", None)
    _Join(monkeypatch, RuntimeError("the metadata server does not answer."))
    with pytest.raises(joining.ParallelError, match="could not join: the metadata server does no"):
        joining.initialize()


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
    joining.check_same_in_all("seed 1")
    sent = []
    monkeypatch.setattr(parallel, "_of_all", lambda number: [number, *sent])
    joining.check_same_in_all("seed 1")
    monkeypatch.setattr(parallel, "_of_all", lambda number: sent.append(number) or sent)
    joining.check_same_in_all("seed 1")
    with pytest.raises(joining.ParallelError, match="different settings.*--distributed=off"):
        joining.check_same_in_all("seed 2")


def test_processes_may_have_their_data_in_places_of_their_own_and_one_folder_of_the_run() -> None:
    def settings(workdir: str = "run", **places: str | int) -> str:
        config = tiny_config()
        with config.unlocked():
            config.update_from_flattened_dict(places)
        return train_and_evaluate._shared_settings(config, workdir, "train", None)

    assert settings(**{"data.data_dir": "/disk/of/one", "data.cache_dir": "/tmp"}) == settings()
    assert settings(**{"data.num_workers": 7}) == settings()
    assert settings(**{"data.name": "helen"}) != settings()
    assert settings(**{"seed": 1}) != settings()
    assert settings("another run") != settings()
