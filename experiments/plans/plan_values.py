"""Values of a plan's file: each is of the kind that it must be, or refused with the file and the key."""

import re
from typing import Any, NoReturn, TypeVar

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.fields.json_types import Fields

_MOST_ENTRIES = 1_000  # variants, or questions
_LONGEST_TEXT = 2_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,=+-]{0,79}")  # of a folder, on any system
Default = TypeVar("Default")
Content = dict[str, Any]  # a table of TOML, or the same of JSON
HINT = "docs/studies.md has the form of a plan"


class PlanError(UserError):
    """A plan cannot be used; the message names the file and the key, and says what to do."""


class PlanValues:
    """Reads values of one plan.

    Attributes:
      where: the file, for messages.
    """

    def __init__(self, where: str) -> None:
        self.where = where

    def table(self, content: Any, place: str, keys: tuple[str, ...]) -> Content:
        """A TOML table with no other keys than these."""
        if not isinstance(content, dict):
            self.refuse(place or "it", f"must be a table with {', '.join(keys)}")
        for key in content:
            if key not in keys:
                full = f"{place}.{key}" if place else key
                self.refuse(cut_short(full), f"is no key of a plan; there are {', '.join(keys)}")
        return content

    def entries(self, content: Content, key: str) -> Content:
        """Tables by name, as [variants.NAME]; none where the key is missing."""
        entries = content.get(key, {})
        if not isinstance(entries, dict) or len(entries) > _MOST_ENTRIES:
            self.refuse(key, f"must be at most {_MOST_ENTRIES:,} tables [{key}.NAME]")
        return entries

    def text(self, content: Content, key: str, place: str, default: Default) -> str | Default:
        """One printable line; the default where the key is missing."""
        value = content.get(key, default)
        if value is default:
            return default
        if not isinstance(value, str) or not value or len(value) > _LONGEST_TEXT:
            self.refuse(key_in(place, key), f"must be a text of 1 to {_LONGEST_TEXT:,} characters")
        if not value.isprintable():
            self.refuse(key_in(place, key), "must be one line of printable text")
        return value

    def texts(self, content: Content, key: str, place: str, what: str) -> tuple[str, ...] | None:
        """A list of at least one name; None where the key is missing."""
        if key not in content:
            return None
        value = content[key]
        is_list = isinstance(value, list) and 0 < len(value) <= _MOST_ENTRIES
        if not is_list or not all(isinstance(one, str) and one.isprintable() for one in value):
            self.refuse(key_in(place, key), f"must be a list of names {what}")
        return tuple(value)

    def number(self, content: Content, key: str, what: str) -> float:
        """The number that the whole plan has there."""
        value = content[key]
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(key, f"must be a number {what}")
        return float(value)

    def overrides(self, content: Content, place: str) -> Fields:
        """Fields by their full name; TOML's tables and quoted dotted names mean the same."""
        flat: Fields = {}
        self._flatten(content.get("overrides", {}), key_in(place, "overrides"), "", flat)
        return flat

    def _flatten(self, node: Any, place: str, prefix: str, flat: Fields) -> None:
        if not isinstance(node, dict):
            self.refuse(place, "must be a table of config fields, as overrides.train.epochs = 4")
        for key, value in node.items():
            field = f"{prefix}{key}"
            if not re.fullmatch(r"\w+(\.\w+)*", field):
                self.refuse(cut_short(f"{place}: {field!r}"), "is not the name of a config field")
            if isinstance(value, dict):
                self._flatten(value, place, f"{field}.", flat)
                continue
            if field == "seed":
                self.refuse(f"{place}.{field}", "is what the plan's key 'seeds' is for")
            if field in flat:
                self.refuse(f"{place}.{field}", "is there twice")
            flat[field] = self._value(value, f"{place}.{field}")

    def _value(self, value: Any, place: str) -> Any:
        if isinstance(value, list):
            return tuple(self._value(item, place) for item in value)
        if not isinstance(value, bool | int | float | str):
            self.refuse(place, "must be a number, a text, true, false or a list of these")
        if isinstance(value, str) and (len(value) > _LONGEST_TEXT or not value.isprintable()):
            self.refuse(place, f"must be one line of at most {_LONGEST_TEXT:,} characters")
        return value

    def check_name(self, name: str, place: str) -> None:
        """A name becomes that of a folder."""
        if not _NAME.fullmatch(name) or name.endswith("."):
            self.refuse(
                cut_short(place),
                "must be a name of letters, digits and _ . , = + -, at most 80 long",
            )

    def refuse(self, place: str, problem: str) -> NoReturn:
        """Raises PlanError with the file, the place in it and the problem."""
        raise PlanError(f"{self.where}: {place} {problem}; {HINT}")


def key_in(place: str, key: str) -> str:
    """The full name of a key, as 'variants.NAME.label'."""
    return f"{place}.{key}" if place else key


def cut_short(text: str) -> str:
    """A text for a message, of at most 200 characters."""
    return text if len(text) <= 200 else f"{text[:199]}…"
