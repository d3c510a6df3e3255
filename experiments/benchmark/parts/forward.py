"""Parts 'latency' and 'throughput': FP-LIIF's forward pass, beside others' in the same rounds."""

import time
from collections.abc import Callable

import numpy as np
from ml_collections import ConfigDict

from fpliif_jax.experiments.benchmark import (
    comparison,
    jax_programs,
    onnx_programs,
    timing,
    torch_programs,
)
from fpliif_jax.experiments.benchmark.plan import Plan
from fpliif_jax.experiments.benchmark.timing import Candidate, Program, Timed
from fpliif_jax.experiments.benchmark.torch_programs import TorchVariant
from fpliif_jax.experiments.runs.benchmark_results import About, Agreement, Batches, Trial

_LONGEST_CALL = 10.0  # seconds; larger batches are not tried
_GROWTH = 1.03  # of images per second, that is worth a larger batch
_FEWEST_BATCHES = 3  # are timed where none takes too long: three places make a line
_SEARCH_SECONDS = 0.2
_CALLS = (1, 2, 4, 8, 16)

Build = Callable[[int], Program]


def latency(plan: Plan, output_size: int, dtype: str) -> None:
    """One image, one call at a time."""
    about = About(part="latency", output_size=output_size, dtype=dtype)
    builds = _builds(plan, output_size, dtype)
    candidates = [
        Candidate(name, lambda build=build: build(1)) for name, (build, _) in builds.items()
    ]
    timings = plan.measure(candidates, pipelined=False, about=about)
    record_ratios(plan, timings, about)


def throughput(plan: Plan, output_size: int, dtype: str) -> None:
    """The batch that gives most images per second, of each candidate by itself.

    For torch.compile it is the batch of the same layout without it: compiling for every batch would
    take longer than all other measurements.
    """
    about = About(part="throughput", output_size=output_size, dtype=dtype)
    best: dict[str, int] = {}
    candidates = []
    for name, (build, like) in _builds(plan, output_size, dtype).items():
        if like in best:
            candidates.append(Candidate(name, lambda build=build, batch=best[like]: build(batch)))
            continue
        trials, problem, program = _search(plan, name, build)
        plan.record.add(
            Batches(**vars(about), candidate=name, trials=tuple(trials), ended_by=problem)
        )
        best[name] = int(program.images) if program else 1
        # Where not even one image could be tried, the next try records why.
        candidates.append(Candidate(name, lambda build=build, own=program: own or build(1)))
    timings = plan.measure(candidates, pipelined=True, about=about)
    record_ratios(plan, timings, about)


def calls_in_a_row(plan: Plan, dtype: str) -> None:
    """Seconds of 1, 2, 4, … images one after the other, for the line through them."""
    size = plan.config.data.image_size
    program = jax_programs.forward(plan.with_dtype(dtype), plan.variables, size, 1)
    program.call()
    seconds: list[list[float]] = [[] for _ in _CALLS]
    for number in range(plan.rounds):
        plan.tell(f"images in a row: round {number + 1} of {plan.rounds}")
        for index, calls in enumerate(_CALLS):
            started = time.perf_counter()
            for _ in range(calls):
                program.call()
            seconds[index].append(time.perf_counter() - started)
    medians = [float(np.median(values)) for values in seconds]
    points = list(zip(_CALLS, medians, strict=True))
    plan.record.add(comparison.straight_line("images", points, dtype, size))


def agreement(plan: Plan, name: str) -> None:
    """How far another one's logits are from JAX's: what is compared must be the same function.

    Args:
      plan: of the benchmark.
      name: 'PyTorch' or 'ONNX Runtime'.
    """
    size = plan.config.data.image_size
    config = plan.with_dtype("float32")
    images = jax_programs.random_images(config, 1)
    ours = jax_programs.logits(config, plan.variables, images, size)
    programs = onnx_programs if name == onnx_programs.NAME else torch_programs
    theirs = programs.logits(config, plan.variables, images, size)
    plan.record.add(
        Agreement(
            with_=name,
            output_size=size,
            largest_difference=float(np.abs(ours - theirs).max()),
            largest_logit=float(np.abs(theirs).max()),
        )
    )


def record_ratios(plan: Plan, timings: list[Timed], about: About) -> None:
    """Records how many times as fast the first candidate, JAX, is as each of the others."""
    ours, *others = timings
    for theirs in others:
        if not (ours.problem or theirs.problem):
            plan.record.add(comparison.paired_ratio(about, ours, theirs))


def torch_config(plan: Plan) -> ConfigDict:
    """The config for PyTorch: the type is autocast's affair."""
    return plan.with_dtype("float32")


def _builds(plan: Plan, output_size: int, dtype: str) -> dict[str, tuple[Build, str | None]]:
    """Each candidate's function that makes its program for a batch, and the candidate whose best batch it uses."""
    config = plan.with_dtype(dtype)
    builds: dict[str, tuple[Build, str | None]] = {
        jax_programs.NAME: (
            lambda batch: jax_programs.forward(config, plan.variables, output_size, batch),
            None,
        )
    }
    for variant in plan.torch_variants:

        def build(batch: int, variant: TorchVariant = variant) -> Program:
            return torch_programs.forward(
                torch_config(plan), plan.variables, output_size, batch, variant, dtype
            )

        like = TorchVariant(False, variant.channels_last).name if variant.compiled else None
        builds[variant.name] = (build, like)
    if plan.has_onnx:
        builds[onnx_programs.NAME] = (
            lambda batch: onnx_programs.forward(config, plan.variables, output_size, batch),
            None,
        )
    return builds


def _search(plan: Plan, name: str, build: Build) -> tuple[list[Trial], str, Program | None]:
    """Doubles the batch until images per second stop growing.

    Returns:
      The trials, what ended them, and the program of the best of them.
    """
    trials: list[Trial] = []
    best_rate, best, batch = 0.0, None, 1
    while batch <= plan.max_batch:
        plan.tell(f"{name}: trying batch {batch}")
        try:
            program = build(batch)
            seconds = timing.seconds_a_call(program, min(_SEARCH_SECONDS, plan.seconds))
        except Exception as error:  # out of memory, above all
            return trials, timing.reason(error), best
        rate = batch / seconds
        trials.append(Trial(batch, seconds, rate))
        has_grown = rate > _GROWTH * best_rate
        if rate > best_rate:
            best_rate, best = rate, program
        if 2 * seconds > _LONGEST_CALL:
            ended = f"a call of {2 * batch} images would take over {_LONGEST_CALL:g} s"
            return trials, ended, best
        if len(trials) >= _FEWEST_BATCHES and not has_grown:
            return trials, "images per second stopped growing", best
        batch *= 2
    return trials, f"--max_batch is {plan.max_batch}", best
