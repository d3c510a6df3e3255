"""How the settings of runs differ from a paper's, and whether their scores may be held against its numbers.

A deviation is a *reading* where the paper is silent or contradicts itself and can be read as the value of the runs
(experiments.comparison.readings): the runs are still a reproduction, and the report names the reading. Any other
deviation is of *scale*: another experiment, whose scores are shown but compared with nothing published.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

from fpliif_jax import systems
from fpliif_jax.commands import command_line
from fpliif_jax.experiments.comparison import readings
from fpliif_jax.experiments.plans import scales
from fpliif_jax.experiments.plans.tables import TABLES
from fpliif_jax.experiments.plans.variant import Variant
from fpliif_jax.experiments.runs.results import RecordedDataset
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.json_types import Fields, JsonObject
from fpliif_jax.run_folder.run_config import flatten_config, json_config


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


def deviations(config: JsonObject, variant: Variant) -> list[Deviation]:
    """What differs between a config (nested, from JSON) and a variant as published, by field."""
    published = _published_config(variant)
    here = config_fields.with_earlier(flatten_config(config), published)
    here = readings.effective(here, beside=published["model.name"])
    paper = readings.effective(published)
    both_start_elsewhere = all(side.get("train.init_from") for side in (here, paper))
    differences = []
    for field in sorted(here.keys() | paper.keys()):
        if here.get(field) == paper.get(field) or readings.is_immaterial(field):
            continue
        # An experiment that starts from another run starts from whatever that run is called here; one that does
        # not, and should, or should not, shows so by the name of the run.
        if field == ("train.init_from" if both_start_elsewhere else "train.init_checkpoint"):
            continue
        kind = "reading" if readings.is_open(published, field, here.get(field)) else "scale"
        differences.append(Deviation(field, here.get(field), paper.get(field), kind))
    return differences


def obstacles(
    dataset: RecordedDataset, differing: Sequence[Deviation], variant: Variant
) -> list[str]:
    """Why the scores of runs may not be held against the variant's published numbers; empty if they may.

    Args:
      dataset: that the runs were evaluated on.
      differing: of `deviations`.
      variant: as published.
    """
    reasons = []
    own_dataset = dataset_of(variant)
    *others, last = [f"{count:,} {split}" for split, count in dataset.counts.items()] or ["no"]
    counts = f"{', '.join(others)} and {last} images" if others else f"{last} images"
    if dataset.drawn:
        reasons.append(f"the faces are drawn ({counts})")
    elif dataset.name != own_dataset:
        reasons.append(f"the data are {dataset.name}, not {own_dataset}")
    elif not dataset.complete:
        reasons.append(f"the data are not the official set: {counts}")
    elif dataset.official_ids is False:
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


def variant_of(config: JsonObject) -> Variant | None:
    """The published experiment that runs of this model and data set are about; None if there is none.

    Used where nothing says which table the runs were made for. The papers score every model on the set that it was
    trained on.
    """
    flat = flatten_config(config)
    model, dataset = about = _model_and_data(flat)
    if flat.get("eval.dataset") not in (None, dataset):
        return None
    if model not in systems.names():  # label maps that came from elsewhere
        return None
    name = systems.of_name(model).paper.main_tables.get(dataset)
    tables = sorted(TABLES, key=lambda table: table.name != name)
    candidates = [
        variant
        for table in tables
        for variant in table.variants
        if name
        and variant.claims
        and variant.trains
        and _model_and_data(_published_config(variant)) == about
    ]

    def distance(variant: Variant) -> tuple[int, int]:
        differing = deviations(config, variant)
        return sum(one.kind == "scale" for one in differing), len(differing)

    # The one that it differs least from, the main tables first: ablations differ in a field or two.
    return min(candidates, key=distance, default=None)


def dataset_of(variant: Variant) -> str:
    """Name of the data set of a published experiment."""
    return _model_and_data(_published_config(variant))[1]


def _model_and_data(config: Fields) -> tuple[str, str]:
    """Names, from a flat config."""
    return config["model.name"], config["data.name"]


@functools.cache
def _published_config(variant: Variant) -> Fields:
    file, fields = scales.scaled(variant, "paper")
    arguments = scales.as_arguments(file, fields)
    return flatten_config(json_config(command_line.config_of(arguments)))
