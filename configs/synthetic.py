"""A small FP-LIIF on drawn faces: the whole job on a laptop, no download. The default config.

Expected: mean F1 above 75 on its 100 test faces, 11 classes, LaPa layout.
Run:      python -m fpliif_jax.main
Time:     under 5 minutes on two CPU cores, drawing and preparation included.
"""

import ml_collections

from fpliif_jax.configs import fp_liif


def get_config() -> ml_collections.ConfigDict:
    """Returns settings for 64² synthetic faces and a model of about 0.1 M parameters."""
    config = fp_liif.get_config()
    config.data.name = "lapa"
    config.data.manual_dir = "data/synthetic/raw"
    config.data.data_dir = "data/synthetic/prepared"
    config.data.image_size = 64
    config.data.synthetic.num_train = 600
    config.data.synthetic.num_val = 50
    config.data.synthetic.num_test = 100
    config.data.synthetic.image_size = 128
    config.model.features = 24
    config.model.group_blocks = (1, 2, 3)
    config.model.rcmlp_features = (64, 24)
    config.model.mlp_features = (48, 48, 48)
    # Much milder than the paper's: there are few epochs to learn from.
    config.augment.rotation_degrees = 10.0
    config.augment.shear_degrees = (0.0, 5.0)
    config.augment.scale = (0.9, 1.2)
    config.augment.brightness = (0.8, 1.2)
    config.augment.contrast = (0.7, 1.3)
    config.augment.saturation = (0.7, 1.3)
    config.augment.hue = (-0.05, 0.05)
    config.train.batch_size = 8
    config.train.epochs = 10
    config.train.learning_rate = 3e-3
    config.train.schedule = "cosine"
    config.train.log_every_steps = 25
    config.eval.rows = ("64", "128", "48->64", "32->64")
    return config
