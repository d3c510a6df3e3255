"""A small STN-iCNN on CelebAMask-HQ for two CPU cores: real photographs, no GPU.

Scores are those of a small canvas after few epochs: never to be compared with Table 3. As in stn_icnn_synthetic.py, the
run holds STN-iCNN, STN-iCNN* and the baseline.
Run:      python -m fpliif_jax.main --config=configs/stn_icnn_celebamask_hq_small.py --config.data.manual_dir=DOWNLOADS
Time:     25 to 40 minutes on two CPU cores.
"""

import ml_collections

from fpliif_jax.configs import stn_icnn_synthetic


def get_config() -> ml_collections.ConfigDict:
    """Returns settings for 1,000 training images of a random 6:2:2 split on a 128² canvas."""
    config = stn_icnn_synthetic.get_config()
    config.data.name = "celebamask_hq"
    config.data.manual_dir = None
    config.data.data_dir = None
    config.data.synthetic.num_train = 0
    config.data.split = "random"
    config.data.train_subset = 1000
    config.train.epochs = 3
    config.train.localisation.epochs = 6
    return config
