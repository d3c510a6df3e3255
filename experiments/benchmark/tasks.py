"""A benchmark as a list of tasks, in the order in which they are done."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import jax

from fpliif_jax import systems
from fpliif_jax.experiments.benchmark import (
    arithmetic,
    comparison,
    forward,
    jax_programs,
    loop,
    memory,
    one_face,
    onnx_programs,
    pipeline,
    starts,
    torch_programs,
    training,
)
from fpliif_jax.experiments.benchmark.plan import Plan

_CALLS = 5  # of the forward pass that a trace shows


@dataclasses.dataclass(frozen=True)
class Task:
    """Something to measure.

    Attributes:
      about: what tells it from the others, where it fails: 'part', 'dtype', 'output_size', …
      run: measures and records it.
    """

    about: dict[str, Any]
    run: Callable[[], None]

    def __str__(self) -> str:
        return " ".join(str(value) for value in self.about.values())


def needs_data(plan: Plan) -> bool:
    """Whether anything of it cannot be measured without the config's data set."""
    # Faces lie differently on a canvas, and so cost differently.
    of_faces = "latency" in plan.parts and not _decodes_any_size(plan)
    return bool({"pipeline", "loop"} & set(plan.parts)) or of_faces


def make_tasks(plan: Plan, loop_seconds: float) -> list[Task]:
    """All of the plan's; parts that are about output sizes are left out for systems that have but one."""
    makers = {
        "latency": _latency,
        "throughput": _throughput,
        "training": _training,
        "memory": _memory,
        "starts": _starts,
        "pipeline": lambda plan: [Task({"part": "pipeline"}, lambda: pipeline.loader(plan))],
        "loop": lambda plan: [Task({"part": "loop"}, lambda: loop.end_to_end(plan, loop_seconds))],
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
    content = plan.record.content
    ours = [
        entry
        for entry in content.get("measurements", [])
        if entry["candidate"] == jax_programs.NAME and not entry["not_measured"]
    ]
    for dtype in plan.dtypes:
        entries = [e for e in ours if e["part"] == "latency" and e["dtype"] == dtype]
        pixels = [entry["output_size"] ** 2 for entry in entries]
        seconds = [entry["median_seconds"] for entry in entries]
        line = comparison.straight_line(pixels, seconds)
        if line:
            plan.record.add("fits", {"of": "output pixels", "dtype": dtype, **line})
    for trials in content.get("batches", []):
        if trials["candidate"] != jax_programs.NAME:
            continue
        line = comparison.straight_line(
            [trial["batch"] for trial in trials["trials"]],
            [trial["seconds"] for trial in trials["trials"]],
        )
        if line:
            about = {name: trials[name] for name in ("output_size", "dtype")}
            plan.record.add("fits", {"of": "batch", **about, **line})


def _decodes_any_size(plan: Plan) -> bool:
    return systems.of(plan.config).decodes_any_size


def _cases(plan: Plan, part: str, run: Callable[[Plan, int, str], None]) -> list[Task]:
    return [
        Task(
            {"part": part, "output_size": size, "dtype": dtype},
            lambda size=size, dtype=dtype: run(plan, size, dtype),
        )
        for dtype in plan.dtypes
        for size in plan.sizes
    ]


def _latency(plan: Plan) -> list[Task]:
    if not _decodes_any_size(plan):
        return [Task({"part": "latency"}, lambda: one_face.one_face(plan))]
    made = []
    others = {torch_programs.NAME: plan.torch_variants, onnx_programs.NAME: plan.has_onnx}
    for name in (name for name, takes_part in others.items() if takes_part):
        about = {"part": "agreement", "candidate": name}
        made.append(Task(about, lambda name=name: forward.agreement(plan, name)))
    made += _cases(plan, "latency", forward.latency)
    for dtype in plan.dtypes:
        made += [
            Task(
                {"part": "peak arithmetic", "dtype": dtype},
                lambda dtype=dtype: arithmetic.peak(plan, dtype),
            ),
            Task(
                {"part": "images in a row", "dtype": dtype},
                lambda dtype=dtype: forward.calls_in_a_row(plan, dtype),
            ),
        ]
    made.append(Task({"part": "operations"}, lambda: arithmetic.operations(plan)))
    return made


def _throughput(plan: Plan) -> list[Task]:
    return _cases(plan, "throughput", forward.throughput) if _decodes_any_size(plan) else []


def _training(plan: Plan) -> list[Task]:
    made = []
    for dtype in plan.dtypes:
        about = {"part": "step", "dtype": dtype}
        made.append(Task(about, lambda dtype=dtype: training.steps(plan, dtype)))
        if _decodes_any_size(plan):
            about = {"part": "gradient", "dtype": dtype}
            made.append(Task(about, lambda dtype=dtype: training.gradients(plan, dtype)))
    return made


def _memory(plan: Plan) -> list[Task]:
    if not _decodes_any_size(plan):
        return []
    own = plan.config.data.image_size
    made = []
    for dtype in plan.dtypes:
        for size in sorted({own, *plan.sizes, *memory.LARGE_SIZES}):
            about = {"part": "planned memory", "output_size": size, "dtype": dtype}
            made.append(
                Task(about, lambda size=size, dtype=dtype: memory.planned(plan, size, dtype))
            )
        # On a CPU, large outputs would take minutes each.
        large = () if jax.default_backend() == "cpu" else memory.LARGE_SIZES
        cases = [("forward", size) for size in (own, *large)] + [("gradient", own)]
        for what, size in cases:
            about = {"part": "peak memory", "what": what, "output_size": size, "dtype": dtype}
            made.append(
                Task(
                    about,
                    lambda what=what, size=size, dtype=dtype: memory.measured(
                        plan, what, size, dtype
                    ),
                )
            )
    return made


def _starts(plan: Plan) -> list[Task]:
    whats = ("forward", "training") if _decodes_any_size(plan) else ("training",)
    return [
        Task({"part": "starts", "what": what}, lambda what=what: starts.two_starts(plan, what))
        for what in whats
    ]
