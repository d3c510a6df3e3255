"""How the settings of runs differ from a paper's, and whether their scores may be held against its numbers.

A deviation is a *reading* where the paper is silent or contradicts itself (docs/reproduction*.md list these
fields): the runs are still a reproduction, and the report names the reading. Any other deviation is of *scale*:
another experiment, whose scores are shown but compared with nothing published.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import configs
from experiments.study import scales
from experiments.study.run_data import is_drawn
from experiments.study.tables import TABLES, Variant
from fpliif_jax import checkpoint, settings

# Fields that docs/reproduction.md and docs/reproduction_stn_icnn.md list as open questions, and those that decide
# about rounding alone.
READINGS = (
    "model.norm_affine",
    "model.sampling",
    "model.ensemble",
    "model.position",
    "model.initializer",
    "loss.temperature_mode",
    "loss.edge_width",
    "loss.edge_reduction",
    "train.schedule",
    "train.decay_every_epochs",
    "data.label_resize",
    "data.bicubic",
    "data.input_scaling",
    "augment.crop",
    "augment.fill",
    "augment.horizontal_flip",
    "eval.upsampling",
    "model.kernel_size",
    "model.last_kernel_size",
    "model.row_features",
    "model.pool_size",
    "model.input_activation",
    "model.interlink_convs",
    "model.integration_activation",
    "model.head_norms",
    "model.head_activation",
    "model.localisation",
    "model.localisation_features",
    "model.theta_form",
    "model.floor_centroids",
    "model.absent_part",
    "model.coarse_alignment",
    "model.coarse_from",
    "loss.segmentation",
    "loss.part_reduction",
    "train.frozen_batch_norm",
    "train.next_stage_from",
    "augment.noise_sd",
    "augment.noise_on_black",
    "data.split_seed",
    "dtype",
    "model.dtype",
    "matmul_precision",
    "train.validate_every_epochs",
)
# What the paper gives for its other data sets, or not at all.
_READINGS_ON: dict[tuple[str, str], tuple[str, ...]] = {
    ("fp_liif", "helen"): ("loss.edge_weight", "train.batch_size"),
    ("stn_icnn", "celebamask_hq"): ("data.image_size",),
}
# Fields that change neither what is learnt nor what is scored, or that the comparison looks at by itself.
_IMMATERIAL = (
    "seed",
    "seeds",
    "study",
    "eval.batch_size",
    "eval.num_pictures",
    "eval.rows",
    "eval.checkpoints",
    "eval.splits",
    "data.manual_dir",
    "data.data_dir",
    "data.cache_dir",
    "data.num_workers",
    "data.synthetic",
    "train.log_every_steps",
    "train.checkpoint_every_epochs",
    "train.microbatch",
    "train.init_from",
    "model.query_chunk",
    "model.remat",
    "deterministic",
)


@dataclasses.dataclass(frozen=True)
class Deviation:
    """A field whose value is not the paper's.

    Attributes:
      field: 'model.ensemble'.
      here: the runs' value; None where they do not have the field.
      paper: the value of the published experiment.
      kind: 'reading' or 'scale'.
    """

    field: str
    here: Any
    paper: Any
    kind: str


def deviations(config: dict[str, Any], variant: Variant) -> list[Deviation]:
    """What differs between a config (nested, from JSON) and a variant as published, by field."""
    here, paper = checkpoint.flatten_config(config), _published_config(variant)
    readings = READINGS + _READINGS_ON.get((paper["model.name"], paper["data.name"]), ())
    found = []
    for field in sorted(here.keys() | paper.keys()):
        if is_immaterial(field) or here.get(field) == paper.get(field):
            continue
        kind = "reading" if field in readings else "scale"
        found.append(Deviation(field, here.get(field), paper.get(field), kind))
    return found


def obstacles(
    config: dict[str, Any],
    dataset: dict[str, Any],
    differing: Sequence[Deviation],
    variant: Variant,
) -> list[str]:
    """Why the scores of runs may not be held against the variant's published numbers; empty if they may.

    Args:
      config: of the runs.
      dataset: of results.json.
      differing: of `deviations`.
      variant: as published.
    """
    reasons = []
    wanted = dataset_of(variant)
    counts = " / ".join(f"{count:,}" for count in dataset["counts"].values())
    if is_drawn(config, dataset):
        reasons.append(f"the faces are drawn ({counts})")
    elif dataset["name"] != wanted:
        reasons.append(f"the data are {dataset['name']}, not {wanted}")
    elif not dataset["complete"]:
        reasons.append(f"the data are not the official set: {counts} images")
    elif dataset.get("official_ids") is False:
        reasons.append("the data are not the official set: it has other ids")
    of_scale = [one for one in differing if one.kind == "scale" and one.field != "data.name"]
    if of_scale:
        named = [f"{one.field} is {one.here}, not {one.paper}" for one in of_scale[:3]]
        more = len(of_scale) - len(named)
        reasons.append(
            f"another experiment: {'; '.join(named)}"
            + (f"; and {more} more fields" if more else "")
        )
    return reasons


def variant_of(config: dict[str, Any]) -> Variant | None:
    """The published experiment that runs of this model and data set are about; None if there is none.

    Used where nothing says which table the runs were made for.
    """
    chosen = {
        ("fp_liif", "lapa"): "table1",
        ("fp_liif", "celebamask_hq"): "table2",
        ("fp_liif", "helen"): "table3",
        ("stn_icnn", "helen"): "stn_table2",
        ("stn_icnn", "celebamask_hq"): "stn_table3",
    }
    name = chosen.get((config["model"]["name"], config["data"]["name"]))
    tables = sorted(TABLES, key=lambda table: table.name != name)
    candidates = [
        variant
        for table in tables
        for variant in table.variants
        if name and variant.claims and variant.trains and _is_about(variant, config)
    ]
    # The one that it differs least from, the main tables first: ablations differ in a field or two.
    return min(candidates, key=lambda variant: len(deviations(config, variant)), default=None)


def is_immaterial(field: str) -> bool:
    """Whether a field changes neither what is learnt nor what is scored, or is looked at by itself."""
    return checkpoint.is_within(field, _IMMATERIAL)


def _is_about(variant: Variant, config: dict[str, Any]) -> bool:
    published = _published_config(variant)
    wanted = (published["model.name"], published["data.name"])
    return wanted == (config["model"]["name"], config["data"]["name"])


def dataset_of(variant: Variant) -> str:
    """Name of the data set of a published experiment."""
    return _published_config(variant)["data.name"]


@functools.cache
def _published_config(variant: Variant) -> dict[str, Any]:
    file, fields = scales.scaled(variant, "paper")
    # A report may be made from any folder.
    file = str(pathlib.Path(configs.__file__).parent / pathlib.Path(file).name)
    arguments = scales.as_arguments(file, fields)
    return checkpoint.flatten_config(checkpoint.json_config(settings.config_of(arguments)))
