"""What each field of a config may be: one table, read before anything is done.

What hangs on several fields, on the data or on the model's shapes is checked where it is known (`settings`).
"""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import ml_collections

from fpliif_jax import checkpoint, preprocess

_LARGEST_COUNT = 10**9
_LARGEST_SEED = 2**31 - 1  # the augmentations' seeds are int32 on the device


@dataclasses.dataclass(frozen=True)
class Number:
    """A finite number from `low` to `high`.

    Attributes:
      low, high: the smallest and the largest value.
      is_whole: whether it has to be a whole number.
      is_above: whether `low` itself is too small.
      is_optional: whether it may be None.
    """

    low: float
    high: float
    is_whole: bool = False
    is_above: bool = False
    is_optional: bool = False

    def problem(self, value: Any) -> str | None:
        """What the value would have to be; None where it is that."""
        if value is None:
            return None if self.is_optional else "must be a number"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "must be a number"
        if self.is_whole and not isinstance(value, int):
            return "must be a whole number"
        if not math.isfinite(value):
            return "must be a finite number"
        if value < self.low or (self.is_above and value == self.low):
            return f"must be {'above' if self.is_above else 'at least'} {self.low:g}"
        if value > self.high:
            return f"must be at most {self.high:.10g}"
        return None


@dataclasses.dataclass(frozen=True)
class Numbers:
    """Several numbers.

    Attributes:
      each: what every one may be.
      count: how many; None for one or more.
      is_interval: whether they are (low, high).
      is_optional: whether it may be None.
    """

    each: Number
    count: int | None = None
    is_interval: bool = False
    is_optional: bool = False

    def problem(self, value: Any) -> str | None:
        """As `Number.problem`."""
        if value is None and self.is_optional:
            return None
        if not isinstance(value, list | tuple) or not value or self.count not in (None, len(value)):
            return f"must be {self.count or 'one or more'} numbers in brackets"
        problems = [problem for one in value if (problem := self.each.problem(one))]
        if problems:
            return f"{problems[0]}, each of its numbers"
        if self.is_interval and value[0] > value[1]:
            return "must be (low, high) with low ≤ high"
        return None


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of some words or numbers; None where `is_optional`."""

    values: tuple[str | int, ...]
    is_optional: bool = False

    def problem(self, value: Any) -> str | None:
        """As `Number.problem`."""
        if value in self.values and not isinstance(value, bool):
            return None
        if value is None and self.is_optional:
            return None
        return f"must be one of {', '.join(map(str, self.values))}"


@dataclasses.dataclass(frozen=True)
class NumberOrAuto:
    """A number, or 'auto': the program decides."""

    number: Number

    def problem(self, value: Any) -> str | None:
        """As `Number.problem`."""
        problem = None if value == "auto" else self.number.problem(value)
        return problem and f"{problem}, or 'auto'"


@dataclasses.dataclass(frozen=True)
class Names:
    """One or more names; `values`, if not empty, are those there are."""

    values: tuple[str, ...] = ()

    def problem(self, value: Any) -> str | None:
        """As `Number.problem`."""
        if not isinstance(value, list | tuple) or not value:
            return "must be one or more names in brackets"
        if any(
            not isinstance(name, str) or (self.values and name not in self.values) for name in value
        ):
            return f"must be one of {', '.join(self.values)}" if self.values else "must be names"
        return None


@dataclasses.dataclass(frozen=True)
class Anything:
    """What cannot be told to be wrong here: `why`."""

    why: str

    def problem(self, value: Any) -> str | None:
        """None."""
        return None


Rule = Number | NumberOrAuto | Numbers | Choice | Names | Anything

_COUNT = Number(1, _LARGEST_COUNT, is_whole=True)
_COUNT_OR_NONE = dataclasses.replace(_COUNT, is_optional=True)
_COUNT_OR_0 = Number(0, _LARGEST_COUNT, is_whole=True)
_SEED = Number(0, _LARGEST_SEED, is_whole=True)
_BATCH = Number(1, 2**20, is_whole=True)
_BATCH_OR_NONE = dataclasses.replace(_BATCH, is_optional=True)
_SIDE = Number(8, 2**14, is_whole=True)
_WIDTH = Number(1, 2**16, is_whole=True)
_RATE = Number(0, 10, is_above=True)
_RATE_OR_0 = Number(0, 10)  # 0: the network is frozen
_DTYPE = Choice(("float32", "bfloat16"))
_SWITCH = Anything("a switch: true or false, as the command line sees to")
_PATH = Anything("a path: looked up, and named, when it is used")
_ACTIVATION = Choice(("relu", "tanh"), is_optional=True)
_FACTORS = Numbers(Number(0, 1_000), 2, is_interval=True)

RULES: dict[str, Rule] = {
    "seed": _SEED,
    "seeds.initialisation": _SEED,
    "seeds.data_order": _SEED,
    "seeds.augmentation": _SEED,
    "dtype": _DTYPE,
    "matmul_precision": Choice(("default", "high", "highest")),
    "deterministic": _SWITCH,
    "data.name": Choice(("lapa", "celebamask_hq", "helen")),
    "data.builder_config": Choice(("default", "official", "farl", "own_masks")),
    "data.manual_dir": _PATH,
    "data.data_dir": _PATH,
    "data.cache_dir": _PATH,
    "data.num_workers": Number(0, 4_096, is_whole=True),
    "data.image_size": _SIDE,
    "data.longest_side": dataclasses.replace(_SIDE, is_optional=True),
    "data.framing": Choice(preprocess.FRAMINGS),
    "data.bicubic": Choice(preprocess.BICUBIC_FILTERS),
    "data.label_resize": Choice(preprocess.LABEL_METHODS),
    "data.labels": Choice(("all", "facial_parts")),
    "data.split": Choice(("official", "random", "first")),
    "data.split_counts": Numbers(_COUNT_OR_0, 3, is_optional=True),
    "data.split_fractions": Numbers(Number(0, 1), 3),
    "data.split_seed": _SEED,
    "data.train_subset": _COUNT_OR_0,
    "data.input_scaling": Choice(tuple(preprocess.INPUT_SCALINGS)),
    "data.synthetic.num_train": _COUNT_OR_0,
    "data.synthetic.num_val": _COUNT_OR_0,
    "data.synthetic.num_test": _COUNT_OR_0,
    "data.synthetic.image_size": Number(32, 4_096, is_whole=True),
    "data.synthetic.seed": _SEED,
    "train.stages": Names(),
    "train.batch_size": _BATCH,
    "train.microbatch": NumberOrAuto(Number(0, 2**20, is_whole=True)),
    "train.epochs": _COUNT,
    "train.optimizer": Choice(("adam",)),
    "train.learning_rate": _RATE,
    "train.schedule": Choice(("step", "cosine", "constant")),
    "train.decay_factor": Number(0, 1, is_above=True),
    "train.decay_every_epochs": _COUNT,
    "train.log_every_steps": _COUNT,
    "train.validate_every_epochs": _COUNT,
    "train.checkpoint_every_epochs": _COUNT,
    "train.next_stage_from": Choice(("best", "last")),
    "train.init_from": _PATH,
    "train.init_checkpoint": Anything("checked by the form of its name: best, last or after_STAGE"),
    "train.frozen_batch_norm": Choice(("inference", "training")),
    "train.end_to_end.coarse_learning_rate": _RATE_OR_0,
    "train.end_to_end.localisation_learning_rate": _RATE_OR_0,
    "train.end_to_end.fine_learning_rate": _RATE_OR_0,
    "train.end_to_end.fresh_fine": _SWITCH,
    "eval.batch_size": _BATCH,
    "eval.splits": Names(("train", "validation", "test")),
    "eval.checkpoints": Names(),
    "eval.rows": Names(),
    "eval.upsampling": Choice(("logits", "labels")),
    "eval.num_pictures": Number(0, 10_000, is_whole=True),
    "study.equivalence_margin": Number(0, 100, is_above=True),
    "model.name": Choice(("fp_liif", "stn_icnn")),
    "model.num_classes": Number(2, 255, is_whole=True),  # 255 is the label that is left out
    "model.features": _WIDTH,
    "model.group_blocks": Numbers(Number(1, 1_000, is_whole=True)),
    "model.norm": Choice(("instance", "batch", "none")),
    "model.norm_affine": _SWITCH,
    "model.norm_epsilon": Number(0, 1, is_above=True),
    "model.initializer": Choice(("pytorch", "lecun_normal")),
    "model.decoder": Choice(("liif", "conv_unet")),
    "model.unfold": _SWITCH,
    "model.rcmlp": _SWITCH,
    "model.global_feature": _SWITCH,
    "model.rcmlp_features": Numbers(_WIDTH),
    "model.mlp_features": Numbers(_WIDTH),
    "model.ensemble": Choice(("average", "area", "none")),
    "model.sampling": Choice(("bilinear", "nearest")),
    "model.position": Choice(("absolute", "relative")),
    "model.query_chunk": NumberOrAuto(_COUNT),
    "model.remat": _SWITCH,
    "model.dtype": _DTYPE,
    "model.variant": Choice(("paper", "official")),
    "model.cropper": Choice(("stn", "centroid")),
    "model.coarse_size": _SIDE,
    "model.coarse_from": Choice(("image", "canvas")),
    "model.coarse_alignment": Choice(("half_pixel", "corners"), is_optional=True),
    "model.crop_size": _SIDE,
    "model.mouth_crop_size": dataclasses.replace(_SIDE, is_optional=True),
    "model.theta_form": Choice(("align_corners", "eq21", "eq21_half_pixel")),
    "model.floor_centroids": _SWITCH,
    "model.absent_part": Choice(("skip", "image_centre"), is_optional=True),
    "model.row_features": Numbers(_WIDTH),
    "model.interlinked_layers": Number(1, 100, is_whole=True),
    "model.pool_size": Choice((2, 3)),
    "model.kernel_size": Choice((1, 3, 5, 7, 9, 11), is_optional=True),
    "model.last_kernel_size": Choice((1, 3, 5, 7, 9, 11), is_optional=True),
    "model.input_activation": _ACTIVATION,
    "model.interlink_convs": Choice((1, 2), is_optional=True),
    "model.integration_activation": _ACTIVATION,
    "model.head_activation": _ACTIVATION,
    "model.head_norms": Choice((1, 2), is_optional=True),
    "model.localisation": Choice(("vgg9", "resnet18", "conv15"), is_optional=True),
    "model.localisation_features": Numbers(_WIDTH, 4),
    "loss.temperature": Number(0, 1_000, is_above=True),
    "loss.temperature_mode": Choice(("divide", "multiply", "none")),
    "loss.edge_weight": Number(0, 1e6),
    "loss.edge_width": Number(1, 100, is_whole=True),
    "loss.edge_reduction": Choice(("edge_pixels", "all_pixels")),
    "loss.segmentation": Choice(("binary_cross_entropy", "cross_entropy")),
    "loss.part_reduction": Choice(("mean", "sum")),
    "augment.enabled": _SWITCH,
    "augment.rotation_degrees": Number(0, 180),
    "augment.shear_degrees": Numbers(Number(-45, 45), 2, is_interval=True),
    "augment.scale": Numbers(Number(0.05, 20), 2, is_interval=True),
    "augment.crop": Choice(("uniform", "centred")),
    "augment.fill": Choice(("background", "ignore")),
    "augment.brightness": _FACTORS,
    "augment.contrast": _FACTORS,
    "augment.saturation": _FACTORS,
    "augment.hue": Numbers(Number(-0.5, 0.5), 2, is_interval=True),
    "augment.horizontal_flip": _SWITCH,
    "augment.copies": Number(1, 5, is_whole=True),
    "augment.shift": Number(0, 1),
    "augment.noise_sd": Number(0, 10),
    "augment.noise_on_black": _SWITCH,
}
for _stage in ("coarse", "localisation", "fine", "end_to_end"):
    RULES[f"train.{_stage}.epochs"] = _COUNT_OR_NONE
    RULES[f"train.{_stage}.batch_size"] = _BATCH_OR_NONE
    RULES.setdefault(f"train.{_stage}.learning_rate", _RATE)


def problems(config: ml_collections.ConfigDict) -> Iterable[str]:
    """Every field that is none of what it may be: its name, its value, what it must be."""
    for field, value in sorted(checkpoint.flatten_config(checkpoint.json_config(config)).items()):
        rule = RULES.get(field)  # a field of somebody's own experiment has none
        problem = rule.problem(value) if rule else None
        if problem:
            shown = tuple(value) if isinstance(value, list) else value
            yield f"config.{field} is {shown!r}; it {problem}"
