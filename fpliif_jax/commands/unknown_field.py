"""The error message about a field that the config does not have."""

import difflib
import shlex
from collections.abc import Sequence

from fpliif_jax.commands import command_names, config_files

_MOST = 3  # suggestions


def sentences(name: str, suggestions: list[str], command: Sequence[str], default: str) -> list[str]:
    """Sentences that say: there is no such field, what may be meant, and which command lists all fields.

    Args:
      name: the part of the field's name that there is not: 'epoch' of 'train.epoch'.
      suggestions: what is known to be meant.
      command: the arguments, among which --config is.
      default: the config where it is not.
    """
    given = _given(command) or default
    meant = suggestions or _nearest(name, given)
    listed = f"python -m fpliif_jax.main --config={shlex.quote(given)} --fields lists all"
    return [f"there is no field {name!r}", *meant, command_names.with_command_names(listed)]


def _given(command: Sequence[str]) -> str | None:
    """The value of --config, which may stand in an argument of its own."""
    for argument, following in zip(command, [*command[1:], ""], strict=True):
        flag, equals, value = argument.partition("=")
        if flag in ("--config", "-config"):
            return value if equals else following
    return None


def _nearest(name: str, given: str) -> list[str]:
    """Fields, wherever they stand in the config, that end like it."""
    from fpliif_jax.fields import field_checks  # here: --help need not wait for it

    config = config_files.load(config_files.config_file(given), given)
    fields = sorted((field for field, _ in field_checks.fields_of(config)), key=_depth)
    ends = dict.fromkeys(field.rpartition(".")[2] for field in fields)
    near = difflib.get_close_matches(name, ends, n=1)
    meant = [field for field in fields if field.rpartition(".")[2] in near]
    return [f"did you mean {' or '.join(meant[:_MOST])}?"] if meant else []


def _depth(field: str) -> int:
    return field.count(".")
