"""Which seed a source of variation has: config.seed, or one of its own, which its number alone does not show."""

from collections.abc import Collection, Mapping
from typing import Any

import ml_collections

from fpliif_jax.experiments.runs.value_types import SEED_SOURCES
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.json_types import Fields
from fpliif_jax.run_folder.run_config import flatten_config, json_config

FOLLOWS = "follows"  # in place of the number
_FIELD = "seeds.{}"


def settings_of(config: ml_collections.ConfigDict) -> Fields:
    """A config, flat, as JSON has it, with `FOLLOWS` in place of each seed that is config.seed's."""
    follows = {_FIELD.format(source): FOLLOWS for source in config_fields.follows_seed(config)}
    return flatten_config(json_config(config)) | follows


def possible_seeds(
    config: Mapping[str, Any], follows: Collection[str] | None
) -> dict[str, tuple[int | str | None, ...]]:
    """What the seed of each source of a run may have been given as: `FOLLOWS`, a number of its own, or either.

    Args:
      config: of the run, flat.
      follows: the sources that follow its seed, as results.json names them; None where it does not say.

    Returns:
      By field: 'seeds.data_order'.
    """
    possible: dict[str, tuple[int | str | None, ...]] = {}
    for source in SEED_SOURCES:
        value = config.get(field := _FIELD.format(source))
        if follows is not None:
            possible[field] = (FOLLOWS if source in follows else value,)
        elif value is None:  # a run made before sources could be fixed
            possible[field] = (FOLLOWS,)
        else:
            possible[field] = (FOLLOWS, value) if value == config.get("seed") else (value,)
    return possible
