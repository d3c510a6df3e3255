"""Class ids of the drawn label maps, and how the 19 classes become LaPa's and Helen's 11.

`L_…` and `R_…` are CelebAMask-HQ's sides; `data_builders.class_names` says whose left each set means.
"""

import numpy as np

from fpliif_jax.data_builders.class_names import (
    CELEBAMASK_HQ,
    CELEBAMASK_HQ_FACIAL_PARTS,
    LAPA_AND_HELEN,
)

BACKGROUND = 0
SKIN = 1
NOSE = 2
EYEGLASSES = 3
L_EYE = 4
R_EYE = 5
L_BROW = 6
R_BROW = 7
L_EAR = 8
R_EAR = 9
MOUTH = 10
U_LIP = 11
L_LIP = 12
HAIR = 13
HAT = 14
EARRING = 15
NECKLACE = 16
NECK = 17
CLOTH = 18
NUM_CLASSES = 19

# In the order in which the set's own script merges them; the id is index + 1.
CELEBAMASK_HQ_PARTS = CELEBAMASK_HQ[1:]

# LaPa's skin is the face alone: ears, neck, clothes, hats and jewellery are background.
# Eyeglasses have no entry of their own: `accessories.py` leaves the class beneath them.
_LAPA_NAMES = [CELEBAMASK_HQ_FACIAL_PARTS.get(name, name) for name in CELEBAMASK_HQ]
LAPA_BACKGROUND = LAPA_AND_HELEN.index("background")
LAPA_CLASS = np.array(
    [LAPA_AND_HELEN.index(n) if n in LAPA_AND_HELEN else LAPA_BACKGROUND for n in _LAPA_NAMES],
    np.uint8,
)
LAPA_CLASS.setflags(write=False)
NUM_LAPA_CLASSES = len(LAPA_AND_HELEN)
