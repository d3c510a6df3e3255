"""Part 'memory': what XLA plans for a forward pass, and the peak of fresh processes that do one thing once."""

import statistics
from collections.abc import Iterator

import jax
import numpy as np

from fpliif_jax import systems
from fpliif_jax.experiments.benchmark import children, jax_programs
from fpliif_jax.experiments.benchmark.children import ChildTask
from fpliif_jax.experiments.benchmark.plan import Plan
from fpliif_jax.experiments.benchmark.timing import NotMeasuredError
from fpliif_jax.experiments.benchmark.torch_programs import VARIANTS, TorchVariant
from fpliif_jax.experiments.runs.benchmark_results import PeakMemory, PlannedMemory, Start
from fpliif_jax.run_folder.run_config import json_config

LARGE_SIZES = (1024, 2048)
_ALL_QUERIES = 10**9  # at once, the most that may be asked for: without chunking


def planned(plan: Plan, output_size: int, dtype: str) -> None:
    """Bytes that the compiled forward pass of one image reserves, as configured and without chunks.

    It is compiled, not run, up to the logits, which are the output and grow with it. They are
    decoded in chunks of `config.model.query_chunk` queries: what else grows with the output is
    for the table to show.
    """
    config = plan.with_dtype(dtype)
    whole = jax_programs.with_fields(config, model__query_chunk=_ALL_QUERIES)
    variables = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype), plan.variables
    )
    (images,) = systems.of(config).network.input_shapes(config.model, config.data.image_size)
    plans = []
    for name, own in (("chunked", config), ("in one", whole)):
        plan.tell(f"compiling for {output_size}², {name}")
        logits = jax_programs.logits_of(own, output_size)
        plans.append(jax_programs.compile_ahead(logits, variables, images)[1])
    plan.record.add(PlannedMemory(output_size, dtype, 1, *plans))


def measured(plan: Plan, what: str, output_size: int, dtype: str) -> None:
    """Peaks of fresh processes: medians over rounds in which the candidates take turns.

    JAX is measured where it has to compile, and where it finds what that has left.

    Args:
      plan: what is measured.
      what: 'forward' or 'gradient'.
      output_size: of the forward pass.
      dtype: of activations.
    """
    own = plan.config
    batch = 1 if what == "forward" else own.train.batch_size
    peaks: dict[str, list[Start]] = {}
    problems: dict[str, str] = {}
    for number in range(rounds := min(plan.rounds, children.MOST_ROUNDS)):
        for name, framework, variant, environment in _candidates(plan):
            plan.tell(f"{name}: peak of a process, round {number + 1} of {rounds}")
            task = ChildTask(what, framework, dtype, output_size, batch, json_config(own), variant)
            answers = peaks.setdefault(name, [])
            try:
                answers.append(children.run(task, environment))
            except NotMeasuredError as error:
                problems[name] = str(error)
    for name, answers in peaks.items():
        answers = [] if name in problems else answers
        residents = [one.resident_bytes for one in answers]
        plan.record.add(
            PeakMemory(
                part="memory",
                what=what,
                output_size=output_size,
                dtype=dtype,
                batch=batch,
                candidate=name,
                resident_bytes=_median(residents),
                device_bytes=_median([one.device_bytes for one in answers]),
                not_measured=problems.get(name),
                rounds=tuple(residents),
            )
        )


def _median(values: list[int | None]) -> int | None:
    """Median, the lower of the two in the middle; None where a process could not tell."""
    known = [value for value in values if value is not None]
    return statistics.median_low(known) if known and len(known) == len(values) else None


def _candidates(plan: Plan) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """JAX, and PyTorch's variants in the usual layout: (name, framework, key of the variant or '', environment)."""
    for _, cache, environment in children.starts(1):
        suffix = {"empty": "", "warm": ", compiled before"}[cache]
        yield f"{jax_programs.NAME}{suffix}", "jax", "", environment
    keys: dict[TorchVariant, str] = {variant: key for key, variant in VARIANTS.items()}
    for variant in plan.torch_variants:
        if not variant.channels_last:
            yield variant.name, "torch", keys[variant], {}
