"""Microbatch, query chunk and remat of FP-LIIF's training steps, where the config leaves them 'auto'."""

import math
from collections.abc import Callable, Mapping

import ml_collections

from fpliif_jax.fields.setting_ranges import AUTO
from fpliif_jax.systems.fp_liif import query_plan
from fpliif_jax.systems.step_numbers import (
    MICROBATCH,
    Chosen,
    Planned,
    StepNumbers,
    fixed_microbatch,
)

QUERY_CHUNK, REMAT = "model.query_chunk", "model.remat"
# Of the memory that JAX may use: the rest is for the batches that wait, and for gaps between buffers.
_SHARE = 0.85
# A CPU is fastest where an activation of the encoder at full size stays in the cache: 8 MiB in float32.
_CPU_ACTIVATION = 2**21


def choose(
    config: ml_collections.ConfigDict,
    rows: int,
    backend: str,
    memory_bytes: int | None,
    planned: Planned,
) -> Chosen:
    """The rule.

    config.train.microbatch='auto' is, on GPUs and TPUs, the most of a device's rows whose step is planned to fit into
    0.85 of its memory, by halves, without a loop over query chunks; where not even one image fits so, one image in
    chunks. On CPUs it is the most, by halves, whose activations at full size have no more than 2²¹ values. Where that
    is all of the rows, and with batch norm, which has to see the whole batch, it is 0.

    Args:
      config: of the experiment.
      rows: of a batch, on one device.
      backend: of JAX.
      memory_bytes: of one device, the same in every process; None where that is not known.
      planned: see `Planned`.
    """
    model, output_size = config.model, (config.data.image_size, config.data.image_size)

    def with_queries(microbatch: int, queries: int, remat: bool) -> StepNumbers:
        return {MICROBATCH: microbatch, QUERY_CHUNK: queries, REMAT: remat}

    def at_once(microbatch: int) -> StepNumbers:
        queries = microbatch * math.prod(output_size)
        queries = queries if model.query_chunk == AUTO else model.query_chunk
        return with_queries(microbatch, queries, model.remat)

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
    guesses = {size: query_plan.training_bytes(size, output_size, model) for size in sizes}
    largest = largest_that_fits(
        guesses, _SHARE * memory, lambda size: planned(at_once(size), guesses[size])
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
    guesses: Mapping[int, float],
    limit: float,
    planned: Callable[[int], float],
) -> tuple[int, float] | None:
    """The largest size whose plan is within the limit, and its plan; None where none is.

    Plans grow with the size, at most in proportion to it. The first one is made for the largest size that is guessed
    to fit. A larger one is tried only while it would fit if its plan grew in proportion.

    Args:
      guesses: the plan of each size, more or less; sizes ascending.
      limit: of plans.
      planned: the plan of a size; it is costly.
    """
    sizes = list(guesses)
    index = max((i for i, size in enumerate(sizes) if guesses[size] <= limit), default=0)
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
