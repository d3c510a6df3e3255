"""Fields of a config that the command line unsets: --config.FIELD=none, as --fields writes what is unset."""

import re
from collections.abc import Sequence
from typing import Any

from absl import flags
from ml_collections import config_flags

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.fields import config_fields

_FIELD = re.compile(r"--?config\.([\w.]+)")
_UNSET = ("none", "None")


def taken_out(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Arguments without those that unset a field that may be unset, and the names of these fields.

    ml_collections would read the word as that field's kind of value: as a text, or as no number.
    """
    kept: list[str] = []
    names: list[str] = []
    rest = list(arguments)
    while rest:
        name, value, length = _field_and_value(rest)
        if name in config_fields.FIELDS and value in _UNSET and _may_be_unset(name):
            names.append(name)
        else:
            kept += rest[:length]
        rest = rest[length:]
    return kept, names


def _field_and_value(arguments: Sequence[str]) -> tuple[str, str, int]:
    """The field that the first argument sets, its value, and how many arguments both take; '' where it sets none."""
    flag, equals, value = arguments[0].partition("=")
    match = _FIELD.fullmatch(flag)
    if match is None or equals:
        return match[1] if match else "", value, 1
    return match[1], "".join(arguments[1:2]), 2


def _may_be_unset(name: str) -> bool:
    return config_fields.FIELDS[name].rule.problem(None) is None


def unset(values: flags.FlagValues, names: Sequence[str]) -> None:
    """Sets these fields of the parsed --config to None, and counts them as given.

    Raises:
      UserError: the command line gives one of them again.
    """
    for name in names:
        if values[f"config.{name}"].present or names.count(name) > 1:
            raise UserError(f"--config.{name} is given more than once; give it once")
        group: Any = values["config"].value
        *groups, field = name.split(".")
        for part in groups:
            group = group[part]
        group[field] = None
        config_flags.get_override_values(values["config"])[name] = None
