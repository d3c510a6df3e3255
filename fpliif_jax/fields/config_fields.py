"""Every field of a config: what it may be, and what it is to a run. The one place that a new field is written into.

`field_checks` refuses what is none of it; no module has a list of its own of what is allowed.

What depends on several fields, on the data or on the model's shapes is checked where it is known (`preflight`); which
other values a paper leaves open is the study's affair (`experiments.comparison.readings`).
"""

import copy
import dataclasses
import enum
import functools
from collections.abc import Iterable, Mapping
from typing import Any

import ml_collections

from fpliif_jax import data_builders
from fpliif_jax.data_builders.synthetic_faces.photographic.also import ADDITIONS
from fpliif_jax.data_builders.synthetic_faces.photographic.without import PARTS
from fpliif_jax.fields.json_types import Fields
from fpliif_jax.fields.setting_ranges import (
    Anything,
    Choice,
    Names,
    Number,
    NumberOrAuto,
    Numbers,
    Path,
    Rule,
    Switch,
)


class Role(enum.Enum):
    """What a field decides about a run; everything that asks "may this differ?" asks for roles."""

    EXPERIMENT = "what is learnt"
    START = "which weights training starts from; no matter to weights that are there"
    PRECISION = "the type of numbers that are worked with"
    ROUNDING = "time, memory and the order of sums, and so the last bits; not the function"
    COST = "time and memory alone: the bits are the same"
    SEED = "what varies between the runs of a group"
    SCORING = "how predictions are scored"
    PROTOCOL = "what is scored: which checkpoints, on which data and splits, at which sizes"
    RECORD = "how often is written down how far a run is"
    DISPLAY = "what is shown"
    PLACE = "where things lie on this machine"
    DRAWING = "which faces are drawn; what the data are is compared by their fingerprint"
    MARGIN = "what the study calls equivalent"


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a config.

    Attributes:
      rule: what it may be.
      role: what it decides.
      before: what was done before there was this field, as JSON has it: its value in the configs of earlier runs,
        which lack it; None: the same as where it is unset.
      in_pytorch: whether it decides a run and the trainer in PyTorch (`experiments.pytorch`) reads it, too.
    """

    rule: Rule
    role: Role = Role.EXPERIMENT
    before: Any = None
    in_pytorch: bool = False


_both = functools.partial(Field, in_pytorch=True)  # both trainers read it
LARGEST_COUNT = 10**9  # only keeps numbers finite
_LARGEST_SEED = 2**31 - 1  # the augmentations' seeds are int32 on the device

_COUNT = Number(1, LARGEST_COUNT, is_whole=True)
_COUNT_OR_NONE = dataclasses.replace(_COUNT, is_optional=True)
_COUNT_OR_0 = Number(0, LARGEST_COUNT, is_whole=True)
_SEED = Number(0, _LARGEST_SEED, is_whole=True)
_BATCH = Number(1, 2**20, is_whole=True)
_BATCH_OR_NONE = dataclasses.replace(_BATCH, is_optional=True)
_SIDE = Number(8, 2**14, is_whole=True)
_SIDE_OR_NONE = dataclasses.replace(_SIDE, is_optional=True)
_WIDTH = Number(1, 2**16, is_whole=True)
_RATE = Number(0, 10, is_above=True)
_RATE_OR_0 = Number(0, 10)  # 0: the network is frozen
_LABELS = ("all", "facial_parts", "lapa")
_DTYPE = Choice(("float32", "bfloat16"))
_SWITCH = Switch()
_PATH = Path()
_ACTIVATION = Choice(("relu", "tanh"), is_optional=True)
_FACTORS = Numbers(Number(0, 1_000), 2, is_interval=True)

FIELDS: dict[str, Field] = {
    "seed": _both(_SEED, Role.SEED),
    "seeds.initialisation": _both(_SEED, Role.SEED),
    "seeds.data_order": _both(_SEED, Role.SEED),
    "seeds.augmentation": _both(_SEED, Role.SEED),
    "dtype": _both(_DTYPE, Role.PRECISION),
    "matmul_precision": _both(Choice(("default", "high", "highest")), Role.PRECISION),
    "deterministic": Field(_SWITCH, Role.ROUNDING),
    "data.name": _both(Choice(data_builders.NAMES)),
    "data.builder_config": _both(Choice(("default", "official", "farl", "own_masks"))),
    "data.manual_dir": Field(_PATH, Role.PLACE),
    "data.data_dir": Field(_PATH, Role.PLACE),
    "data.cache_dir": Field(_PATH, Role.PLACE),
    "data.num_workers": Field(Number(0, 4_096, is_whole=True), Role.COST),
    "data.image_size": _both(_SIDE),
    "data.longest_side": _both(_SIDE_OR_NONE),
    "data.framing": _both(Choice(("square", "canvas"))),
    "data.bicubic": _both(Choice(("pillow", "pytorch"))),
    "data.label_resize": _both(Choice(("class_bicubic", "nearest"))),
    "data.labels": _both(Choice(_LABELS)),
    "data.split": _both(Choice(("official", "random", "first"))),
    "data.split_counts": _both(Numbers(_COUNT_OR_0, 3, is_optional=True)),
    "data.split_fractions": _both(Numbers(Number(0, 1), 3)),
    "data.split_seed": _both(_SEED),
    "data.train_subset": _both(_COUNT_OR_0),
    "data.input_scaling": _both(Choice(("half", "imagenet", "unit"))),
    "data.synthetic.num_train": Field(_COUNT_OR_0, Role.DRAWING),
    "data.synthetic.num_val": Field(_COUNT_OR_0, Role.DRAWING),
    "data.synthetic.num_test": Field(_COUNT_OR_0, Role.DRAWING),
    "data.synthetic.image_size": Field(Number(32, 4_096, is_whole=True), Role.DRAWING),
    "data.synthetic.seed": Field(_SEED, Role.DRAWING),
    "data.synthetic.style": Field(Choice(("photographic",), is_optional=True), Role.DRAWING),
    "data.synthetic.without": Field(Names(PARTS, is_optional=True), Role.DRAWING),
    "data.synthetic.also": Field(Names(ADDITIONS, is_optional=True), Role.DRAWING),
    "train.stages": Field(Names()),
    "train.batch_size": _both(_BATCH),
    "train.microbatch": Field(NumberOrAuto(Number(0, 2**20, is_whole=True)), Role.ROUNDING),
    "train.epochs": _both(_COUNT),
    "train.optimizer": Field(Choice(("adam",))),
    "train.learning_rate": _both(_RATE),
    "train.schedule": _both(Choice(("step", "cosine", "constant"))),
    "train.decay_factor": _both(Number(0, 1, is_above=True)),
    "train.decay_every_epochs": _both(_COUNT),
    "train.log_every_steps": Field(_COUNT, Role.RECORD),
    "train.validate_every_epochs": _both(_COUNT),
    "train.checkpoint_every_epochs": Field(_COUNT, Role.RECORD),
    "train.next_stage_from": Field(Choice(("best", "last"))),
    "train.init_from": Field(_PATH),
    "train.init_checkpoint": Field(
        Anything("best, last or after_STAGE: checked by the form of the name")
    ),
    "train.frozen_batch_norm": Field(Choice(("inference", "training"))),
    "train.end_to_end.coarse_learning_rate": Field(_RATE_OR_0),
    "train.end_to_end.localisation_learning_rate": Field(_RATE_OR_0),
    "train.end_to_end.fine_learning_rate": Field(_RATE_OR_0),
    "train.end_to_end.fresh_fine": Field(_SWITCH),
    "train.end_to_end.labels_from": Field(
        Choice(("predicted_windows", "true_windows")), before="predicted_windows"
    ),
    "train.end_to_end.batch_norm": Field(Choice(("trained", "fine")), before="trained"),
    "eval.batch_size": Field(_BATCH, Role.COST),
    "eval.splits": _both(Names(("train", "validation", "test")), Role.PROTOCOL),
    "eval.checkpoints": _both(Names(), Role.PROTOCOL),
    "eval.rows": _both(Names(), Role.PROTOCOL),
    "eval.dataset": _both(Choice(data_builders.NAMES, is_optional=True), Role.PROTOCOL),
    "eval.labels": _both(Choice(_LABELS, is_optional=True), Role.PROTOCOL),
    "eval.manual_dir": Field(_PATH, Role.PLACE),
    "eval.data_dir": Field(_PATH, Role.PLACE),
    "eval.upsampling": _both(Choice(("logits", "labels")), Role.SCORING),
    "eval.num_pictures": Field(Number(0, 10_000, is_whole=True), Role.DISPLAY),
    "study.equivalence_margin": Field(Number(0, 100, is_above=True), Role.MARGIN),
    "model.name": _both(Anything("the name of a system: `systems.of` looks it up")),
    "model.num_classes": _both(Number(2, 255, is_whole=True)),  # 255 is the label that is left out
    "model.features": _both(_WIDTH),
    "model.group_blocks": _both(Numbers(Number(1, 1_000, is_whole=True))),
    "model.norm": _both(Choice(("instance", "batch", "none"))),
    "model.norm_affine": _both(_SWITCH),
    "model.norm_epsilon": _both(Number(0, 1, is_above=True)),
    "model.initializer": _both(Choice(("pytorch", "lecun_normal")), Role.START),
    "model.decoder": _both(Choice(("liif", "conv_unet"))),
    "model.unfold": _both(_SWITCH),
    "model.rcmlp": _both(_SWITCH),
    "model.global_feature": _both(_SWITCH),
    "model.rcmlp_features": _both(Numbers(_WIDTH)),
    "model.mlp_features": _both(Numbers(_WIDTH)),
    "model.ensemble": _both(Choice(("average", "area", "none"))),
    "model.sampling": _both(Choice(("bilinear", "nearest"))),
    "model.position": _both(Choice(("absolute", "relative"))),
    "model.query_chunk": Field(NumberOrAuto(_COUNT), Role.ROUNDING),
    "model.remat": Field(_SWITCH, Role.ROUNDING, before=False),
    "model.dtype": _both(_DTYPE, Role.PRECISION),
    "model.variant": Field(Choice(("paper", "official"))),
    "model.cropper": Field(Choice(("stn", "centroid"))),
    "model.coarse_size": Field(_SIDE),
    "model.coarse_from": Field(Choice(("image", "canvas"))),
    "model.coarse_alignment": Field(Choice(("half_pixel", "corners"), is_optional=True)),
    "model.crop_size": Field(_SIDE),
    "model.mouth_crop_size": Field(_SIDE_OR_NONE),
    "model.theta_form": Field(Choice(("align_corners", "eq21", "eq21_half_pixel"))),
    "model.floor_centroids": Field(_SWITCH),
    "model.absent_part": Field(Choice(("skip", "image_centre"), is_optional=True)),
    "model.row_features": Field(Numbers(_WIDTH, fewest=2)),
    "model.interlinked_layers": Field(Number(1, 100, is_whole=True)),
    "model.pool_size": Field(Choice((2, 3))),
    "model.kernel_size": Field(Choice((1, 3, 5, 7, 9, 11), is_optional=True)),
    "model.last_kernel_size": Field(Choice((1, 3, 5, 7, 9, 11), is_optional=True)),
    "model.input_activation": Field(_ACTIVATION),
    "model.interlink_convs": Field(Choice((1, 2), is_optional=True)),
    "model.integration_activation": Field(_ACTIVATION),
    "model.head_activation": Field(_ACTIVATION),
    "model.head_norms": Field(Choice((1, 2), is_optional=True)),
    "model.localisation": Field(Choice(("vgg9", "resnet18", "conv15"), is_optional=True)),
    "model.localisation_features": Field(Numbers(_WIDTH, 4)),
    "loss.temperature": _both(Number(0, 1_000, is_above=True)),
    "loss.temperature_mode": _both(Choice(("divide", "multiply", "none"))),
    "loss.edge_weight": _both(Number(0, 1e6)),
    "loss.edge_width": _both(Number(1, 100, is_whole=True)),
    "loss.edge_reduction": _both(Choice(("edge_pixels", "all_pixels"))),
    "loss.segmentation": Field(Choice(("binary_cross_entropy", "cross_entropy"))),
    "loss.part_reduction": Field(Choice(("mean", "sum"))),
    "augment.enabled": _both(_SWITCH),
    "augment.rotation_degrees": _both(Number(0, 180)),
    "augment.shear_degrees": _both(Numbers(Number(-45, 45), 2, is_interval=True)),
    "augment.scale": _both(Numbers(Number(0.05, 20), 2, is_interval=True)),
    "augment.crop": _both(Choice(("uniform", "centred"))),
    "augment.fill": _both(Choice(("background", "ignore"))),
    "augment.brightness": _both(_FACTORS),
    "augment.contrast": _both(_FACTORS),
    "augment.saturation": _both(_FACTORS),
    "augment.hue": _both(Numbers(Number(-0.5, 0.5), 2, is_interval=True)),
    "augment.horizontal_flip": _both(_SWITCH),
    "augment.warmth": Field(Numbers(Number(-1, 1), 2, is_interval=True), before=[0.0, 0.0]),
    "augment.blur": Field(Numbers(Number(0, 0.25), 2, is_interval=True), before=[0.0, 0.0]),
    "augment.low_resolution": Field(
        Numbers(Number(0.05, 1), 2, is_interval=True), before=[1.0, 1.0]
    ),
    "augment.low_resolution_chance": Field(Number(0, 1), before=1.0),
    "augment.noise": Field(Numbers(Number(0, 1), 2, is_interval=True), before=[0.0, 0.0]),
    "augment.copies": Field(Number(1, 5, is_whole=True)),
    "augment.shift": Field(Number(0, 1)),
    "augment.noise_sd": Field(Number(0, 10)),
    "augment.noise_on_black": Field(_SWITCH),
}
for _stage in ("coarse", "localisation", "fine", "end_to_end"):
    FIELDS[f"train.{_stage}.epochs"] = Field(_COUNT_OR_NONE)
    FIELDS[f"train.{_stage}.batch_size"] = Field(_BATCH_OR_NONE)
    if _stage != "end_to_end":  # it has a rate for each network
        FIELDS[f"train.{_stage}.learning_rate"] = Field(_RATE)
# Of pictures, in pixels.
SIDES = tuple(name for name, field in FIELDS.items() if field.rule in (_SIDE, _SIDE_OR_NONE))


def follows_seed(config: ml_collections.ConfigDict) -> list[str]:
    """Names in config.seeds of the sources of variation that nobody gave a seed of their own: config.seed is theirs.

    A source that was fixed at the very value of config.seed is none of them, which its value alone does not show.
    """
    other = copy.deepcopy(config)  # its references are its own
    other.seed = config.seed + 1
    seeds = config.seeds if "seeds" in config else {}
    return [source for source in seeds if other.seeds[source] != seeds[source]]


def has_role(field: str, *roles: Role) -> bool:
    """Whether a field ('model.norm') has one of these roles.

    One of somebody's own experiment decides what is learnt, but for those of `eval`.
    """
    if field in FIELDS:
        return FIELDS[field].role in roles
    return (Role.PROTOCOL if field.startswith("eval.") else Role.EXPERIMENT) in roles


def changes_no_result(field: str) -> bool:
    """Whether results are the same whatever this field is: where things lie, what they cost, what is shown."""
    return has_role(field, Role.PLACE, Role.COST, Role.DISPLAY)


def decides_function(field: str) -> bool:
    """Whether the same weights are another function where this field has another value."""
    is_of_model = field.startswith("model.") or field == "data.input_scaling"
    return is_of_model and not has_role(field, Role.START, Role.PRECISION, Role.ROUNDING)


def may_be_auto(field: str) -> bool:
    """Whether the program may be left to choose its number: 'auto'."""
    return field in FIELDS and isinstance(FIELDS[field].rule, NumberOrAuto)


def with_earlier(config: Mapping[str, Any], fields: Iterable[str]) -> Fields:
    """A flat config of a run with those of the fields that it is too early to have, as was done then."""
    values = {field: _before(field) for field in fields if field not in config}
    return {**config, **{field: value for field, value in values.items() if value is not None}}


def without_earlier(config: Mapping[str, Any]) -> Fields:
    """A flat config without the fields that say what was done before they were there: the same for runs of all
    versions."""
    return {field: value for field, value in config.items() if value != _before(field)}


def _before(field: str) -> Any:
    return FIELDS[field].before if field in FIELDS else None
