"""Training: the step, and the loop that goes through the stages of a run."""

import contextlib
import functools
import math
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
from absl import logging
from tqdm import tqdm

from fpliif_jax import parallel, systems
from fpliif_jax.data import input_pipeline
from fpliif_jax.data_builders.errors import DataError, UserError
from fpliif_jax.evaluation import evaluate
from fpliif_jax.interruption import Interruption
from fpliif_jax.nn.cast_weights import with_gradients_of
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.run_record import MetricsLog, environment, write_json
from fpliif_jax.systems import create_model, parse_protocols
from fpliif_jax.systems.fp_liif import query_plan
from fpliif_jax.systems.stage import Stage
from fpliif_jax.training import fitting

State = dict[str, Any]  # 'params', 'batch_stats', 'opt_state'
Step = Callable[[State, dict[str, Any]], tuple[State, dict[str, jax.Array]]]


class TrainingError(UserError):
    """Training cannot go on; the message says where and why."""


def learning_rate_schedule(
    settings: ml_collections.ConfigDict, rate: float, steps_per_epoch: int
) -> optax.Schedule:
    """Learning rate by step of a stage.

    FP-LIIF §4.2: divided by 10 after every 20 epochs; STN-iCNN §2.5.2: halved every 5.

    Args:
      settings: config.train.
      rate: at the first step.
      steps_per_epoch: batches in an epoch.

    Raises:
      ValueError: settings.schedule is unknown.
    """
    if settings.schedule == "step":

        def step_schedule(step: jax.Array) -> jax.Array:
            decays = (step // steps_per_epoch) // settings.decay_every_epochs
            factor = jnp.float32(settings.decay_factor)
            return jnp.float32(rate) * factor ** decays.astype(jnp.float32)

        return step_schedule
    if settings.schedule == "cosine":
        return optax.cosine_decay_schedule(rate, settings.epochs * steps_per_epoch)
    if settings.schedule == "constant":
        return optax.constant_schedule(rate)
    raise ValueError(
        f"config.train.schedule is {settings.schedule!r}; it must be 'step', 'cosine' or 'constant'"
    )


def make_optimizer(
    settings: ml_collections.ConfigDict,
    learning_rates: float | dict[str, float],
    steps_per_epoch: int,
) -> optax.GradientTransformation:
    """Adam as in both papers, with PyTorch's defaults (β 0.9 and 0.999, ε 1e-8), which optax shares.

    Args:
      settings: config.train.
      learning_rates: of all parameters, or by network: then for parameters under these keys.
      steps_per_epoch: batches in an epoch.

    Raises:
      ValueError: settings.optimizer is unknown.
    """
    if settings.optimizer != "adam":
        raise ValueError(f"config.train.optimizer is {settings.optimizer!r}; it must be 'adam'")

    def adam(rate: float) -> optax.GradientTransformation:
        own = optax.adam(learning_rate_schedule(settings, rate, steps_per_epoch))

        def update(*arguments: Any) -> tuple[Any, Any]:
            # Optax raises β, a float, to the power of the step, an int32.
            with jax.numpy_dtype_promotion("standard"):
                return own.update(*arguments)

        return optax.GradientTransformation(own.init, update)

    if not isinstance(learning_rates, dict):
        return adam(learning_rates)
    return optax.partition(
        {network: adam(rate) for network, rate in learning_rates.items()},
        lambda params: {
            network: jax.tree.map(lambda _, network=network: network, subtree)
            for network, subtree in params.items()
        },
    )


def init_variables(model: nn.Module, config: ml_collections.ConfigDict) -> dict[str, Any]:
    """Fresh parameters from config.seeds.initialisation, as NumPy arrays: {'params'[, 'batch_stats']}."""
    shapes = systems.of(config).input_shapes(config.model, config.data.image_size)
    # Not under jit: compiling the generators of a hundred arrays at once takes longer.
    variables = model.lazy_init(jax.random.key(config.seeds.initialisation), *shapes)
    return jax.tree.map(np.asarray, dict(variables))


def init_state(
    variables: dict[str, Any], stage: Stage, optimizer: optax.GradientTransformation
) -> State:
    """The state before the first step of a stage, as NumPy arrays."""
    state = {
        "params": variables["params"],
        "batch_stats": variables.get("batch_stats", {}),
        "opt_state": optimizer.init(_trained(stage, variables["params"])),
    }
    return jax.tree.map(np.asarray, state)


def _trained(stage: Stage, params: dict[str, Any]) -> dict[str, Any]:
    return {network: tree for network, tree in params.items() if stage.is_trained(network)}


def loss_and_gradients(
    stage: Stage, params: Any, batch_stats: Any, batch: dict[str, jax.Array], microbatch: int
) -> tuple[dict[str, jax.Array], Any, Any]:
    """The loss of the global batch and its exact gradients; inside `parallel.pmap` only.

    Normalisers are summed over devices before anything is divided by them, so the result does not
    depend on how examples are spread over devices and microbatches.

    Args:
      stage: what is trained.
      params: parameters; the gradient is with respect to those that the stage trains.
      batch_stats: running statistics of batch norm, or {}.
      batch: this device's rows.
      microbatch: rows worked on at once; 0 for all.

    Returns:
      ({'loss', its parts}, gradients, new batch_stats), the same on every device.
    """
    inputs = stage.prepare(batch)
    normalisers = parallel.psum(stage.normalisers(inputs))

    trained = _trained(stage, params)
    cast = trained if stage.cast is None else stage.cast(trained)

    def device_loss(trained: Any, rows: dict[str, jax.Array]) -> tuple[jax.Array, Any]:
        if stage.cast is not None:
            trained = with_gradients_of(trained, cast)
        variables = {"params": {**params, **trained}}
        if batch_stats:
            variables["batch_stats"] = batch_stats
        sums, new_batch_stats = stage.sums(variables, rows)
        loss, parts = stage.total(sums, normalisers)
        return loss, ({"loss": loss, **parts}, new_batch_stats)

    gradient = jax.grad(device_loss, has_aux=True)
    count = len(batch["weights"])
    if microbatch and microbatch < count:
        chunks = jax.tree.map(
            lambda leaf: leaf.reshape(count // microbatch, microbatch, *leaf.shape[1:]), inputs
        )

        def accumulate(totals: Any, rows: dict[str, jax.Array]) -> tuple[Any, None]:
            gradients, (values, _) = gradient(trained, rows)
            return jax.tree.map(jnp.add, totals, (gradients, values)), None

        first = jax.tree.map(lambda leaf: leaf[0], chunks)
        shapes = jax.eval_shape(lambda: gradient(trained, first))
        zeros = jax.tree.map(
            lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), (shapes[0], shapes[1][0])
        )
        (gradients, values), _ = jax.lax.scan(accumulate, zeros, chunks)
        new_batch_stats = batch_stats
    else:
        gradients, (values, new_batch_stats) = gradient(trained, inputs)
    return parallel.psum(values), parallel.psum(gradients), new_batch_stats


def make_train_step(stage: Stage, optimizer: optax.GradientTransformation, microbatch: int) -> Step:
    """Builds the pmapped step: (replicated state, sharded batch) -> (new state, metrics).

    The batch has 'stop' [n] besides what the stage needs: not zero where a process was asked to
    stop. Its sum is among the metrics, so that all processes stop at the same step.
    """

    def step(state: State, batch: dict[str, jax.Array]) -> tuple[State, dict[str, jax.Array]]:
        batch = dict(batch)
        stop = parallel.psum(jnp.sum(batch.pop("stop")))
        values, gradients, batch_stats = loss_and_gradients(
            stage, state["params"], state["batch_stats"], batch, microbatch
        )
        trained = _trained(stage, state["params"])
        updates, opt_state = optimizer.update(gradients, state["opt_state"], trained)
        new_state = {
            "params": {**state["params"], **optax.apply_updates(trained, updates)},
            "batch_stats": batch_stats,
            "opt_state": opt_state,
        }
        return new_state, {
            **values,
            "gradient_norm": optax.tree.norm(gradients),
            "stop": stop,
        }

    return parallel.pmap(step, donate_argnums=(0,))


class FittedStep(NamedTuple):
    """A step that fits into the memory.

    Attributes:
      step: of `make_train_step`.
      microbatch: of it: its batches are padded to a multiple.
      numbers: see `fitting`.
    """

    step: Step
    microbatch: int
    numbers: fitting.Numbers


def make_fitted_step(
    config: ml_collections.ConfigDict,
    class_names: tuple[str, ...],
    stage: Stage,
    optimizer: optax.GradientTransformation,
    state: State,
    numbers: fitting.Numbers | None = None,
) -> FittedStep:
    """The step of a stage, with what the config leaves 'auto' chosen for this device.

    On GPUs and TPUs a choice may take a few compilations, of which the last one is the step's own.

    Args:
      config: the run's settings.
      class_names: names by label id.
      stage: one of the run's.
      optimizer: of the stage.
      state: replicated.
      numbers: what the run goes on with; None: they are chosen.
    """

    batch_size = stage.settings.batch_size

    @functools.cache
    def step_with(*fields: tuple[str, Any]) -> tuple[Step, int]:
        own = fitting.with_numbers(config, dict(fields))
        stages = systems.of(own).make_stages(
            own, create_model(own.model, parallel.AXIS), class_names
        )
        (fitted,) = (one for one in stages if one.name == stage.name)
        # No more than there are: on more devices than it was chosen for, the rest would be padding.
        microbatch = min(fitted.settings.microbatch, parallel.rows_per_device(batch_size))
        return make_train_step(fitted, optimizer, microbatch), microbatch

    def planned(numbers: fitting.Numbers) -> float:
        step, microbatch = step_with(*numbers.items())
        rows = parallel.local_rows(batch_size, microbatch)
        batch = input_pipeline.blank_batch(
            rows.stop - rows.start, config.data.image_size, stage.label_size
        )
        batch["stop"] = np.zeros(len(batch["weights"]), np.float32)
        try:
            compiled = step.lower(state, parallel.shard(batch)).compile()
            plan = fitting.planned_bytes(compiled)
            # Where XLA does not say, as much as is estimated.
            size = (config.data.image_size, config.data.image_size)
            total = (
                plan["total"] if plan else query_plan.training_bytes(microbatch, size, config.model)
            )
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            total = None
        # What one process cannot do, none may choose.
        worst = parallel.largest(total)
        return math.inf if worst is None else worst

    if numbers is None:
        backend, memory = query_plan.this_device()
        numbers, line = fitting.choose(
            config, batch_size, backend, parallel.smallest(memory), planned
        )
        if line is not None and parallel.is_main_process():
            print(line, file=sys.stderr)
    step, microbatch = step_with(*numbers.items())
    return FittedStep(step, microbatch, numbers)


def check_has_training_split(dataset: input_pipeline.Dataset) -> None:
    """Refuses a data set that nothing can be trained on.

    Raises:
      DataError: there is no training split.
    """
    if "train" in dataset.missing_splits:
        raise DataError(
            f"{dataset.metadata.name} was prepared without a training split; add it to the raw "
            "download and prepare it again with --rebuild"
        )


def train(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    dataset: input_pipeline.Dataset,
    interruption: Interruption,
) -> bool:
    """Trains all stages, from where an earlier session of the same run stopped.

    Args:
      config: the run's settings.
      workdir: the run's folder.
      dataset: prepared.
      interruption: says when to stop early.

    Returns:
      True when training is finished, False when it was interrupted and saved.

    Raises:
      CheckpointError: the folder holds another run.
      DataError: there is no training split.
      TrainingError: the loss is not finite.
    """
    check_has_training_split(dataset)
    if any((workdir / "checkpoints").glob("*.pt")):
        raise checkpoint.CheckpointError(f"{workdir} holds a run of PyTorch; use another --workdir")
    progress = checkpoint.read_progress(workdir, "last")
    if progress is None:
        progress = {
            "config": checkpoint.json_config(config),
            "fingerprint": dataset.metadata.fingerprint,
            "class_names": list(dataset.class_names),
            "whose_left": dataset.whose_left,
            "step": 0,
            "stage": 0,
            "stage_step": 0,
            "best_score": None,
            "interval": {"steps": 0, "sums": {}},
            "train": {"epochs": 0, "steps": 0, "images_per_second": None, "seconds": 0.0},
            "timed_images": 0,
        }
    else:
        checkpoint.check_same_run(progress, config, dataset.metadata.fingerprint, workdir)
    model = create_model(config.model, axis_name=parallel.AXIS)
    stages = systems.of(config).make_stages(config, model, dataset.class_names)
    if progress["stage"] == len(stages):
        return True
    log = None
    if parallel.is_main_process():
        write_json(workdir / "config.json", progress["config"])
        (workdir / "results.json").unlink(missing_ok=True)  # of an earlier state
        log = MetricsLog(workdir, progress["step"])
        surroundings = environment(dataset.environment())
    with contextlib.closing(log) if log else contextlib.nullcontext():
        while progress["stage"] < len(stages):
            stage = stages[progress["stage"]]
            run = _StageRun(config, workdir, dataset, model, stages, progress, log)
            if parallel.is_main_process():
                chosen = {"chosen": progress["chosen"]}
                write_json(workdir / "environment.json", surroundings | chosen)
            is_interrupted = run.train(interruption)
            if is_interrupted and progress["stage"] < len(stages):
                return False
            if parallel.is_main_process():
                logging.info("stage %s is trained", stage.name)
    return True


class _StageRun:
    """One stage of a run: its state on the devices and its progress, which go on together."""

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        workdir: pathlib.Path,
        dataset: input_pipeline.Dataset,
        model: nn.Module,
        stages: list[Stage],
        progress: dict[str, Any],
        log: MetricsLog | None,
    ) -> None:
        index = progress["stage"]
        self._config, self._workdir, self._stage = config, workdir, stages[index]
        self._progress, self._log = progress, log
        self._is_last_stage = index == len(stages) - 1
        # Epochs are counted through the run: each stage has its own order and augmentations.
        self._first_epoch = sum(stage.settings.epochs for stage in stages[:index])
        stage, settings = self._stage, self._stage.settings
        self._train_split = input_pipeline.load_split(dataset, "train", (stage.label_size,))
        self._class_names = dataset.class_names
        self._per_epoch = input_pipeline.steps_per_epoch(
            len(self._train_split), settings.batch_size, stage.copies
        )
        self._last_step = self._per_epoch * settings.epochs
        self._validation = None
        if "validation" not in dataset.missing_splits:
            protocols = parse_protocols(config, (stage.validation_protocol,))
            sizes = evaluate.label_sizes(protocols)
            self._validation = input_pipeline.load_split(dataset, "validation", sizes)
            self._validation_protocols = protocols
        optimizer = make_optimizer(settings, stage.learning_rates, self._per_epoch)
        variables = init_variables(model, config)
        if progress["stage_step"] > 0:
            state = init_state(variables, stage, optimizer)
            state, _ = checkpoint.restore(workdir, "last", state)
        else:
            before = stages[index - 1].name if index else None
            variables = _variables_to_start_from(config, workdir, variables, before, stage.fresh)
            state = init_state(variables, stage, optimizer)
        self._state = parallel.replicate(state)
        fitted = make_fitted_step(
            config,
            dataset.class_names,
            stage,
            optimizer,
            self._state,
            fitting.numbers_of_run(progress),
        )
        self._step_function, self._microbatch, progress["chosen"] = fitted
        if self._validation is not None:
            # By the run's own numbers: their rounding may decide which state is the best.
            own = fitting.with_numbers(config, progress["chosen"])
            self._eval_step = evaluate.make_eval_step(
                create_model(own.model, parallel.AXIS), own, self._validation_protocols
            )

    def train(self, interruption: Interruption) -> bool:
        """Runs the stage to its end or to an interruption; True when there was one."""
        progress, settings = self._progress, self._stage.settings
        pending = None  # the step before, whose metrics are fetched while the devices work on
        interrupted = False
        self._started = None  # the first step compiles: it does not count for images per second
        with interruption.deferred(), self._progress_bar() as bar:
            for batch in self._batches(progress["stage_step"]):
                batch["stop"] = np.full(len(batch["weights"]), interruption.requested, np.float32)
                example_ids = batch["example_ids"]
                self._state, values = self._step_function(self._state, parallel.shard(batch))
                if pending is not None:
                    interrupted |= self._finish_step(*pending, bar)
                progress["step"] += 1
                progress["stage_step"] += 1
                pending = (progress["stage_step"], progress["step"], values, example_ids)
                ends_epoch = progress["stage_step"] % self._per_epoch == 0
                ends_stage = progress["stage_step"] == self._last_step
                logs = progress["stage_step"] % settings.log_every_steps == 0 or ends_stage
                if not (ends_epoch or logs or interrupted):
                    continue
                interrupted |= self._finish_step(*pending, bar)
                pending = None
                if logs:
                    self._log_interval(bar)
                if ends_epoch:
                    self._end_epoch(ends_stage)
                elif interrupted:
                    self._save("last")
                if interrupted and not ends_stage:
                    if ends_epoch:
                        self._save("last")
                    break
        return interrupted

    def _end_epoch(self, ends_stage: bool) -> None:
        progress, settings = self._progress, self._stage.settings
        epoch = progress["stage_step"] // self._per_epoch
        progress["train"]["epochs"] += 1
        paused = time.monotonic()
        if ends_stage or epoch % settings.validate_every_epochs == 0:
            self._validate(epoch)
        if ends_stage:
            if not self._is_last_stage:
                self._save_for_next_stage()
                progress["best_score"] = None
            progress["stage"] += 1
            progress["stage_step"] = 0
        if ends_stage or epoch % settings.checkpoint_every_epochs == 0:
            self._save("last")
        self._started += time.monotonic() - paused

    def _batches(self, first_step: int) -> Iterator[input_pipeline.Batch]:
        settings = self._stage.settings
        return input_pipeline.train_batches(
            self._train_split,
            label_size=self._stage.label_size,
            batch_size=settings.batch_size,
            rows=parallel.local_rows(settings.batch_size, self._microbatch),
            seed=self._config.seeds.data_order,
            first_step=first_step,
            last_step=self._last_step,
            copies=self._stage.copies,
            first_epoch=self._first_epoch,
            augmentation_seed=self._config.seeds.augmentation,
        )

    def _finish_step(
        self,
        stage_step: int,
        step: int,
        values: dict[str, jax.Array],
        example_ids: np.ndarray,
        bar: tqdm,
    ) -> bool:
        """Waits for a step, checks it and counts it in; True when a process asked to stop."""
        numbers = {name: float(value) for name, value in parallel.unreplicate(values).items()}
        stop = numbers.pop("stop")
        bad = [name for name, number in numbers.items() if not math.isfinite(number)]
        if bad:
            self._stop_not_finite(step, stage_step, bad[0], numbers[bad[0]], example_ids)
        interval = self._progress["interval"]
        interval["steps"] += 1
        for name, number in numbers.items():
            interval["sums"][name] = interval["sums"].get(name, 0.0) + number
        self._count_in(stage_step)
        bar.update()
        return stop > 0

    def _stop_not_finite(
        self, step: int, stage_step: int, name: str, number: float, example_ids: np.ndarray
    ) -> None:
        ids = ", ".join(self._train_split.ids[index] for index in example_ids if index >= 0)
        good = checkpoint.saved_step(self._workdir, "last")
        kept = "there is no earlier checkpoint"
        if good is not None:
            kept = f"the last good checkpoint, of step {good}, is kept"
        epoch = (stage_step - 1) // self._per_epoch + 1
        raise TrainingError(
            f"{name} is {number} at step {step} (stage {self._stage.name}, epoch {epoch}); {kept} "
            f"in {self._workdir}; batch ids: {ids}"
        )

    def _count_in(self, stage_step: int) -> None:
        """Adds a step to the run's totals: validation and checkpoints are not training time."""
        train = self._progress["train"]
        now = time.monotonic()
        train["steps"] += 1
        if self._started is not None:
            train["seconds"] += now - self._started
            first = (stage_step - 1) % self._per_epoch * self._stage.settings.batch_size
            per_epoch = len(self._train_split) * self._stage.copies
            self._progress["timed_images"] += min(
                self._stage.settings.batch_size, per_epoch - first
            )
            train["images_per_second"] = self._progress["timed_images"] / max(
                train["seconds"], 1e-9
            )
        self._started = now

    def _log_interval(self, bar: tqdm) -> None:
        """Writes the means since the last such record."""
        progress = self._progress
        interval = progress["interval"]
        means = {name: total / interval["steps"] for name, total in interval["sums"].items()}
        train = progress["train"]
        rate = train["images_per_second"]
        speed = "" if rate is None else f", {rate:.1f} images/s"
        bar.set_postfix_str(f"loss {means['loss']:.3f}{speed}")
        if self._log:
            self._log.write(
                {
                    "step": progress["step"],
                    "split": "train",
                    "stage": self._stage.name,
                    "epoch": (progress["stage_step"] - 1) // self._per_epoch + 1,
                    **means,
                    "learning_rate": self._learning_rates(progress["stage_step"] - 1),
                    "timing": {
                        "seconds": train["seconds"],
                        "images_per_second": rate,
                    },
                }
            )
        progress["interval"] = {"steps": 0, "sums": {}}

    def _learning_rates(self, stage_step: int) -> float | dict[str, float]:
        def at_step(rate: float) -> float:
            schedule = learning_rate_schedule(self._stage.settings, rate, self._per_epoch)
            return float(schedule(jnp.int32(stage_step)))

        return jax.tree.map(at_step, self._stage.learning_rates)

    def _validate(self, epoch: int) -> None:
        """Scores the validation split and keeps the state when it is the best so far."""
        if self._validation is None:
            return
        progress = self._progress
        variables = {"params": self._state["params"]}
        if self._state["batch_stats"]:
            variables["batch_stats"] = self._state["batch_stats"]
        (found,) = evaluate.evaluate_split(
            self._eval_step,
            variables,
            self._validation,
            self._validation_protocols,
            self._config.eval.batch_size,
            description="validating",
        ).values()
        scores = evaluate.row_scores(found, self._class_names)
        kept = ("mean_f1", "miou", "class_f1", "window_error")
        if self._log:
            self._log.write(
                {
                    "step": progress["step"],
                    "split": "validation",
                    "stage": self._stage.name,
                    "epoch": epoch,
                    **{name: scores[name] for name in kept if name in scores},
                }
            )
        if self._stage.score == "window_error":
            score = scores["window_error"]["mean"]
            score = None if score is None else -score
        else:
            score = scores[self._stage.score]
        if score is not None and (progress["best_score"] is None or score > progress["best_score"]):
            progress["best_score"] = score
            self._save("best")

    def _save_for_next_stage(self) -> None:
        """Keeps the networks that the next stage starts from as checkpoint 'after_<stage>'."""
        progress = self._progress
        state, step = parallel.unreplicate(self._state), progress["step"]
        if self._stage.settings.next_stage_from == "best" and progress["best_score"] is not None:
            best = checkpoint.load_for_inference(self._workdir, "best")
            state, step = best.variables, best.step
        checkpoint.save(
            self._workdir,
            f"after_{self._stage.name}",
            step,
            {name: state[name] for name in ("params", "batch_stats") if name in state},
            {**progress, "step": step},
        )

    def _save(self, which: str) -> None:
        if self._log:
            self._log.flush()
        checkpoint.save(
            self._workdir,
            which,
            self._progress["step"],
            parallel.unreplicate(self._state),
            self._progress,
        )

    def _progress_bar(self) -> tqdm:
        return tqdm(
            total=self._last_step,
            initial=self._progress["stage_step"],
            desc=f"training {self._stage.name}",
            unit="step",
            disable=not parallel.is_main_process(),
        )


def _variables_to_start_from(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    initial: dict[str, Any],
    stage_before: str | None,
    fresh: tuple[str, ...],
) -> dict[str, Any]:
    """The networks as the stage before left them, or another run; `fresh` ones as they are initially.

    Raises:
      CheckpointError: the other run has no such checkpoint, other networks or other sides.
    """
    if stage_before is not None:
        loaded = checkpoint.load_for_inference(workdir, f"after_{stage_before}").variables
    elif config.train.get("init_from", ""):
        folder = pathlib.Path(config.train.init_from).expanduser()
        other = checkpoint.load_for_inference(folder, config.train.init_checkpoint)
        checkpoint.refuse_swapped_sides(other.sides_are_swapped, folder)
        loaded = other.variables
        checkpoint.check_same_arrays(loaded, initial, folder)
    else:
        return initial
    return {
        collection: {
            network: tree if network in fresh else loaded[collection][network]
            for network, tree in networks.items()
        }
        for collection, networks in initial.items()
    }
