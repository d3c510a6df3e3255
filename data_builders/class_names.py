"""Names of the classes, index = id, and whose left is meant: all else derives it from here.

LaPa and Helen: `left_…` is on the left of the picture, which is the person's right.
    LaPa's sample picture and its legend (github.com/jd-opensource/lapa-dataset, sample.png): the left
    eye and brow are left of the right ones in every face that shows both. Helen's files were not
    seen; STN-iCNN's authors, who trained on them, take the labels so (see the mapping below).
CelebAMask-HQ: `l_…` is the person's own left, which is on the right of the picture.
    In 4,248 of its label maps the mean x of l_eye is .62 of the width, of r_eye .38.
"""

from collections.abc import Sequence

PICTURE, PERSON = "picture", "person"

LAPA_AND_HELEN = (
    "background",
    "skin",
    "left_brow",
    "right_brow",
    "left_eye",
    "right_eye",
    "nose",
    "upper_lip",
    "inner_mouth",
    "lower_lip",
    "hair",
)

# From skin on in the order in which the set's own script merges the masks.
CELEBAMASK_HQ = (
    "background",
    "skin",
    "nose",
    "eye_g",
    "l_eye",
    "r_eye",
    "l_brow",
    "r_brow",
    "l_ear",
    "r_ear",
    "mouth",
    "u_lip",
    "l_lip",
    "hair",
    "hat",
    "ear_r",
    "neck_l",
    "neck",
    "cloth",
)

# Helen's parts of the face: what STN-iCNN tells apart, everything else being background.
FACIAL_PARTS = tuple(name for name in LAPA_AND_HELEN if name not in ("skin", "hair"))

# Where they lie in CelebAMask-HQ, under which names: the person's right is on the left of the picture.
# STN-iCNN's authors swap too (github.com/aod321/STN-iCNN, branch exp_A, commit 48edc4c, dataset.py:225:
# r_brow, l_brow, r_eye, l_eye become Helen's 1 … 4). Its l_lip is the lower lip, not a left one.
CELEBAMASK_HQ_FACIAL_PARTS = {
    "r_brow": "left_brow",
    "l_brow": "right_brow",
    "r_eye": "left_eye",
    "l_eye": "right_eye",
    "u_lip": "upper_lip",
    "mouth": "inner_mouth",
    "l_lip": "lower_lip",
}


def same_parts(class_names: Sequence[str], other_names: Sequence[str]) -> tuple[int | None, ...]:
    """Ids, for each class, of the same part of the same side among `other_names`, by what each set means; else None."""
    others = [_part(name, other_names) for name in other_names]
    parts = [_part(name, class_names) for name in class_names]
    return tuple(others.index(part) if part in others else None for part in parts)


def _part(name: str, class_names: Sequence[str]) -> str:
    """What a class is, in Helen's names: sides are the picture's, and a mouth beside lips is its inside."""
    lips = {short: CELEBAMASK_HQ_FACIAL_PARTS[short] for short in ("u_lip", "l_lip")}
    if name in lips:
        return lips[name]
    if name == "mouth" and {*lips, *lips.values()} & {*class_names}:
        return CELEBAMASK_HQ_FACIAL_PARTS[name]
    for own, other, side in (("l_", "r_", "right_"), ("r_", "l_", "left_")):
        part = name.removeprefix(own)
        if part != name and other + part in class_names:
            return side + part
    return name


# CelebAMask-HQ's names as they are read. Traps: 'l_lip' is the lower lip, 'ear_r' an earring, 'neck_l' a necklace.
_CELEBAMASK_HQ_IN_WORDS = {
    "eye_g": "eyeglasses",
    "l_eye": "left eye",
    "r_eye": "right eye",
    "l_brow": "left brow",
    "r_brow": "right brow",
    "l_ear": "left ear",
    "r_ear": "right ear",
    "u_lip": "upper lip",
    "l_lip": "lower lip",
    "ear_r": "earring",
    "neck_l": "necklace",
    "cloth": "clothes",
}


def class_title(name: str) -> str:
    """A class as it is read, 'eyeglasses' for `eye_g`; left and right are those of its set (`whose_left`)."""
    return _CELEBAMASK_HQ_IN_WORDS.get(name, name.replace("_", " "))


def whose_left(names: Sequence[str]) -> str:
    """Whose left the names of classes mean: PICTURE for `left_…`, PERSON for CelebAMask-HQ's."""
    return PICTURE if any(name.startswith("left_") for name in names) else PERSON


def mirrored_classes(class_names: Sequence[str]) -> tuple[int, ...]:
    """Ids, for each class id, of the same part on the other side of the face; where there is none, the class itself."""
    swaps = (("left_", "right_"), ("right_", "left_"), ("l_", "r_"), ("r_", "l_"))
    mirrored = []
    for index, name in enumerate(class_names):
        others = [new + name[len(old) :] for old, new in swaps if name.startswith(old)]
        mirrored.append(
            next((class_names.index(other) for other in others if other in class_names), index)
        )
    return tuple(mirrored)


def has_sides(class_names: Sequence[str]) -> bool:
    """Whether some class has its like on the other side of the face."""
    return mirrored_classes(class_names) != tuple(range(len(class_names)))


def sides_note(class_names: Sequence[str]) -> str:
    """What whoever sees classes of both sides must know of their names; '' where these are the picture's, or none."""
    is_person = has_sides(class_names) and whose_left(class_names) == PERSON
    return "left and right are the person's, not the picture's" if is_person else ""
