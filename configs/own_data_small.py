"""A small FP-LIIF at 64² on photos and label maps of your own, for two CPU cores (docs/own_data.md).

Model and training are those of configs/synthetic.py.
Run:  python -m fpliif_jax.main --config=configs/own_data_small.py --config.data.manual_dir=DIR
      and --config.model.num_classes=N, the number of lines of classes.txt, unless it is 11.
Time: as configs/synthetic.py by photo.
"""

import ml_collections

from fpliif_jax.configs import own_data, synthetic


def get_config() -> ml_collections.ConfigDict:
    """Returns the settings of the drawn faces' experiment, with data of one's own."""
    config = synthetic.get_config()
    config.data = own_data.get_config().data
    config.data.image_size = 64
    return config
