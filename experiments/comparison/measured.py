"""What a group of runs has measured: scores by seed with their intervals, the confusion matrix, the curves of training.

Scores are in percent points.
"""

import dataclasses
import functools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from fpliif_jax import systems
from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.comparison.scores import Interval, ScoreKey, Statistics
from fpliif_jax.experiments.comparison.study_groups import Confusion, Curve, Curves, StageCurves
from fpliif_jax.experiments.runs.arrays import load_matrices
from fpliif_jax.experiments.runs.evaluation import Evaluation, Matrices, Place
from fpliif_jax.experiments.runs.groups import Group
from fpliif_jax.experiments.runs.run import FinishedRun, RunError, SoundRun
from fpliif_jax.experiments.runs.value_types import ELSEWHERE
from fpliif_jax.experiments.stats import image_bootstrap, seed_statistics
from fpliif_jax.systems.stage import ValidationScore
from fpliif_jax.systems.system import System

_RESAMPLES = 1000
AnyRun = TypeVar("AnyRun", bound=SoundRun)


@dataclasses.dataclass(frozen=True)
class SeedScores:
    """One score of a group: percent, by seed."""

    key: ScoreKey
    values: dict[int, float]


class MeasuredGroup:
    """The finished runs of a group, one a seed."""

    def __init__(self, group: Group, made: Collection[str] = ()) -> None:
        """Takes one finished run of each seed: the first, but one that a study made before a copy of it.

        Args:
          group: has finished runs.
          made: names of the runs that studies made.
        """
        self.group = group
        self.runs = _one_a_seed(sorted(group.finished, key=lambda run: run.name not in made))
        first = next(iter(self.runs.values()))
        self.results = first.results
        self.problems: list[str] = []  # files of evaluations that could not be used
        self._matrices: dict[Place, list[Matrices] | None] = {}
        self._images: dict[ScoreKey, image_bootstrap.ImageBootstrap | None] = {}

    @functools.cached_property
    def scores(self) -> dict[ScoreKey, SeedScores]:
        """Every score that at least one run has, in the order of results.json."""
        values: dict[ScoreKey, dict[int, float]] = {}
        for seed, run in self.runs.items():
            for evaluation in run.evaluations:
                for metric, name, fraction in _scores_of(evaluation):
                    if fraction is not None:
                        key = ScoreKey(*evaluation.place, metric, name)
                        values.setdefault(key, {})[seed] = 100 * fraction
        return {key: SeedScores(key, by_seed) for key, by_seed in values.items()}

    @functools.cached_property
    def alike(self) -> tuple[tuple[int, int], ...]:
        """Pairs of seeds with the same value, not all 0, in every score: an earlier one, and one that repeats it."""
        first_of: dict[frozenset, int] = {}
        pairs = []
        for seed in self.runs:
            own = frozenset(
                (key, score.values[seed])
                for key, score in self.scores.items()
                if seed in score.values
            )
            earlier = first_of.setdefault(own, seed)
            if earlier != seed and any(value for _, value in own):
                pairs.append((earlier, seed))
        return tuple(pairs)

    @property
    def _system(self) -> System:
        model = self.results.model
        return systems.of_label_maps() if model == ELSEWHERE else systems.of_name(model)

    @functools.cached_property
    def main(self) -> ScoreKey | None:
        """The score that stands for the group: the paper's for this model and data, on the best checkpoint."""
        system = self._system
        measure = system.paper.main_score(self.results.dataset.name)
        keys = [key for key in self.scores if key.measure == measure]
        order = {"test": 0, "validation": 1, "train": 2}
        keys.sort(
            key=lambda key: (
                order[key.split],
                key.checkpoint != "best",
                key.protocol != system.paper.main_protocol,
            )
        )
        return keys[0] if keys else None

    def find(self, protocol: str, metric: str, class_name: str) -> SeedScores | None:
        """The score of a protocol in the split and checkpoint that stand for the group."""
        if self.main is None:
            return None
        split, checkpoint = self.main.split, self.main.checkpoint
        return self.scores.get(ScoreKey(split, checkpoint, protocol, metric, class_name))

    def images(self, score: SeedScores) -> image_bootstrap.ImageBootstrap | None:
        """How much a score owes to its images; None where the matrices are not there or fit no such score."""
        if score.key not in self._images:
            self._images[score.key] = self._resampled(score)
        return self._images[score.key]

    def _resampled(self, score: SeedScores) -> image_bootstrap.ImageBootstrap | None:
        matrices = self._stack(score.key.evaluation)
        if matrices is None:
            return None
        statistic = _statistic(score.key, matrices[0].class_names)
        if statistic is None:
            return None
        seeds = [seed for seed in self.runs if seed in score.values]
        if len(seeds) != len(self.runs):
            return None
        return image_bootstrap.image_bootstrap(
            image_bootstrap.stack(matrices), statistic, resamples=_RESAMPLES
        )

    def matrices(self, key: ScoreKey) -> Matrices | None:
        """What the first run counted in every image of the evaluation of a score; None where that cannot be used."""
        matrices = self._stack(key.evaluation)
        return None if matrices is None else matrices[0]

    def confusion(self) -> Confusion | None:
        """The matrix of the main evaluation, summed over runs and images, as shares of each true class."""
        if self.main is None:
            return None
        matrices = self._stack(self.main.evaluation)
        if matrices is None:
            return None
        total = np.sum([one.confusion_matrices.sum(axis=0) for one in matrices], axis=0)
        rows = total.sum(axis=1, keepdims=True)
        shares = np.divide(total, rows, out=np.zeros(total.shape), where=rows > 0)
        return Confusion(
            *self.main.evaluation,
            class_names=matrices[0].class_names,
            matrix=[[round(float(share), 6) for share in line] for line in shares],
        )

    def curves(self) -> Curves:
        """Training loss and validation score by step, of each stage and seed, those without finished runs included."""
        runs = _one_a_seed([*self.runs.values(), *self.group.runs]).values()
        names: dict[str, None] = {}
        for run in runs:
            names |= dict.fromkeys(one.stage for one in run.metrics if one.stage is not None)
        score_of = self._system.training.validation_score
        return Curves([_stage_curves(name, score_of(name), runs) for name in names])

    def _stack(self, where: Place) -> list[Matrices] | None:
        """The matrices of an evaluation, run by run; None where a run has none, or they do not fit together."""
        if where not in self._matrices:
            self._matrices[where] = None
            if all(run.has_matrices for run in self.runs.values()):
                try:
                    self._matrices[where] = self._load(where)
                except RunError as error:
                    self.problems.append(str(error))
        return self._matrices[where]

    def _load(self, where: Place) -> list[Matrices]:
        evaluations = [
            load_matrices(run, self._evaluation(run, where)) for run in self.runs.values()
        ]
        image_bootstrap.stack(evaluations)  # it refuses those that do not fit together
        return evaluations

    @staticmethod
    def _evaluation(run: FinishedRun, where: Place) -> Evaluation:
        for evaluation in run.evaluations:
            if evaluation.place == where:
                return evaluation
        raise RunError(f"{run.name}: it has no evaluation {'-'.join(where)}")


