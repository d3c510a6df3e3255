"""The numbers of a training step that hang on the device's memory, where the config leaves them 'auto'.

They decide about memory, time and rounding, never about the function. A run keeps those it was started with
(`Progress.chosen` of its checkpoints, 'chosen' in environment.json), on whatever device it goes on: they are bits
of its results.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import ml_collections

from fpliif_jax.devices import parallel
from fpliif_jax.run_folder.run_config import flatten_config
from fpliif_jax.run_folder.setting_ranges import AUTO
from fpliif_jax.systems.fp_liif import query_plan
from fpliif_jax.training.progress import Progress

# Field of the config: number.
Numbers = dict[str, Any]

MICROBATCH, QUERY_CHUNK, REMAT = "train.microbatch", "model.query_chunk", "model.remat"
# Of the memory that JAX may use: the rest is for the batches that wait, and for gaps between buffers.
_SHARE = 0.85
# A CPU is fastest where an activation of the encoder at full size stays in the cache: 8 MiB in float32.
_CPU_ACTIVATION = 2**21


def fixed_microbatch(settings: ml_collections.ConfigDict) -> int:
    """settings.microbatch (settings is config.train), and 0, a device's whole share, where it is 'auto'."""
    return 0 if settings.microbatch == AUTO else settings.microbatch


def numbers_of_run(progress: Progress) -> Numbers | None:
    """What a run goes on with; None for one that has not chosen yet.

    Earlier runs have chosen nothing: they have numbers in their config.
    """
    if progress.chosen is not None:
        return dict(progress.chosen)
    config = flatten_config(progress.config)
    numbers = {
        field: config[field] for field in (MICROBATCH, QUERY_CHUNK, REMAT) if field in config
    }
    return None if AUTO in numbers.values() else numbers


def with_numbers(config: ml_collections.ConfigDict, numbers: Numbers) -> ml_collections.ConfigDict:
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


def step_bytes(compiled: Any, config: ml_collections.ConfigDict, microbatch: int) -> int:
    """What XLA reserves for a training step on one device; where it does not say, as much as is estimated."""
    plan = planned_bytes(compiled)
    if plan is not None:
        return plan["total"]
    size = (config.data.image_size, config.data.image_size)
    return query_plan.training_bytes(microbatch, size, config.model)


def choose_for_devices(
    config: ml_collections.ConfigDict, batch_size: int, planned: Callable[[Numbers], float]
) -> tuple[Numbers, str | None]:
    """As `choose`, for the devices of this run."""
    backend, memory_bytes = query_plan.this_device()
    return choose(config, batch_size, backend, parallel.smallest(memory_bytes), planned)


def choose(
    config: ml_collections.ConfigDict,
    batch_size: int,
    backend: str,
    memory_bytes: int | None,
    planned: Callable[[Numbers], float],
) -> tuple[Numbers, str | None]:
    """Microbatch, query chunk and remat of a training step.

    config.train.microbatch='auto' is, on GPUs and TPUs, the most of a device's rows whose step is planned to fit into
    0.85 of its memory, by halves, without a loop over query chunks; where not even one image fits so, one image in
    chunks. On CPUs it is the most, by halves, whose activations at full size have no more than 2²¹ values. Where that
    is all of the rows, and with batch norm, which has to see the whole batch, it is 0.

    Args:
      config: of the experiment.
      batch_size: global, of the stage.
      backend: of JAX.
      memory_bytes: of one device, the same in every process; None where that is not known.
      planned: the bytes that a step with such numbers takes; inf where it cannot even be compiled.

    Returns:
      the numbers; and, where a microbatch was chosen, a line about it for the person.
    """
    if "query_chunk" not in config.model:  # STN-iCNN, with batch norm
        return {MICROBATCH: fixed_microbatch(config.train)}, None
    model, rows = config.model, parallel.rows_per_device(batch_size)
    output_size = (config.data.image_size, config.data.image_size)

    def with_queries(microbatch: int, queries: int, remat: bool) -> Numbers:
        return {MICROBATCH: microbatch, QUERY_CHUNK: queries, REMAT: remat}

    def at_once(microbatch: int) -> Numbers:
        queries = microbatch * math.prod(output_size)
        queries = queries if model.query_chunk == AUTO else model.query_chunk
        return with_queries(microbatch, queries, model.get("remat", False))

    sizes = sorted({-(-rows // 2**power) for power in range(rows.bit_length() + 1)})
    if config.train.microbatch != AUTO or backend == "cpu" or model.norm == "batch":
        microbatch, line = fixed_microbatch(config.train), None
        if config.train.microbatch == AUTO and model.norm != "batch":
            most = _CPU_ACTIVATION // (math.prod(output_size) * model.features)
            size = max(size for size in sizes if size <= max(1, most))
            if size < rows:
                microbatch, line = (
                    size,
                    f"microbatch: {size} of {rows} images at once, as a CPU is fastest",
                )
        if model.query_chunk != AUTO:
            return at_once(microbatch), line
        images = min(microbatch, rows) or rows
        plan = query_plan.plan_queries(
            backend, memory_bytes, images, output_size, model, is_training=True
        )
        return with_queries(microbatch, *plan), line

    memory = query_plan.UNKNOWN_MEMORY if memory_bytes is None else memory_bytes
    guesses = [query_plan.training_bytes(size, output_size, model) for size in sizes]
    largest = largest_that_fits(
        sizes, guesses, _SHARE * memory, lambda size: planned(at_once(size))
    )
    gib = f"of the {memory / 2**30:.1f} GiB of a device"
    if largest is not None:
        size, taken = largest
        line = (
            f"microbatch: {size} of {rows} images at once ({taken / 2**30:.1f} GiB planned {gib})"
        )
        return at_once(size), line
    line = (
        f"microbatch: 1 of {rows} images at once, in parts: more would not fit into {_SHARE} {gib}"
    )
    if model.query_chunk != AUTO:
        return at_once(1), line
    plan = query_plan.in_chunks(backend, memory_bytes, 1, output_size, model)
    return with_queries(1, *plan), line


def largest_that_fits(
    sizes: Sequence[int],
    guesses: Sequence[float],
    limit: float,
    planned: Callable[[int], float],
) -> tuple[int, float] | None:
    """The largest size whose plan is within the limit, and its plan; None where none is.

    Plans grow with the size, at most in proportion to it. The first one is made for the largest size that is guessed
    to fit. A larger one is tried only while it would fit if its plan grew in proportion.

    Args:
      sizes: ascending.
      guesses: the plan of each size, more or less.
      limit: of plans.
      planned: the plan of a size; it is costly.
    """
    index = max((i for i, guess in enumerate(guesses) if guess <= limit), default=0)
    taken = planned(sizes[index])
    while taken > limit:
        if index == 0:
            return None
        index -= 1
        taken = planned(sizes[index])
        if taken <= limit:
            return sizes[index], taken
    while index + 1 < len(sizes) and taken * sizes[index + 1] / sizes[index] <= limit:
        larger = planned(sizes[index + 1])
        if larger > limit:
            break
        index, taken = index + 1, larger
    return sizes[index], taken
