"""What the loop runs on: the run, and its next stage made ready with the state that it begins with."""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Iterator

import flax.linen as nn
import ml_collections

from fpliif_jax.data.batches import Batch, EpochOrder, train_batches
from fpliif_jax.data.dataset import Dataset
from fpliif_jax.data.resized_split import Split, load_split
from fpliif_jax.devices import parallel
from fpliif_jax.evaluation import metrics, scoring
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.nn.variables import Variables
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.inference_checkpoint import load_for_inference
from fpliif_jax.run_folder.run_record import MetricsLog
from fpliif_jax.systems import create_model, parse_protocols
from fpliif_jax.systems.stage import Stage
from fpliif_jax.systems.step_numbers import StepNumbers
from fpliif_jax.training import fitting, preflight
from fpliif_jax.training.optimizer import make_optimizer
from fpliif_jax.training.other_networks import other_networks
from fpliif_jax.training.progress import Progress, StageSteps
from fpliif_jax.training.step import State, Step, init_state, init_variables, make_fitted_step


@dataclasses.dataclass(frozen=True)
class Run:
    """A training run: what its stages share.

    Attributes:
      config: its settings.
      workdir: its folder.
      dataset: prepared.
      model: of `create_model`.
      stages: all of them.
      progress: where it stands; changes with every step.
      log: None in processes that write nothing.
      saving: seconds of each checkpoint of a state.
    """

    config: ml_collections.ConfigDict
    workdir: pathlib.Path
    dataset: Dataset
    model: nn.Module
    stages: list[Stage]
    progress: Progress
    log: MetricsLog | None
    saving: list[float]

    def save(self, which: str, state: State) -> None:
        """Writes a checkpoint of a replicated state, unless there is one of this step."""
        if self.log:
            self.log.flush()
        fetched, progress = parallel.unreplicate(state), self.progress.to_json()
        self.write(which, self.progress.step, fetched, progress)

    def write(self, which: str, step: int, state: Variables, progress: JsonObject) -> None:
        """Writes a checkpoint, and counts the time that it takes; arguments as of `checkpoint.save`."""
        started = time.perf_counter()
        checkpoint.save(self.workdir, which, step, state, progress)
        self.saving.append(time.perf_counter() - started)


@dataclasses.dataclass(frozen=True)
class PreparedStage:
    """A stage with all that its steps need.

    Attributes:
      stage: what is trained.
      steps: how many there are.
      split: the training split.
      batches: those from a step of the stage on, counted from 0.
      step: of `make_fitted_step`.
      validate: the replicated state's scores, see `scoring.protocol_scores`; None without a validation split.
    """

    stage: Stage
    steps: StageSteps
    split: Split
    batches: Callable[[int], Iterator[Batch]]
    step: Step
    validate: Callable[[State], metrics.Scores] | None


def prepare_stage(run: Run) -> tuple[PreparedStage, State]:
    """Opens the data of the run's next stage, builds its step, and reads or makes the replicated state.

    `run.progress.chosen` is what was chosen for the step.
    """
    config, progress = run.config, run.progress
    stage, before = run.stages[progress.stage], run.stages[: progress.stage]
    settings = stage.settings
    split = load_split(run.dataset, "train", (stage.label_size,))
    steps = StageSteps(len(split) * stage.copies, settings.batch_size, settings.epochs)
    preflight.warn_of_empty_places(config, stage, steps.examples)
    optimizer = make_optimizer(settings, stage.learning_rates, steps.per_epoch)
    variables = init_variables(run.model, config)
    if progress.stage_step > 0:
        state = init_state(variables, stage, optimizer)
        state, _ = checkpoint.restore(run.workdir, "last", state)
    else:
        name = before[-1].name if before else None
        names = run.dataset.class_names
        variables = variables_to_start_from(
            config, run.workdir, variables, name, stage.fresh, names
        )
        state = init_state(variables, stage, optimizer)
    state = parallel.replicate(state)
    numbers = fitting.numbers_of_run(progress)
    fitted = make_fitted_step(config, run.dataset.class_names, stage, optimizer, state, numbers)
    progress.chosen = fitted.numbers

    order = EpochOrder(
        settings.batch_size,
        config.seeds.data_order,
        stage.copies,
        # Epochs are counted through the run: each stage has its own order and augmentations.
        first_epoch=sum(earlier.settings.epochs for earlier in before),
        augmentation_seed=config.seeds.augmentation,
    )
    local_slice = parallel.local_rows(settings.batch_size, fitted.microbatch)

    def batches(first_step: int) -> Iterator[Batch]:
        return train_batches(
            split, stage.label_size, order, local_slice, range(first_step, steps.last)
        )

    validate = _make_validation(run, stage, fitted.numbers)
    return PreparedStage(stage, steps, split, batches, fitted.step, validate), state


def _make_validation(
    run: Run, stage: Stage, numbers: StepNumbers
) -> Callable[[State], metrics.Scores] | None:
    if "validation" in run.dataset.missing_splits:
        return None
    protocols = parse_protocols(run.config, (stage.validation_protocol,))
    split = load_split(run.dataset, "validation", scoring.label_sizes(protocols))
    # By the run's own numbers: their rounding may decide which state is the best.
    own = fitting.with_numbers(run.config, numbers)
    eval_step = scoring.make_eval_step(create_model(own.model, parallel.AXIS), own, protocols)

    def validate(state: State) -> metrics.Scores:
        variables = {"params": state["params"]}
        if state["batch_stats"]:
            variables["batch_stats"] = state["batch_stats"]
        score = scoring.make_scorer(eval_step, variables)
        (scores,) = scoring.score_split(
            score, split, protocols, run.config.eval.batch_size, description="validating"
        ).values()
        return scoring.protocol_scores(scores, run.dataset.class_names)

    return validate


def variables_to_start_from(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    initial: Variables,
    stage_before: str | None,
    fresh: tuple[str, ...],
    class_names: tuple[str, ...],
) -> Variables:
    """The networks as the stage before left them, or those of `other_networks`; `fresh` ones as they are initially.

    Raises:
      UserError: see `other_networks`.
    """
    if stage_before is not None:
        loaded = load_for_inference(workdir, f"after_{stage_before}").variables
    elif config.train.init_from:
        loaded = other_networks(config, initial, class_names)
    else:
        return initial
    return {
        collection: {
            network: tree if network in fresh else loaded[collection][network]
            for network, tree in networks.items()
        }
        for collection, networks in initial.items()
    }
