"""Part 'pipeline': the loader alone, batches of shuffled examples from the memory-mapped cache."""

from collections.abc import Iterator

from fpliif_jax.data.batches import Batch, EpochOrder, steps_per_epoch, train_batches
from fpliif_jax.data.resized_split import Split
from fpliif_jax.devices import parallel
from fpliif_jax.experiments.benchmark import jax_programs
from fpliif_jax.experiments.benchmark.plan import Plan
from fpliif_jax.experiments.benchmark.timing import Candidate, Program
from fpliif_jax.experiments.runs.benchmark_results import About
from fpliif_jax.systems.stage import Stage
from fpliif_jax.systems.step_numbers import fixed_microbatch

_EPOCHS = 1_000_000  # more than anyone waits for


def loader(plan: Plan) -> None:
    """Images per second of the loader of the first stage; it is the same for all."""
    stage = jax_programs.stages_of(plan.config)[0]
    split = plan.train_split
    per_epoch = steps_per_epoch(len(split), stage.settings.batch_size, stage.copies)

    def build() -> Program:
        batches = _batches(plan, split, stage, per_epoch)
        images = len(split) * stage.copies / per_epoch  # the last batch of an epoch has fewer
        return Program(start=lambda: next(batches), wait=lambda batch: None, images=images)

    plan.measure([Candidate("loader", build)], pipelined=True, about=About(part="pipeline"))


def _batches(plan: Plan, split: Split, stage: Stage, steps_per_epoch: int) -> Iterator[Batch]:
    own = stage.settings
    return train_batches(
        split,
        stage.label_size,
        EpochOrder(own.batch_size, plan.config.seeds.data_order, stage.copies),
        local_slice=parallel.local_rows(own.batch_size, fixed_microbatch(own)),
        steps=range(_EPOCHS * steps_per_epoch),
    )
