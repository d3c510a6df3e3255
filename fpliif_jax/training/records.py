"""What both trainers write while they train: records of metrics.jsonl, the progress bar, and why they stop."""

import math
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from tqdm import tqdm

from fpliif_jax.data.dataset import Dataset
from fpliif_jax.data_builders.errors import DataError, UserError
from fpliif_jax.run_folder.run_record import MetricsLog
from fpliif_jax.training.progress import Progress, StageSteps

# The scores of a validation that metrics.jsonl has of every system.
_VALIDATION_SCORES = ("mean_f1", "miou", "class_f1")


class TrainingError(UserError):
    """Training cannot go on; the message says where and why."""


def check_has_training_split(dataset: Dataset) -> None:
    """Refuses a data set that nothing can be trained on.

    Raises:
      DataError: there is no training split.
    """
    if "train" in dataset.missing_splits:
        raise DataError(
            f"{dataset.metadata.name} was prepared without a training split; add it to the raw "
            "download and prepare it again with --rebuild"
        )


def not_finite(
    metrics: Mapping[str, float],
    place: str,
    saved_step: int | None,
    workdir: pathlib.Path,
    ids: Iterable[str],
) -> TrainingError:
    """The error of a run whose loss or gradient is no number any more.

    Args:
      metrics: of a step, by name, one of them not finite.
      place: which step it is, in words.
      saved_step: of the last checkpoint; None where there is none.
      workdir: the run's folder.
      ids: of the examples in the step's batch.
    """
    name, number = next(item for item in metrics.items() if not math.isfinite(item[1]))
    remaining = "there is no earlier checkpoint"
    if saved_step is not None:
        remaining = f"the last good checkpoint, of step {saved_step}, is kept"
    return TrainingError(
        f"{name} is {number} at {place}; {remaining} in {workdir}; batch ids: {', '.join(ids)}"
    )


def log_interval(
    log: MetricsLog | None,
    bar: tqdm,
    progress: Progress,
    stage: str,
    steps: StageSteps,
    learning_rate: float | dict[str, float],
) -> None:
    """Writes the means since the last such record, and begins another interval.

    Args:
      log: None in processes that write nothing.
      bar: gets the loss and the speed.
      progress: of the run; its last step is counted in.
      stage: name of the stage.
      steps: of the stage.
      learning_rate: of the last step; or by network.
    """
    means, rate = progress.end_interval(), progress.train.images_per_second
    speed = "" if rate is None else f", {rate:.1f} images/s"
    bar.set_postfix_str(f"loss {means['loss']:.3f}{speed}")
    if log is not None:
        log.write(
            {
                "step": progress.step,
                "split": "train",
                "stage": stage,
                "epoch": steps.epoch(progress.stage_step),
                **means,
                "learning_rate": learning_rate,
                "timing": {"seconds": progress.train.seconds, "images_per_second": rate},
            }
        )


def log_validation(
    log: MetricsLog | None,
    progress: Progress,
    stage: str,
    epoch: int,
    scores: Mapping[str, Any],
    own: Iterable[str] = (),
) -> None:
    """Writes the scores of a validation.

    Args:
      log: None in processes that write nothing.
      progress: of the run.
      stage: name of the stage.
      epoch: of the stage, from 1, that has ended.
      scores: of `scoring.protocol_scores`.
      own: names of scores that the system's validations are read by.
    """
    if log is not None:
        log.write(
            {
                "step": progress.step,
                "split": "validation",
                "stage": stage,
                "epoch": epoch,
                **{name: scores[name] for name in (*_VALIDATION_SCORES, *own) if name in scores},
            }
        )
