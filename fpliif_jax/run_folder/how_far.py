"""How far training had come when a run was scored, by what results.json says: a run may be scored before its end."""

import itertools
from collections.abc import Mapping
from typing import Any

from fpliif_jax.fields.json_types import Fields

_LONGEST_NAME = 100  # characters of a stage: the file may be anybody's


def epochs_of_stages(config: Fields) -> dict[str, int]:
    """Epochs by stage, in order, of a flat config; empty where it does not say them, as one from elsewhere."""
    stages = config.get("train.stages")
    if not isinstance(stages, list | tuple):
        return {}
    epochs = {}
    for stage in map(str, stages):
        own = config.get(f"train.{stage}.epochs")
        number = config.get("train.epochs") if own is None else own
        if not isinstance(number, int):
            return {}
        epochs[stage] = number
    return epochs


def unfinished(config: Fields, train: Any) -> str | None:
    """How far training is that has not come to its end, in words; None where it has, or where that is not known.

    Args:
      config: of results.json, flat.
      train: of results.json; None of weights that no run trained.
    """
    known = train if isinstance(train, Mapping) else {}
    done, steps, stages = known.get("epochs"), known.get("steps"), epochs_of_stages(config)
    total = sum(stages.values())
    if not (isinstance(done, int) and isinstance(steps, int) and 0 <= done < total):
        return None
    ends = zip(stages, itertools.accumulate(stages.values()), strict=True)
    stage = next(name for name, end in ends if done < end)
    return f"training is not finished: {done} of {total} epochs, step {steps}, stage {stage[:_LONGEST_NAME]}"
