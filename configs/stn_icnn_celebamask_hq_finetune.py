"""The hybrid strategy of §3.1: an STN-iCNN trained on Helen, fine-tuned on 2,000 images of CelebAMask-HQ.

Published: "similar" to training on all 18,000; no number.
Run: python -m fpliif_jax.main --config=configs/stn_icnn_celebamask_hq_finetune.py --config.data.manual_dir=DOWNLOADS
           after configs/stn_icnn_helen.py (another run of it: --config.train.init_from=RUN).
Time:      2.1 h on one GTX 1080 Ti in the paper; not measured here.

The windows of the two sets differ (81 of 1024, 127 of 512), so the localisation network is trained again before
the joint training, which keeps the fine networks. Both sets name the picture's sides (stn_icnn_celebamask_hq.py): the
coarse network, hardly trained here, would else start mirrored.
"""

import ml_collections

from fpliif_jax.configs import stn_icnn_celebamask_hq


def get_config() -> ml_collections.ConfigDict:
    """Returns the settings for fine-tuning, with the paper's rates for CelebAMask-HQ."""
    config = stn_icnn_celebamask_hq.get_config()
    config.data.train_subset = 2000
    config.train.batch_size = 16  # one GPU of the four
    config.train.stages = ("localisation", "end_to_end")
    config.train.init_from = "runs/stn_icnn_helen/seed0"
    config.train.end_to_end.fresh_fine = False
    return config
