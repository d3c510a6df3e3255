"""Class ids of the drawn label maps, and how the 19 classes become LaPa's and Helen's 11.

`L_…` is the person's own left, which is the right-hand side of the picture, as in the label maps
of CelebAMask-HQ. The same convention is used for the 11 classes.
"""

import numpy as np

from data_builders.class_names import CELEBAMASK_HQ

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

LAPA_BACKGROUND = 0
LAPA_SKIN = 1
LAPA_L_BROW = 2
LAPA_R_BROW = 3
LAPA_L_EYE = 4
LAPA_R_EYE = 5
LAPA_NOSE = 6
LAPA_U_LIP = 7
LAPA_MOUTH = 8
LAPA_L_LIP = 9
LAPA_HAIR = 10
NUM_LAPA_CLASSES = 11

# LaPa's skin is the face alone: ears, neck, clothes, hats and jewellery are background.
# Eyeglasses have no entry of their own: `accessories.py` leaves the class beneath them.
LAPA_CLASS = np.zeros(NUM_CLASSES, np.uint8)
LAPA_CLASS[[SKIN, NOSE, L_EYE, R_EYE, L_BROW, R_BROW]] = [
    LAPA_SKIN,
    LAPA_NOSE,
    LAPA_L_EYE,
    LAPA_R_EYE,
    LAPA_L_BROW,
    LAPA_R_BROW,
]
LAPA_CLASS[[MOUTH, U_LIP, L_LIP, HAIR]] = [LAPA_MOUTH, LAPA_U_LIP, LAPA_L_LIP, LAPA_HAIR]
LAPA_CLASS.setflags(write=False)
