"""Every config field with its defaults, what it may be and what it decides, and what the roles mean, in Markdown."""

import itertools

import markdown_tables

from fpliif_jax import systems
from fpliif_jax.fields import config_fields, field_checks, in_words

_SYSTEMS = [systems.of_name(name) for name in systems.names()]
_HEAD = ("field", *(system.title for system in _SYSTEMS), "may be", "decides")


def fields() -> str:
    """A table for each group of fields, in the order of the code's own; a dash where a system has no such field."""
    configs = [dict(field_checks.fields_of(system.default_config())) for system in _SYSTEMS]
    names = [name for name in config_fields.FIELDS if any(name in config for config in configs)]
    groups = {in_words.group_of(name): [] for name in names}
    for name in names:
        groups[in_words.group_of(name)].append(_row(name, configs))
    parts = ([f"## {group}", markdown_tables.table(_HEAD, rows)] for group, rows in groups.items())
    return "\n\n".join(itertools.chain.from_iterable(parts))


def roles() -> str:
    """A list of them."""
    return "\n".join(
        f"- **{in_words.role_name(role)}**: {role.value}" for role in config_fields.Role
    )


def _row(name: str, configs: list[dict[str, object]]) -> list[str]:
    defaults = [
        markdown_tables.code(in_words.shown(config[name])) if name in config else "–"
        for config in configs
    ]
    field = config_fields.FIELDS[name]
    words = in_words.rule_in_words(field.rule)
    return [markdown_tables.code(name), *defaults, words, in_words.role_name(field.role)]
