"""Training: the step, and the loop that goes through the stages of a run."""

import contextlib
import math
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
from absl import logging
from tqdm import tqdm

from data_builders.errors import DataError
from fpliif_jax import checkpoint, evaluate, input_pipeline, metrics, parallel
from fpliif_jax.interruption import Interruption
from fpliif_jax.models import create_model
from fpliif_jax.run_record import MetricsLog, environment, write_json
from fpliif_jax.stages import Stage, make_stages

State = dict[str, Any]  # 'params', 'batch_stats', 'opt_state'


class TrainingError(Exception):
    """Training cannot go on; the message says where and why."""


def learning_rate_schedule(
    settings: ml_collections.ConfigDict, steps_per_epoch: int
) -> optax.Schedule:
    """Learning rate by step of a stage (§4.2: divided by 10 after every 20 epochs).

    Args:
      settings: config.train.
      steps_per_epoch: batches in an epoch.

    Raises:
      ValueError: settings.schedule is unknown.
    """
    rate = settings.learning_rate
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
    settings: ml_collections.ConfigDict, steps_per_epoch: int
) -> optax.GradientTransformation:
    """Adam as in §4.2, with PyTorch's defaults (β 0.9 and 0.999, ε 1e-8), which optax shares.

    Raises:
      ValueError: settings.optimizer is unknown.
    """
    if settings.optimizer != "adam":
        raise ValueError(f"config.train.optimizer is {settings.optimizer!r}; it must be 'adam'")
    return optax.adam(learning_rate_schedule(settings, steps_per_epoch))


def init_variables(model: nn.Module, config: ml_collections.ConfigDict) -> dict[str, Any]:
    """Fresh parameters from config.seed, as NumPy arrays: {'params'[, 'batch_stats']}."""
    size = config.data.image_size
    images = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    # Not under jit: compiling the generators of a hundred arrays at once takes longer.
    variables = model.lazy_init(jax.random.key(config.seed), images)
    return jax.tree.map(np.asarray, dict(variables))


def init_state(variables: dict[str, Any], optimizer: optax.GradientTransformation) -> State:
    """The state before the first step, as NumPy arrays."""
    state = {
        "params": variables["params"],
        "batch_stats": variables.get("batch_stats", {}),
        "opt_state": optimizer.init(variables["params"]),
    }
    return jax.tree.map(np.asarray, state)


def loss_and_gradients(
    stage: Stage, params: Any, batch_stats: Any, batch: dict[str, jax.Array], microbatch: int
) -> tuple[dict[str, jax.Array], Any, Any]:
    """The loss of the global batch and its exact gradients; inside `parallel.pmap` only.

    Normalisers are summed over devices before anything is divided by them, so the result does not
    depend on how examples are spread over devices and microbatches.

    Args:
      stage: what is trained.
      params: parameters.
      batch_stats: running statistics of batch norm, or {}.
      batch: this device's rows.
      microbatch: rows worked on at once; 0 for all.

    Returns:
      ({'loss', its parts}, gradients, new batch_stats), the same on every device.
    """
    inputs = stage.prepare(batch)
    normalisers = parallel.psum(stage.normalisers(inputs))

    def device_loss(params: Any, rows: dict[str, jax.Array]) -> tuple[jax.Array, Any]:
        variables = {"params": params}
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
            gradients, (values, _) = gradient(params, rows)
            return jax.tree.map(jnp.add, totals, (gradients, values)), None

        first = jax.tree.map(lambda leaf: leaf[0], chunks)
        shapes = jax.eval_shape(lambda: gradient(params, first))
        zeros = jax.tree.map(
            lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), (shapes[0], shapes[1][0])
        )
        (gradients, values), _ = jax.lax.scan(accumulate, zeros, chunks)
        new_batch_stats = batch_stats
    else:
        gradients, (values, new_batch_stats) = gradient(params, inputs)
    return parallel.psum(values), parallel.psum(gradients), new_batch_stats


