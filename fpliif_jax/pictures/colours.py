"""The colours of classes.

Colours belong to what a class is, not to its id, so that skin, hair or the eye on the left of the
picture look the same in every data set, under whichever name that data set gives them.
"""

from collections.abc import Sequence

import numpy as np

from fpliif_jax.data_builders import class_names as names_of_sets
from fpliif_jax.data_builders.class_list import MOST_CLASSES
from fpliif_jax.pictures.more_colours import more_colours

# Any two differ clearly (by at least 24 in CIE L*a*b*). Left and right are two shades of a hue, the
# mouth is red, and skin, hair and neck are near their own colours.
PART_COLOURS = {
    "background": (24, 26, 34),
    "skin": (244, 198, 160),
    "hair": (124, 76, 44),
    "left_brow": (46, 125, 60),
    "right_brow": (140, 205, 95),
    "left_eye": (30, 92, 220),
    "right_eye": (100, 190, 255),
    "nose": (250, 214, 60),
    "upper_lip": (205, 24, 66),
    "inner_mouth": (104, 10, 66),
    "lower_lip": (248, 104, 146),
    "left_ear": (232, 112, 26),
    "right_ear": (168, 148, 24),
    "eyeglasses": (0, 172, 160),
    "hat": (128, 62, 196),
    "earring": (255, 255, 255),
    "necklace": (198, 164, 255),
    "neck": (196, 132, 112),
    "cloth": (84, 104, 132),
}
# CelebAMask-HQ's names, by the picture's sides.
PART_OF_ALIAS = names_of_sets.CELEBAMASK_HQ_FACIAL_PARTS | {
    "r_ear": "left_ear",
    "l_ear": "right_ear",
    "eye_g": "eyeglasses",
    "ear_r": "earring",
    "neck_l": "necklace",
}
NO_CLASS_COLOUR = (150, 150, 150)  # ids that are no class, such as an ignored label
NO_CLASS_TITLE = "not counted"  # in legends
WRONG_COLOUR = (235, 30, 60)

INK = (34, 36, 44)
FAINT_INK = (112, 116, 128)
PAPER = (250, 250, 248)


def class_colours(class_names: Sequence[str]) -> np.ndarray:
    """Colour of every class.

    A name that is not known gets one of the colours that no other class of the list uses, in order; where these
    are used up, one that is as unlike them as can be.

    Args:
      class_names: names by label id.

    Returns:
      uint8 [C, 3], red, green, blue.

    Raises:
      ValueError: more classes than a label map can have.
    """
    parts = [PART_OF_ALIAS.get(name, name) for name in class_names]
    spare = [colour for part, colour in PART_COLOURS.items() if part not in parts]
    unknown = [
        name for name, part in zip(class_names, parts, strict=True) if part not in PART_COLOURS
    ]
    if len(class_names) > MOST_CLASSES:
        raise ValueError(f"{len(class_names)} classes: a label map has at most {MOST_CLASSES}")
    if len(unknown) > len(spare):
        known = (*PART_COLOURS.values(), NO_CLASS_COLOUR, WRONG_COLOUR)
        spare += more_colours(known, len(unknown) - len(spare))
    colour_of_unknown = dict(zip(unknown, spare, strict=False))
    colours = [PART_COLOURS.get(part) or colour_of_unknown[part] for part in parts]
    return np.array(colours, np.uint8).reshape(-1, 3)
