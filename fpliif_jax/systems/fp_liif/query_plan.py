"""How many queries FP-LIIF's decoder decodes at once where config.model.query_chunk is 'auto'.

The number bounds the memory and decides about time; the function stays the same, and its sums are rounded in
another order. docs/speed.md has what was measured.
"""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp

# A CPU is fastest where the widest activation of a chunk stays in the cache; beyond 8192 queries nothing is gained.
_CPU_VALUES, _CPU_QUERIES = 2**20, 8192
# Without gradients larger chunks save no traffic, only starts of kernels, which are few by then.
_INFERENCE_QUERIES = 2**18
# Buffers of a chunk that live at the same time, each as wide as the widest layer, float32: the mean over the members,
# what a layer reads and writes, the first layer's input.
_INFERENCE_BUFFERS = 4
# XLA's plans of training steps take 1.4 (float32) to 1.7 (bfloat16) times the hidden activations of all members, and
# up to 2.1 times without microbatches.
_TRAINING_FACTOR = 2
_TRAINING_SHARE, _INFERENCE_SHARE = 0.8, 0.125  # of the device's memory
UNKNOWN_MEMORY = 16 * 2**30  # bytes, of a device that does not tell


class QueryPlan(NamedTuple):
    """How a grid of queries is decoded.

    Attributes:
      queries: the most at once, counted over all images of a call.
      remat: whether a chunk's activations are computed again for the gradient.
    """

    queries: int
    remat: bool


def plan_queries(
    backend: str,
    memory_bytes: int | None,
    batch: int,
    output_size: tuple[int, int],
    settings: Any,
    is_training: bool,
) -> QueryPlan:
    """The rule, a function of its arguments alone.

    - CPU: the widest activation of a chunk takes at most 4 MiB, and a chunk has at most 8192 queries.
    - Other devices, training: all at once where that takes no more than 0.8 of the memory, by an upper estimate:
      a loop over chunks copies what every chunk keeps for the gradient. Where it takes more: as without gradients,
      and what a chunk keeps is computed again (`remat`), without which chunks would save nothing.
    - Other devices, no gradient: 2¹⁸ at once, fewer where these would take more than an eighth of the memory.

    Chunks are whole rows of the grid, at least one, and divide it evenly where that makes them no more than twice
    as many: nothing is decoded for padding.

    Args:
      backend: of JAX, 'cpu', 'gpu' or 'tpu'.
      memory_bytes: of one device, as far as JAX may use it; None where that is not known.
      batch: images of a call, on one device.
      output_size: (rows, columns) of the grid of queries.
      settings: config.model, or whatever has its fields mlp_features, ensemble, dtype and remat.
      is_training: whether a gradient is taken.
    """
    if is_training and backend != "cpu":
        memory = UNKNOWN_MEMORY if memory_bytes is None else memory_bytes
        if training_bytes(batch, output_size, settings) <= _TRAINING_SHARE * memory:
            return QueryPlan(batch * math.prod(output_size), settings.remat)
        return in_chunks(backend, memory_bytes, batch, output_size, settings)
    plan = in_chunks(backend, memory_bytes, batch, output_size, settings)
    return plan._replace(remat=settings.remat)


def in_chunks(
    backend: str,
    memory_bytes: int | None,
    batch: int,
    output_size: tuple[int, int],
    settings: Any,
) -> QueryPlan:
    """The plan of `plan_queries` for a gradient whose queries do not fit at once."""
    height, width = output_size
    rows = max(1, most_queries(backend, memory_bytes, settings) // (batch * width))
    return QueryPlan(batch * width * _even_rows(height, rows), True)


def most_queries(backend: str, memory_bytes: int | None, settings: Any) -> int:
    """The most queries at once where no gradient is taken, whatever the size of the output; see `plan_queries`."""
    widest = max(settings.mlp_features)
    if backend == "cpu":
        return min(_CPU_QUERIES, _power_of_two(_CPU_VALUES // widest))
    memory = UNKNOWN_MEMORY if memory_bytes is None else memory_bytes
    affordable = int(_INFERENCE_SHARE * memory) // (_INFERENCE_BUFFERS * 4 * widest)
    return min(_INFERENCE_QUERIES, _power_of_two(affordable))


def training_bytes(batch: int, output_size: tuple[int, int], settings: Any) -> int:
    """Estimated bytes of a training step that decodes all queries at once; see `plan_queries` for the arguments."""
    members = 1 if settings.ensemble == "none" else 4
    size = jnp.dtype(settings.dtype).itemsize
    of_a_query = _TRAINING_FACTOR * members * sum(settings.mlp_features) * size
    return batch * math.prod(output_size) * of_a_query


def _even_rows(height: int, most: int) -> int:
    """The most rows of a chunk so that all chunks have as many; `most` where that would be less than half of it."""
    if most >= height:
        return height
    divisors = range(most, most // 2, -1)
    return next((rows for rows in divisors if height % rows == 0), most)


def _power_of_two(number: int) -> int:
    """The largest that is not above, at least 1."""
    return 1 << (max(1, number).bit_length() - 1)
