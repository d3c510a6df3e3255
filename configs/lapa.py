"""FP-LIIF on LaPa (CVPR 2023, Table 1 and Table 6; ablations of §5.1 and Table 5).

Published: mean F1 92.41 (Table 1, one run), 92.35 ± 0.06 (Table 7), 256² in and out, 2.29 M parameters.
Run:       python -m fpliif_jax.main --config=configs/lapa.py --config.data.manual_dir=DOWNLOADS
Time:      hours on one H100, months on CPU cores (docs/training.md, "How long it takes").
"""

import ml_collections

from fpliif_jax.configs import fp_liif


def get_config() -> ml_collections.ConfigDict:
    """Returns the paper's settings for LaPa: 11 classes, batch 64, λ = 40."""
    return fp_liif.get_config()
