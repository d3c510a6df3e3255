"""Whose left the classes of a run mean; earlier runs on some data had the other sides.

Runs record it. Those that do not were made when LaPa's and Helen's drawn faces, and the facial parts of
CelebAMask-HQ, had the person's left under names that mean the picture's (`data_builders.class_names`).
"""

from collections.abc import Sequence

from fpliif_jax.data.set_names import Settings
from fpliif_jax.data_builders import class_names


def whose_left(config: Settings, recorded: str | None) -> str:
    """Whose left a run's classes mean: `class_names.PICTURE` or `PERSON`.

    Args:
      config: the run's settings.
      recorded: what the run recorded; None where it is an earlier one.
    """
    if recorded is not None:
        return recorded
    data = config["data"]
    drawn = data.get("synthetic", {}).get("num_train", 0)
    if data["name"] == "celebamask_hq" or drawn:
        return class_names.PERSON
    return class_names.PICTURE


def are_swapped(config: Settings, names: Sequence[str], recorded: str | None) -> bool:
    """Whether left and right of a run's classes are the other way round than their names say today.

    Args:
      config: the run's settings.
      names: of its classes.
      recorded: what the run recorded; None where it is an earlier one.
    """
    says_left_or_right = any(name.startswith(("left_", "right_")) for name in names)
    return says_left_or_right and whose_left(config, recorded) != class_names.whose_left(names)


def explanation(origin: object) -> str:
    """What is wrong with a run whose sides are swapped, in one line. `origin`: its folder or file."""
    return (
        f"{origin}: its left_… and right_… are the person's, as drawn faces and CelebAMask-HQ's parts had "
        "them in earlier versions; they now are the picture's, so left and right of brows and eyes are swapped"
    )