def described(
    values: Mapping[int, float], images: image_bootstrap.ImageBootstrap | None = None
) -> Statistics:
    """Values by seed with their statistics; images are how much they owe to their images."""
    numbers = list(values.values())
    enough = _enough(values)
    of_images = images.mean if images else None
    return Statistics(
        values=dict(values),
        summary=seed_statistics.summary(numbers),
        t_interval=seed_statistics.t_interval(enough),
        bootstrap_interval=seed_statistics.bootstrap_interval(enough),
        image_interval=_ends(of_images),
        image_sd=of_images.sd if of_images else None,
        seed_and_image_interval=_ends(images.crossed if images else None),
    )


def prediction_interval(values: Mapping[int, float]) -> Interval | None:
    """Where one more run would fall, 95 %; None for fewer than three runs."""
    return seed_statistics.prediction_interval(_enough(values))


def _enough(values: Mapping[int, float]) -> list[float]:
    """The values, or none where they are too few for an interval."""
    return list(values.values()) if len(values) >= seed_statistics.FEWEST_RUNS else []


def _ends(resampled: image_bootstrap.Resampled | None) -> Interval | None:
    return None if resampled is None else (resampled.low, resampled.high)


def _scores_of(evaluation: Evaluation) -> Iterator[tuple[str, str, float | None]]:
    for metric, value in evaluation.means.items():
        yield metric, "mean", value
    for name, value in evaluation.class_f1.items():
        yield "f1", name, value
    for name, value in evaluation.group_f1.items():
        yield "group_f1", name, value


def _statistic(key: ScoreKey, class_names: Sequence[str]) -> image_bootstrap.Score | None:
    if key.metric == "mean_f1":
        return metrics.mean_f1
    if key.metric == "miou":
        return metrics.mean_iou
    if key.metric == "f1":
        index = list(class_names).index(key.class_name)
        return functools.partial(metrics.mean_f1_of, classes=[index])
    parts = metrics.face_parts(class_names)
    if key.metric == "group_f1" and key.class_name in parts:
        return functools.partial(metrics.group_f1, group=parts[key.class_name])
    if key.metric == "group_f1" and key.class_name == "overall":
        overall = [index for part in parts.values() for index in part]
        return functools.partial(metrics.group_f1, group=overall)
    return None


def _one_a_seed(runs: Iterable[AnyRun]) -> dict[int, AnyRun]:
    """The first run of each seed, by seed."""
    by_seed: dict[int, AnyRun] = {}
    for run in runs:
        by_seed.setdefault(run.seed, run)
    return dict(sorted(by_seed.items()))


def _stage_curves(stage: str, score: ValidationScore, runs: Iterable[SoundRun]) -> StageCurves:
    loss, validation = [], []
    for run in runs:
        records = [record for record in run.metrics if record.stage == stage]
        trained = [(r.step, r.loss) for r in records if r.split == "train"]
        loss.append(_curve(run, trained))
        validated = [(r.step, r.score(score.name)) for r in records if r.split == "validation"]
        validation.append(_curve(run, validated, score.factor))
    return StageCurves(
        stage,
        [curve for curve in loss if curve.steps],
        [curve for curve in validation if curve.steps],
        score.title,
    )


def _curve(run: SoundRun, points: Sequence[tuple[int, float | None]], factor: int = 1) -> Curve:
    """The points that have a value, which is multiplied by the factor."""
    steps = [step for step, value in points if value is not None]
    values = [factor * value for _, value in points if value is not None]
    return Curve(run.seed, steps, values, is_finished=isinstance(run, FinishedRun))
