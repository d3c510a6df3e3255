"""Whether a config from a file has the form of one of this program: known fields have values of their type."""

import functools
from typing import Any

import ml_collections
import msgspec

from fpliif_jax import systems
from fpliif_jax.experiments.runs.bounded_files import UnreadableError
from fpliif_jax.experiments.runs.value_types import Measure
from fpliif_jax.fields.config_fields import FIELDS
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.fields.setting_ranges import Names

_MOST_ITEMS = 100  # of a list in a config
_TYPES = {
    int: int,
    float: Measure,
    str: str,
    bool: bool,
    object: int | str,
}  # object: a number or 'auto'
_KINDS = {
    int: "an integer",
    float: "a number",
    str: "a text",
    bool: "true or false",
    object: "an integer or a text",
}


def check_types(config: JsonObject, system: str, name: str) -> None:
    """Refuses values that no run of this program can have; fields that it does not know may be anything.

    Args:
      config: nested.
      system: its model.name.
      name: of the file, for the message.

    Raises:
      UnreadableError: names the first field that is impossible.
    """
    if system not in systems.names():
        raise UnreadableError(f"{name}: model.name is not one of {', '.join(systems.names())}")
    _check_group(config, _defaults(system), name, "")


def check_names(config: JsonObject, name: str) -> None:
    """Refuses names of fields with a dot: one named 'model.norm' would hide the field norm of model.

    Raises:
      UnreadableError: names the first such field.
    """
    for field, value in config.items():
        if "." in field:
            raise UnreadableError(f"{name}: {field[:100]!r} is not the name of a field")
        if isinstance(value, dict):
            check_names(value, name)


def _check_group(
    config: JsonObject, defaults: ml_collections.ConfigDict, name: str, prefix: str
) -> None:
    for field, default in defaults.items():
        if field not in config:
            continue  # older runs have fewer fields
        value, full = config[field], prefix + field
        if isinstance(default, ml_collections.ConfigDict):
            if not isinstance(value, dict):
                raise UnreadableError(f"{name}: {full} is not an object")
            _check_group(value, default, name, f"{full}.")
            continue
        if value is None and (default is None or prefix == "seeds."):
            continue
        kind = defaults.get_type(field)
        if kind is tuple:
            element = type(default[0]) if default else _element_of_optional(full)
            fits = isinstance(value, list) and len(value) <= _MOST_ITEMS
            if not (fits and all(_fits(one, element) for one in value)):
                raise UnreadableError(f"{name}: {full} is not a list, each {_KINDS[element]}")
        elif not _fits(value, kind):
            raise UnreadableError(f"{name}: {full} is not {_KINDS[kind]}")


def _element_of_optional(field: str) -> type:
    """Type of the elements of a list whose default is none: names or whole numbers."""
    return str if isinstance(FIELDS[field].rule, Names) else int


def _fits(value: Any, kind: type) -> bool:
    try:
        msgspec.convert(value, _TYPES[kind])
    except msgspec.ValidationError:
        return False
    return True


@functools.cache
def _defaults(system: str) -> ml_collections.ConfigDict:
    return systems.of_name(system).default_config()
