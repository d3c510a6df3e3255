"""FP-LIIF on LaPa (CVPR 2023, Table 1 and Table 6; ablations of §5.1 and Table 5).

Published: mean F1 92.41 (Table 1, one run), 92.35 ± 0.06 (Table 7), 256² in and out, 2.29 M parameters.
Run:       python -m fpliif_jax.main --config=configs/lapa.py --config.data.manual_dir=DOWNLOADS
Time:      400 epochs on 4 A100 in the paper; at 142 images/s on one H100 (float32) about 14 hours.
           Taken literally, the paper's learning rate is lost in rounding after 120 epochs (docs/audit.md, 22): a line
           says so at the start, and `--config.train.epochs=120` takes about four hours.
"""

import ml_collections

from fpliif_jax.configs import fp_liif


def get_config() -> ml_collections.ConfigDict:
    """Returns the paper's settings for LaPa: 11 classes, batch 64, λ = 40."""
    return fp_liif.get_config()
