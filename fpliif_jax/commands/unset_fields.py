"""Fields of a config that the command line unsets: --config.FIELD=none, as --fields writes what is unset."""

import re
from collections.abc import Sequence
from typing import Any

from absl import flags
from ml_collections import config_flags

from fpliif_jax.data_builders.errors import UserError

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
        flag, equals, value = rest[0].partition("=")
        match = _FIELD.fullmatch(flag)
        word = value if equals else "".join(rest[1:2])
        if match and word in _UNSET and _may_be_unset(match[1]):
            names.append(match[1])
            rest = rest[1 if equals else 2 :]
        else:
            kept.append(rest.pop(0))
    return kept, names


def _may_be_unset(name: str) -> bool:
    from fpliif_jax.fields import config_fields  # here: --help need not wait for it

    field = config_fields.FIELDS.get(name)
    return field is not None and field.rule.problem(None) is None


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