def make_train_step(
    stage: Stage, optimizer: optax.GradientTransformation, microbatch: int
) -> Callable[[State, dict[str, Any]], tuple[State, dict[str, jax.Array]]]:
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
        updates, opt_state = optimizer.update(gradients, state["opt_state"], state["params"])
        new_state = {
            "params": optax.apply_updates(state["params"], updates),
            "batch_stats": batch_stats,
            "opt_state": opt_state,
        }
        return new_state, {
            **values,
            "gradient_norm": optax.tree.norm(gradients),
            "stop": stop,
        }

    return parallel.pmap(step, donate_argnums=(0,))


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
    if "train" in dataset.missing_splits:
        raise DataError(
            f"{dataset.metadata.name} was prepared without a training split; add it to the raw "
            "download and prepare it again with --rebuild"
        )
    progress = checkpoint.read_progress(workdir, "last")
    if progress is None:
        progress = {
            "config": checkpoint.json_config(config),
            "fingerprint": dataset.metadata.fingerprint,
            "class_names": list(dataset.metadata.class_names),
            "step": 0,
            "stage": 0,
            "stage_step": 0,
            "best_f1": None,
            "interval": {"steps": 0, "sums": {}},
            "train": {"epochs": 0, "steps": 0, "images_per_second": None, "seconds": 0.0},
            "timed_images": 0,
        }
    else:
        checkpoint.check_same_run(progress, config, dataset.metadata.fingerprint, workdir)
    model = create_model(config.model, axis_name=parallel.AXIS)
    stages = make_stages(config, model, dataset.metadata.class_names)
    if progress["stage"] == len(stages):
        return True
    log = None
    if parallel.is_main_process():
        write_json(workdir / "config.json", progress["config"])
        write_json(workdir / "environment.json", environment(dataset.metadata.fingerprint))
        (workdir / "results.json").unlink(missing_ok=True)  # of an earlier state
        log = MetricsLog(workdir, progress["step"])
    with contextlib.closing(log) if log else contextlib.nullcontext():
        for stage in stages[progress["stage"] :]:
            run = _StageRun(config, workdir, dataset, model, stage, progress, log)
            if not run.train(interruption):
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
        stage: Stage,
        progress: dict[str, Any],
        log: MetricsLog | None,
    ) -> None:
        self._config, self._workdir, self._stage = config, workdir, stage
        self._model, self._progress, self._log = model, progress, log
        settings = stage.settings
        self._train_split = input_pipeline.load_split(dataset, "train", (stage.label_size,))
        self._class_names = dataset.metadata.class_names
        self._per_epoch = input_pipeline.steps_per_epoch(
            len(self._train_split), settings.batch_size
        )
        self._last_step = self._per_epoch * settings.epochs
        size = config.data.image_size
        self._validation = None
        if "validation" not in dataset.missing_splits:
            self._validation = input_pipeline.load_split(dataset, "validation", (size,))
            self._validation_row = evaluate.Row(size, size)
            self._eval_step = evaluate.make_eval_step(model, config, (self._validation_row,))
        self._schedule = learning_rate_schedule(settings, self._per_epoch)
        optimizer = make_optimizer(settings, self._per_epoch)
        self._step_function = make_train_step(stage, optimizer, settings.microbatch)
        state = init_state(init_variables(model, config), optimizer)
        restored = checkpoint.restore(workdir, "last", state)
        if restored is not None:
            state = restored[0]
        self._state = parallel.replicate(state)

    def train(self, interruption: Interruption) -> bool:
        """Runs the stage to its end; False when interrupted."""
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
                    return False
        return True

    def _end_epoch(self, ends_stage: bool) -> None:
        progress, settings = self._progress, self._stage.settings
        epoch = progress["stage_step"] // self._per_epoch
        progress["train"]["epochs"] += 1
        paused = time.monotonic()
        if ends_stage or epoch % settings.validate_every_epochs == 0:
            self._validate(epoch)
        if ends_stage:
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
            rows=parallel.local_rows(settings.batch_size, settings.microbatch),
            seed=self._config.seed,
            first_step=first_step,
            last_step=self._last_step,
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
            index = (stage_step - 1) % self._per_epoch
            batch_size = self._stage.settings.batch_size
            self._progress["timed_images"] += min(
                batch_size, len(self._train_split) - index * batch_size
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
                    "learning_rate": float(self._schedule(jnp.int32(progress["stage_step"] - 1))),
                    "timing": {
                        "seconds": train["seconds"],
                        "images_per_second": rate,
                    },
                }
            )
        progress["interval"] = {"steps": 0, "sums": {}}

    def _validate(self, epoch: int) -> None:
        """Scores the validation split and keeps the state when it is the best so far."""
        if self._validation is None:
            return
        progress = self._progress
        variables = {"params": self._state["params"]}
        if self._state["batch_stats"]:
            variables["batch_stats"] = self._state["batch_stats"]
        matrices = evaluate.evaluate_split(
            self._eval_step,
            variables,
            self._validation,
            (self._validation_row,),
            self._config.eval.batch_size,
            description="validating",
        )
        scores = metrics.scores(matrices[self._validation_row], self._class_names)
        if self._log:
            scored = {name: scores[name] for name in ("mean_f1", "miou", "class_f1")}
            self._log.write(
                {
                    "step": progress["step"],
                    "split": "validation",
                    "stage": self._stage.name,
                    "epoch": epoch,
                    **scored,
                }
            )
        mean_f1 = scores["mean_f1"]
        if mean_f1 is not None and (progress["best_f1"] is None or mean_f1 > progress["best_f1"]):
            progress["best_f1"] = mean_f1
            self._save("best")

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
