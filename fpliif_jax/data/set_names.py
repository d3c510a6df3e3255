"""What a data set is called for people: drawn faces are never called by the name of the set whose layout they have."""

from collections.abc import Mapping
from typing import Any

import ml_collections

Settings = Mapping[str, Any] | ml_collections.ConfigDict


def set_name(name: str, drawn: object) -> str:
    """'lapa', or 'drawn faces in the layout of lapa'.

    Args:
      name: of the set's builder.
      drawn: whether its faces are drawn; what counts as false is shown as not drawn.
    """
    return f"drawn faces in the layout of {name}" if drawn else name


def is_drawn(config: Settings, recorded: bool | None) -> bool | None:
    """Whether the faces of a run's own set, `data.name`, are drawn; None where nothing tells.

    Args:
      config: the run's settings.
      recorded: what its records say; None of an earlier run, whose config tells it where it drew the faces itself.
    """
    if recorded is not None:
        return recorded
    # pyrefly: ignore[missing-attribute] - never None: it has a default
    return bool(config.get("data", {}).get("synthetic", {}).get("num_train")) or None


def is_scored_drawn(config: Mapping[str, Any], recorded: bool | None) -> bool:
    """Whether the faces that were scored are drawn.

    A config that names another set to score on says nothing of it: what it draws is trained on.

    Args:
      config: of results.json.
      recorded: what it says of its data set; None of an earlier run.
    """
    names_other = config.get("eval", {}).get("dataset") is not None
    return bool(recorded if names_other else is_drawn(config, recorded))


def trained_on(config: Settings, environment: Mapping[str, Any]) -> str:
    """The set that a run was trained on, in the words of `set_name`.

    Args:
      config: the run's settings.
      environment: its environment.json, or nothing.
    """
    return set_name(config["data"]["name"], is_drawn(config, environment.get("data_drawn")))
