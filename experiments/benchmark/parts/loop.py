"""Part 'loop': how much of the bare step's rate is left end to end.

The real loop runs for some epochs in a temporary folder: loading, augmentation, the step, metrics to the host and into
files, checkpoints. Its time is what the run's own clock counts (from the end of the first step, which compiles; without
validation and checkpoints) plus what it counts of saving checkpoints. Validation is left out: it is no training, and
how often it is done is the config's choice.

The bare step is timed before and after the loop, with the same batch again and again: with augmentation, as the loop
has it, and without. An epoch of a data set that is large is cut short (`data.train_subset`), so checkpoints are more
frequent than in a whole run.
"""

import dataclasses
import pathlib
import tempfile
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from fpliif_jax.commands.interruption import Ended, Interruption, restored_handlers
from fpliif_jax.data.batches import steps_per_epoch
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.experiments.benchmark import jax_programs, timing
from fpliif_jax.experiments.benchmark.parts import training
from fpliif_jax.experiments.benchmark.plan import Plan
from fpliif_jax.experiments.benchmark.timing import NotMeasuredError
from fpliif_jax.experiments.runs.benchmark_results import Loop
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.training import loop as training_loop
from fpliif_jax.training.progress import Progress

_FEWEST_STEPS = 8


def end_to_end(plan: Plan, seconds: float) -> None:
    """The loop's images per second beside the bare step's.

    Args:
      plan: what is measured.
      seconds: that the loop should last, about.

    Raises:
      NotMeasuredError: the training has several stages, whose steps differ.
    """
    config = plan.config
    (stage, *others) = jax_programs.stages_of(config)
    if others:
        raise NotMeasuredError("training has several stages: their steps differ")
    bare = {
        "with_augmentation": jax_programs.training_step(config, plan.variables, stage),
        "without_augmentation": _without_augmentation(plan),
    }
    plan.tell("bare step, before the loop")
    before = {name: timing.seconds_a_call(step, plan.seconds) for name, step in bare.items()}
    bounded = _bounded(config, len(plan.train_split), before["with_augmentation"], seconds)
    plan.tell("the training loop")
    measured = _run(bounded)
    plan.tell("bare step, after the loop")
    after = {name: timing.seconds_a_call(step, plan.seconds) for name, step in bare.items()}
    rates = {
        name: config.train.batch_size / float(np.mean([before[name], after[name]])) for name in bare
    }
    shares = {name: measured.images_per_second / rate for name, rate in rates.items()}
    plan.record.add(dataclasses.replace(measured, bare_images_per_second=rates, share=shares))


def _without_augmentation(plan: Plan) -> timing.Program:
    config = training.without_augmentation(plan.config)
    (stage,) = jax_programs.stages_of(config)
    return jax_programs.training_step(config, plan.variables, stage)


def _bounded(config: ConfigDict, images: int, step_seconds: float, seconds: float) -> ConfigDict:
    """The config with as many epochs as fit into the seconds; with fewer images where not even one does."""
    batch = config.train.batch_size
    steps = max(_FEWEST_STEPS, round(seconds / step_seconds))
    per_epoch = steps_per_epoch(images, batch)
    fields: dict[str, Any] = {"train__epochs": max(1, steps // per_epoch)}
    if steps < per_epoch:
        fields["data__train_subset"] = steps * batch
    fields["train__validate_every_epochs"] = fields["train__epochs"]  # once, at the end
    return jax_programs.with_fields(config, **fields)


def _run(config: ConfigDict) -> Loop:
    """Trains, and gives the loop's images per second with what they are made of; of the bare step nothing."""
    saving: list[float] = []
    dataset = load_dataset(config.data)
    with restored_handlers(), tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        workdir, interruption = pathlib.Path(folder), Interruption()
        training_loop.train(config, workdir, dataset, interruption, saving)
        if interruption.requested:
            raise Ended(interruption.exit_code)
        saved = checkpoint.read_progress(workdir, "last")
        progress = Progress.from_json(saved or {}, workdir)
    totals, images = progress.train, progress.timed_images
    if not images:
        raise NotMeasuredError("the loop had one step, which compiles")
    return Loop(
        epochs=totals.epochs,
        steps=totals.steps,
        images=images,
        seconds_of_steps=totals.seconds,
        seconds_of_each_checkpoint=tuple(saving),
        images_per_second=images / (totals.seconds + sum(saving)),
        images_per_second_without_checkpoints=images / totals.seconds,
        bare_images_per_second={},
        share={},
    )
