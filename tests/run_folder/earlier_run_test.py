"""A run that was made before its code was moved into rooms: its checkpoint is read, and training goes on from it."""

import dataclasses
import pathlib
import tarfile

import numpy as np
import pytest
from flax import traverse_util
from tiny_run import tiny_config

from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.inference_checkpoint import load_for_inference
from fpliif_jax.training import loop

# Of tiny_run.py with model.features=4, 6 epochs of 13 drawn faces of 48², stopped after 6 steps, at 41b2a0b.
_RUN = pathlib.Path(__file__).parent / "data" / "run_of_before.tar.gz"


@pytest.fixture
def run(tmp_path: pathlib.Path) -> pathlib.Path:
    """Its folder, without the best checkpoint."""
    with tarfile.open(_RUN) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "run"


def test_its_checkpoint_is_read(run: pathlib.Path) -> None:
    trained = load_for_inference(run, "last")
    assert (trained.step, trained.class_names[0], len(trained.class_names)) == (6, "background", 11)
    leaves = traverse_util.flatten_dict(trained.variables["params"]).values()
    assert sum(leaf.size for leaf in leaves) > 1000
    assert all(np.isfinite(leaf).all() for leaf in leaves)


@pytest.mark.slow
def test_training_goes_on_from_it(
    run: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir).unlock()
    config.model.features, config.train.epochs = 4, 6
    dataset = load_dataset(config.data)
    # Later drawings are other data, which a run would not go on with.
    saved = checkpoint.read_progress(run, "last")["fingerprint"]
    dataset = dataclasses.replace(
        dataset, metadata=dataclasses.replace(dataset.metadata, fingerprint=saved)
    )
    before = load_for_inference(run, "last").variables["params"]["encoder"]["head"]["kernel"]
    assert loop.train(config, run, dataset, Interruption())
    after = load_for_inference(run, "last")
    assert after.step == checkpoint.read_progress(run, "last")["train"]["steps"] == 24
    assert not np.array_equal(after.variables["params"]["encoder"]["head"]["kernel"], before)
