"""STN-iCNN as published (Yin et al., arXiv:2002.04831): every setting, with the paper's value as default.

The experiment files beside this one start from here and change what differs. Fields of `model` that are
None have the value of `model.variant` (fpliif_jax/systems/stn_icnn/settings.py lists both). Where the paper is
silent, contradicts itself or differs from the authors' code, there is an entry in docs/reproduction_stn_icnn.md.
"""

import ml_collections
from ml_collections import config_dict

from fpliif_jax.configs import shared


def get_config() -> ml_collections.ConfigDict:
    """Returns the settings common to all STN-iCNN experiments; those of Helen (Table 1)."""
    config = shared.get_config()
    config.data.name = "helen"
    config.data.framing = "canvas"  # §2.5.1: zero padding keeps the image's information
    config.data.image_size = 1024  # of the canvas
    config.data.labels = "facial_parts"
    config.data.label_resize = "nearest"  # of images larger than the canvas

    model = config.model = ml_collections.ConfigDict()
    model.name = "stn_icnn"
    model.variant = "paper"  # paper | official (the authors' code): the value of every None below
    model.num_classes = 9
    model.cropper = "stn"  # stn | centroid (the baseline iCNN)
    model.coarse_size = 128  # §2.2
    model.coarse_from = "image"  # image (§2.5.1) | canvas
    model.coarse_alignment = config_dict.placeholder(str)  # half_pixel | corners
    model.crop_size = 81  # §3.3; 127 for CelebAMask-HQ
    model.mouth_crop_size = config_dict.placeholder(int)  # of the mouth alone; none: crop_size
    # align_corners (the authors' code) | eq21_half_pixel (eq. 21, pixel c centred at c + ½) | eq21 (centred at c)
    model.theta_form = "align_corners"
    model.floor_centroids = True
    model.absent_part = config_dict.placeholder(str)  # skip | image_centre
    model.row_features = (8, 16, 24, 32)
    model.interlinked_layers = 3  # Fig. 2
    model.pool_size = 3  # 3 (padding 1) | 2
    model.kernel_size = config_dict.placeholder(int)  # 3 (Fig. 2) | 5
    model.last_kernel_size = config_dict.placeholder(int)  # 3 (Fig. 2) | 9
    model.input_activation = config_dict.placeholder(str)  # relu (§2.2) | tanh
    model.interlink_convs = config_dict.placeholder(int)  # 1 | 2
    model.integration_activation = config_dict.placeholder(str)  # relu (§2.2) | tanh
    model.head_activation = config_dict.placeholder(str)  # relu (§2.2) | tanh
    model.head_norms = config_dict.placeholder(int)  # 2 | 1
    model.localisation = config_dict.placeholder(str)  # vgg9 (Fig. 3) | resnet18 | conv15
    model.localisation_features = (64, 128, 256, 512)  # of vgg9's four pairs
    model.initializer = "pytorch"  # pytorch | lecun_normal
    model.norm_epsilon = 1e-5
    model.dtype = config.get_ref("dtype")

    loss = config.loss = ml_collections.ConfigDict()
    loss.segmentation = "binary_cross_entropy"  # binary_cross_entropy (eq. 16) | cross_entropy
    loss.part_reduction = "mean"  # mean (eq. 17) | sum, over the six parts

    augment = config.augment = ml_collections.ConfigDict()  # §2.5.1
    augment.enabled = True
    augment.copies = 5  # of each image; copy i has i of the four operations
    augment.rotation_degrees = 15.0
    augment.shift = 0.2  # of width and of height
    augment.scale = (0.2, 1.2)
    augment.noise_sd = 0.1
    augment.noise_on_black = False

    train = config.train
    train.stages = ("coarse", "localisation", "end_to_end")  # and: fine (K_i around true centroids)
    train.next_stage_from = "best"  # best | last: of a stage's states, the one the next starts from
    train.init_from = ""  # as None
    train.init_checkpoint = "best"
    train.batch_size = 32
    train.epochs = 25  # of each stage without its own
    train.schedule = "step"
    train.decay_factor = 0.5
    train.decay_every_epochs = 5
    train.frozen_batch_norm = "inference"  # inference | training: of networks whose rate is 0
    for stage, rate in (("coarse", 0.0023), ("localisation", 0.0017), ("fine", 0.0008)):
        train[stage] = ml_collections.ConfigDict()
        train[stage].learning_rate = rate
        train[stage].epochs = config_dict.placeholder(int)
        train[stage].batch_size = config_dict.placeholder(int)
    joint = train.end_to_end = ml_collections.ConfigDict()
    joint.coarse_learning_rate = 1e-4
    joint.localisation_learning_rate = 1e-4
    joint.fine_learning_rate = 1e-2
    joint.fresh_fine = True  # K_i start anew; False: as an earlier stage left them
    # predicted_windows (§2.1) | true_windows: which windows the labels of the parts are cut out by
    joint.labels_from = "predicted_windows"
    # trained | fine: whose batch norms see the batch: those of networks whose rate is not 0 (see frozen_batch_norm),
    # or those of the K_i alone, K and L being trained with their statistics as they are
    joint.batch_norm = "trained"
    joint.epochs = config_dict.placeholder(int)
    joint.batch_size = config_dict.placeholder(int)

    # image: predicted windows, scored on the image; canvas: the same with the padding (the authors' F1);
    # true_windows, centroid_windows: windows around true centroids, or those of the coarse mask; coarse: K alone.
    config.eval.rows = ("image", "canvas", "true_windows", "centroid_windows", "coarse")
    return config
