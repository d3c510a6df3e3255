"""How often a verdict is wrong, and how often it sees a difference: seeded simulations of the rule itself.

Rates over T families are known to a standard error of √(p (1 − p) / T); at p = 5 % three of them are allowed.
"""

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from fpliif_jax.experiments.stats import verdict_rule, verdicts
from fpliif_jax.experiments.stats.verdict_rule import Verdict

MARGIN = 0.5
RUNS = (3, 5, 10)
SDS = (0.1, 0.5, 1.0, 2.0)
ROWS, FAMILIES = 10_000, 2_000


def allowed(families: int) -> float:
    return 0.05 + 3 * math.sqrt(0.05 * 0.95 / families)


def draw(
    generator: np.random.Generator, shape: tuple[int, ...], runs: int, sd: float, dependence: float
) -> np.ndarray:
    """Scores [families, classes, runs] around 0; classes of one run have this correlation."""
    common = generator.normal(0, sd, (shape[0], 1, runs))
    own = generator.normal(0, sd, (*shape, runs))
    return math.sqrt(dependence) * common + math.sqrt(1 - dependence) * own


def decided(
    n: int,
    sd: float,
    families: int = ROWS,
    classes: int = 1,
    *,
    shift: float | np.ndarray = 0.0,
    dependence: float = 0.0,
    published_n: int = 1,
    published_sd: float | None = None,
    gives_sd: bool = False,
    gives_n: bool = False,
) -> verdict_rule.Decision:
    """Decisions [families, classes] on n runs of this SD, and on published ones that are `shift` away."""
    generator = np.random.default_rng(7)
    ours = draw(generator, (families, classes), n, sd, dependence)
    theirs = draw(generator, (families, classes), published_n, published_sd or sd, dependence)
    return verdict_rule.decide(
        ours.mean(axis=-1) + shift,
        ours.std(axis=-1, ddof=1),
        n,
        theirs.mean(axis=-1),
        MARGIN,
        theirs.std(axis=-1, ddof=1) if gives_sd else None,
        published_n if gives_n else None,
    )


def rate(words: np.ndarray) -> float:
    """Share of families of which any member is 'not reproduced'."""
    return float((words == Verdict.NOT_REPRODUCED).any(axis=-1).mean())


@pytest.mark.parametrize("n", RUNS)
@pytest.mark.parametrize("sd", SDS)
def test_a_published_run_like_ours_is_rarely_not_reproduced(n: int, sd: float) -> None:
    false = rate(decided(n, sd).word)
    assert false <= allowed(ROWS)
    # The wider the runs spread, the less the margin matters: the test of one more run is exact.
    assert sd < 2 or false > 0.04


def test_three_margins_are_seen() -> None:
    found = rate(decided(5, 0.3, shift=3 * MARGIN).word)
    assert found >= 0.90
    # Power of the test of one more run, by the noncentral t; the interval asks for no more here.
    error = 0.3 * math.sqrt(1 + 1 / 5)
    power = scipy.stats.nct.sf(scipy.stats.t.ppf(0.975, 4), 4, 3 * MARGIN / error)
    assert found == pytest.approx(power, abs=4 * math.sqrt(power * (1 - power) / ROWS))


def test_more_runs_see_more_and_err_no_more() -> None:
    seen = [rate(decided(n, 0.3, shift=3 * MARGIN).word) for n in RUNS]
    assert seen == sorted(seen)


@pytest.mark.parametrize("dependence", [0.0, 0.9])
@pytest.mark.parametrize("classes", [10, 18])
def test_all_classes_of_a_row_together_are_rarely_not_reproduced(
    classes: int, dependence: float
) -> None:
    for n, sd in itertools.product(RUNS, SDS):
        alone = decided(n, sd, FAMILIES, classes, dependence=dependence)
        words, _ = verdict_rule.as_family(alone.word, alone.p_not_reproduced)
        assert rate(words) <= allowed(FAMILIES)
        # Class by class, several times as many would be: the correction is needed.
        assert sd < 2 or rate(alone.word) > (0.10 if dependence else 0.30)


