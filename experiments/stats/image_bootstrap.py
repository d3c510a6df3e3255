"""How much a score owes to the images of the test set: the bootstrap over images, and over runs and images.

A test set of N images is one draw from the faces there are. Drawing N of its images with replacement, again and again,
shows how far a score would move with another draw; the matrices of the images are enough for that, no model is
needed. Every resample takes the same images for all runs, since all runs were scored on the same ones.

Scores are in percent, the rest of the statistics in F1 (or IoU) points. Intervals are of 95 %.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.runs.evaluation import Matrices
from fpliif_jax.experiments.runs.run import RunError

# From summed matrices [..., C, C] to fractions [...], NaN where undefined: one of `evaluation.metrics`.
Score = Callable[[np.ndarray], np.ndarray]

_LEVEL = 0.95
_CHUNK_BYTES = 2**25
_EXACT = 2**53  # float64 counts exactly up to here


@dataclasses.dataclass(frozen=True)
class Resampled:
    """A score and how it varies between resamples; those in which it is undefined are left out.

    Attributes:
      estimate: of all images, in percent.
      sd: standard deviation over resamples.
      low, high: percentile interval.
    """

    estimate: float
    sd: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class ImageBootstrap:
    """Where the variance of a score comes from.

    Attributes:
      mean: the mean over runs, images resampled; None where it is undefined.
      crossed: the mean over runs, runs and images resampled independently; None for one run. The part of the runs
        is too small by the factor (S − 1) / S of its variance, as in every bootstrap of S values.
    """

    mean: Resampled | None
    crossed: Resampled | None


def stack(evaluations: Sequence[Matrices]) -> np.ndarray:
    """Matrices of several runs as int64 [S, N, C, C], images in the order of the first run.

    Raises:
      RunError: the runs were evaluated on other images, or have other classes.
    """
    first = evaluations[0]
    stacked = []
    for evaluation in evaluations:
        if evaluation.class_names != first.class_names:
            raise RunError("the runs have different classes")
        place = {example: index for index, example in enumerate(evaluation.example_ids)}
        if place.keys() != set(first.example_ids):
            raise RunError("the runs were evaluated on different images")
        stacked.append(
            evaluation.confusion_matrices[[place[example] for example in first.example_ids]]
        )
    return np.stack(stacked)


def image_bootstrap(
    matrices: np.ndarray,
    score: Score = metrics.mean_f1,
    *,
    seed: int = 0,
    resamples: int = 2000,
) -> ImageBootstrap | None:
    """Resamples the images of a split, and the runs.

    Args:
      matrices: integer [S runs, N images, C, C], of the same images in the same order.
      score: of the summed matrices.
      seed: of the resamples (PCG64); the same seed gives the same numbers.
      resamples: how many.

    Returns:
      None for less than two images.

    Raises:
      ValueError: the matrices have another shape or type, or no run.
    """
    matrices = np.asarray(matrices)
    if matrices.ndim != 4 or matrices.shape[2] != matrices.shape[3] or not len(matrices):
        raise ValueError(f"matrices are {matrices.shape}; expected [runs, images, C, C]")
    if matrices.dtype.kind not in "iu" or (matrices.size and matrices.min() < 0):
        raise ValueError("matrices are no counts")
    seeds, images = matrices.shape[:2]
    if images < 2:
        return None
    totals = matrices.sum(axis=1, dtype=np.int64)
    # No image can be drawn more often than N times.
    if int(matrices.max()) * images >= _EXACT:
        raise ValueError("matrices have counts too large to be summed exactly")
    of_images, of_seeds = np.random.SeedSequence(seed).spawn(2)
    resampled = _resample(matrices, score, of_images, resamples)
    estimates = 100 * score(totals)

    crossed = None
    if seeds > 1:
        generator = np.random.Generator(np.random.PCG64(of_seeds))
        weights = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)
        crossed = _describe(float(_mean(estimates)), _mean(resampled, weights))
    return ImageBootstrap(_describe(float(_mean(estimates)), _mean(resampled)), crossed)


def paired_difference(
    matrices: np.ndarray, *, seed: int = 0, resamples: int = 2000
) -> Resampled | None:
    """How far the mean F1 of two runs is apart, the same images drawn for both: what is hard for both cancels.

    Args:
      matrices: integer [2, N images, C, C], of the same images in the same order.
      seed, resamples: as for `image_bootstrap`.

    Returns:
      The score of the first less that of the second; None where that is undefined, or for less than two images.

    Raises:
      ValueError: there are not two runs.
    """
    if len(matrices) != 2:
        raise ValueError(f"{len(matrices)} runs are no pair")
    if matrices.shape[1] < 2:
        return None
    of_images, _ = np.random.SeedSequence(seed).spawn(2)
    first, second = 100 * metrics.mean_f1(matrices.sum(axis=1, dtype=np.int64))
    resampled = _resample(matrices, metrics.mean_f1, of_images, resamples)
    return _describe(first - second, resampled[:, 0] - resampled[:, 1])


@dataclasses.dataclass(frozen=True)
class PairedRuns:
    """Two runs on the same images.

    Attributes:
      difference: of their mean F1 in points, the first less the second; None where it is undefined.
      interval: of the difference, over images; None of a single image.
      same_truth: whether both were scored on the same label maps, as far as the pixels of each class tell.
      images: how many.
    """

    difference: float | None
    interval: tuple[float, float] | None
    same_truth: bool
    images: int


def paired_runs(first: Matrices, second: Matrices) -> PairedRuns:
    """Compares two runs image by image.

    Raises:
      RunError: see `stack`.
    """
    stacked = stack([first, second])
    truth = stacked.sum(axis=-1)
    own, other = 100 * metrics.mean_f1(stacked.sum(axis=1, dtype=np.int64))
    resampled = paired_difference(stacked)
    return PairedRuns(
        None if np.isnan(own - other) else float(own - other),
        None if resampled is None else (resampled.low, resampled.high),
        np.array_equal(truth[0], truth[1]),
        stacked.shape[1],
    )


def _resample(
    matrices: np.ndarray, score: Score, source: np.random.SeedSequence, resamples: int
) -> np.ndarray:
    """Scores in percent [resamples, S] of matrices [S, N, C, C], a few resamples and one run at a time."""
    seeds, images, classes, _ = matrices.shape
    of_runs = matrices.reshape(seeds, images, classes**2)
    generator = np.random.Generator(np.random.PCG64(source))
    chunk = max(1, _CHUNK_BYTES // (8 * (images + seeds * classes**2)))
    parts = []
    for first in range(0, resamples, chunk):
        count = min(chunk, resamples - first)
        weights = generator.multinomial(images, np.full(images, 1 / images), size=count)
        # As float64, since NumPy multiplies integer matrices slowly; sums below 2**53 are exact.
        weights = weights.astype(np.float64)
        sums = np.stack([weights @ run.astype(np.float64) for run in of_runs], axis=1)
        sums = sums.astype(np.int64).reshape(count, seeds, classes, classes)
        parts.append(100 * score(sums))
    return np.concatenate(parts)


def _mean(values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean over the last axis of what is not NaN, weighted; NaN where nothing is left."""
    weights = np.where(np.isnan(values), 0, 1 if weights is None else weights)
    total = weights.sum(axis=-1)
    sums = (np.nan_to_num(values) * weights).sum(axis=-1)
    return np.divide(sums, total, out=np.full(np.shape(total), np.nan), where=total > 0)


def _describe(estimate: float, values: np.ndarray) -> Resampled | None:
    defined = values[~np.isnan(values)]
    if np.isnan(estimate) or not defined.size:
        return None
    low, high = np.quantile(defined, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Resampled(
        float(estimate),
        float(defined.std(ddof=1)) if len(defined) > 1 else 0.0,
        float(low),
        float(high),
    )
