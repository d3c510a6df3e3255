"""How each field of a config counts when runs are held against a paper: not at all, as a reading, or as the experiment.

A value is *open* where the text of the paper is silent or contradicts itself and the value is one of those that
docs/reproduction*.md list for it: runs with it are a reproduction under a reading that the report names. Every other
value of a field that matters is against the text, or is nothing that the text can be read as: another experiment.
What a paper leaves open its system tells (`Paper.readings`). Which fields do not count is a matter of their role
(`fpliif_jax.fields.config_fields`).
"""

from typing import Any

from fpliif_jax import systems
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.config_fields import Role
from fpliif_jax.fields.json_types import Fields

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


def is_open(paper: Fields, field: str, value: Any) -> bool:
    """Whether the text of a published experiment can be read as this value of a field.

    Args:
      paper: config of the experiment, flat.
      field: 'model.ensemble'.
      value: of the runs, as `effective` has it.
    """
    return any(
        one.field == field and one.dataset in (None, paper["data.name"]) and one.has(value)
        for one in systems.of_name(paper["model.name"]).paper.readings(paper)
    )


def effective(config: Fields, beside: str = "") -> Fields:
    """A flat config with the one spelling of each function: what decides nothing is left out.

    Fields that are None have the value that they stand for.

    Args:
      config: label maps that came from elsewhere have one of no system.
      beside: name of another system of which it has fields, too.
    """
    fields = config
    for name in sorted({config["model.name"], beside}.intersection(systems.names())):
        fields = systems.of_name(name).paper.effective(fields)
    idle: tuple[str, ...] = ()
    if fields.get("data.split") == "official":
        idle += ("data.split_fractions",)
        idle += () if fields.get("data.train_subset") else ("data.split_seed",)
    if fields.get("train.schedule") != "step":
        idle += ("train.decay_factor", "train.decay_every_epochs")
    return {field: value for field, value in fields.items() if field not in idle}


def is_immaterial(field: str) -> bool:
    """Whether a field changes neither what is learnt nor what is scored, or is looked at by itself."""
    return config_fields.has_role(field, *_IMMATERIAL)
