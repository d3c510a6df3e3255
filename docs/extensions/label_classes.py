"""The classes of the data sets with colours and sides, from the code's own names and palette."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from fpliif_jax.data_builders import BUILDERS, class_names
from fpliif_jax.pictures.colours import PART_OF_ALIAS, class_colours

# Those that have classes of their own: whoever has own data names them.
SETS = {name: builder.CLASS_NAMES for name, builder in BUILDERS.items() if builder.CLASS_NAMES}
SETS["facial_parts"] = class_names.FACIAL_PARTS
_OTHER = {"left": "right", "right": "left"}


@dataclasses.dataclass(frozen=True)
class LabelClass:
    """A class of a data set.

    Attributes:
      label_id: the pixel value that means it.
      name: as the set calls it.
      colour: of label pictures and overlays, '#rrggbb'.
      part: what it is, in words.
      picture_side: 'left' or 'right' as the picture is seen; empty where it has no side.
    """

    label_id: int
    name: str
    colour: str
    part: str
    picture_side: str

    @property
    def person_side(self) -> str:
        """'left' or 'right' as the person has it: the other side of the picture."""
        return _OTHER.get(self.picture_side, "")


def classes(names: Sequence[str]) -> list[LabelClass]:
    """The classes of a set by label id, from its names alone."""
    colours = class_colours(names)
    return [_label_class(*each) for each in zip(range(len(names)), names, colours, strict=True)]


def _label_class(label_id: int, name: str, colour: np.ndarray) -> LabelClass:
    part = PART_OF_ALIAS.get(name, name)  # the palette's names are by the picture's sides
    side, _, rest = part.partition("_")
    has_side = side in _OTHER
    return LabelClass(
        label_id=label_id,
        name=name,
        colour="#" + bytes(colour.tolist()).hex(),
        part=(rest if has_side else part).replace("_", " "),
        picture_side=side if has_side else "",
    )
