"""Names of the classes; index = id."""

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

# CelebAMask-HQ's names of them where they differ; its l_lip is the lower lip, not a left one.
CELEBAMASK_HQ_FACIAL_PARTS = {
    "l_brow": "left_brow",
    "r_brow": "right_brow",
    "l_eye": "left_eye",
    "r_eye": "right_eye",
    "u_lip": "upper_lip",
    "mouth": "inner_mouth",
    "l_lip": "lower_lip",
}
