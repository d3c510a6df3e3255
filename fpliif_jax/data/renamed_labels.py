"""Label maps in the classes of another data set: config.data.labels."""

from collections.abc import Sequence

import numpy as np

from fpliif_jax.data_builders import class_names
from fpliif_jax.data_builders.errors import SettingsError

AS_THEY_ARE = "all"
_CLASSES = {"facial_parts": class_names.FACIAL_PARTS, "lapa": class_names.LAPA_AND_HELEN}
# LaPa has no class for glasses. What CelebAMask-HQ hides beneath them is mostly skin; eyes and brows behind them count
# as skin, too.
_EYEGLASSES = "eye_g"


def class_names_of(labels: str, own: Sequence[str]) -> tuple[str, ...]:
    """Names of the classes in label maps, index = id.

    Args:
      labels: config.data.labels.
      own: the data set's.
    """
    return _CLASSES.get(labels, tuple(own))


def class_table(labels: str, own: Sequence[str]) -> np.ndarray | None:
    """Which class each of a data set's own becomes; None where they stay.

    CelebAMask-HQ's parts are renamed by the picture's sides, its eyeglasses are skin where there is skin, and what
    the other set does not have is background: of LaPa's classes ears, neck, clothes, hats and jewellery.

    Args:
      labels: config.data.labels.
      own: names of the data set's classes; index = id.

    Returns:
      uint8 [len(own)]: ids of `class_names_of`, 0 for the background.

    Raises:
      SettingsError: the data set lacks one of the classes; says which.
    """
    target = class_names_of(labels, own)
    if target == tuple(own):
        return None
    named = [class_names.CELEBAMASK_HQ_FACIAL_PARTS.get(name, name) for name in own]
    if missing := [name for name in target if name not in named]:
        raise SettingsError(
            f"config.data.labels={labels!r}: the data set has no {', '.join(missing)} among its classes "
            f"{', '.join(own)}; choose 'all' (FP-LIIF; STN-iCNN needs 'facial_parts')"
        )
    if "skin" in target:
        named = ["skin" if name == _EYEGLASSES else name for name in named]
    return np.array([target.index(name) if name in target else 0 for name in named], np.uint8)
