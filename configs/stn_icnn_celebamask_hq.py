"""STN-iCNN on CelebAMask-HQ (Table 3), with Helen's labels and a random 6:2:2 split.

Published: overall F1 .924; .915 without joint training; .879 for the baseline.
Run:       python -m fpliif_jax.main --config=configs/stn_icnn_celebamask_hq.py --config.data.manual_dir=DOWNLOADS
Time:      11.8 h on four GTX 1080 Ti in the paper (§3.1); not measured here.

How the split is drawn is not published: its seed is data.split_seed. The paper is silent on the canvas; the authors'
branch for this set has 512 too, and larger crops of the mouth (stn_icnn_celebamask_hq_official.py).
The set's l_ and r_ become Helen's right_ and left_, as in the authors' code (docs/reproduction_stn_icnn.md).
"""

import ml_collections

from fpliif_jax.configs import stn_icnn


def get_config() -> ml_collections.ConfigDict:
    """Returns the settings for CelebAMask-HQ: canvas 512, 127 crops, batch 64 (Table 1)."""
    config = stn_icnn.get_config()
    config.data.name = "celebamask_hq"
    config.data.image_size = 512
    config.data.split = "random"
    config.model.crop_size = 127
    config.train.batch_size = 64
    config.train.coarse.learning_rate = 1e-3
    config.train.localisation.learning_rate = 1e-3
    config.train.fine.learning_rate = 1e-3
    config.train.end_to_end.coarse_learning_rate = 1e-6
    config.train.end_to_end.localisation_learning_rate = 1e-6
    config.train.end_to_end.fine_learning_rate = 1e-3
    return config
