"""Settings and data that several test files share."""

import os
import pathlib
import sys

# Four virtual devices, before JAX is imported: one file tests 1 against 4 of them.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import pytest

from data_builders import synthetic_faces


@pytest.fixture(scope="session")
def lapa_download(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A raw LaPa download of 13 training, 5 validation and 5 test faces of 48²."""
    folder = tmp_path_factory.mktemp("lapa") / "raw"
    synthetic_faces.write_dataset(
        "lapa", folder, num_train=13, num_val=5, num_test=5, image_size=48, seed=0, num_workers=1
    )
    return folder


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Where the session's prepared sets live."""
    return tmp_path_factory.mktemp("prepared")
