"""JSON as frozen dataclasses: what a file holds is compared once with the types of their fields."""

import dataclasses
import pathlib
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from fpliif_jax.experiments.runs.bounded_files import UnreadableError, parse_json, read_bytes
from fpliif_jax.experiments.runs.json_values import is_integer, is_measure, is_text
from fpliif_jax.files.json_types import JsonObject

Kind = TypeVar("Kind")

_PLAIN = {
    bool: (lambda value: isinstance(value, bool), "true or false"),
    int: (is_integer, "an integer"),
    float: (is_measure, "a number"),
    str: (is_text, "a text"),
}


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
    """As `read`, but without the damaged rows of its own lists of dataclasses, and what is wrong with each of them.

    Raises:
      FileNotFoundError: there is no such file.
      UnreadableError: as `read`, of what is not in a row.
    """
    problems = []

    def sound_rows(hint: Any, content: Any, name: str, place: str) -> Any:
        row_kind, *more = typing.get_args(hint) or (None,)
        is_of_rows = more == [...] and dataclasses.is_dataclass(row_kind)
        if not (is_of_rows and isinstance(content, list)):
            return _parse(hint, content, name, place)
        rows = []
        for index, row in enumerate(content):
            try:
                rows.append(_parse(row_kind, row, name, f"{place}[{index}]"))
            except UnreadableError as error:
                problems.append(str(error))
        return tuple(rows)

    content = parse_json(read_bytes(path, within, limit), path.name)
    _require(isinstance(content, dict), path.name, "", "is not an object")
    return _row(kind, content, path.name, "", sound_rows), problems


def parse(kind: type[Kind], content: Any, name: str) -> Kind:
    """Parsed JSON as a dataclass.

    Args:
      kind: the dataclass. Its fields are bool, int, float, str, tuples, dicts, dataclasses, or one of these or None; a
        name that Python keeps for itself has a '_' behind it.
      content: an object. What the dataclass does not have is passed over; what has a default or may be None may be
        missing.
      name: of the file, for the message.

    Raises:
      UnreadableError: names the first field that is missing or of another type.
    """
    return _parse(kind, content, name, "")


def view(kind: type[Kind], content: JsonObject, **parsed: Any) -> Kind:
    """The fields of a dataclass that a JSON object has, which is checked already; its `content`, if any, is all of it.

    Args:
      kind: the dataclass, whose fields have defaults where the object may lack them.
      content: the object. What the dataclass does not have is passed over.
      parsed: fields, in place of what the object has under their names.
    """
    given = content | {"content": content} | parsed
    fields = dataclasses.fields(kind)
    return kind(**{field.name: given[field.name] for field in fields if field.name in given})


def to_json(value: Any) -> Any:
    """What `parse` reads again; fields that have their default are left out."""
    if dataclasses.is_dataclass(value):
        pairs = [(field, getattr(value, field.name)) for field in dataclasses.fields(value)]
        return {_name(field): to_json(own) for field, own in pairs if own != field.default}
    if isinstance(value, dict):
        return {key: to_json(own) for key, own in value.items()}
    return [to_json(own) for own in value] if isinstance(value, list | tuple) else value


def _name(field: dataclasses.Field) -> str:
    return field.name.removesuffix("_")


def _parse(kind: Any, content: Any, name: str, place: str) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return None if content is None else _parse(inner[0], content, name, place)
    if kind in _PLAIN:
        fits, wanted = _PLAIN[kind]
        _require(fits(content), name, place, f"is not {wanted}")
        return content
    if origin is tuple:
        _require(isinstance(content, list), name, place, "is not a list")
        kinds = inner[:1] * len(content) if ... in inner else inner
        _require(len(content) == len(kinds), name, place, f"has not {len(kinds)} items")
        pairs = enumerate(zip(kinds, content, strict=True))
        return tuple(_parse(one, own, name, f"{place}[{index}]") for index, (one, own) in pairs)
    _require(isinstance(content, dict), name, place, "is not an object")
    if origin is dict:
        return {
            key: _parse(inner[1], own, name, f"{place}[{key[:50]!r}]")
            for key, own in content.items()
        }
    return _row(kind, content, name, place)


def _row(
    kind: Any,
    content: JsonObject,
    name: str,
    place: str,
    parse_field: Callable[[Any, Any, str, str], Any] = _parse,
) -> Any:
    hints, values = typing.get_type_hints(kind), {}
    for field in dataclasses.fields(kind):
        own, hint = _name(field), hints[field.name]
        if own in content:
            inside = f"{place}.{own}" if place else own
            values[field.name] = parse_field(hint, content[own], name, inside)
        elif field.default is dataclasses.MISSING:
            _require(type(None) in typing.get_args(hint), name, place, f"has no {own!r}")
            values[field.name] = None
    try:
        return kind(**values)
    except ValueError as error:
        raise UnreadableError(f"{name}: {place} {error}") from error


def _require(fits: bool, name: str, place: str, problem: str) -> None:
    if not fits:
        raise UnreadableError(f"{name}: {place} {problem}" if place else f"{name} {problem}")
