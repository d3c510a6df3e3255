"""Tests of config.seeds: each source of variation can be fixed by itself."""

import pathlib

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from tiny_run import tiny_config

from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.configs import lapa, stn_icnn_helen
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.run_folder.inference_checkpoint import load_for_inference
from fpliif_jax.systems import create_model
from fpliif_jax.training import loop
from fpliif_jax.training.step import init_variables

SOURCES = ("initialisation", "data_order", "augmentation")


@pytest.mark.parametrize("experiment", [lapa, stn_icnn_helen])
def test_all_sources_follow_the_seed_until_set(experiment: object) -> None:
    config = experiment.get_config()
    config.seed = 5
    config.seeds.data_order = 2
    assert config.seeds.to_dict() == {"initialisation": 5, "data_order": 2, "augmentation": 5}
    config.seed = 6
    assert config.seeds.to_dict() == {"initialisation": 6, "data_order": 2, "augmentation": 6}


def _parameters(config: ConfigDict, workdir: pathlib.Path) -> np.ndarray:
    workdir.mkdir()
    dataset = load_dataset(config.data)
    dataset.metadata.counts["validation"] = 0  # scores change no parameter
    loop.train(config, workdir, dataset, Interruption())
    variables = load_for_inference(workdir, "last").variables
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(variables)])


@pytest.mark.slow
def test_each_source_varies_alone(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    def trained(name: str, seed: int, augmented: bool = True, **fixed: int) -> np.ndarray:
        config = tiny_config(lapa_download, data_dir)
        config.train.epochs = 1
        config.seed = seed
        config.augment.enabled = augmented
        config.seeds.update(fixed)
        return _parameters(config, tmp_path / name)

    fixed = dict.fromkeys(SOURCES, 0)
    usual = trained("usual", 0)
    np.testing.assert_array_equal(trained("all fixed", 1, **fixed), usual)
    varied = {source: trained(source, 0, **{source: 1}) for source in SOURCES}
    for source, parameters in varied.items():
        assert np.any(parameters != usual), source
    # Without augmentation its seed does nothing, and the order still does.
    plain = trained("plain", 0, augmented=False)
    same = trained("plain, augmentation", 0, augmented=False, augmentation=1)
    other = trained("plain, order", 0, augmented=False, data_order=1)
    np.testing.assert_array_equal(same, plain)
    assert np.any(other != plain)


def test_only_its_own_seed_changes_the_initial_parameters() -> None:
    def initial(**seeds: int) -> list[np.ndarray]:
        config = tiny_config()
        config.seeds.update(seeds)
        model = create_model(config.model)
        return jax.tree.leaves(init_variables(model, config))

    usual = initial()
    others = initial(data_order=1, augmentation=1)
    for leaf, other in zip(usual, others, strict=True):
        np.testing.assert_array_equal(leaf, other)
    assert any(np.any(a != b) for a, b in zip(usual, initial(initialisation=1), strict=True))
