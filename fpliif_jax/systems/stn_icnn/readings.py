"""What the paper of STN-iCNN leaves open, and the one spelling of each function of its settings."""

from fpliif_jax.fields.json_types import Fields
from fpliif_jax.systems.reading import ANY_INTEGER, ANY_NUMBER, OF_BOTH, ROUNDING, Reading
from fpliif_jax.systems.stn_icnn.settings import VARIANTS

_STAGES = ("coarse", "localisation", "fine", "end_to_end")
READINGS = (
    *OF_BOTH,
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
)


def readings(paper: Fields) -> tuple[Reading, ...]:
    """Readings of a published experiment; the authors' code leaves nothing but rounding open."""
    return ROUNDING if paper["model.variant"] == "official" else READINGS


def effective(config: Fields) -> Fields:
    """See `Paper.effective`."""
    fields = dict(config)
    for field, value in VARIANTS.get(fields.pop("model.variant", None), {}).items():
        if fields.get(f"model.{field}") is None:
            fields[f"model.{field}"] = value
    stages = fields.get("train.stages") or ()
    for stage in _STAGES:
        own = [field for field in fields if field.startswith(f"train.{stage}.")]
        for field in own:
            if stage not in stages:
                del fields[field]
            elif fields[field] is None:
                fields[field] = fields.get(f"train.{field.rpartition('.')[2]}")
    return fields
