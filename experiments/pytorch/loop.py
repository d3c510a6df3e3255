"""The training loop in PyTorch: as `fpliif_jax.training.train`, for FP-LIIF's one stage on one device."""

import contextlib
import math
import pathlib
import time
from typing import Any

import ml_collections
import numpy as np
import torch
from tqdm import tqdm

from fpliif_jax import interop
from fpliif_jax.data import input_pipeline
from fpliif_jax.evaluation import evaluate
from fpliif_jax.experiments.pytorch import checkpoint
from fpliif_jax.experiments.pytorch.fp_liif import FPLIIF
from fpliif_jax.experiments.pytorch.rows import make_predictor, make_scorer
from fpliif_jax.experiments.pytorch.step import (
    make_optimizer,
    make_prepare,
    make_scheduler,
    train_step,
)
from fpliif_jax.interruption import Interruption
from fpliif_jax.run_folder.checkpoint import (
    CheckpointError,
    check_same_run,
    flatten_config,
    json_config,
    saved_step,
)
from fpliif_jax.run_folder.run_record import MetricsLog, environment, write_json
from fpliif_jax.systems import create_model, parse_protocols
from fpliif_jax.systems.fp_liif.stage import mirrored_classes
from fpliif_jax.training import fitting
from fpliif_jax.training.train import TrainingError, check_has_training_split, init_variables

STAGE = "parsing"


