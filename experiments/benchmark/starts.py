"""Part 'starts': from the start of a process to its first result, without and with a compilation cache that is warm."""

import tempfile
from typing import Any

from fpliif_jax.experiments.benchmark import children
from fpliif_jax.experiments.benchmark.plan import Plan

_MOST_ROUNDS = 3  # a round takes two starts, each of several seconds


def two_starts(plan: Plan, what: str) -> None:
    """Each round: a start with an empty cache, then one with what that left.

    Args:
      plan: what is measured.
      what: 'forward', of one image, or 'training', a step of the first stage.
    """
    task = {
        "what": what,
        "framework": "jax",
        "dtype": plan.dtypes[0],
        "output_size": plan.config.data.image_size,
        "batch": 1,
        "config": plan.config,
    }
    rounds: list[dict[str, Any]] = []
    count = min(plan.rounds, _MOST_ROUNDS)
    for number in range(1, count + 1):
        with tempfile.TemporaryDirectory(prefix="benchmark-cache-") as folder:
            answers = {}
            for name in ("empty", "warm"):
                plan.tell(f"start with {name} cache, round {number} of {count}")
                answers[name] = children.run(task, {"JAX_COMPILATION_CACHE_DIR": folder})
            rounds.append(answers)
    fields = ("seconds_from_start", "seconds_of_importing", "compile_seconds")
    plan.record.add(
        "starts",
        {
            "what": what,
            "dtype": task["dtype"],
            **{
                name: [{field: each[name][field] for field in fields} for each in rounds]
                for name in ("empty", "warm")
            },
        },
    )
