"""How each field of a config counts when runs are held against a paper: not at all, as a reading, or as the experiment.

A value is *open* where the text of the paper is silent or contradicts itself and the value is one of those that
docs/reproduction*.md list for it: runs with it are a reproduction under a reading that the report names. Every other
value of a field that matters is against the text, or is nothing that the text can be read as: another experiment.
Which fields do not count is a matter of their role (`fpliif_jax.run_folder.config_fields`).
"""

import dataclasses
from typing import Any

from fpliif_jax.run_folder import config_fields
from fpliif_jax.run_folder.config_fields import Role
from fpliif_jax.systems.stn_icnn.settings import VARIANTS

# Values that no list can hold, as the documentation words them.
ANY_INTEGER = "any integer"
ANY_COUNT = "any whole number above 0"
ANY_NUMBER = "any number above 0"

# Of the fields that change neither what is learnt nor what is scored, or that the comparison looks at by itself.
_IMMATERIAL = (
    Role.ROUNDING,
    Role.COST,
    Role.SEED,
    Role.PROTOCOL,
    Role.RECORD,
    Role.DISPLAY,
    Role.PLACE,
    Role.DRAWING,
    Role.MARGIN,
)


@dataclasses.dataclass(frozen=True)
class Reading:
    """A field that a paper leaves open.

    Attributes:
      field: 'model.ensemble'.
      values: that it leaves open, the default among them; or ANY_INTEGER, ANY_COUNT, ANY_NUMBER.
      dataset: the one that the paper leaves it open for; None: all.
    """

    field: str
    values: tuple[Any, ...] | str
    dataset: str | None = None

    def has(self, value: Any) -> bool:
        """Whether the value, as JSON has it, is one of those left open."""
        if isinstance(self.values, tuple):
            # True is 1 in Python, not in a config.
            return any(value == one and type(value) is type(one) for one in self.values)
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        if self.values == ANY_INTEGER:
            return is_integer
        if self.values == ANY_COUNT:
            return is_integer and value > 0
        return (is_integer or isinstance(value, float)) and value > 0


# They decide about rounding alone; no text speaks of it.
_ROUNDING = (
    Reading("dtype", ("float32", "bfloat16")),
    Reading("model.dtype", ("float32", "bfloat16")),
    Reading("matmul_precision", ("default", "high", "highest")),
)
# Of either paper: both were trained with PyTorch, and neither says more.
_OF_BOTH = (
    *_ROUNDING,
    Reading("model.initializer", ("pytorch", "lecun_normal")),
    Reading("data.bicubic", ("pillow", "pytorch")),
    Reading("train.validate_every_epochs", ANY_COUNT),
)
READINGS = {
    "fp_liif": (
        *_OF_BOTH,
        Reading("model.norm_affine", (False, True)),
        Reading("model.sampling", ("bilinear", "nearest")),
        Reading("model.ensemble", ("average", "area")),
        Reading("model.position", ("absolute", "relative")),
        Reading("loss.temperature_mode", ("divide", "multiply")),
        Reading("loss.edge_width", ANY_COUNT),
        Reading("loss.edge_reduction", ("edge_pixels", "all_pixels")),
        Reading("loss.edge_weight", (40.0, 10.0), "helen"),
        Reading("train.batch_size", (64, 256), "lapa"),
        Reading("train.batch_size", (33, 132), "celebamask_hq"),
        Reading("train.batch_size", (64, 33, 132, 256), "helen"),
        Reading("data.input_scaling", ("half", "imagenet", "unit")),
        Reading("augment.fill", ("background", "ignore")),
        Reading("eval.upsampling", ("logits", "labels")),
    ),
    "stn_icnn": (
        *_OF_BOTH,
        Reading("model.pool_size", (3, 2)),
        Reading("model.interlink_convs", (1, 2)),
        Reading("model.head_norms", (2, 1)),
        Reading("model.theta_form", ("align_corners", "eq21", "eq21_half_pixel")),
        Reading("model.floor_centroids", (True, False)),
        Reading("model.absent_part", ("skip", "image_centre")),
        Reading("model.coarse_alignment", ("half_pixel", "corners")),
        Reading("data.label_resize", ("nearest", "class_bicubic")),
        Reading("data.split_seed", ANY_INTEGER, "celebamask_hq"),
        Reading("data.image_size", (512, 1024), "celebamask_hq"),
        Reading("data.longest_side", (None, 512), "celebamask_hq"),
        Reading("data.builder_config", ("default", "official", "own_masks"), "celebamask_hq"),
        Reading("train.frozen_batch_norm", ("inference", "training")),
        Reading("train.end_to_end.batch_norm", ("trained", "fine")),
        Reading("train.next_stage_from", ("best", "last")),
        Reading("train.fine.learning_rate", (0.0008, 0.01), "helen"),
        Reading("train.fine.batch_size", (32, 64), "helen"),
        Reading("augment.noise_sd", ANY_NUMBER),
        Reading("augment.noise_on_black", (False, True)),
    ),
}