def test_classes_that_differ_do_not_draw_others_along() -> None:
    shift = np.where(np.arange(10) < 5, 20.0, 0.0)
    alone = decided(10, 1.0, FAMILIES, 10, shift=shift)
    words, _ = verdict_rule.as_family(alone.word, alone.p_not_reproduced)
    assert (words[:, :5] == Verdict.NOT_REPRODUCED).mean() > 0.99
    assert rate(words[:, 5:]) <= allowed(FAMILIES)


@pytest.mark.parametrize("gives_n", [True, False])
@pytest.mark.parametrize("published_n", [2, 3, 5, 10])
def test_a_published_mean_with_sd_is_rarely_not_reproduced(published_n: int, gives_n: bool) -> None:
    families = ROWS // 3
    for n, sd in itertools.product(RUNS, SDS):
        given = {"published_n": published_n, "gives_sd": True, "gives_n": gives_n}
        assert rate(decided(n, sd, families, **given).word) <= allowed(families)


@pytest.mark.parametrize("published_sd", [0.25, 1.0])
def test_a_published_mean_whose_runs_spread_otherwise_is_rarely_not_reproduced(
    published_sd: float,
) -> None:
    for n, published_n in itertools.product(RUNS, RUNS):
        for gives_n in (True, False):
            given = {"published_n": published_n, "gives_sd": True, "gives_n": gives_n}
            found = decided(n, 0.5, ROWS // 3, published_sd=published_sd, **given)
            assert rate(found.word) <= allowed(ROWS // 3)


def test_classes_with_published_sds_are_rarely_not_reproduced_together() -> None:
    for n, gives_n in itertools.product(RUNS, (True, False)):
        given = {"published_n": 3, "gives_sd": True, "gives_n": gives_n}
        alone = decided(n, 2.0, FAMILIES // 2, 10, **given)
        words, _ = verdict_rule.as_family(alone.word, alone.p_not_reproduced)
        assert rate(words) <= allowed(FAMILIES // 2)


@pytest.mark.parametrize("gives_n", [True, False])
@pytest.mark.parametrize(("published_n", "least"), [(3, 0.87), (5, 0.90), (10, 0.90)])
def test_three_margins_are_seen_with_a_published_sd(
    published_n: int, gives_n: bool, least: float
) -> None:
    # Of three published runs Welch's interval is too wide for 90 %, as it was without the test of a further mean.
    given = {"published_n": published_n, "gives_sd": True, "gives_n": gives_n}
    assert rate(decided(5, 0.3, shift=3 * MARGIN, **given).word) >= least


@pytest.mark.parametrize("n", RUNS)
def test_a_mean_at_the_margin_is_rarely_reproduced(n: int) -> None:
    # The published number is the constant that 'reproduced' is about: our runs' mean is one margin away from it.
    for sd in (0.1, 0.3, 0.5):
        ours = draw(np.random.default_rng(3), (ROWS, 1), n, sd, 0.0)
        mean, own_sd = ours.mean(axis=-1) + MARGIN, ours.std(axis=-1, ddof=1)
        words = verdict_rule.decide(mean, own_sd, n, 0.0, MARGIN).word
        assert np.isin(words, (Verdict.REPRODUCED, Verdict.WITHIN_MARGIN)).mean() <= allowed(ROWS)


def test_the_simulated_rule_is_the_one_of_verdicts() -> None:
    generator = np.random.default_rng(11)
    seen = set()
    for _ in range(100):
        n, sd = int(generator.integers(3, 11)), float(generator.choice([0.05, 0.3, 1.0]))
        values = 90 + generator.normal(0, sd, n)
        published = 90 + float(generator.normal(0, 1.5))
        published_sd = None if generator.random() < 0.5 else float(generator.uniform(0.05, 1))
        published_n = None if generator.random() < 0.5 else int(generator.integers(2, 12))
        given = (published, MARGIN, published_sd, published_n)
        found = verdicts.verdict(values.tolist(), *given)
        decision = verdict_rule.decide(values.mean(), values.std(ddof=1), n, *given)
        assert found.word == decision.word
        seen.add(found.word)
    assert seen == set(Verdict) - {Verdict.NOT_COMPARABLE}
