"""Part 'pipeline': the loader alone, batches of shuffled examples from the memory-mapped cache."""

from collections.abc import Iterator

from fpliif_jax import parallel
from fpliif_jax.data import input_pipeline
from fpliif_jax.experiments.benchmark import jax_programs
from fpliif_jax.experiments.benchmark.plan import Plan
from fpliif_jax.experiments.benchmark.timing import Candidate, Program
from fpliif_jax.systems.stage import Stage
from fpliif_jax.training import fitting

_EPOCHS = 1_000_000  # more than anyone waits for


def loader(plan: Plan) -> None:
    """Images per second of the loader of the first stage; it is the same for all."""
    stage = jax_programs.stages_of(plan.config)[0]
    split = plan.train_split
    per_epoch = input_pipeline.steps_per_epoch(len(split), stage.settings.batch_size, stage.copies)

    def build() -> Program:
        batches = _batches(plan, split, stage, per_epoch)
        images = len(split) * stage.copies / per_epoch  # the last batch of an epoch has fewer
        return Program(start=lambda: next(batches), wait=lambda batch: None, images=images)

    plan.measure([Candidate("loader", build)], pipelined=True, about={"part": "pipeline"})


def _batches(
    plan: Plan, split: input_pipeline.Split, stage: Stage, steps_per_epoch: int
) -> Iterator[input_pipeline.Batch]:
    own = stage.settings
    return input_pipeline.train_batches(
        split,
        label_size=stage.label_size,
        batch_size=own.batch_size,
        rows=parallel.local_rows(own.batch_size, fitting.fixed_microbatch(own)),
        seed=plan.config.seeds.data_order,
        first_step=0,
        last_step=_EPOCHS * steps_per_epoch,
        copies=stage.copies,
    )
