"""The list of classes of a set of one's own: names by id, with colours where label maps are coloured."""

import dataclasses
import functools
import pathlib
import re
from collections.abc import Sequence

import numpy as np

from fpliif_jax.data_builders.class_names import mirrored_classes
from fpliif_jax.data_builders.errors import DataError, counted

MOST_CLASSES = 255  # 255 is the label that losses leave out
NO_CLASS = 255
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_SIDES = ("left_", "right_")
_LONGEST_SHOWN = 80


@dataclasses.dataclass(frozen=True)
class ClassList:
    """The classes of label maps, and the pixel values that stand for them.

    Attributes:
        names: index = id; the first is 'background'.
        colours: red, green and blue of each class, 0 … 255; None where a pixel's value is the id.
    """

    names: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...] | None = None

    @functools.cached_property
    def id_of_colour(self) -> np.ndarray:
        """uint8 [2**24]: the class of the colour 65536 red + 256 green + blue, NO_CLASS for all others."""
        table = np.full(2**24, NO_CLASS, np.uint8)
        for index, (red, green, blue) in enumerate(self.colours or ()):
            table[red << 16 | green << 8 | blue] = index
        return table

    def mirrored_pairs(self) -> list[tuple[str, str]]:
        """The classes that a horizontal flip swaps, each pair once."""
        mirrored = mirrored_classes(self.names)
        return [(self.names[i], self.names[j]) for i, j in enumerate(mirrored) if i < j]


def parse_class_list(rows: Sequence[tuple[int, str]], path: pathlib.Path) -> ClassList:
    """Reads a class from every line: `name`, or `name #rrggbb` in all of them.

    Args:
        rows: (number, text) of the lines that are not blank, see `raw_tree.read_rows`.
        path: of the file, for messages.

    Raises:
        DataError: names the file and the line.
    """
    if not 2 <= len(rows) <= MOST_CLASSES:
        raise DataError(
            f"{path}: {counted(len(rows), 'class is', 'classes are')} listed; 2 to {MOST_CLASSES} are possible, "
            "one a line, from id 0 on."
        )
    names: dict[str, int] = {}
    colours: dict[tuple[int, int, int], int] = {}
    columns = len(rows[0][1].split())
    for index, (number, text) in enumerate(rows):
        where = f"{path}, line {number}"
        if number != index + 1:
            raise DataError(
                f"{where}: line {index + 1} is blank; the line of a class is its id + 1."
            )
        name, *rest = text.split()
        if not _NAME.fullmatch(name) or len(rest) + 1 != columns or columns > 2:
            raise DataError(
                f"{where}: expected a name of letters, digits, '_', '-', '+' and '.', in all lines or "
                f"in none with a colour, as 'skin' or 'skin #cc0000'; found {_shown(text)}."
            )
        if name.lower() in names:
            raise DataError(f"{where}: {name} is in line {names[name.lower()]} already.")
        names[name.lower()] = number
        if rest:
            colour = _parse_colour(rest[0], where)
            if colour in colours:
                raise DataError(
                    f"{where}: {rest[0]} is the colour of line {colours[colour]} already."
                )
            colours[colour] = number
    classes = ClassList(tuple(text.split()[0] for _, text in rows), tuple(colours) or None)
    _check_meaning(classes, path)
    return classes


def are_class_names(names: Sequence[str]) -> bool:
    """Whether these can be the names that `parse_class_list` read; index = id."""
    if not all(map(_NAME.fullmatch, names)):
        return False
    try:
        parse_class_list(list(enumerate(names, start=1)), pathlib.Path())
    except DataError:
        return False
    return True


def _parse_colour(text: str, where: str) -> tuple[int, int, int]:
    if not _COLOUR.fullmatch(text):
        raise DataError(f"{where}: {_shown(text)} is no colour; write it as #cc0000.")
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def _check_meaning(classes: ClassList, path: pathlib.Path) -> None:
    names = classes.names
    if names[0] != "background":
        raise DataError(
            f"{path}, line 1: id 0 is {names[0]!r} and has to be 'background': no mean counts it, and "
            "it is what augmentation moves in from outside the photo."
        )
    pairs = classes.mirrored_pairs()
    paired = {name for pair in pairs for name in pair}
    for number, name in enumerate(names, start=1):
        if name.startswith(_SIDES) and name not in paired:
            raise DataError(
                f"{path}, line {number}: {name!r} has no counterpart on the other side. left_NAME and "
                "right_NAME are a pair; give it, or call the class otherwise."
            )
    if len({first.startswith(_SIDES) for first, _ in pairs}) == 2:
        raise DataError(
            f"{path}: some pairs are left_… and right_…, which mean the picture's sides, and some l_… and "
            "r_…, which mean the person's own. Name all by one of the two."
        )


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…")
