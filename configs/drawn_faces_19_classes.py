"""A small FP-LIIF with the 19 classes of CelebAMask-HQ, trained on photographic drawn faces alone by two CPU cores.

Starts from the weights `drawn_small`, which know eleven of them.
Expected: mean F1 about 85 on its 200 drawn test faces; docs/model_card_19_classes.md has photographs.
Run:      python -m fpliif_jax.main --config=configs/drawn_faces_19_classes.py
Time:     45 minutes on two CPU cores beside other work, drawing and scores included.
"""

import ml_collections

from fpliif_jax.configs import celebamask_hq, drawn_faces_small


def get_config() -> ml_collections.ConfigDict:
    """Returns the settings of drawn_faces_small.py with the classes and the λ of celebamask_hq.py, and a start."""
    config = drawn_faces_small.get_config()
    paper = celebamask_hq.get_config()
    config.data.name = paper.data.name
    config.data.builder_config = paper.data.builder_config
    config.data.manual_dir = "data/drawn_faces_19_classes/raw"
    config.data.data_dir = "data/drawn_faces_19_classes/prepared"
    config.data.synthetic.seed = 1  # other faces than those that the start learnt from
    config.model.num_classes = paper.model.num_classes
    config.loss.edge_weight = paper.loss.edge_weight
    config.train.init_from = "weights:drawn_small"
    return config
