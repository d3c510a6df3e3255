"""Tests of the experiment files: the paper's settings, literally."""

import importlib
import pathlib

import pytest
from ml_collections import ConfigDict

from fpliif_jax import settings

NAMES = sorted(
    path.stem
    for path in (pathlib.Path(__file__).parents[1] / "configs").glob("*.py")
    if path.stem not in ("__init__", "shared")  # what experiments have in common
)


def _config(name: str) -> ConfigDict:
    return importlib.import_module(f"configs.{name}").get_config()


@pytest.mark.parametrize("name", NAMES)
def test_every_config_is_possible(name: str) -> None:
    settings.check_settings(_config(name).lock())


@pytest.mark.parametrize(
    ("name", "data", "classes", "batch_size", "edge_weight"),
    [
        ("lapa", "lapa", 11, 64, 40.0),
        ("celebamask_hq", "celebamask_hq", 19, 33, 10.0),
        ("helen", "helen", 11, 64, 40.0),
    ],
)
def test_paper_settings(
    name: str, data: str, classes: int, batch_size: int, edge_weight: float
) -> None:
    config = _config(name)  # §4.2
    assert config.data.name == data
    assert config.data.image_size == 256
    assert config.model.num_classes == classes
    assert config.model.group_blocks == (2, 6, 16)
    assert config.train.batch_size == batch_size
    assert config.train.epochs == 400
    assert config.train.learning_rate == 5e-4
    assert (config.train.decay_factor, config.train.decay_every_epochs) == (0.1, 20)
    assert config.loss.edge_weight == edge_weight
    assert config.loss.temperature == 0.5
    assert config.augment.rotation_degrees == 30
    assert config.augment.shear_degrees == (0, 20)
    assert config.augment.scale == (0.5, 3)
    assert config.augment.hue == (-0.3, 0.3)
    assert not config.augment.horizontal_flip
    assert config.eval.rows == ("256", "512", "192->256", "128->256", "96->256", "64->256")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("fp_liif", "stn_icnn")])
def test_headers_tell_the_command(name: str) -> None:
    header = importlib.import_module(f"configs.{name}").__doc__
    assert "python -m fpliif_jax.main" in header


def test_one_dtype_for_the_whole_run() -> None:
    config = _config("lapa")
    config.dtype = "bfloat16"
    assert config.model.dtype == "bfloat16"
