"""Settings of a run that takes seconds, shared by the tests of training and evaluation."""

import pathlib

import ml_collections

from fpliif_jax.configs import fp_liif


def tiny_config(
    manual_dir: pathlib.Path | str = "", data_dir: pathlib.Path | str = ""
) -> ml_collections.ConfigDict:
    """A model of a few thousand parameters on 32² images; batches of 4, so 13 examples make 4."""
    config = fp_liif.get_config()
    config.data.manual_dir = str(manual_dir)
    config.data.data_dir = str(data_dir)
    config.data.image_size = 32
    config.data.num_workers = 2
    config.model.features = 8
    config.model.group_blocks = (1, 1, 1)
    config.model.rcmlp_features = (8, 8)
    config.model.mlp_features = (8, 8)
    config.train.batch_size = 4
    config.train.epochs = 3
    config.train.log_every_steps = 3
    config.train.learning_rate = 1e-3
    config.eval.batch_size = 4
    config.eval.rows = ("32", "16->32")
    config.eval.num_pictures = 2
    return config.lock()


def get_config() -> ml_collections.ConfigDict:
    """The same as an experiment file, for tests that run the command."""
    return tiny_config()
