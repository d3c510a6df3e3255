"""The training loop in PyTorch: as `fpliif_jax.training.loop`, for FP-LIIF's one stage on one device."""

import contextlib
import dataclasses
import math
import pathlib
from collections.abc import Callable

import ml_collections
import torch

from fpliif_jax import interop
from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.data.batches import EpochOrder, train_batches
from fpliif_jax.data.dataset import Dataset
from fpliif_jax.data.resized_split import Split, load_split
from fpliif_jax.data_builders.class_names import mirrored_classes
from fpliif_jax.evaluation import metrics, scoring
from fpliif_jax.experiments.pytorch import checkpoint
from fpliif_jax.experiments.pytorch.fp_liif import FPLIIF
from fpliif_jax.experiments.pytorch.protocols import make_predictor, make_scorer
from fpliif_jax.experiments.pytorch.step import (
    Batch,
    Inputs,
    make_optimizer,
    make_prepare,
    make_scheduler,
    train_step,
)
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.run_folder import earlier_results
from fpliif_jax.run_folder.checkpoint import CheckpointError, saved_step
from fpliif_jax.run_folder.run_config import flatten_config
from fpliif_jax.run_folder.run_record import MetricsLog, environment, first_start, write_json
from fpliif_jax.run_folder.same_run import check_same_run
from fpliif_jax.systems import create_model, parse_protocols
from fpliif_jax.systems.fp_liif import step_numbers
from fpliif_jax.systems.step_numbers import MICROBATCH
from fpliif_jax.training import fitting, records
from fpliif_jax.training.progress import Progress, StageSteps, Stopwatch
from fpliif_jax.training.step import init_variables
from fpliif_jax.training.step_bar import StepBar

STAGE = "parsing"


def train(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    dataset: Dataset,
    device: torch.device,
    interruption: Interruption,
) -> bool:
    """Trains from where an earlier session of the same run stopped.

    Args:
      config: the run's settings.
      workdir: the run's folder.
      dataset: prepared.
      device: what to compute on.
      interruption: says when to stop early.

    Returns:
      True when training is finished, False when it was interrupted and saved.

    Raises:
      CheckpointError: the folder holds another run.
      DataError: there is no training split.
      TrainingError: the loss is not finite.
    """
    records.check_has_training_split(dataset)
    if saved_step(workdir, "last") is not None:
        raise CheckpointError(f"{workdir} holds a run of JAX; use another --workdir")
    follows = config_fields.follows_seed(config)  # a copy with other numbers does not tell
    saved = checkpoint.load(workdir, "last")
    if saved is None:
        progress = Progress.at_start(config, dataset)
    else:
        check_same_run(saved["progress"], config, dataset.metadata.fingerprint, workdir)
        progress = Progress.from_json(saved["progress"], workdir)
        best = checkpoint.load(workdir, "best")
        if best and best["progress"]["step"] > progress.step:
            # Killed before 'last' was written. What is learned again may be another, as on a GPU: the score to beat is
            # that of the file.
            progress.best_score = Progress.from_json(best["progress"], workdir).best_score
        begun = flatten_config(progress.config)
        numbers = (MICROBATCH, step_numbers.QUERY_CHUNK)
        config = fitting.with_numbers(config, {name: begun[name] for name in numbers})
    run = prepare(config, workdir, dataset, device, progress, saved)
    if progress.step == run.steps.last:
        return True
    write_json(workdir / "config.json", progress.config)
    surroundings = _environment(dataset, device)
    surroundings |= first_start(workdir, saved is not None, surroundings["git_commit"])
    write_json(workdir / "environment.json", surroundings | {"follows_seed": follows})
    earlier_results.keep(workdir, None)
    (workdir / "results.json").unlink(missing_ok=True)  # of an earlier state
    with contextlib.closing(MetricsLog(workdir, progress.step)) as log:
        run_stage(run, log, interruption)
    return progress.step == run.steps.last


def new_model(config: ml_collections.ConfigDict) -> FPLIIF:
    """The model with the weights that a run of JAX with the same settings begins with, on the CPU."""
    model = FPLIIF(config.model)
    weights = interop.fpliif_to_torch(init_variables(create_model(config.model), config))
    model.load_state_dict({name: torch.from_numpy(leaf) for name, leaf in weights.items()})
    return model


def _environment(dataset: Dataset, device: torch.device) -> JsonObject:
    facts = environment(dataset.environment())
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return facts | {
        "framework": "pytorch",
        "versions": facts["versions"] | {"torch": torch.__version__},
        "backend": device.type,
        "devices": [name],
        "torch_threads": torch.get_num_threads(),
        "torch_deterministic": torch.are_deterministic_algorithms_enabled(),
        "matmul_precision": torch.get_float32_matmul_precision(),
    }


