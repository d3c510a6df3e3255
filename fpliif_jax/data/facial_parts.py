"""The six parts of a face: their names, their classes in `class_names.FACIAL_PARTS`, and these in other data sets."""

import numpy as np

from fpliif_jax.data_builders import class_names

PART_NAMES = ("brow1", "brow2", "eye1", "eye2", "nose", "mouth")
# Class ids of each part; the mouth's are upper lip, inner mouth and lower lip.
PART_LABELS = ((1,), (2,), (3,), (4,), (5,), (6, 7, 8))


def facial_parts_table(names: tuple[str, ...]) -> np.ndarray:
    """Which of `class_names.FACIAL_PARTS` each class of a data set is.

    Args:
      names: the data set's; index = id.

    Returns:
      uint8 [len(names)]: the part's id, 0 (background) for what is none.

    Raises:
      ValueError: a part is missing.
    """
    parts = class_names.FACIAL_PARTS
    named = [class_names.CELEBAMASK_HQ_FACIAL_PARTS.get(name, name) for name in names]
    missing = [part for part in parts if part not in named]
    if missing:
        raise ValueError(
            f"config.data.labels='facial_parts': the data set has no {', '.join(missing)} among its "
            f"classes {', '.join(names)}; choose 'all' (FP-LIIF; STN-iCNN needs these parts)"
        )
    return np.array([parts.index(name) if name in parts else 0 for name in named], np.uint8)
