"""FP-LIIF, the paper's model and training, on photos and label maps of your own (docs/own_data.md).

Run:  python -m fpliif_jax.main --config=configs/own_data.py --config.data.manual_dir=DIR
      and --config.model.num_classes=N, the number of lines of classes.txt, unless it is 11.
Time: as configs/lapa.py by image and epoch.
"""

import ml_collections

from fpliif_jax.configs import fp_liif


def get_config() -> ml_collections.ConfigDict:
    """Returns the paper's settings for LaPa, with data of one's own."""
    config = fp_liif.get_config()
    config.data.name = "own_data"
    return config
