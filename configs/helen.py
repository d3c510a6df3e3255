"""FP-LIIF on Helen (CVPR 2023, Table 3).

Published: overall F1 91.2 (Table 3, group F1 of brows, eyes, nose and mouth), 91.12 ± 0.10 (Table 7).
Run:       python -m fpliif_jax.main --config=configs/helen.py --config.data.manual_dir=DOWNLOADS
Time:      not measured; reckoned in docs/training.md, "How long it takes".

Batch size and λ are not given for Helen: LaPa's are used (docs/reproduction.md).
"""

import ml_collections

from fpliif_jax.configs import fp_liif


def get_config() -> ml_collections.ConfigDict:
    """Returns the settings for Helen: 11 classes, batch 64, λ = 40 as for LaPa."""
    config = fp_liif.get_config()
    config.data.name = "helen"
    return config
