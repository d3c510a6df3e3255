"""A small STN-iCNN for photographs, trained on photographic drawn faces alone: Helen's classes.

Expected: mean F1 about 88 on its 200 drawn test faces; docs/model_card_stn_icnn.md has photographs.
Run:      python -m fpliif_jax.main --config=configs/drawn_faces_stn_icnn.py
Time:     94 minutes on two CPU cores beside other work, drawing and scores included.
"""

import ml_collections

from fpliif_jax.configs import stn_icnn


def get_config() -> ml_collections.ConfigDict:
    """Returns settings for a 128² canvas, a 64² coarse input and 37² crops (mouth 45²)."""
    config = stn_icnn.get_config()
    config.data.manual_dir = "data/drawn_faces_helen/raw"
    config.data.data_dir = "data/drawn_faces_helen/prepared"
    config.data.image_size = 128
    config.data.synthetic.num_train = 2400
    config.data.synthetic.num_val = 64
    config.data.synthetic.num_test = 200
    config.data.synthetic.image_size = 256
    config.data.synthetic.style = "photographic"
    # Of photographs of CelebAMask-HQ 95 % of brows and noses reach no further than .27 of the side, mouths than .29.
    config.model.coarse_size = 64
    config.model.crop_size = 37
    config.model.mouth_crop_size = 45
    # Three quarters of the paper's rows, and a narrow L: two CPU cores are to train it in one sitting.
    config.model.row_features = (6, 12, 18, 24)
    config.model.localisation_features = (16, 32, 48, 64)
    # Milder than the paper's, which shows faces at a fifth of their size: there are few epochs to learn from.
    config.augment.shift = 0.15
    config.augment.scale = (0.7, 1.3)
    config.train.stages = ("coarse", "localisation", "fine", "end_to_end")
    config.train.batch_size = 32
    config.train.schedule = "cosine"
    config.train.next_stage_from = "last"  # 64 drawings for validation tell little
    config.train.epochs = 3  # each shows every face five times
    config.train.validate_every_epochs = 3
    config.train.coarse.learning_rate = 1e-2
    config.train.localisation.learning_rate = 2e-3
    config.train.localisation.epochs = 5
    config.train.fine.learning_rate = 1e-2
    # As in stn_icnn_synthetic.py: goes on from the stage 'fine', with rates at which the windows stay on their parts.
    config.train.end_to_end.fresh_fine = False
    config.train.end_to_end.coarse_learning_rate = 1e-6
    config.train.end_to_end.localisation_learning_rate = 1e-6
    config.train.end_to_end.fine_learning_rate = 1e-3
    config.train.end_to_end.epochs = 2
    config.eval.checkpoints = ("last", "after_fine")
    config.eval.rows = ("image", "true_windows", "centroid_windows", "coarse")
    return config
