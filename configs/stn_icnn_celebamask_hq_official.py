"""STN-iCNN on CelebAMask-HQ as the authors' branch exp_A trains it (github.com/aod321/STN-iCNN, commit 48edc4c).

Published: no number of this set; Table 3 (overall F1 .924) is of a 6:2:2 split of all images and of 127 crops.
Run: python -m fpliif_jax.main --config=configs/stn_icnn_celebamask_hq_official.py --config.data.manual_dir=DOWNLOADS
Time:      not given; not measured here.

Images 0-1999 are for training, 2000-2199 for validation, 2200-2399 for test; crops are 127 wide, the mouth's 255; the
truth of a part is its own mask, whatever covers it. The set is prepared beside that of the other configs. The canvas is
the image at 512². A class that pads it to 1024² is in the branch, but no script for this set uses it: that would be
--config.data.image_size=1024 --config.data.longest_side=512 (docs/reproduction_stn_icnn.md).
"""

import ml_collections

from fpliif_jax.configs import stn_icnn_helen_official


def get_config() -> ml_collections.ConfigDict:
    """Returns the defaults of train_{AB,Ci,ABC}_celeb.py: 25 epochs, no augmentation, K and L frozen."""
    config = stn_icnn_helen_official.get_config()
    config.data.name = "celebamask_hq"
    config.data.builder_config = "own_masks"
    config.data.image_size = 512
    config.data.split = "first"
    config.data.split_counts = (2000, 200, 200)
    config.model.crop_size = 127
    config.model.mouth_crop_size = 255
    config.augment.enabled = False
    config.train.stages = ("coarse", "localisation", "fine", "end_to_end")
    config.train.frozen_batch_norm = "inference"
    config.train.batch_size = 16
    config.train.coarse.learning_rate = (
        2.5e-3  # of train_A.py, for Helen: there is none for this set
    )
    config.train.localisation.learning_rate = 1e-3
    config.train.fine.learning_rate = 2.5e-3
    config.train.fine.batch_size = 10
    config.train.end_to_end.fine_learning_rate = 1e-4
    config.train.end_to_end.batch_size = 10
    config.train.end_to_end.fresh_fine = False
    return config
