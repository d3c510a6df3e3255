"""The numbers of a training step that depend on the device's memory, where the config leaves them 'auto'."""

from collections.abc import Callable
from typing import Any

import ml_collections

from fpliif_jax.fields.setting_ranges import AUTO

# Field of the config: number.
StepNumbers = dict[str, Any]
# (numbers, bytes that are estimated where XLA does not say) -> the bytes that a step with such numbers takes; inf where
# it cannot even be compiled. It is costly.
Planned = Callable[[StepNumbers, int], float]
# The numbers, and where a microbatch was chosen a line about it for the person.
Chosen = tuple[StepNumbers, str | None]

MICROBATCH = "train.microbatch"


def fixed_microbatch(settings: ml_collections.ConfigDict) -> int:
    """settings.microbatch (settings is config.train), and 0, a device's whole share, where it is 'auto'."""
    return 0 if settings.microbatch == AUTO else settings.microbatch
