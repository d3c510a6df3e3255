"""Photos and label maps of your own, however few, learnt by two CPU cores from the weights that come with the package.

The network of configs/drawn_faces_small.py, started from its weights; classes may be any (docs/own_data.md).
Run:  python -m fpliif_jax.main --config=configs/own_data_from_drawn.py --config.data.manual_dir=DIR
      and --config.model.num_classes=N, the number of lines of classes.txt, unless it is 11.
Time: about a second a step of 16 photos on two CPU cores, 50 steps for every 16 photos.
"""

import ml_collections

from fpliif_jax.configs import drawn_faces_small, own_data


def get_config() -> ml_collections.ConfigDict:
    """Returns the settings of drawn_faces_small.py, with data of one's own and the learning rate of a start."""
    config = drawn_faces_small.get_config()
    image_size = config.data.image_size
    config.data = own_data.get_config().data
    config.data.image_size = image_size
    config.train.init_from = "weights:drawn_small"
    config.train.learning_rate = 5e-4
    config.train.epochs = 50
    return config
