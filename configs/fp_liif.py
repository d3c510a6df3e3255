"""FP-LIIF as published (Sarkar et al., CVPR 2023): every setting, with the paper's value as default.

It starts from shared.py, whose values are the paper's too unless changed here; the experiment files beside
this one start from here and change what differs. Where the paper is silent or contradicts itself,
the field has an alternative and an entry in docs/reproduction.md.
"""

import ml_collections
from ml_collections import config_dict

from fpliif_jax.configs import shared


def get_config() -> ml_collections.ConfigDict:
    """Returns the settings common to all FP-LIIF experiments."""
    config = shared.get_config()
    config.data.image_size = 256  # §4.2
    config.data.input_scaling = "half"  # half: (x - .5) / .5 | imagenet | unit

    model = config.model = ml_collections.ConfigDict()
    model.name = "fp_liif"
    model.num_classes = 11
    model.features = 64  # §3.2
    model.group_blocks = (2, 6, 16)  # §3.2, Fig. 2
    model.norm = "instance"  # instance | batch | none (§5.1)
    model.norm_affine = False
    model.norm_epsilon = 1e-5
    model.initializer = "pytorch"  # pytorch | lecun_normal
    model.decoder = "liif"  # liif | conv_unet (§5.1)
    model.unfold = True  # §3.3
    model.rcmlp = True  # §3.3
    model.global_feature = True  # §3.3
    model.rcmlp_features = (256, 64)  # §3.3
    model.mlp_features = (256, 256, 256, 256)  # §3.3
    model.ensemble = "average"  # average (§3.1) | area (LIIF) | none
    model.sampling = "bilinear"  # bilinear (§3.3) | nearest (LIIF)
    model.position = "absolute"  # absolute (§3.3) | relative (eq. 2, LIIF)
    # most queries decoded at once, a number or auto: docs/speed.md
    model.query_chunk = config_dict.FieldReference("auto", field_type=object)
    model.remat = False  # recompute the decoder for the gradient: same values, less memory
    model.dtype = config.get_ref("dtype")

    loss = config.loss = ml_collections.ConfigDict()
    loss.temperature = 0.5  # §4.2
    loss.temperature_mode = "divide"  # divide | multiply | none
    loss.edge_weight = 40.0  # λ of eq. 3; §4.2: 40 for LaPa, 10 for CelebAMask-HQ
    loss.edge_width = 1  # 1: a label of 8 neighbours differs; k > 1 dilates k - 1 times
    loss.edge_reduction = "edge_pixels"  # edge_pixels | all_pixels

    augment = config.augment = ml_collections.ConfigDict()  # §4.2
    augment.enabled = True
    augment.rotation_degrees = 30.0
    augment.shear_degrees = (0.0, 20.0)
    augment.scale = (0.5, 3.0)
    augment.crop = "uniform"  # uniform | centred
    augment.fill = "background"  # background | ignore (left out of the loss)
    augment.brightness = (0.5, 1.5)
    augment.contrast = (0.0, 2.0)
    augment.saturation = (0.5, 1.5)
    augment.hue = (-0.3, 0.3)
    augment.horizontal_flip = False  # swaps left and right classes
    # A camera, after the jitter: not in the paper, and off (systems/fp_liif/camera.py).
    augment.warmth = (0.0, 0.0)  # the share that red gains and blue loses
    augment.blur = (0.0, 0.0)  # the Gaussian's standard deviation, a share of the side
    augment.low_resolution = (1.0, 1.0)  # the share of the side that is left, enlarged again
    augment.low_resolution_chance = 1.0  # of that being done to an image
    augment.noise = (0.0, 0.0)  # standard deviation of grey noise; white is 1

    train = config.train
    train.stages = ("parsing",)
    train.batch_size = 64
    train.epochs = 400
    train.learning_rate = 5e-4
    train.schedule = "step"
    train.decay_factor = 0.1
    train.decay_every_epochs = 20

    evaluation = config.eval
    evaluation.rows = ("256", "512", "192->256", "128->256", "96->256", "64->256")  # Tables 1, 2
    evaluation.upsampling = "logits"  # of "192->256": logits (bilinear) | labels (nearest)
    return config
