"""The training loop: a run goes through its stages, and can be stopped and gone on with at any step."""

import contextlib
import math
import pathlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from absl import logging

from fpliif_jax import systems
from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.data.dataset import Dataset
from fpliif_jax.devices import parallel
from fpliif_jax.fields import config_fields
from fpliif_jax.run_folder import checkpoint, earlier_results
from fpliif_jax.run_folder.inference_checkpoint import load_for_inference
from fpliif_jax.run_folder.run_record import MetricsLog, environment, first_start, write_json
from fpliif_jax.run_folder.same_run import check_may_begin, check_same_run
from fpliif_jax.systems import create_model
from fpliif_jax.systems.stage import Stage
from fpliif_jax.training import records
from fpliif_jax.training.optimizer import learning_rate_schedule
from fpliif_jax.training.prepare import PreparedStage, Run, prepare_stage
from fpliif_jax.training.progress import Progress, Stopwatch
from fpliif_jax.training.step import State
from fpliif_jax.training.step_bar import StepBar


def train(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    dataset: Dataset,
    interruption: Interruption,
    saving: list[float] | None = None,
) -> bool:
    """Trains all stages, from where an earlier session of the same run stopped.

    Args:
      config: the run's settings.
      workdir: the run's folder.
      dataset: prepared.
      interruption: says when to stop early.
      saving: gets the seconds of each checkpoint.

    Returns:
      True when training is finished, False when it was interrupted and saved.

    Raises:
      CheckpointError: the folder holds another run, or checkpoints that training would replace.
      DataError: there is no training split.
      TrainingError: the loss is not finite.
    """
    records.check_has_training_split(dataset)
    if any((workdir / "checkpoints").glob("*.pt")):
        raise checkpoint.CheckpointError(f"{workdir} holds a run of PyTorch; use another --workdir")
    model = create_model(config.model, axis_name=parallel.AXIS)
    stages = systems.of(config).training.make_stages(config, model, dataset.class_names)
    saved = checkpoint.read_progress(workdir, "last")
    if saved is None:
        first = stages[0].settings
        epochs = min(first.epochs, first.checkpoint_every_epochs)
        check_may_begin(config, dataset.metadata.fingerprint, epochs, workdir)
        progress = Progress.at_start(config, dataset)
    else:
        check_same_run(saved, config, dataset.metadata.fingerprint, workdir)
        progress = Progress.from_json(saved, workdir)
    if progress.stage == len(stages):
        return True
    log = None
    if parallel.is_main_process():
        write_json(workdir / "config.json", progress.config)
        earlier_results.keep(workdir, None)
        (workdir / "results.json").unlink(missing_ok=True)  # of an earlier state
        log = MetricsLog(workdir, progress.step)
        surroundings = environment(dataset.environment())
        surroundings |= first_start(workdir, saved is not None, surroundings["git_commit"])
        surroundings["follows_seed"] = config_fields.follows_seed(config)
    saving = [] if saving is None else saving
    run = Run(config, workdir, dataset, model, stages, progress, log, saving)
    with contextlib.closing(log) if log else contextlib.nullcontext():
        while progress.stage < len(stages):
            prepared, state = prepare_stage(run)
            if parallel.is_main_process():
                chosen = {"chosen": progress.chosen}
                # pyrefly: ignore[unbound-name] - the main process has them from above
                write_json(workdir / "environment.json", surroundings | chosen)
            is_interrupted = run_stage(run, prepared, state, interruption)
            if is_interrupted and progress.stage < len(stages):
                return False
            if parallel.is_main_process():
                logging.info("stage %s is trained", prepared.stage.name)
    return True


class _Dispatched(NamedTuple):
    """A step that was dispatched to the devices, and whose metrics are still to be fetched."""

    step: int
    stage_step: int
    metrics: dict[str, jax.Array]
    example_ids: np.ndarray


