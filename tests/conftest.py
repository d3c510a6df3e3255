"""Settings and data that several test files share."""

import gc
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator

sys.path.insert(0, str(pathlib.Path(__file__).parent / "helpers"))

from xla_flags import xla_flags

# Four virtual devices, before JAX is imported: one file tests 1 against 4 of them.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = xla_flags(devices=4)
# Nothing is raised to another type or rank silently, in tests or in a command that one runs.
os.environ["JAX_NUMPY_DTYPE_PROMOTION"] = "strict"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
# Nearly all of the tests' time goes into compiling: what any process of a session compiled once, also a command that a
# test runs, is taken from here. The folder is new in every session, unless the person names one to keep.
os.environ["JAX_COMPILATION_CACHE_DIR"] = os.environ.get(
    "JAX_COMPILATION_CACHE_DIR"
) or tempfile.mkdtemp(prefix=f"compiled-by-{os.getpid()}-")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
# No set is prepared there: what the person has prepared changes no test.
os.environ["TFDS_DATA_DIR"] = f"{os.environ['JAX_COMPILATION_CACHE_DIR']}/sets"

import pytest
from tqdm import tqdm

from fpliif_jax.data_builders import synthetic_faces

# Files that take more than 15 seconds of one core, the longest first: no process is left alone with one at the end.
_FIRST = (
    "systems/stn_icnn/training_test",
    "experiments/benchmark/benchmark_test",
    "training/several_processes_test",
    "systems/stn_icnn/stages_test",
    "interop/torch_checkpoint_test",
    "systems/stn_icnn/model_test",
    "training/loop_test",
    "experiments/pytorch/train_test",
    "experiments/pytorch/parity_test",
    "systems/fp_liif/model_test",
    "configs_test",
    "systems/stn_icnn/celebamask_hq_official_test",
    "experiments/comparison/planned_test",
    "training/fitting_test",
    "main_test",
    "export/export_test",
    "predict/face_parser_test",
    "predict/label_photos_test",
    "systems/stn_icnn/state_dict_test",
    "experiments/plans/tables_test",
    "systems/stn_icnn/grid_transformer_test",
    "experiments/runs/hostile_runs_test",
    "experiments/multi_seed_test",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Orders files by how long they take, and keeps the order within each."""
    places = {name: place for place, name in enumerate(_FIRST)}
    here = pathlib.Path(__file__).parent

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(here).with_suffix("").as_posix()
        return places.get(name, len(_FIRST))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Lets the garbage collector pass over what was imported: tracing makes it start again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_unconfigure() -> None:
    """Removes what was compiled, in the process that made the folder: those of xdist have it from there."""
    folder = pathlib.Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
    if folder.name.startswith(f"compiled-by-{os.getpid()}-"):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _signal_handlers_of_a_test_end_with_it() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _progress_bars_have_a_lock_of_their_own() -> None:
    # A bar whose stream fails in a test keeps tqdm's lock, and the next bar of another thread would wait for ever.
    tqdm.set_lock(threading.RLock())


@pytest.fixture(scope="session")
def lapa_download(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A raw LaPa download of 13 training, 5 validation and 5 test faces of 48²."""
    folder = tmp_path_factory.mktemp("lapa") / "raw"
    synthetic_faces.write_dataset(
        "lapa", folder, num_train=13, num_val=5, num_test=5, image_size=48, seed=0, num_workers=1
    )
    return folder


@pytest.fixture(scope="session")
def helen_download(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A raw Helen download of 9 training, 4 validation and 4 test faces of 48²."""
    folder = tmp_path_factory.mktemp("helen") / "raw"
    synthetic_faces.write_dataset(
        "helen", folder, num_train=9, num_val=4, num_test=4, image_size=48, seed=0, num_workers=1
    )
    return folder


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Where the session's prepared sets live."""
    return tmp_path_factory.mktemp("prepared")
