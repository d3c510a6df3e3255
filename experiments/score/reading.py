"""Reads one label map: PNG of ids or of colours, as classes of ours."""

import pathlib

import numpy as np

from fpliif_jax.data_builders.errors import DataError, counted
from fpliif_jax.data_builders.raw import label_maps, raw_images, raw_tree
from fpliif_jax.experiments.score.class_tables import NONE, IdTable

_REMEDY = "Save it anew as an 8-bit PNG of ids (docs/score.md)."


def read_label_map(
    path: pathlib.Path, table: IdTable, names: tuple[str, ...], option: str
) -> np.ndarray:
    """The classes of a label map's pixels.

    Args:
      path: of a PNG file, or of a link to one.
      table: what its ids, or colours, stand for.
      names: of our classes.
      option: that gives another table, for messages.

    Returns:
      uint8 [h, w]: our classes; their number for what does not count.

    Raises:
      DataError: it cannot be read, is of another kind, or has ids or colours of no class.
    """
    content = raw_tree.read_file(path, _REMEDY)
    if content.startswith(b"\xff\xd8"):
        raise DataError(f"{path}: this is a JPEG image, and {label_maps.WHY_NOT['.jpg']}.")
    with raw_images.naming_damage(path, _REMEDY):
        png = raw_images.decode_png(content, path, _REMEDY)
        if png.bits == 16:
            raise DataError(f"{path}: the PNG has 16 bits a sample. {_REMEDY}")
        ids = _ids(png, path, table, names, option)
    used = np.flatnonzero(np.bincount(ids.ravel(), minlength=256))
    if (table.classes[used] == NONE).any():
        raise DataError(f"{path}: {_of_no_class(ids, used, table, names, option)}")
    if (table.classes[used] == used).all():
        return ids
    return table.classes.astype(np.uint8)[ids]


def _ids(
    png: raw_images.Png, path: pathlib.Path, table: IdTable, names: tuple[str, ...], option: str
) -> np.ndarray:
    is_coloured = png.colour == "RGB" or "alpha" in png.colour
    if table.colours is not None and (table.is_given or is_coloured):
        try:
            listed_in = f"the table of {option}" if table.is_given else "our own colours"
            return label_maps.ids_of_colours(png, path, table.colours, listed_in)
        except DataError as error:
            if table.is_given:
                raise
            raise DataError(
                f"{path}: the label map is saved as {png.colour}, and not in the colours of this program. If its "
                f"colours stand for classes, list them in {option}=FILE, as 'skin #cc0000' in the line of each id; "
                "if all channels have the ids, save one of them as greyscale."
            ) from error
    if is_coloured:
        raise DataError(
            f"{path}: the label map is saved as {png.colour}, and {option} has no colours. Write each one's behind "
            "its class, as 'skin #cc0000'."
        )
    if png.bits != 8 and png.colour == "greyscale":
        raise DataError(
            f"{path}: the PNG is saved as {png.bits}-bit greyscale, whose values programs scale. {_REMEDY}"
        )
    ids = np.asarray(png.image)
    if png.colour == "palette":
        label_maps.check_palette(png, path, ids, int(np.flatnonzero(table.classes != NONE)[-1]))
    return ids


def _of_no_class(
    ids: np.ndarray, used: np.ndarray, table: IdTable, names: tuple[str, ...], option: str
) -> str:
    unknown = used[table.classes[used] == NONE]
    count = int(np.isin(ids, unknown).sum())
    first, more = unknown[0], len(unknown) - 1
    text = f"{counted(count, 'pixel has', 'pixels have')} the id {first}"
    text += f" or {counted(more, 'other')}" if more else ""
    if table.is_given:
        last = int(np.flatnonzero(table.classes != NONE)[-1])
        return f"{text}, and the lines of {option} end with id {last}. Add its line."
    text += f", and the ids of {len(names)} classes end with {len(names) - 1}, {names[-1]}"
    if used[0] == 1 and used[-1] == len(names):
        return (
            f"{text}; there is no 0. Ids that are counted from 1 need a table, {option}=FILE: 'background' in line 1, "
            "for 0, then our classes in their order."
        )
    if len(used) > 1 and set(used) <= {0, 255}:
        return f"{text}. It is a mask of one class; merge the masks of all classes into ids first."
    if 255 in unknown:
        return f"{text}. A prediction has a class in every pixel: 255 cannot be left out."
    return (
        f"{text}. Say which of our classes each id is: {option}=FILE, with one a line from id 0 on."
    )