def run_stage(run: Run, prepared: PreparedStage, state: State, interruption: Interruption) -> bool:
    """Trains a stage to its end or to an interruption; True when there was one.

    A step is finished, that is waited for, checked and counted, when the next one is under way.

    Args:
      run: the stage is its next one.
      prepared: of `prepare_stage`.
      state: replicated; donated to the steps.
      interruption: says when to stop early.
    """
    progress, steps, settings = run.progress, prepared.steps, prepared.stage.settings
    stopwatch = Stopwatch()

    def finish(dispatched: _Dispatched) -> bool:
        """Counts a step in; True when a process asked to stop."""
        metrics = jax.tree.map(float, parallel.unreplicate(dispatched.metrics))
        stop = metrics.pop("stop")
        _check_finite(run, prepared, dispatched, metrics)
        seconds = stopwatch.lap()
        progress.count_step(metrics, steps.images(dispatched.stage_step), seconds)
        bar.count(seconds)
        # A process alone need not wait until the batch that says so is learned.
        return stop > 0 or (interruption.requested and jax.process_count() == 1)

    def log_interval() -> None:
        rates = _learning_rates(prepared, progress.stage_step - 1)
        records.log_interval(run.log, bar, progress, prepared.stage.name, steps, rates)

    def end_epoch() -> None:
        """Validates, begins the next stage after the last epoch, and saves, where these are due."""
        epoch = steps.epoch(progress.stage_step)
        ends_stage = progress.stage_step == steps.last
        progress.train.epochs += 1
        if ends_stage or epoch % settings.validate_every_epochs == 0:
            _validate(run, prepared, epoch, state)
        if ends_stage:
            _end_stage(run, prepared.stage, state)
        if ends_stage or epoch % settings.checkpoint_every_epochs == 0:
            run.save("last", state)

    interrupted, pending = False, None
    until = "saves and ends after the steps under way"
    with interruption.deferred(until), _step_bar(prepared, progress.stage_step) as bar:
        for batch in prepared.batches(progress.stage_step):
            batch["stop"] = np.full(len(batch["weights"]), interruption.requested, np.float32)
            example_ids = batch["example_ids"]
            state, metrics = prepared.step(state, parallel.shard(batch))
            if pending is not None:
                interrupted |= finish(pending)
            progress.step += 1
            progress.stage_step += 1
            pending = _Dispatched(progress.step, progress.stage_step, metrics, example_ids)
            ends_epoch = steps.ends_epoch(progress.stage_step)
            ends_stage = progress.stage_step == steps.last
            logs = progress.stage_step % settings.log_every_steps == 0 or ends_stage
            if not (ends_epoch or logs or interrupted):
                continue
            interrupted |= finish(pending)
            pending = None
            if logs:
                log_interval()
            if ends_epoch:
                with stopwatch.stopped():
                    end_epoch()
            if interrupted and not ends_stage:
                run.save("last", state)
                break
    return interrupted


def _check_finite(
    run: Run, prepared: PreparedStage, dispatched: _Dispatched, metrics: dict[str, float]
) -> None:
    if all(map(math.isfinite, metrics.values())):
        return
    epoch = prepared.steps.epoch(dispatched.stage_step)
    raise records.not_finite(
        metrics,
        f"step {dispatched.step} (stage {prepared.stage.name}, epoch {epoch})",
        checkpoint.saved_step(run.workdir, "last"),
        run.workdir,
        (prepared.split.ids[index] for index in dispatched.example_ids if index >= 0),
    )


def _learning_rates(prepared: PreparedStage, stage_step: int) -> float | dict[str, float]:
    def at_step(rate: float) -> float:
        settings, per_epoch = prepared.stage.settings, prepared.steps.per_epoch
        schedule = learning_rate_schedule(settings, rate, per_epoch)
        return np.asarray(schedule(jnp.int32(stage_step))).item()

    return jax.tree.map(at_step, prepared.stage.learning_rates)


def _validate(run: Run, prepared: PreparedStage, epoch: int, state: State) -> None:
    """Scores the validation split and keeps the state when it is the best so far."""
    if prepared.validate is None:
        return
    stage, scores = prepared.stage, prepared.validate(state)
    training = systems.of(run.config).training
    own = [score.name for score in training.validation_scores.values()]
    records.log_validation(run.log, run.progress, stage.name, epoch, scores, own)
    if run.progress.is_best(training.validation_score(stage.name).quality(scores)):
        run.save("best", state)


def _end_stage(run: Run, stage: Stage, state: State) -> None:
    """Begins the next stage; what it starts from is saved as checkpoint 'after_<stage>'."""
    progress = run.progress
    if stage is not run.stages[-1]:
        networks, step = parallel.unreplicate(state), progress.step
        if stage.settings.next_stage_from == "best" and progress.best_score is not None:
            best = load_for_inference(run.workdir, "best")
            networks, step = best.variables, best.step
        run.write(
            f"after_{stage.name}",
            step,
            {name: networks[name] for name in ("params", "batch_stats") if name in networks},
            progress.to_json() | {"step": step},
        )
        progress.best_score = None
    progress.stage += 1
    progress.stage_step = 0


def _step_bar(prepared: PreparedStage, taken: int) -> StepBar:
    name, is_main = prepared.stage.name, parallel.is_main_process()
    return StepBar(name, prepared.steps.last, taken, jax.default_backend(), disable=not is_main)
