"""Tests of the experiment files: the paper's settings, literally."""

import importlib
import pathlib

import pytest
from ml_collections import ConfigDict

from fpliif_jax import systems
from fpliif_jax.training import preflight

NAMES = sorted(
    path.stem
    for path in (pathlib.Path(__file__).parents[1] / "configs").glob("*.py")
    if path.stem not in ("__init__", "shared")  # what experiments have in common
)


def _config(name: str) -> ConfigDict:
    return importlib.import_module(f"fpliif_jax.configs.{name}").get_config()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_config_is_possible(name: str) -> None:
    preflight.check_settings(_config(name).lock())


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


def test_paper_settings_of_stn_icnn() -> None:
    helen, celebamask_hq = _config("stn_icnn_helen"), _config("stn_icnn_celebamask_hq")
    for config in (helen, celebamask_hq):
        assert config.model.variant == "paper"
        assert config.model.coarse_size == 128  # §2.2
        assert config.train.stages == ("coarse", "localisation", "end_to_end")  # §2.5.2
        assert config.train.end_to_end.fresh_fine
        assert config.train.epochs == 25  # Table 1, from here to the batch size
        assert (config.train.decay_factor, config.train.decay_every_epochs) == (0.5, 5)
        assert config.loss.segmentation == "binary_cross_entropy"  # eq. 16
        assert config.augment.copies == 5  # §2.5.1
        assert (config.augment.rotation_degrees, config.augment.shift) == (15, 0.2)
        assert config.augment.scale == (0.2, 1.2)
    assert (helen.train.batch_size, celebamask_hq.train.batch_size) == (32, 64)
    assert (helen.model.crop_size, celebamask_hq.model.crop_size) == (81, 127)  # §3.3
    assert (helen.data.image_size, celebamask_hq.data.image_size) == (1024, 512)
    for config, rates in (
        (helen, (0.0023, 0.0017, 1e-4, 1e-4, 1e-2)),
        (celebamask_hq, (1e-3, 1e-3, 1e-6, 1e-6, 1e-3)),
    ):
        joint = config.train.end_to_end
        assert rates == (
            config.train.coarse.learning_rate,
            config.train.localisation.learning_rate,
            joint.coarse_learning_rate,
            joint.localisation_learning_rate,
            joint.fine_learning_rate,
        )
    assert celebamask_hq.data.split_fractions == (0.6, 0.2, 0.2)  # §3.1
    assert _config("stn_icnn_celebamask_hq_finetune").data.train_subset == 2000


@pytest.mark.parametrize("name", [name for name in NAMES if name not in systems.names()])
def test_headers_tell_the_command(name: str) -> None:
    header = importlib.import_module(f"fpliif_jax.configs.{name}").__doc__
    assert "python -m fpliif_jax.main" in header


def test_one_dtype_for_the_whole_run() -> None:
    config = _config("lapa")
    config.dtype = "bfloat16"
    assert config.model.dtype == "bfloat16"
