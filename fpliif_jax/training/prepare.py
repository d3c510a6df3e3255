"""What the loop runs on: the run, and its next stage made ready with the state that it begins with."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterator

import flax.linen as nn
import ml_collections
from absl import logging

from fpliif_jax.data.batches import Batch, EpochOrder, train_batches
from fpliif_jax.data.dataset import Dataset
from fpliif_jax.data.resized_split import Split, load_split
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.devices import parallel
from fpliif_jax.evaluation import scoring
from fpliif_jax.nn.variables import Variables
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint, load_for_inference
from fpliif_jax.run_folder.run_record import MetricsLog
from fpliif_jax.run_folder.same_run import refuse_swapped_sides
from fpliif_jax.systems import create_model, parse_protocols
from fpliif_jax.systems.stage import Stage
from fpliif_jax.training import fitting
from fpliif_jax.training.optimizer import make_optimizer
from fpliif_jax.training.progress import Progress, StageSteps
from fpliif_jax.training.step import State, Step, init_state, init_variables, make_fitted_step
from fpliif_jax.weights import shipped, shipped_model


@dataclasses.dataclass(frozen=True)
class Run:
    """What the stages of a run share.

    Attributes:
      config: its settings.
      workdir: its folder.
      dataset: prepared.
      model: of `create_model`.
      stages: all of them.
      progress: where it stands; changes with every step.
      log: None in processes that write nothing.
    """

    config: ml_collections.ConfigDict
    workdir: pathlib.Path
    dataset: Dataset
    model: nn.Module
    stages: list[Stage]
    progress: Progress
    log: MetricsLog | None

    def save(self, which: str, state: State) -> None:
        """Writes a checkpoint of a replicated state, unless there is one of this step."""
        if self.log:
            self.log.flush()
        checkpoint.save(
            self.workdir,
            which,
            self.progress.step,
            parallel.unreplicate(state),
            self.progress.to_json(),
        )


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
    validate: Callable[[State], scoring.MeasuredScores] | None


def prepare_stage(run: Run) -> tuple[PreparedStage, State]:
    """Opens the data of the run's next stage, builds its step, and reads or makes the replicated state.

    `run.progress.chosen` is what was chosen for the step.
    """
    config, progress = run.config, run.progress
    stage, before = run.stages[progress.stage], run.stages[: progress.stage]
    settings = stage.settings
    split = load_split(run.dataset, "train", (stage.label_size,))
    steps = StageSteps(len(split) * stage.copies, settings.batch_size, settings.epochs)
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

    validate = _make_validation(run, stage)
    return PreparedStage(stage, steps, split, batches, fitted.step, validate), state


def _make_validation(run: Run, stage: Stage) -> Callable[[State], scoring.MeasuredScores] | None:
    if "validation" in run.dataset.missing_splits:
        return None
    protocols = parse_protocols(run.config, (stage.validation_protocol,))
    split = load_split(run.dataset, "validation", scoring.label_sizes(protocols))
    # By the run's own numbers: their rounding may decide which state is the best.
    own = fitting.with_numbers(run.config, run.progress.chosen)
    eval_step = scoring.make_eval_step(create_model(own.model, parallel.AXIS), own, protocols)

    def validate(state: State) -> scoring.MeasuredScores:
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
    class_names: tuple[str, ...] = (),
) -> Variables:
    """The networks as the stage before left them, or those of `other_networks`; `fresh` ones as they are initially.

    A warning names the first class that another run or the package's weights have of another name than `class_names`.

    Raises:
      UserError: see `other_networks`.
    """
    if stage_before is not None:
        loaded = load_for_inference(workdir, f"after_{stage_before}").variables
    elif config.train.get("init_from"):
        other = other_networks(config, initial)
        _warn_of_other_classes(other.class_names, class_names, config.train.init_from)
        loaded = other.variables
    else:
        return initial
    return {
        collection: {
            network: tree if network in fresh else loaded[collection][network]
            for network, tree in networks.items()
        }
        for collection, networks in initial.items()
    }


def _warn_of_other_classes(then: tuple[str, ...], now: tuple[str, ...], origin: str) -> None:
    differing = [pair for pair in zip(then, now, strict=False) if pair[0] != pair[1]]
    if differing:
        logging.warning(
            "%d classes of config.train.init_from=%s have other names in this run's data, such as %r, there %r: "
            "training starts from what was learnt of those",
            len(differing), origin, differing[0][1], differing[0][0],
        )  # fmt: skip


def other_networks(config: ml_collections.ConfigDict, initial: Variables) -> InferenceCheckpoint:
    """The model whose networks config.train.init_from names: of another run, or the package's.

    Args:
      config: of the run.
      initial: its variables, or their shapes.

    Raises:
      CheckpointError: the other run has no such checkpoint, or it has other networks or other sides.
      WeightsError: there are no such weights, or their file is damaged.
    """
    origin = config.train.init_from
    if origin.startswith(shipped.PREFIX):
        other = shipped_model.load(origin.removeprefix(shipped.PREFIX))
    else:
        origin = expanded(origin)
        other = load_for_inference(origin, config.train.get("init_checkpoint", "best"))
    refuse_swapped_sides(other.sides_are_swapped, origin)
    checkpoint.check_same_arrays(other.variables, initial, origin)
    return other
