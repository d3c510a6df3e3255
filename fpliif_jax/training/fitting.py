"""The numbers of a training step that depend on the device's memory, where the config leaves them 'auto'.

They decide about memory, time and rounding, never about the function. A run keeps those it was started with
(`Progress.chosen` of its checkpoints, 'chosen' in environment.json), on whatever device it goes on: they are bits
of its results.
"""

from typing import Any

import ml_collections

from fpliif_jax import systems
from fpliif_jax.devices import parallel
from fpliif_jax.fields.setting_ranges import AUTO
from fpliif_jax.run_folder.run_config import flatten_config
from fpliif_jax.systems.step_numbers import (
    MICROBATCH,
    Chosen,
    Planned,
    StepNumbers,
    fixed_microbatch,
)
from fpliif_jax.training.progress import Progress


def numbers_of_run(progress: Progress) -> StepNumbers | None:
    """What a run goes on with; None for one that has not chosen yet.

    Earlier runs have chosen nothing: they have numbers in their config.
    """
    if progress.chosen is not None:
        return dict(progress.chosen)
    config = flatten_config(progress.config)
    fields = (MICROBATCH, *systems.of_name(config["model.name"]).training.step_fields)
    numbers = {field: config[field] for field in fields if field in config}
    return None if AUTO in numbers.values() else numbers


def with_numbers(
    config: ml_collections.ConfigDict, numbers: StepNumbers
) -> ml_collections.ConfigDict:
    """A copy of an experiment's config with these numbers."""
    changed = config.copy_and_resolve_references()
    with changed.unlocked(), changed.ignore_type():
        changed.update_from_flattened_dict(numbers)
    return changed


def planned_bytes(compiled: Any) -> dict[str, int] | None:
    """What XLA reserves for one call of a compiled function on one device, by what for, and the 'total'."""
    analysis = compiled.memory_analysis()
    if analysis is None:
        return None
    parts = {
        "arguments": int(analysis.argument_size_in_bytes),
        "outputs": int(analysis.output_size_in_bytes),
        "temporaries": int(analysis.temp_size_in_bytes),
        "shared": int(analysis.alias_size_in_bytes),
    }
    total = parts["arguments"] + parts["outputs"] + parts["temporaries"] - parts["shared"]
    return {**parts, "total": total}


def choose_for_devices(
    config: ml_collections.ConfigDict, batch_size: int, planned: Planned
) -> Chosen:
    """Chooses like `choose`, for the devices of this run."""
    backend, memory_bytes = parallel.backend_and_memory()
    return choose(config, batch_size, backend, parallel.smallest(memory_bytes), planned)


def choose(
    config: ml_collections.ConfigDict,
    batch_size: int,
    backend: str,
    memory_bytes: int | None,
    planned: Planned,
) -> Chosen:
    """The numbers of a training step, as the system of the experiment chooses them.

    Args:
      config: of the experiment.
      batch_size: global, of the stage.
      backend: of JAX.
      memory_bytes: of one device, the same in every process; None where that is not known.
      planned: see `Planned`.
    """
    choose_numbers = systems.of(config).training.choose_step_numbers
    if choose_numbers is None:
        return {MICROBATCH: fixed_microbatch(config.train)}, None
    rows = parallel.rows_per_device(batch_size)
    return choose_numbers(config, rows, backend, memory_bytes, planned)
