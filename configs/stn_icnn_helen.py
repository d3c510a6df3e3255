"""STN-iCNN on Helen (Tables 2 and 4), as the paper has it.

Published: overall F1 .910; .893 without joint training (Table 2). The authors' own correction: .90 over ten runs.
Run:       python -m fpliif_jax.main --config=configs/stn_icnn_helen.py --config.data.manual_dir=DOWNLOADS
Baselines: --config.train.stages="('coarse','localisation','fine')" is STN-iCNN*;
           --config.model.cropper=centroid --config.train.stages="('coarse','fine')" is iCNN.
Time:      2.7 h on a GTX 1080 Ti in the paper (§3.1); not measured here.
"""

import ml_collections

from fpliif_jax.configs import stn_icnn


def get_config() -> ml_collections.ConfigDict:
    """Returns the settings for Helen: canvas 1024, 81 crops, batch 32, 25 epochs a stage (Table 1)."""
    return stn_icnn.get_config()