def train(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    dataset: input_pipeline.Dataset,
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
    check_has_training_split(dataset)
    if saved_step(workdir, "last") is not None:
        raise CheckpointError(f"{workdir} holds a run of JAX; use another --workdir")
    saved = checkpoint.load(workdir, "last")
    if saved is not None:
        check_same_run(saved["progress"], config, dataset.metadata.fingerprint, workdir)
        begun = flatten_config(saved["progress"]["config"])
        numbers = (fitting.MICROBATCH, fitting.QUERY_CHUNK)
        config = fitting.with_numbers(config, {name: begun[name] for name in numbers})
    run = _Run(config, workdir, dataset, device, saved)
    if run.is_finished:
        return True
    write_json(workdir / "config.json", run.config)
    write_json(workdir / "environment.json", _environment(dataset, device))
    (workdir / "results.json").unlink(missing_ok=True)  # of an earlier state
    with contextlib.closing(MetricsLog(workdir, run.step)) as log:
        run.train(interruption, log)
    return run.is_finished


def new_model(config: ml_collections.ConfigDict) -> FPLIIF:
    """The model with the weights that a run of JAX with the same settings begins with, on the CPU."""
    model = FPLIIF(config.model)
    weights = interop.fpliif_to_torch(init_variables(create_model(config.model), config))
    model.load_state_dict({name: torch.from_numpy(leaf) for name, leaf in weights.items()})
    return model


def _environment(dataset: input_pipeline.Dataset, device: torch.device) -> dict[str, Any]:
    found = environment(dataset.environment())
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return found | {
        "framework": "pytorch",
        "versions": found["versions"] | {"torch": torch.__version__},
        "backend": device.type,
        "devices": [name],
        "torch_threads": torch.get_num_threads(),
        "torch_deterministic": torch.are_deterministic_algorithms_enabled(),
        "matmul_precision": torch.get_float32_matmul_precision(),
    }


class _Run:
    """A run's model, optimizer and progress, which go on together."""

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        workdir: pathlib.Path,
        dataset: input_pipeline.Dataset,
        device: torch.device,
        saved: dict[str, Any] | None,
    ) -> None:
        settings, size = config.train, config.data.image_size
        self._config, self._workdir, self._class_names = config, workdir, dataset.class_names
        self._train_split = input_pipeline.load_split(dataset, "train", (size,))
        self._per_epoch = input_pipeline.steps_per_epoch(
            len(self._train_split), settings.batch_size
        )
        self._last_step = self._per_epoch * settings.epochs
        self._progress = saved["progress"] if saved else self._first_progress(dataset)
        self._model = new_model(config)
        if saved:
            self._model.load_state_dict(saved["model"])
        self._model.to(device)
        self._optimizer = make_optimizer(self._model, settings)
        if saved:
            self._optimizer.load_state_dict(saved["optimizer"])
        self._scheduler = make_scheduler(self._optimizer, settings, self._per_epoch, self.step)
        self._prepare = make_prepare(config, mirrored_classes(dataset.class_names), device)
        self._validation = None
        if "validation" not in dataset.missing_splits:
            self._protocols = parse_protocols(config, (str(size),))
            self._validation = input_pipeline.load_split(dataset, "validation", (size,))
            predict = make_predictor(self._model, config, self._protocols, device)
            self._score = make_scorer(predict, config.model.num_classes)

    @property
    def config(self) -> dict[str, Any]:
        """What the run was started with, ready for JSON."""
        return self._progress["config"]

    @property
    def step(self) -> int:
        """Steps taken."""
        return self._progress["step"]

    @property
    def is_finished(self) -> bool:
        """Whether all steps are taken."""
        return self.step == self._last_step

    def train(self, interruption: Interruption, log: MetricsLog) -> None:
        """Goes on to the end, or to the end of the step in which it is interrupted."""
        settings, size = self._config.train, self._config.data.image_size
        batches = input_pipeline.train_batches(
            self._train_split,
            label_size=size,
            batch_size=settings.batch_size,
            rows=slice(0, settings.batch_size),
            seed=self._config.seeds.data_order,
            first_step=self.step,
            last_step=self._last_step,
        )
        bar = tqdm(total=self._last_step, initial=self.step, desc=f"training {STAGE}", unit="step")
        started = None  # the first step compiles or warms up: it is not counted in the speed
        with interruption.deferred(), bar:
            for batch in batches:
                self._model.train()
                rate = self._scheduler.get_last_lr()[0]
                values = train_step(
                    self._model,
                    self._optimizer,
                    self._scheduler,
                    self._prepare(batch),
                    self._config,
                )
                started = self._count_in(values, batch, started)
                bar.update()
                ends_epoch = self.step % self._per_epoch == 0
                if self.step % settings.log_every_steps == 0 or self.is_finished:
                    self._log_interval(log, rate, bar)
                paused = time.monotonic()
                if ends_epoch:
                    self._end_epoch(log)
                if interruption.requested and not self.is_finished:
                    self._save("last", log)
                    break
                started += time.monotonic() - paused

    def _end_epoch(self, log: MetricsLog) -> None:
        settings, epoch = self._config.train, self.step // self._per_epoch
        self._progress["train"]["epochs"] += 1
        if self.is_finished or epoch % settings.validate_every_epochs == 0:
            self._validate(epoch, log)
        if self.is_finished or epoch % settings.checkpoint_every_epochs == 0:
            self._save("last", log)

    def _count_in(
        self, values: dict[str, float], batch: dict[str, np.ndarray], started: float | None
    ) -> float:
        """Checks a step and adds it to the totals, in which validation and checkpoints are no time; the time now."""
        progress = self._progress
        bad = [name for name, value in values.items() if not math.isfinite(value)]
        if bad:
            self._stop_not_finite(bad[0], values[bad[0]], batch["example_ids"])
        progress["step"] += 1
        progress["train"]["steps"] += 1
        interval = progress["interval"]
        interval["steps"] += 1
        for name, value in values.items():
            interval["sums"][name] = interval["sums"].get(name, 0.0) + value
        now = time.monotonic()
        if started is not None:
            train = progress["train"]
            train["seconds"] += now - started
            progress["timed_images"] += int(batch["weights"].sum())
            train["images_per_second"] = progress["timed_images"] / max(train["seconds"], 1e-9)
        return now

    def _stop_not_finite(self, name: str, value: float, example_ids: np.ndarray) -> None:
        ids = ", ".join(self._train_split.ids[index] for index in example_ids if index >= 0)
        saved = checkpoint.load(self._workdir, "last")
        kept = "there is no earlier checkpoint"
        if saved is not None:
            kept = f"the last good checkpoint, of step {saved['progress']['step']}, is kept"
        raise TrainingError(
            f"{name} is {value} at step {self.step + 1} (epoch {self.step // self._per_epoch + 1}); "
            f"{kept} in {self._workdir}; batch ids: {ids}"
        )

    def _log_interval(self, log: MetricsLog, learning_rate: float, bar: tqdm) -> None:
        """Writes the means since the last such record."""
        interval, train = self._progress["interval"], self._progress["train"]
        means = {name: total / interval["steps"] for name, total in interval["sums"].items()}
        rate = train["images_per_second"]
        speed = "" if rate is None else f", {rate:.1f} images/s"
        bar.set_postfix_str(f"loss {means['loss']:.3f}{speed}")
        log.write(
            {
                "step": self.step,
                "split": "train",
                "stage": STAGE,
                "epoch": (self.step - 1) // self._per_epoch + 1,
                **means,
                "learning_rate": learning_rate,
                "timing": {"seconds": train["seconds"], "images_per_second": rate},
            }
        )
        self._progress["interval"] = {"steps": 0, "sums": {}}

    def _validate(self, epoch: int, log: MetricsLog) -> None:
        """Scores the validation split and keeps the model when it is the best so far."""
        if self._validation is None:
            return
        (found,) = evaluate.score_split(
            self._score,
            self._validation,
            self._protocols,
            self._config.eval.batch_size,
            description="validating",
        ).values()
        scores = evaluate.row_scores(found, self._class_names)
        log.write(
            {
                "step": self.step,
                "split": "validation",
                "stage": STAGE,
                "epoch": epoch,
                **{name: scores[name] for name in ("mean_f1", "miou", "class_f1")},
            }
        )
        score, best = scores["mean_f1"], self._progress["best_score"]
        if score is not None and (best is None or score > best):
            self._progress["best_score"] = score
            self._save("best", log)

    def _save(self, which: str, log: MetricsLog) -> None:
        log.flush()
        checkpoint.save(
            self._workdir,
            which,
            {
                "model": self._model.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "progress": self._progress,
            },
        )

    def _first_progress(self, dataset: input_pipeline.Dataset) -> dict[str, Any]:
        return {
            "config": json_config(self._config),
            "fingerprint": dataset.metadata.fingerprint,
            "class_names": list(dataset.class_names),
            "whose_left": dataset.whose_left,
            "step": 0,
            "best_score": None,
            "interval": {"steps": 0, "sums": {}},
            "train": {"epochs": 0, "steps": 0, "images_per_second": None, "seconds": 0.0},
            "timed_images": 0,
        }
