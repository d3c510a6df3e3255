"""Refuses values that `config_fields.FIELDS` does not allow: of a config, of a section of one, or of one field.

What is called without a config, with a value alone, checks it by the name of its field.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import ml_collections

from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.fields import config_fields


def problems(config: Mapping[str, Any]) -> Iterable[str]:
    """Every field of a flat config that is none of what it may be: its name, its value, what it must be."""
    for field, value in sorted(config.items()):
        known = config_fields.FIELDS.get(field)  # one of somebody's own experiment has no rule
        if known and (problem := known.rule.problem(value)):
            shown = tuple(value) if isinstance(value, list) else value
            yield f"config.{field} is {shown!r}; it {problem}"


def check(config: Mapping[str, Any]) -> None:
    """Refuses a flat config with `problems`.

    Raises:
      SettingsError: the first of them.
    """
    for problem in problems(config):
        raise SettingsError(problem)


def check_section(name: str, section: Mapping[str, Any] | ml_collections.ConfigDict) -> None:
    """Refuses a section of a config ('augment', config.augment) with `problems`, in whatever fields it has.

    Raises:
      SettingsError: the first of them.
    """
    check(dict(fields_of(section, f"{name}.")))


def fields_of(
    config: Mapping[str, Any] | ml_collections.ConfigDict, prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Every field of a config or of a section, by its name ('train.epochs'), and its value."""
    for name, value in config.items():
        if isinstance(value, Mapping | ml_collections.ConfigDict):
            yield from fields_of(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
