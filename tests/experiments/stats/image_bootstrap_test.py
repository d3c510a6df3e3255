"""The bootstrap over images against a naive loop, SciPy and hand-made cases."""

import dataclasses
import functools
import json
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats

from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.runs.evaluation import Matrices
from fpliif_jax.experiments.runs.run import RunError
from fpliif_jax.experiments.stats import image_bootstrap as bootstrap


def draw(seeds: int, images: int, classes: int, seed: int = 0) -> np.ndarray:
    """Matrices of images of different difficulty, the same for all runs."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(50, 400, (images, classes))
    skill = generator.uniform(0.5, 0.95, (images, 1, 1))
    matrices = np.zeros((seeds, images, classes, classes), np.int32)
    for run in range(seeds):
        spread = (1 - skill) / (classes - 1) * np.ones((images, classes, classes))
        spread[:, np.arange(classes), np.arange(classes)] = skill[:, 0] - 0.01 * run
        matrices[run] = truth[:, :, None] * spread
    return matrices


def naive(
    matrices: np.ndarray, score: Callable[[np.ndarray], float], seed: int, resamples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scores [resamples, S] in percent and weights of runs, one image after the other."""
    of_images, of_seeds = np.random.SeedSequence(seed).spawn(2)
    images, seeds = matrices.shape[1], len(matrices)
    generator = np.random.Generator(np.random.PCG64(of_images))
    found = np.empty((resamples, seeds))
    for resample in range(resamples):
        drawn = generator.multinomial(images, [1 / images] * images)
        for run in range(seeds):
            total = np.zeros(matrices.shape[2:], np.int64)
            for image, times in enumerate(drawn):
                for _ in range(times):
                    total += matrices[run, image]
            found[resample, run] = 100 * score(total)
    generator = np.random.Generator(np.random.PCG64(of_seeds))
    return found, generator.multinomial(seeds, [1 / seeds] * seeds, size=resamples)


def test_a_paired_difference_is_of_the_same_draws() -> None:
    matrices = draw(2, 30, 4)
    matrices[1] = matrices[1, ::-1].swapaxes(-1, -2)  # another system: other images are hard for it
    resampled, _ = naive(matrices, metrics.mean_f1, seed=3, resamples=100)
    differences = resampled[:, 0] - resampled[:, 1]
    paired = bootstrap.paired_difference(matrices, seed=3, resamples=100)
    first, second = (100 * metrics.mean_f1(one) for one in matrices.sum(axis=1))
    assert paired.estimate == pytest.approx(first - second, abs=1e-9)
    expected = (*np.quantile(differences, [0.025, 0.975]), differences.std(ddof=1))
    assert (paired.low, paired.high, paired.sd) == pytest.approx(expected, abs=1e-9)
    same = bootstrap.paired_difference(matrices[[0, 0]])
    assert (same.estimate, same.low, same.high) == (0, 0, 0)
    assert bootstrap.paired_difference(matrices[:, :1]) is None
    with pytest.raises(ValueError, match="3 runs are no pair"):
        bootstrap.paired_difference(draw(3, 5, 4))


def _f1_of(classes: list[int]) -> bootstrap.Score:
    return functools.partial(metrics.mean_f1_of, classes=classes)


