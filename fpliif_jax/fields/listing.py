"""Every field of a config as plain text: its value, what it may be, what it decides."""

import textwrap

import ml_collections

from fpliif_jax.fields import config_fields, field_checks, in_words

_OWN = "a field of this experiment's own"


def listing(config: ml_collections.ConfigDict, width: int) -> str:
    """The fields in groups, in the order of the table, then those of the experiment's own; then what the roles mean.

    Args:
      config: of an experiment.
      width: columns of the terminal.
    """
    values = dict(field_checks.fields_of(config))
    names = [name for name in config_fields.FIELDS if name in values]
    names += [name for name in values if name not in config_fields.FIELDS]
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(in_words.group_of(name), []).append(name)
    lines = []
    for group, of_group in groups.items():
        lines += [group]
        for name in of_group:
            lines += _wrapped(f"{name} = {in_words.shown(values[name])} | {_told(name)}", width)
        lines += [""]
    lines += ["what a field decides"]
    for role in config_fields.Role:
        lines += _wrapped(f"{in_words.role_name(role)}: {role.value}", width)
    return "\n".join(lines)


def _told(name: str) -> str:
    field = config_fields.FIELDS.get(name)
    if field is None:
        return _OWN
    return f"{in_words.rule_in_words(field.rule)} | {in_words.role_name(field.role)}"


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent="  ",
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )
