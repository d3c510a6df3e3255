"""A benchmark as a list of tasks, in the order in which they are done."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any

import jax

from fpliif_jax import systems
from fpliif_jax.experiments.benchmark import comparison, jax_programs, onnx_programs, torch_programs
from fpliif_jax.experiments.benchmark.parts import (
    arithmetic,
    forward,
    loop,
    memory,
    one_face,
    pipeline,
    starts,
    training,
)
from fpliif_jax.experiments.benchmark.plan import Plan
from fpliif_jax.experiments.runs import benchmark_results
from fpliif_jax.experiments.runs.benchmark_results import About, Batches, Measurement

_CALLS = 5  # of the forward pass that a trace shows


@dataclasses.dataclass(frozen=True)
class Task:
    """Something to measure.

    Attributes:
      about: what tells it from the others, where it fails.
      run: measures and records it.
    """

    about: About
    run: Callable[[], None]

    def __str__(self) -> str:
        return benchmark_results.about(self.about)


def needs_data(plan: Plan) -> bool:
    """Whether anything of it cannot be measured without the config's data set."""
    # Faces lie differently on a canvas, and so cost differently.
    of_faces = "latency" in plan.parts and not _decodes_any_size(plan)
    return bool({"pipeline", "loop"} & set(plan.parts)) or of_faces


def make_tasks(plan: Plan, loop_seconds: float) -> list[Task]:
    """All tasks of the plan; parts that are about output sizes are left out for systems that have but one."""
    makers = {
        "latency": _latency,
        "throughput": _throughput,
        "training": _training,
        "memory": _memory,
        "starts": _starts,
        "pipeline": lambda plan: [_task(pipeline.loader, plan, part="pipeline")],
        "loop": lambda plan: [_task(loop.end_to_end, plan, loop_seconds, part="loop")],
    }
    return [task for part in plan.parts for task in makers[part](plan)]


def run_task(plan: Plan, task: Task) -> None:
    """Runs it; one that fails is recorded as not measured and stops no other."""
    if plan.torch_variants:
        torch_programs.forget_compiled()
    try:
        task.run()
    except Exception as error:
        plan.failed(task.about, error)


def trace(plan: Plan, folder: pathlib.Path) -> None:
    """Writes a trace of a few forward passes, for TensorBoard's profiler or Perfetto."""
    config = plan.with_dtype(plan.dtypes[0])
    program = jax_programs.forward(config, plan.variables, plan.sizes[-1], 1)
    program.call()
    with jax.profiler.trace(str(folder)):
        for _ in range(_CALLS):
            program.call()


def fit_lines(plan: Plan) -> None:
    """Straight lines of JAX's seconds against output pixels and against the batch."""
    fits = []
    for dtype in plan.dtypes:
        points = [
            (one.output_size**2, one.median_seconds)
            for one in plan.record.all_of(Measurement)
            if (one.part, one.dtype, one.candidate) == ("latency", dtype, jax_programs.NAME)
            and one.output_size
            and one.median_seconds is not None
        ]
        fits.append(comparison.straight_line("output pixels", points, dtype))
    for search in plan.record.all_of(Batches):
        if search.candidate == jax_programs.NAME and search.dtype:
            points = [(trial.batch, trial.seconds) for trial in search.trials]
            fits.append(comparison.straight_line("batch", points, search.dtype, search.output_size))
    for fit in filter(None, fits):
        plan.record.add(fit)


def _decodes_any_size(plan: Plan) -> bool:
    return systems.of(plan.config).inference.decodes_any_size


def _task(run: Callable[..., None], plan: Plan, *arguments: Any, **about: Any) -> Task:
    """A task that calls `run` with the plan and the arguments; `about` are the fields of `About`."""
    return Task(About(**about), functools.partial(run, plan, *arguments))


def _cases(plan: Plan, part: str, run: Callable[[Plan, int, str], None]) -> list[Task]:
    return [
        _task(run, plan, size, dtype, part=part, output_size=size, dtype=dtype)
        for dtype in plan.dtypes
        for size in plan.sizes
    ]


def _latency(plan: Plan) -> list[Task]:
    if not _decodes_any_size(plan):
        return [_task(one_face.one_face, plan, part="latency")]
    others = {torch_programs.NAME: plan.torch_variants, onnx_programs.NAME: plan.has_onnx}
    made = [
        _task(forward.agreement, plan, name, part="agreement", what=name)
        for name, takes_part in others.items()
        if takes_part
    ]
    made += _cases(plan, "latency", forward.latency)
    for dtype in plan.dtypes:
        made += [
            _task(arithmetic.peak, plan, dtype, part="peak arithmetic", dtype=dtype),
            _task(forward.calls_in_a_row, plan, dtype, part="images in a row", dtype=dtype),
        ]
    return [*made, _task(arithmetic.operations, plan, part="operations")]


def _throughput(plan: Plan) -> list[Task]:
    return _cases(plan, "throughput", forward.throughput) if _decodes_any_size(plan) else []


def _training(plan: Plan) -> list[Task]:
    made = []
    for dtype in plan.dtypes:
        made.append(_task(training.steps, plan, dtype, part="step", dtype=dtype))
        if _decodes_any_size(plan):
            made.append(_task(training.gradients, plan, dtype, part="gradient", dtype=dtype))
    return made


def _memory(plan: Plan) -> list[Task]:
    if not _decodes_any_size(plan):
        return []
    own = plan.config.data.image_size
    made = []
    for dtype in plan.dtypes:
        for size in sorted({own, *plan.sizes, *memory.LARGE_SIZES}):
            about = {"part": "planned memory", "output_size": size, "dtype": dtype}
            made.append(_task(memory.planned, plan, size, dtype, **about))
        # On a CPU, large outputs would take minutes each.
        large = () if jax.default_backend() == "cpu" else memory.LARGE_SIZES
        forward_sizes = sorted({own, *plan.sizes, *large})
        for what, size in [*(("forward", size) for size in forward_sizes), ("gradient", own)]:
            about = {"part": "peak memory", "what": what, "output_size": size, "dtype": dtype}
            made.append(_task(memory.measured, plan, what, size, dtype, **about))
    return made


def _starts(plan: Plan) -> list[Task]:
    whats = ("forward", "training") if _decodes_any_size(plan) else ("training",)
    return [_task(starts.two_starts, plan, what, part="starts", what=what) for what in whats]