@pytest.mark.parametrize(
    ("score", "definition"),
    [
        (metrics.mean_f1, metrics.mean_f1),
        (metrics.mean_iou, metrics.mean_iou),
        (_f1_of([2]), lambda matrix: metrics.class_f1(matrix)[2]),
        (
            functools.partial(metrics.group_f1, group=[1, 3]),
            lambda matrix: metrics.group_f1(matrix, [1, 3]),
        ),
    ],
)
def test_it_is_the_naive_loop(
    score: bootstrap.Score,
    definition: Callable[[np.ndarray], float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matrices = draw(seeds=3, images=5, classes=4)
    matrices[:, :, 3] = matrices[:, :, :, 3] = 0  # class 3 only in image 0: often not drawn
    matrices[:, 0, 3, 3], matrices[:, 0, 3, 1] = 30, 20
    monkeypatch.setattr(bootstrap, "_CHUNK_BYTES", 8 * (5 + 48) * 7)  # 7 resamples at a time
    found = bootstrap.image_bootstrap(matrices, score, seed=4, resamples=40)
    expected, weights = naive(matrices, definition, 4, 40)
    estimates = [100 * definition(matrix) for matrix in matrices.sum(axis=1)]
    for run, estimate in enumerate(estimates):
        of_run = bootstrap.image_bootstrap(matrices[[run]], score, seed=4, resamples=40)
        assert of_run.crossed is None
        assert of_run.mean.estimate == pytest.approx(estimate)
        assert of_run.mean.sd == pytest.approx(np.std(expected[:, run], ddof=1))
        ends = (of_run.mean.low, of_run.mean.high)
        assert ends == pytest.approx(np.percentile(expected[:, run], (2.5, 97.5)))
    means = expected.mean(axis=1)
    assert found.mean.sd == pytest.approx(np.std(means, ddof=1))
    assert found.mean.estimate == pytest.approx(np.mean(estimates))
    crossed = (expected * weights).sum(axis=1) / 3
    assert found.crossed.sd == pytest.approx(np.std(crossed, ddof=1))
    for resampled, values in ((found.mean, means), (found.crossed, crossed)):
        ends = (resampled.low, resampled.high)
        assert ends == pytest.approx(np.percentile(values, (2.5, 97.5)))


def test_it_agrees_with_scipy_on_a_ratio_of_sums() -> None:
    matrices = draw(seeds=1, images=60, classes=3)
    correct = 2 * matrices[0, :, 1, 1].astype(float)
    either = matrices[0, :, 1].sum(axis=1) + matrices[0, :, :, 1].sum(axis=1)
    found = bootstrap.image_bootstrap(matrices, _f1_of([1]), resamples=20_000)
    expected = scipy.stats.bootstrap(
        (correct, either),
        lambda a, b, axis=-1: 100 * a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(5),
    )
    of_run = found.mean
    # Of 20,000 resamples the SD is known to half a percent, a 2.5 % quantile to 2 % of the SD: 3 times that.
    assert of_run.sd == pytest.approx(expected.standard_error, rel=0.015)
    assert of_run.low == pytest.approx(expected.confidence_interval.low, abs=0.06 * of_run.sd)
    assert of_run.high == pytest.approx(expected.confidence_interval.high, abs=0.06 * of_run.sd)
    assert found.crossed is None


def test_all_runs_are_scored_on_the_same_images() -> None:
    one = draw(seeds=1, images=30, classes=3)
    found = bootstrap.image_bootstrap(np.concatenate([one] * 4), resamples=300)
    # Four equal runs vary together: their mean varies as one does, not by half of it.
    alone = bootstrap.image_bootstrap(one, resamples=300)
    assert found.mean.sd == pytest.approx(alone.mean.sd)
    assert found.crossed.sd == pytest.approx(alone.mean.sd)


def test_runs_alone_vary_where_all_images_are_equal() -> None:
    one = np.array([[50, 10], [10, 30]])
    matrices = np.stack([np.stack([one + extra] * 6) for extra in (0, 5, 20)])
    found = bootstrap.image_bootstrap(matrices, resamples=4000)
    assert found.mean.sd == pytest.approx(0, abs=1e-9)
    estimates = 100 * metrics.mean_f1(matrices.sum(axis=1))
    # The variance of the mean of S draws from S values is their variance with ddof = 0, by S.
    assert found.crossed.sd == pytest.approx(np.std(estimates) / np.sqrt(3), rel=0.05)


def test_a_seed_gives_the_same_numbers_however_much_memory_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matrices = draw(seeds=2, images=20, classes=3)
    found = bootstrap.image_bootstrap(matrices, resamples=50, seed=1)
    assert found != bootstrap.image_bootstrap(matrices, resamples=50, seed=2)
    monkeypatch.setattr(bootstrap, "_CHUNK_BYTES", 1)
    assert found == bootstrap.image_bootstrap(matrices, resamples=50, seed=1)


def test_undefined_scores_are_left_out() -> None:
    matrices = np.zeros((2, 3, 3, 3), int)
    matrices[:, :, 0, 0] = 10
    matrices[0, 0, 1, 1] = matrices[0, 0, 1, 0] = 5  # class 1 only in one image of the first run
    found = bootstrap.image_bootstrap(matrices, resamples=3000)
    first, second = (
        bootstrap.image_bootstrap(matrices[[run]], resamples=3000).mean for run in (0, 1)
    )
    assert second is None  # it has no class but the background
    assert first.estimate == pytest.approx(200 / 3)
    # The image with the class is not drawn in (2/3)³ of the resamples.
    assert (first.sd, first.low) == (pytest.approx(0, abs=1e-9), pytest.approx(200 / 3))
    assert found.mean.estimate == pytest.approx(200 / 3)
    assert bootstrap.image_bootstrap(matrices, _f1_of([2])).mean is None
    # Whichever runs are drawn, only the first has a score.
    assert found.crossed.high == pytest.approx(200 / 3)


def test_results_are_ready_for_json() -> None:
    found = dataclasses.asdict(bootstrap.image_bootstrap(draw(2, 4, 3), resamples=20))
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_impossible_matrices_are_refused() -> None:
    assert bootstrap.image_bootstrap(draw(2, 1, 3)) is None
    with pytest.raises(ValueError, match="expected"):
        bootstrap.image_bootstrap(draw(1, 4, 3)[0])
    with pytest.raises(ValueError, match="expected"):
        bootstrap.image_bootstrap(draw(1, 4, 3)[:0])
    with pytest.raises(ValueError, match="no counts"):
        bootstrap.image_bootstrap(-1 - draw(1, 4, 3))
    with pytest.raises(ValueError, match="no counts"):
        bootstrap.image_bootstrap(draw(1, 4, 3).astype(float))
    with pytest.raises(ValueError, match="too large"):
        bootstrap.image_bootstrap(draw(1, 4, 3).astype(np.int64) + 2**52)


def test_runs_are_stacked_image_by_image() -> None:
    matrices, names = draw(2, 3, 2), ("background", "skin")
    first = Matrices(("a", "b", "c"), matrices[0], names)
    second = Matrices(("c", "a", "b"), matrices[1][[2, 0, 1]], names)
    np.testing.assert_array_equal(bootstrap.stack([first, second]), matrices)
    with pytest.raises(RunError, match="different images"):
        bootstrap.stack([first, dataclasses.replace(second, example_ids=("a", "b", "d"))])
    with pytest.raises(RunError, match="different classes"):
        bootstrap.stack([first, dataclasses.replace(second, class_names=("background", "hair"))])


def test_matrices_of_many_runs_are_not_copied_at_once() -> None:
    matrices = np.ones((10, 2000, 11, 11), np.int64)
    tracemalloc.start()
    try:
        bootstrap.image_bootstrap(matrices, resamples=20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.5 * matrices.nbytes
