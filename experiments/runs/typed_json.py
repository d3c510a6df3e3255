"""JSON as dataclasses: what a file holds is compared once with the types of their fields (by msgspec)."""

import dataclasses
import pathlib
import re
import typing
from typing import Any, TypeVar

import msgspec

from fpliif_jax.experiments.runs.bounded_files import UnreadableError, parse_json, read_bytes

Kind = TypeVar("Kind")

_PLACE = re.compile(r" - at (?:`key` in )?`\$\.?(.*)`\Z", re.DOTALL)
_LONGEST_PROBLEM = 200  # characters: it may repeat a text of the file


def read(kind: type[Kind], path: pathlib.Path, within: pathlib.Path, limit: int) -> Kind:
    """A file as a dataclass; `path`, `within` and `limit` as of `read_bytes`.

    Raises:
      FileNotFoundError: there is no such file.
      UnreadableError: it cannot be read, or names the first field that is missing or of another type.
    """
    return parse(kind, parse_json(read_bytes(path, within, limit), path.name), path.name)


def read_sound_rows(
    kind: type[Kind], path: pathlib.Path, within: pathlib.Path, limit: int
) -> tuple[Kind, list[str]]:
    """Reads like `read`, but leaves out damaged rows of tuples of dataclasses, and says what is wrong with each.

    Raises:
      FileNotFoundError: there is no such file.
      UnreadableError: as `read`, of what is not in a row.
    """
    content = parse_json(read_bytes(path, within, limit), path.name)
    problems: list[str] = []
    for field, hint in typing.get_type_hints(kind).items() if isinstance(content, dict) else ():
        if typing.get_origin(hint) is tuple and isinstance(content.get(field), list):
            row_kind, sound = typing.get_args(hint)[0], []
            for index, row in enumerate(content[field]):
                try:
                    parse(row_kind, row, f"{path.name}: {field}[{index}]")
                except UnreadableError as error:
                    problems.append(str(error))
                else:
                    sound.append(row)
            content[field] = sound
    return parse(kind, content, path.name), problems


def parse(kind: type[Kind], content: Any, name: str) -> Kind:
    """Parsed JSON as a dataclass or a msgspec.Struct.

    Args:
      kind: the type. What may be missing has a default there; what it does not have is passed over.
      content: as `parse_json` gives it.
      name: of the file, or of a place in it, for the message.

    Raises:
      UnreadableError: names the first field that is missing, of another type or impossible; of an object whose keys
        are no fields the object.
    """
    try:
        return msgspec.convert(content, kind)
    except (msgspec.ValidationError, UnicodeError) as error:
        problem, *places = _PLACE.split(str(error))
        problem = problem[:1].lower() + problem[1:_LONGEST_PROBLEM]
        place = f"{places[0]}: " if any(places) else ""
        raise UnreadableError(f"{name}: {place}{problem}") from error


def parse_whole(kind: type[Kind], content: Any, name: str) -> Kind:
    """Parses like `parse`, for a dataclass whose field `content` has all of the object, as it is."""
    whole = content | {"content": content} if isinstance(content, dict) else content
    return parse(kind, whole, name)


def to_json(value: Any) -> Any:
    """What `parse` reads again; fields that have their default are left out."""
    if dataclasses.is_dataclass(value):
        pairs = [(field, getattr(value, field.name)) for field in dataclasses.fields(value)]
        return {field.name: to_json(own) for field, own in pairs if own != field.default}
    if isinstance(value, dict):
        return {key: to_json(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(own) for own in value]
    return msgspec.to_builtins(value) if isinstance(value, msgspec.Struct) else value
