"""A small FP-LIIF on CelebAMask-HQ for two CPU cores: real photographs, no GPU.

Scores are those of a small model at 64² after few epochs: never to be compared with Table 2.
Run:      python -m fpliif_jax.main --config=configs/celebamask_hq_small.py --config.data.manual_dir=DOWNLOADS
Time:     10 to 18 minutes on two CPU cores for 4,000 training images.
"""

import ml_collections

from fpliif_jax.configs import celebamask_hq, synthetic


def get_config() -> ml_collections.ConfigDict:
    """Returns settings for 64² and a model of about 0.2 M parameters."""
    config = celebamask_hq.get_config()
    config.data.image_size = 64
    config.model.features = 32
    config.model.group_blocks = (1, 2, 4)
    config.model.rcmlp_features = (96, 32)
    config.model.mlp_features = (64, 64, 64)
    config.augment = synthetic.get_config().augment  # much milder than the paper's
    config.train.batch_size = 8
    config.train.epochs = 7
    config.train.learning_rate = 3e-3
    config.train.schedule = "cosine"
    config.eval.rows = ("64", "128", "48->64", "32->64")
    return config
