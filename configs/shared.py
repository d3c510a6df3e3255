"""What FP-LIIF and STN-iCNN have in common: how a run goes, where its data are, how it is evaluated.

Not an experiment: it has no model. Each system's own file starts from here.
"""

import ml_collections
from ml_collections import config_dict


def get_config() -> ml_collections.ConfigDict:
    """Returns the settings that mean the same in both systems."""
    config = ml_collections.ConfigDict()
    config.seed = 0
    # What a seed varies; each follows config.seed unless it is given a seed of its own.
    config.seeds = ml_collections.ConfigDict()
    config.seeds.initialisation = config.get_oneway_ref("seed")
    config.seeds.data_order = config.get_oneway_ref("seed")
    config.seeds.augmentation = config.get_oneway_ref("seed")
    config.dtype = "float32"  # of activations: float32 | bfloat16; parameters are always float32
    config.matmul_precision = "default"  # default (TF32 on NVIDIA GPUs) | high | highest
    config.deterministic = True  # asks XLA for deterministic GPU kernels

    data = config.data = ml_collections.ConfigDict()
    data.name = "lapa"  # one of data_builders.NAMES
    # celebamask_hq: official | farl | own_masks (how masks that overlap are merged)
    data.builder_config = "default"
    data.manual_dir = config_dict.placeholder(str)  # where the raw download is unpacked
    data.data_dir = config_dict.placeholder(str)  # where prepared sets live; none: TFDS's own
    data.cache_dir = config_dict.placeholder(str)  # of resized images; none: <data_dir>/resized
    data.num_workers = 0  # threads for preparation and resizing; 0: one a core
    data.image_size = 256
    # square: squeezed to image_size² | canvas: centred on an image_size² canvas, zero padding
    data.framing = "square"
    data.longest_side = config_dict.placeholder(int)  # of the image on a canvas; none: the canvas's
    data.bicubic = "pillow"  # pillow (antialiased) | pytorch (not antialiased)
    data.label_resize = "class_bicubic"  # class_bicubic | nearest
    # all | facial_parts (Helen's nine: background, brows, eyes, nose, lips, inner mouth)
    data.labels = "all"
    data.split = "official"  # official | random | first
    data.split_fractions = (0.6, 0.2, 0.2)  # of a random split: train, validation, test
    # of the split 'first', examples in the order of their ids: training, validation, test
    data.split_counts = config_dict.placeholder(tuple)
    data.split_seed = 0  # of a random split and of train_subset
    data.train_subset = 0  # training images used, chosen by hash from all; 0: all
    data.synthetic = ml_collections.ConfigDict()  # faces drawn into manual_dir when num_train > 0
    data.synthetic.num_train = 0
    data.synthetic.num_val = 0
    data.synthetic.num_test = 0
    data.synthetic.image_size = 256
    data.synthetic.seed = 0
    data.synthetic.style = config_dict.placeholder(str)  # None: plain; or photographic
    # parts that the photographic style leaves out: data_builders/synthetic_faces; None: none
    data.synthetic.without = config_dict.placeholder(tuple)
    # what it draws beyond them, scarves for one; None: nothing
    data.synthetic.also = config_dict.placeholder(tuple)

    train = config.train = ml_collections.ConfigDict()
    train.batch_size = 64  # global, over all devices of all hosts
    # examples at once on a device; 0: all of its share; auto: in FP-LIIF without batch norm as many as
    # fit, on a CPU as many as are fastest, in STN-iCNN all: docs/speed.md
    train.microbatch = config_dict.FieldReference("auto", field_type=object)
    train.epochs = 400
    # a run's folder, or weights:NAME of the package: start from its networks; None: from the initialiser
    train.init_from = config_dict.placeholder(str)
    train.optimizer = "adam"
    train.schedule = "step"  # step | cosine | constant
    train.decay_factor = 0.1
    train.decay_every_epochs = 20
    train.log_every_steps = 50
    train.validate_every_epochs = 1
    train.checkpoint_every_epochs = 1

    evaluation = config.eval = ml_collections.ConfigDict()
    evaluation.batch_size = 16
    evaluation.splits = ("test",)  # a missing one is replaced by validation, and the results say so
    evaluation.checkpoints = ("best", "last")
    # another set to score on, whose labels make its classes the run's own, as data.labels; None: the run's own set
    evaluation.dataset = config_dict.placeholder(str)
    evaluation.labels = config_dict.placeholder(str)
    evaluation.manual_dir = config_dict.placeholder(str)
    evaluation.data_dir = config_dict.placeholder(str)
    evaluation.num_pictures = 8  # examples drawn in predictions.png; 0: neither it nor examples.npz

    study = config.study = ml_collections.ConfigDict()
    # F1 points within which a mean counts as the published one: fixed before the runs are made.
    study.equivalence_margin = 0.5
    return config
