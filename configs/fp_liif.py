"""FP-LIIF as published (Sarkar et al., CVPR 2023): every setting, with the paper's value as default.

The experiment files beside this one start from here and change what differs. Where the paper is silent or
contradicts itself, the field has an alternative and an entry in docs/reproduction.md.
"""

import ml_collections
from ml_collections import config_dict


def get_config() -> ml_collections.ConfigDict:
    """Returns the settings common to all FP-LIIF experiments."""
    config = ml_collections.ConfigDict()
    config.seed = 0
    config.dtype = "float32"  # of activations: float32 | bfloat16; parameters are always float32
    config.matmul_precision = "default"  # default (TF32 on NVIDIA GPUs) | high | highest
    config.deterministic = True  # asks XLA for deterministic GPU kernels

    data = config.data = ml_collections.ConfigDict()
    data.name = "lapa"  # lapa | celebamask_hq | helen
    data.builder_config = "default"  # celebamask_hq: official | farl (order of merging masks)
    data.manual_dir = config_dict.placeholder(str)  # where the raw download is unpacked
    data.data_dir = config_dict.placeholder(str)  # where prepared sets live; none: TFDS's own
    data.cache_dir = config_dict.placeholder(str)  # of resized images; none: <data_dir>/resized
    data.num_workers = 0  # threads for preparation and resizing; 0: one a core
    data.image_size = 256  # §4.2
    data.bicubic = "pillow"  # pillow (antialiased) | pytorch (not antialiased)
    data.label_resize = "class_bicubic"  # class_bicubic | nearest
    data.input_scaling = "half"  # half: (x - .5) / .5 | imagenet | unit
    data.synthetic = ml_collections.ConfigDict()  # faces drawn into manual_dir when num_train > 0
    data.synthetic.num_train = 0
    data.synthetic.num_val = 0
    data.synthetic.num_test = 0
    data.synthetic.image_size = 256
    data.synthetic.seed = 0

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
    model.query_chunk = 65536  # most queries decoded at once
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

    train = config.train = ml_collections.ConfigDict()
    train.stages = ("parsing",)
    train.batch_size = 64  # global, over all devices of all hosts
    train.microbatch = 0  # examples at once on a device; 0: all of its share
    train.epochs = 400
    train.optimizer = "adam"
    train.learning_rate = 5e-4
    train.schedule = "step"  # step | cosine | constant
    train.decay_factor = 0.1
    train.decay_every_epochs = 20
    train.log_every_steps = 50
    train.validate_every_epochs = 1
    train.checkpoint_every_epochs = 1

    evaluation = config.eval = ml_collections.ConfigDict()
    evaluation.batch_size = 16
    evaluation.rows = ("256", "512", "192->256", "128->256", "96->256", "64->256")  # Tables 1, 2
    evaluation.upsampling = "logits"  # of "192->256": logits (bilinear) | labels (nearest)
    evaluation.splits = ("test",)  # a missing one is replaced by validation, and the results say so
    evaluation.checkpoints = ("best", "last")
    evaluation.num_pictures = 8  # examples drawn in predictions.png
    return config
