"""A small FP-LIIF on CelebAMask-HQ for two CPU cores: real photographs, no GPU.

Scores are those of a small model at 96² after few epochs: never to be compared with Table 2.
Run:      python -m fpliif_jax.main --config=configs/celebamask_hq_small.py --config.data.manual_dir=DOWNLOADS
Time:     about 15 minutes on two CPU cores for 4,000 training images.
"""

import ml_collections

from configs import celebamask_hq


def get_config() -> ml_collections.ConfigDict:
    """Returns settings for 96² and a model of about 0.2 M parameters."""
    config = celebamask_hq.get_config()
    config.data.image_size = 96
    config.model.features = 32
    config.model.group_blocks = (1, 2, 4)
    config.model.rcmlp_features = (96, 32)
    config.model.mlp_features = (96, 96, 96)
    config.augment.scale = (0.8, 1.4)
    config.train.batch_size = 16
    config.train.epochs = 4
    config.train.learning_rate = 2e-3
    config.train.schedule = "cosine"
    config.eval.rows = ("96", "192", "64->96", "48->96")
    return config
