"""Label maps of one's own: PNG files whose pixels are ids, or colours that the list of classes names."""

import pathlib

import numpy as np

from fpliif_jax.data_builders.class_list import NO_CLASS, ClassList
from fpliif_jax.data_builders.errors import DataError, counted
from fpliif_jax.data_builders.raw import raw_images

SUFFIXES = (".png",)
WHY_NOT = dict.fromkeys(
    (".jpg", ".jpeg", ".webp"),
    "a label map saved with loss has wrong ids along every border, and nothing can bring them back",
)


def read_label_map(
    content: bytes, path: pathlib.Path, classes: ClassList, remedy: str
) -> tuple[bytes, np.ndarray]:
    """Reads and checks a label map.

    Where the classes have colours, a pixel's colour says what it is, whatever kind of PNG it is; otherwise its
    value, in greyscale and palette files.

    Returns:
        an 8-bit greyscale PNG file of the ids, which is `content` where that is one; and the ids, uint8 [h, w].

    Raises:
        DataError: another kind of file, truncated, several pictures, or pixels that are of no class.
    """
    if content.startswith(b"\xff\xd8"):
        raise DataError(f"{path}: this is a JPEG image, and {WHY_NOT['.jpg']}. {remedy}")
    with raw_images.naming_damage(path, remedy):
        png = raw_images.decode_png(content, path, remedy)
        if png.bits == 16:
            raise DataError(
                f"{path}: the PNG has 16 bits a sample. Ids and colours have 8: save it with these."
            )
        if classes.colours is not None:
            ids = ids_of_colours(png, path, classes)
        else:
            ids = _ids_of_values(png, path, classes)
            if png.colour == "greyscale":
                return content, ids
        return raw_images.encode_png(ids), ids


def ids_of_colours(
    png: raw_images.Png, path: pathlib.Path, classes: ClassList, listed_in: str = "classes.txt"
) -> np.ndarray:
    """The classes that colours stand for: uint8 [h, w].

    Args:
        png: of any kind.
        path: of its file, for messages.
        classes: with colours.
        listed_in: where these are listed, for messages.

    Raises:
        DataError: a colour of no class, or transparent parts.
    """
    image = png.image
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getextrema()[-1] != (255, 255):
            raise DataError(f"{path}: parts of the label map are transparent. Give them a colour.")
    red, green, blue = (np.asarray(channel, np.uint32) for channel in image.convert("RGB").split())
    colours = red << 16 | green << 8 | blue
    ids = classes.id_of_colour[colours]
    unknown = ids == NO_CLASS
    if unknown.any():
        kinds, counts = np.unique(colours[unknown], return_counts=True)
        most = int(counts.argmax())
        y, x = np.argwhere(colours == kinds[most])[0]
        others = counted(len(kinds) - 1, "other colour is", "other colours are")
        more = f", and {others} neither" if len(kinds) > 1 else ""
        raise DataError(
            f"{path}: {counted(counts[most], 'pixel has', 'pixels have')} the colour #{kinds[most]:06x}, the first "
            f"in row {y}, column {x}, which is not in {listed_in}{more}. Add its class, or save the label map "
            "without smoothing and without loss."
        )
    return ids


def _ids_of_values(png: raw_images.Png, path: pathlib.Path, classes: ClassList) -> np.ndarray:
    if png.colour == "RGB" or "alpha" in png.colour:
        raise DataError(
            f"{path}: the label map is saved as {png.colour}. If its colours stand for classes, write each "
            "one's behind its name in classes.txt, as 'skin #cc0000'; if all channels have the ids, save one "
            "of them as greyscale."
        )
    if png.bits != 8 and png.colour == "greyscale":
        raise DataError(
            f"{path}: the PNG is saved as {png.bits}-bit greyscale, whose values programs scale. Save it with "
            "8 bits, the pixel's value being the id."
        )
    ids = np.asarray(png.image)
    last = len(classes.names) - 1
    if ids.max() > last:
        values, counts = np.unique(ids[ids > last], return_counts=True)
        others = counted(len(values) - 1, "other id is", "other ids are")
        more = f", and {others} neither" if len(values) > 1 else ""
        hint = " (255 is no class here: pixels cannot be left out)" if values[-1] == 255 else ""
        raise DataError(
            f"{path}: {counted(counts[0], 'pixel has', 'pixels have')} the id {values[0]}, and the ids of classes.txt "
            f"end with {last}, {classes.names[-1]}{more}{hint}. Add the class, or correct the label map."
        )
    if png.colour == "palette":
        check_palette(png, path, ids, last)
    return ids


def check_palette(png: raw_images.Png, path: pathlib.Path, ids: np.ndarray, last: int) -> None:
    """Refuses greyscale ids that a program has packed into a palette: then the shade is the id, not the index."""
    used = np.unique(ids)
    palette = np.array(png.image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    shades = np.pad(palette, ((0, 256 - len(palette)), (0, 0)))[used]
    is_grey = (shades == shades[:, :1]).all()
    if is_grey and shades.max() <= last and (shades[:, 0] != used).any():
        index = used[shades[:, 0] != used][0]
        raise DataError(
            f"{path}: the palette shows the value {index} as the grey {shades[used == index][0, 0]}, which may be "
            "the id: programs that make PNG files smaller pack greys so. Save it as 8-bit greyscale."
        )
