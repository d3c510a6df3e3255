"""Part 'training': the step of every stage, and FP-LIIF's step without augmentation beside PyTorch's."""

from ml_collections import ConfigDict

from fpliif_jax.devices import parallel
from fpliif_jax.experiments.benchmark import jax_programs, torch_programs
from fpliif_jax.experiments.benchmark.parts.forward import record_ratios, torch_config
from fpliif_jax.experiments.benchmark.plan import Plan
from fpliif_jax.experiments.benchmark.timing import Candidate
from fpliif_jax.experiments.benchmark.torch_programs import TorchVariant
from fpliif_jax.experiments.runs.benchmark_results import About
from fpliif_jax.systems.step_numbers import fixed_microbatch


def steps(plan: Plan, dtype: str) -> None:
    """The real step of each stage, augmentation included."""
    config = plan.with_dtype(dtype)
    for stage in jax_programs.stages_of(config):
        candidate = Candidate(
            jax_programs.NAME,
            lambda stage=stage: jax_programs.training_step(config, plan.variables, stage),
        )
        about = About(part="step", stage=stage.name, output_size=stage.label_size, dtype=dtype)
        plan.measure([candidate], pipelined=True, about=about)


def gradients(plan: Plan, dtype: str) -> None:
    """Loss, gradients and Adam, without augmentation: JAX and PyTorch in turn.

    JAX runs it on all devices of this process, PyTorch on one; batch and images per second are one device's.
    """
    config = without_augmentation(plan.with_dtype(dtype))
    (stage,) = jax_programs.stages_of(config)
    microbatch = fixed_microbatch(config.train)
    rows = parallel.rows_per_device(config.train.batch_size, microbatch)
    batch = jax_programs.random_batch(config, stage, config.train.batch_size)
    batch = {name: leaf[:rows] for name, leaf in batch.items()}
    program = jax_programs.training_step
    candidates = [Candidate(jax_programs.NAME, lambda: program(config, plan.variables, stage))]

    def build(variant: TorchVariant) -> Candidate:
        return Candidate(
            variant.name,
            lambda: torch_programs.gradient_step(
                torch_config(plan), plan.variables, batch, variant, dtype
            ),
        )

    candidates += [build(variant) for variant in plan.torch_variants]
    about = About(part="gradient", output_size=stage.label_size, dtype=dtype)
    timings = plan.measure(candidates, pipelined=True, about=about)
    record_ratios(plan, timings, about)


def without_augmentation(config: ConfigDict) -> ConfigDict:
    """A copy of FP-LIIF's config whose step is the loss, its gradients and Adam."""
    return jax_programs.with_fields(config, augment__enabled=False)
