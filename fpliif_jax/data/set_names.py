"""What a data set is called for people: drawn faces are never called by the name of the set whose layout they have."""

from collections.abc import Mapping
from typing import Any


def set_name(name: str, is_drawn: object) -> str:
    """'lapa', or 'drawn faces in the layout of lapa'.

    Args:
      name: of the set's builder.
      is_drawn: whether its faces are drawn; what counts as false is shown as not drawn.
    """
    return f"drawn faces in the layout of {name}" if is_drawn else name


def trained_on(config: Mapping[str, Any], environment: Mapping[str, Any]) -> str:
    """The set that a run was trained on, in the words of `set_name`.

    Args:
      config: the run's settings.
      environment: its environment.json, or nothing.
    """
    data = config["data"]
    # The config of a run on faces that had been drawn before does not say so, an older run's record neither.
    is_drawn = environment.get("data_drawn") or data.get("synthetic", {}).get("num_train")
    return set_name(data["name"], is_drawn)
