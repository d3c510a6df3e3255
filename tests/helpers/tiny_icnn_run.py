"""Settings of an STN-iCNN run that takes seconds, shared by several tests."""

import pathlib

import ml_collections

from fpliif_jax.configs import stn_icnn


def tiny_icnn_config(
    manual_dir: pathlib.Path | str = "", data_dir: pathlib.Path | str = ""
) -> ml_collections.ConfigDict:
    """Networks of two rows and one interlinked layer on a 48² canvas; batches of 8, two copies."""
    config = stn_icnn.get_config()
    config.data.manual_dir = str(manual_dir)
    config.data.data_dir = str(data_dir)
    config.data.image_size = 48
    config.data.num_workers = 2
    config.model.coarse_size = 32
    config.model.crop_size = 13
    config.model.row_features = (3, 4)
    config.model.interlinked_layers = 1
    config.model.localisation_features = (2, 3, 3, 4)
    config.augment.copies = 2
    config.augment.scale = (0.8, 1.2)
    config.train.batch_size = 8
    config.train.epochs = 1
    config.train.log_every_steps = 2
    config.train.end_to_end.fine_learning_rate = 1e-3
    config.eval.batch_size = 4
    config.eval.num_pictures = 2
    return config.lock()


def get_config() -> ml_collections.ConfigDict:
    """The same as an experiment file, for tests that run the command."""
    return tiny_icnn_config()