@dataclasses.dataclass(frozen=True)
class Run:
    """A run with all that its steps need; model, optimizer, scheduler and progress change with every step.

    Attributes:
      config: its settings.
      workdir: its folder.
      split: the training split.
      steps: how many there are.
      progress: where it stands.
      model: on the device.
      optimizer: of the model.
      scheduler: of the optimizer.
      prepare: a batch as the model takes it, see `make_prepare`.
      validate: the model's scores, see `scoring.protocol_scores`; None without a validation split.
    """

    config: ml_collections.ConfigDict
    workdir: pathlib.Path
    split: Split
    steps: StageSteps
    progress: Progress
    model: FPLIIF
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    prepare: Callable[[Batch], Inputs]
    validate: Callable[[], metrics.Scores] | None

    def save(self, which: str, log: MetricsLog) -> None:
        """Writes a checkpoint."""
        log.flush()
        content: checkpoint.Saved = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "progress": self.progress.to_json(),
        }
        checkpoint.save(self.workdir, which, content)


def prepare(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    dataset: Dataset,
    device: torch.device,
    progress: Progress,
    saved: checkpoint.Saved | None,
) -> Run:
    """Opens the data, and makes the model or takes it from the checkpoint `saved` of the progress."""
    settings, size = config.train, config.data.image_size
    split = load_split(dataset, "train", (size,))
    steps = StageSteps(len(split), settings.batch_size, settings.epochs)
    model = new_model(config)
    if saved:
        model.load_state_dict(saved["model"])
    model.to(device)
    optimizer = make_optimizer(model, settings)
    if saved:
        optimizer.load_state_dict(saved["optimizer"])
    return Run(
        config,
        workdir,
        split,
        steps,
        progress,
        model,
        optimizer,
        make_scheduler(optimizer, settings, steps.per_epoch, progress.step),
        make_prepare(config, mirrored_classes(dataset.class_names), device),
        _make_validation(config, dataset, model, device),
    )


def _make_validation(
    config: ml_collections.ConfigDict,
    dataset: Dataset,
    model: FPLIIF,
    device: torch.device,
) -> Callable[[], metrics.Scores] | None:
    if "validation" in dataset.missing_splits:
        return None
    protocols = parse_protocols(config, (str(config.data.image_size),))
    split = load_split(dataset, "validation", scoring.label_sizes(protocols))
    score = make_scorer(make_predictor(model, config, protocols, device), config.model.num_classes)

    def validate() -> metrics.Scores:
        (scores,) = scoring.score_split(
            score, split, protocols, config.eval.batch_size, description="validating"
        ).values()
        return scoring.protocol_scores(scores, dataset.class_names)

    return validate


def run_stage(run: Run, log: MetricsLog, interruption: Interruption) -> None:
    """Trains to the end, or to the end of the step in which it is interrupted."""
    config, settings, progress, steps = run.config, run.config.train, run.progress, run.steps
    stopwatch = Stopwatch()

    def step(batch: Batch) -> float:
        """Takes a step, checks it and counts it in; its learning rate."""
        run.model.train()
        rate = float(run.scheduler.get_last_lr()[0])
        inputs = run.prepare(batch)
        metrics = train_step(run.model, run.optimizer, run.scheduler, inputs, config)
        _check_finite(run, metrics, batch)
        progress.step += 1
        progress.stage_step += 1
        seconds = stopwatch.lap()
        progress.count_step(metrics, steps.images(progress.step), seconds)
        bar.count(seconds)
        return rate

    def end_epoch() -> None:
        """Validates and saves, where these are due."""
        epoch, ends_stage = steps.epoch(progress.step), progress.step == steps.last
        progress.train.epochs += 1
        if ends_stage or epoch % settings.validate_every_epochs == 0:
            _validate(run, epoch, log)
        if ends_stage or epoch % settings.checkpoint_every_epochs == 0:
            run.save("last", log)

    batches = train_batches(
        run.split,
        config.data.image_size,
        EpochOrder(settings.batch_size, config.seeds.data_order),
        local_slice=slice(0, settings.batch_size),
        steps=range(progress.step, steps.last),
    )
    device = next(run.model.parameters()).device.type
    bar = StepBar(STAGE, steps.last, progress.step, device, disable=False)
    with interruption.deferred("saves and ends after this step"), bar:
        for batch in batches:
            rate = step(batch)
            ends_stage = progress.step == steps.last
            if progress.step % settings.log_every_steps == 0 or ends_stage:
                records.log_interval(log, bar, progress, STAGE, steps, rate)
            if steps.ends_epoch(progress.step):
                with stopwatch.stopped():
                    end_epoch()
            if interruption.requested and not ends_stage:
                run.save("last", log)
                break


def _check_finite(run: Run, metrics: dict[str, float], batch: Batch) -> None:
    if all(map(math.isfinite, metrics.values())):
        return
    step, saved = run.progress.step + 1, checkpoint.load(run.workdir, "last")
    raise records.not_finite(
        metrics,
        f"step {step} (stage {STAGE}, epoch {run.steps.epoch(step)})",
        saved["progress"]["step"] if saved else None,
        run.workdir,
        (run.split.ids[index] for index in batch["example_ids"] if index >= 0),
    )


def _validate(run: Run, epoch: int, log: MetricsLog) -> None:
    """Scores the validation split and keeps the model when it is the best so far."""
    if run.validate is None:
        return
    scores = run.validate()
    records.log_validation(log, run.progress, STAGE, epoch, scores)
    if run.progress.is_best(scores["mean_f1"]):
        run.save("best", log)