def is_open(paper: dict[str, Any], field: str, value: Any) -> bool:
    """Whether the text of a published experiment can be read as this value of a field.

    Args:
      paper: config of the experiment, flat.
      field: 'model.ensemble'.
      value: of the runs, as `effective` has it.
    """
    # What nobody has listed, a paper does not leave open.
    readings = READINGS.get(paper["model.name"], _ROUNDING)
    if paper.get("model.variant") == "official":  # the authors' code leaves nothing else open
        readings = _ROUNDING
    return any(
        one.field == field and one.dataset in (None, paper["data.name"]) and one.has(value)
        for one in readings
    )


def effective(config: dict[str, Any]) -> dict[str, Any]:
    """A flat config with the one spelling of each function: what decides nothing is left out.

    Fields that are None have the value that they stand for. Softmax without temperature is a temperature of 1, and
    logits · τ are logits / (1 / τ).
    """
    fields = dict(config)
    for field, value in VARIANTS.get(fields.pop("model.variant", None), {}).items():
        if fields.get(f"model.{field}") is None:
            fields[f"model.{field}"] = value
    stages = fields.get("train.stages") or ()
    for stage in ("coarse", "localisation", "fine", "end_to_end"):
        own = [field for field in fields if field.startswith(f"train.{stage}.")]
        for field in own:
            if stage not in stages:
                del fields[field]
            elif fields[field] is None:
                fields[field] = fields.get(f"train.{field.rpartition('.')[2]}")
    if "loss.temperature" in fields and "loss.temperature_mode" in fields:
        mode, temperature = _temperature(
            fields["loss.temperature_mode"], fields["loss.temperature"]
        )
        fields["loss.temperature_mode"], fields["loss.temperature"] = mode, temperature
    idle: tuple[str, ...] = ()
    if fields.get("data.split") == "official":
        idle += ("data.split_fractions",)
        idle += () if fields.get("data.train_subset") else ("data.split_seed",)
    if fields.get("train.schedule") != "step":
        idle += ("train.decay_factor", "train.decay_every_epochs")
    if fields.get("model.norm") == "none":
        idle += ("model.norm_affine",)
    return {field: value for field, value in fields.items() if field not in idle}


def is_immaterial(field: str) -> bool:
    """Whether a field changes neither what is learnt nor what is scored, or is looked at by itself."""
    return config_fields.has_role(field, *_IMMATERIAL)


def _temperature(mode: str, temperature: float) -> tuple[str, float]:
    """The factor of the logits, written as the mode whose temperature is at most 1."""
    if mode == "none" or temperature == 1:
        return "divide", 1.0
    if temperature > 1:
        return {"divide": "multiply", "multiply": "divide"}.get(mode, mode), 1 / temperature
    return mode, temperature
