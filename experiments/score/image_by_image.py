"""How far two systems are apart on the same images: the paired bootstrap over images."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from fpliif_jax.data_builders.errors import UserError, counted
from fpliif_jax.evaluation.results import Evaluation
from fpliif_jax.experiments.runs.arrays import load_matrices
from fpliif_jax.experiments.runs.evaluation import Evaluation as RunEvaluation
from fpliif_jax.experiments.runs.evaluation import Matrices
from fpliif_jax.experiments.runs.run import FinishedRun, Run
from fpliif_jax.experiments.runs.runs import read_runs
from fpliif_jax.experiments.score.run_folder import Subject
from fpliif_jax.experiments.stats import image_bootstrap, number_text


class AgainstError(UserError):
    """A run cannot be compared; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """The mean F1 of a system less that of a run, in points.

    Attributes:
      protocol: by which both are scored.
      system, run: names.
      checkpoint: of the run.
      difference, low, high: with its 95 % interval over images; None of a single one.
      images: how many.
      same_truth: whether both were scored on the same label maps, as far as the pixels of each class tell.
    """

    protocol: str
    system: str
    run: str
    checkpoint: str
    difference: float
    low: float | None
    high: float | None
    images: int
    same_truth: bool

    @property
    def text(self) -> str:
        """The difference and its interval, in a sentence."""
        sentence = (
            f"{self.system} less {self.run} ({self.checkpoint}) at {self.protocol}: mean F1 "
            f"{number_text.difference(self.difference)} points"
        )
        if self.low is None or self.high is None:
            sentence += " on a single image, which has no interval over images"
        else:
            interval = number_text.interval((self.low, self.high), signed=True)
            sentence += f", 95 % {interval} over the same {counted(self.images, 'image')}"
        return f"{sentence}." if self.same_truth else f"{sentence}; their true label maps differ."


def differences(
    subject: Subject, made: Sequence[tuple[Evaluation, tuple[str, ...]]], run: Run
) -> list[Difference]:
    """Every evaluation of a run's split whose protocol was scored here, too.

    Raises:
      AgainstError: none of the run's evaluations has the same protocol, images and classes.
    """
    ids = tuple(subject.digests)
    compared, reasons = [], []
    for evaluation, names in made:
        own = Matrices(ids, evaluation.scores.matrices.astype(np.int64), names)
        for one in run.evaluations:
            if (one.split, one.protocol) != (subject.split, evaluation.protocol.key):
                continue
            other = load_matrices(run, one)
            if other.class_names != names:
                reasons.append("it has other classes")
            elif set(other.example_ids) != set(ids):
                reasons.append("it was evaluated on other images")
            else:
                paired = image_bootstrap.paired_runs(own, other)
                if paired.difference is None:
                    reasons.append("the mean F1 of one of the two is undefined")
                else:
                    compared.append(_difference(subject, run, one, paired, paired.difference))
    if not compared:
        reason = reasons[0] if reasons else f"no evaluation of {subject.split} at the same size"
        raise AgainstError(f"--against={run.path}: nothing to compare image by image: {reason}")
    return compared


def only_run(folder: pathlib.Path) -> FinishedRun:
    """The finished run of a folder that has no other.

    Raises:
      AgainstError: it has none, or several.
    """
    runs = read_runs(folder)
    if len(runs) != 1:
        raise AgainstError(f"--against={folder}: {len(runs)} runs in this folder; give that of one")
    (run,) = runs
    if not isinstance(run, FinishedRun):
        raise AgainstError(f"--against={folder}: {run.problem}")
    return run


def _difference(
    subject: Subject,
    run: Run,
    other: RunEvaluation,
    paired: image_bootstrap.PairedRuns,
    difference: float,
) -> Difference:
    return Difference(
        other.protocol,
        subject.system,
        run.name,
        other.checkpoint,
        difference,
        *(paired.interval or (None, None)),
        paired.images,
        paired.same_truth,
    )
