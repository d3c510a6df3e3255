"""FP-LIIF on CelebAMask-HQ (CVPR 2023, Table 2).

Published: mean F1 86.07 (Table 2, one run), 85.90 ± 0.20 (Table 7), 256² in and out.
Run:       python -m fpliif_jax.main --config=configs/celebamask_hq.py --config.data.manual_dir=DOWNLOADS
Time:      not measured; reckoned in docs/training.md, "How long it takes".
"""

import ml_collections

from fpliif_jax.configs import fp_liif


def get_config() -> ml_collections.ConfigDict:
    """Returns the paper's settings for CelebAMask-HQ: 19 classes, batch 33, λ = 10."""
    config = fp_liif.get_config()
    config.data.name = "celebamask_hq"
    config.data.builder_config = "official"
    config.model.num_classes = 19
    config.loss.edge_weight = 10.0
    config.train.batch_size = 33
    return config
