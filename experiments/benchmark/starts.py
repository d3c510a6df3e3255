"""Part 'starts': from the start of a process to its first result, without and with a compilation cache that is warm."""

import tempfile

from fpliif_jax.experiments.benchmark import children
from fpliif_jax.experiments.benchmark.children import ChildTask
from fpliif_jax.experiments.benchmark.plan import Plan
from fpliif_jax.experiments.runs.benchmark_results import Start, Starts
from fpliif_jax.run_folder.run_config import json_config

_MOST_ROUNDS = 3  # a round takes two starts, each of several seconds


def two_starts(plan: Plan, what: str) -> None:
    """Each round: a start with an empty cache, then one with what that left.

    Args:
      plan: what is measured.
      what: 'forward', of one image, or 'training', a step of the first stage.
    """
    own = plan.config
    task = ChildTask(what, "jax", plan.dtypes[0], own.data.image_size, 1, json_config(own))
    starts: dict[str, list[Start]] = {"empty": [], "warm": []}
    count = min(plan.rounds, _MOST_ROUNDS)
    for number in range(1, count + 1):
        with tempfile.TemporaryDirectory(prefix="benchmark-cache-") as folder:
            for name, own_starts in starts.items():
                plan.tell(f"start with {name} cache, round {number} of {count}")
                own_starts.append(children.run(task, {"JAX_COMPILATION_CACHE_DIR": folder}))
    plan.record.add(
        Starts(what, task.dtype, **{name: tuple(each) for name, each in starts.items()})
    )
