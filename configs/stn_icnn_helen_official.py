"""STN-iCNN on Helen as the authors' published code trains it (github.com/aod321/STN-iCNN).

Published: overall F1 .8928 before and .9001 after joint training (their notebooks), .90 over ten runs (their README).
Run:       python -m fpliif_jax.main --config=configs/stn_icnn_helen_official.py --config.data.manual_dir=DOWNLOADS
Weights:   the same with --mode=eval --torch_checkpoint=after_end2end.pth.tar evaluates the authors' file.
Time:      not given; not measured here.

Their commands allow 3,000 epochs; their log of the first stage ends at 25. Their augmentation has other ranges and
operations for each copy: the paper's, with their scale, stands in for it (docs/reproduction_stn_icnn.md).
"""

import ml_collections

from fpliif_jax.configs import stn_icnn


def get_config() -> ml_collections.ConfigDict:
    """Returns the settings of the authors' commands: 5×5 and 9×9 kernels, tanh, ResNet-18, K and L frozen."""
    config = stn_icnn.get_config()
    config.model.variant = "official"
    config.loss.segmentation = "cross_entropy"
    config.loss.part_reduction = "sum"
    config.augment.shift = 0.1
    config.augment.scale = (0.9, 1.2)
    config.train.frozen_batch_norm = "training"
    config.train.coarse.learning_rate = 9e-4
    config.train.localisation.learning_rate = 8e-4
    config.train.fine.learning_rate = 8e-4
    config.train.fine.batch_size = 64
    config.train.end_to_end.coarse_learning_rate = 0.0
    config.train.end_to_end.localisation_learning_rate = 0.0
    config.train.end_to_end.fine_learning_rate = 2.5e-3
    return config
