"""Tests of experiments.stats.power against statsmodels."""

import math
import warnings

import pytest
import scipy.stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from fpliif_jax.experiments.stats import power


@pytest.mark.parametrize("is_paired", [True, False])
@pytest.mark.parametrize("sd", [0.05, 0.1, 0.3, 0.5, 1.2])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 19])
def test_the_number_of_runs_is_the_smallest_with_that_power(
    is_paired: bool, sd: float, alpha: float
) -> None:
    test = TTestPower() if is_paired else TTestIndPower()
    # The tail of the wrong sign is below a millionth here, and statsmodels gives NaN for it now and then.
    expected = [
        test.power(0.5 / sd, runs, alpha / 2, alternative="larger") for runs in range(2, 400)
    ]
    for power_asked in (0.8, 0.9):
        runs = power.runs_needed(sd, 0.5, power_asked, alpha, is_paired)
        smallest = 2 + next(i for i, found in enumerate(expected) if found >= power_asked)
        assert runs == max(3, smallest)  # below three nothing is judged
        assert power.power_of(runs, sd, 0.5, alpha, is_paired) == pytest.approx(
            expected[runs - 2], abs=1e-6
        )


def test_a_small_power_has_both_tails() -> None:
    expected = TTestPower().power(0.1, 8, 0.05)
    assert power.power_of(8, 1.0, 0.1, 0.05) == pytest.approx(expected, rel=1e-9)


def test_of_textbooks() -> None:
    # Cohen (1988): d = 0.5, 5 %, 80 %: 64 in each of two groups, 34 pairs.
    assert power.runs_needed(1.0, 0.5, 0.8, 0.05, is_paired=False) == 64
    assert power.runs_needed(1.0, 0.5, 0.8, 0.05) == 34


def test_the_ends() -> None:
    assert power.runs_needed(0.0, 0.5, 0.9, 0.05) == 3
    assert power.runs_needed(1e4, 0.5, 0.9, 0.05) == power.MOST_RUNS
    assert power.count_text(power.MOST_RUNS) == "over 10,000"
    for wrong in ((-1, 0.5, 0.8, 0.05), (1, 0, 0.8, 0.05), (1, 1, 1, 0.05), (1, 1, 0.8, 0)):
        with pytest.raises(ValueError, match="sd"):
            power.runs_needed(*wrong)


def test_an_sd_of_few_runs_is_uncertain() -> None:
    low, high = power.sd_interval(1.0, 4)
    assert (low, high) == pytest.approx((0.599, 2.874), abs=1e-3)  # textbook: n = 5
    with pytest.raises(ValueError, match="no interval"):
        power.sd_interval(1.0, 0)


def test_sds_of_two_variants() -> None:
    first, second = {0: 1.0, 1: 2.0, 2: 4.0}, {1: 1.0, 2: 1.0, 3: 5.0}
    assert power.sd_of_differences(first, second) == pytest.approx(math.sqrt(2))
    assert power.sd_of_differences(first, {1: 1.0}) is None
    assert power.pooled_sd(first, second) == pytest.approx(math.sqrt((7 / 3 + 16 / 3) / 2))
    assert power.pooled_sd(first, {1: 1.0}) is None


def test_warnings_of_scipy_do_not_reach_the_person(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    computed = scipy.stats.nct.sf

    def warning(*arguments: float) -> float:
        warnings.warn("Series did not converge", RuntimeWarning, stacklevel=2)
        return computed(*arguments)

    expected = power.power_of(8, 1.0, 0.1, 0.05)
    monkeypatch.setattr(scipy.stats.nct, "sf", warning)
    assert power.power_of(8, 1.0, 0.1, 0.05) == expected
    assert [str(one.message) for one in recwarn] == []
