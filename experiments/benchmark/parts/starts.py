"""Part 'starts': from the start of a process to its first result, without and with a compilation cache that is warm."""

from fpliif_jax.experiments.benchmark import children
from fpliif_jax.experiments.benchmark.children import ChildTask
from fpliif_jax.experiments.benchmark.plan import Plan
from fpliif_jax.experiments.runs.benchmark_results import Start, Starts
from fpliif_jax.run_folder.run_config import json_config


def two_starts(plan: Plan, what: str) -> None:
    """Each round: a start with an empty cache, then one with what that left.

    Args:
      plan: what is measured.
      what: 'forward', of one image, or 'training', a step of the first stage.
    """
    own = plan.config
    task = ChildTask(what, "jax", plan.dtypes[0], own.data.image_size, 1, json_config(own))
    starts: dict[str, list[Start]] = {cache: [] for cache in children.CACHES}
    count = min(plan.rounds, children.MOST_ROUNDS)
    for number, cache, environment in children.starts(count):
        plan.tell(f"start with {cache} cache, round {number + 1} of {count}")
        starts[cache].append(children.run(task, environment))
    plan.record.add(
        Starts(what, task.dtype, **{cache: tuple(each) for cache, each in starts.items()})
    )
