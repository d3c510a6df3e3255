"""Whether faces of a raw tree were drawn by `synthetic_faces`: its marker, and the names it gives."""

import dataclasses
import json
import os
import pathlib
import re
from collections.abc import Iterable, Iterator

from fpliif_jax.data_builders.raw.raw_tree import RawTree

SETTINGS_FILE = "synthetic_faces.json"  # lies in the top folder of every drawn set
_SETTINGS_LIMIT = 64 * 1024
_NUMBERS = (
    "num_train",
    "num_val",
    "num_test",
    "image_size",
    "mask_size",
    "seed",
    "drawing_version",
)
# The last four are those of styles beyond the plain one.
_SETTINGS = {
    "layout": str,
    **dict.fromkeys(_NUMBERS, int),
    "style": str,
    "style_version": int,
    "without": str,
    "also": str,
}
# Above a folder with images: from labels/<id> over the set's own folder to that of a moved one.
_LEVELS = 3
# As layouts.py names faces of LaPa and of Helen; those of CelebAMask-HQ are numbers as the official ones.
_DRAWN_ID = re.compile(r"synthetic_(train_|val_|test_)?[0-9]{6,}(_1)?")


@dataclasses.dataclass(frozen=True)
class Drawing:
    """Note that at least some faces of a tree are drawn.

    Attributes:
        settings: the generator's, as its marker has them; None where there is no marker or it is damaged.
    """

    settings: dict[str, str | int] | None


def find_drawing(tree: RawTree) -> Drawing | None:
    """Looks for faces that are drawn; None where nothing says that any are.

    The marker may lie in any folder that holds files of the set, or up to three levels above one: so it is found
    in a set that was moved, renamed, linked to (as a whole, by folder or by file) or mixed with another. Where it
    was lost, the ids tell.
    """
    places: dict[pathlib.Path, None] = {}
    for folder in _folders(tree):
        places |= dict.fromkeys((folder, *folder.parents[:_LEVELS]))
    for place in places:
        marker = place / SETTINGS_FILE
        if marker.is_file():
            return Drawing(_read_settings(marker))
    return Drawing(None) if has_drawn_id(e.id for e in tree.examples()) else None


def has_drawn_id(ids: Iterable[str]) -> bool:
    """Whether any of the ids is one that only `synthetic_faces` gives."""
    return any(_DRAWN_ID.fullmatch(identifier) for identifier in ids)


def _folders(tree: RawTree) -> Iterator[pathlib.Path]:
    """Folders that examples lie in, as they are named and as they are behind links."""
    named: dict[str, None] = {}
    for example in tree.examples():
        for file in (example.image, *example.labels[:1]):
            path = os.path.join(tree.root, file)
            named[os.path.dirname(path)] = None
            if os.path.islink(path):
                named[os.path.dirname(os.path.realpath(path))] = None
    for folder in named:
        yield pathlib.Path(folder)
        yield pathlib.Path(os.path.realpath(folder))


def _read_settings(marker: pathlib.Path) -> dict[str, str | int] | None:
    try:
        with open(marker, encoding="utf-8") as file:
            content = json.loads(file.read(_SETTINGS_LIMIT))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    return {
        name: content[name] for name, kind in _SETTINGS.items() if type(content.get(name)) is kind
    }
