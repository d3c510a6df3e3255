"""Which classes are scored, and which of them each id of a folder of label maps stands for."""

import dataclasses
import pathlib
import re

import numpy as np

from fpliif_jax.data_builders import class_names
from fpliif_jax.data_builders.class_list import MOST_CLASSES, ClassList, parse_class_list
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.data_builders.raw import raw_tree
from fpliif_jax.pictures.colours import class_colours

SETS = {
    "lapa": class_names.LAPA_AND_HELEN,
    "celebamask_hq": class_names.CELEBAMASK_HQ,
    "helen": class_names.LAPA_AND_HELEN,
}
OWN_SET = "own_data"
NONE = -1  # of an id that stands for no class
_IGNORED_ID = 255  # of the truth, as losses and other programs have it
_IGNORE = "ignore"
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_REMEDY = "Make it a text file in UTF-8 with one class a line (docs/score.md)."


@dataclasses.dataclass(frozen=True)
class IdTable:
    """What the ids of a folder of label maps stand for.

    Attributes:
      classes: int16 [256], our class of each id; C, the number of classes, for what does not count; `NONE`.
      colours: what colours stand for, as ids; None where pixels are ids. Of an RGB file without a table: our own.
      is_given: whether a person gave it.
    """

    classes: np.ndarray
    colours: ClassList | None
    is_given: bool


def scored_classes(text: str) -> tuple[str, tuple[str, ...]]:
    """The data set and the classes that --classes means.

    Returns:
      (name of the set, 'own_data' for a file; names, the background first).

    Raises:
      DataError: there is no such set or file, or the file is no list of classes.
    """
    if text in SETS:
        return text, SETS[text]
    path = expanded(text)
    if not path.exists():
        raise DataError(f"--classes={text}: give {', '.join(SETS)}, or a file with a class a line")
    return OWN_SET, parse_class_list(raw_tree.read_rows(path, _REMEDY), path).names


def own_ids(names: tuple[str, ...], ignores: bool) -> IdTable:
    """Ids that are ours already.

    Args:
      names: of the classes.
      ignores: whether 255, unless it is a class, is what does not count.
    """
    classes = np.full(256, NONE, np.int16)
    classes[: len(names)] = np.arange(len(names))
    if ignores:
        classes[_IGNORED_ID] = len(names)
    colours = tuple(map(tuple, class_colours(names).tolist()))
    return IdTable(classes, ClassList(names, colours), is_given=False)


def read_table(path: pathlib.Path, names: tuple[str, ...], ignores: bool) -> IdTable:
    """Reads a table: line 1 for id 0, each with the name or id of one of our classes, and '#rrggbb' in all or none.

    Several ids may stand for one class.

    Args:
      path: of the file.
      names: of our classes.
      ignores: whether 'ignore' is allowed, for what does not count.

    Raises:
      DataError: names the file and the line.
    """
    rows = raw_tree.read_rows(path, _REMEDY)
    if not 1 <= len(rows) <= MOST_CLASSES:
        raise DataError(f"{path}: {len(rows)} ids are listed; 1 to {MOST_CLASSES} are possible.")
    classes = np.full(256, NONE, np.int16)
    colours: dict[tuple[int, int, int], int] = {}
    columns = len(rows[0][1].split())
    for index, (number, text) in enumerate(rows):
        where = f"{path}, line {number}"
        if number != index + 1:
            raise DataError(f"{where}: line {index + 1} is blank; line n is the id n − 1.")
        first, *rest = text.split()
        if len(rest) + 1 != columns or columns > 2 or not all(map(_COLOUR.fullmatch, rest)):
            raise DataError(
                f"{where}: expected a class, in all lines or in none with a colour, as 'skin' or "
                f"'skin #cc0000'; found {raw_tree.shown(text)}."
            )
        classes[index] = _class_of(first, names, ignores, where)
        if rest:
            red, green, blue = bytes.fromhex(rest[0][1:])
            if (red, green, blue) in colours:
                other = colours[red, green, blue]
                raise DataError(f"{where}: {rest[0]} is the colour of line {other} already.")
            colours[red, green, blue] = number
    listed = tuple(f"id{index}" for index in range(len(rows)))
    return IdTable(classes, ClassList(listed, tuple(colours)) if colours else None, is_given=True)


def _class_of(text: str, names: tuple[str, ...], ignores: bool, where: str) -> int:
    if text in names:
        return names.index(text)
    if ignores and text == _IGNORE:
        return len(names)
    if text.isascii() and text.isdigit() and len(text) < 4 and int(text) < len(names):
        return int(text)
    raise DataError(
        f"{where}: {raw_tree.shown(text)} is none of our classes 0 to {len(names) - 1}: "
        f"{', '.join(names)}."
    )
