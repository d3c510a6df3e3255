"""Settings that are one of some values."""

from collections.abc import Iterable

from fpliif_jax.data_builders.errors import SettingsError


def check(field: str, value: object, choices: Iterable[object]) -> None:
    """Refuses a value that is none of the choices.

    Args:
      field: its name for the message, 'config.model.norm'.
      value: what it was set to.
      choices: all that it may be.

    Raises:
      SettingsError: names the field, its value and the choices.
    """
    allowed = tuple(choices)
    if value not in allowed:
        raise SettingsError(
            f"{field} is {value!r}; it must be one of {', '.join(map(repr, allowed))}"
        )
