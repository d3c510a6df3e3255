"""Statistics against textbook examples, hand-made cases and the formulas written out."""

import dataclasses
import json
import math
import warnings

import numpy as np
import pytest
import scipy.stats

from fpliif_jax.experiments.stats import holm, mean_tests, seed_statistics

# By hand: mean 92, deviations −2 −1 0 1 2, SD √(10 / 4), SEM √(10 / 4 / 5) = √0.5.
FIVE = [90.0, 91.0, 92.0, 93.0, 94.0]
T4_975 = 2.776445  # 97.5 % point of Student's t with 4 degrees of freedom, from printed tables
# Student (1908), "The probable error of a mean": additional hours of sleep of ten patients with two drugs. R prints for
# t.test(extra ~ group): t = -1.8608, df = 17.776, p-value = 0.07939, interval -3.3654832 0.2054832, and
# paired: t = -4.0621, df = 9, p-value = 0.002833, interval -2.4598858 -0.7001142.
SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


@pytest.fixture(autouse=True)
def warnings_are_errors() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_summary_has_sd_of_n_minus_1() -> None:
    found = seed_statistics.summary(FIVE)
    assert (found.n, found.mean, found.minimum, found.maximum) == (5, 92, 90, 94)
    assert found.sd == pytest.approx(math.sqrt(2.5))
    assert found.sem == pytest.approx(math.sqrt(0.5))


def test_one_value_has_no_sd_and_no_interval() -> None:
    found = seed_statistics.summary([92.4])
    assert (found.n, found.mean, found.sd, found.sem) == (1, 92.4, None, None)
    assert seed_statistics.summary([]).mean is None
    for values in ([], [92.4]):
        assert seed_statistics.t_interval(values) is None
        assert seed_statistics.bootstrap_interval(values) is None
        assert seed_statistics.prediction_interval(values) is None
        assert mean_tests.one_sample_t(values, 92) is None
        assert mean_tests.welch(values, 92, 0.1, 5) is None
        assert mean_tests.welch_between(values, FIVE) is None
        assert mean_tests.welch_between(FIVE, values) is None
        assert mean_tests.equivalence(values, 92, 0.5) is None
        assert mean_tests.welch_equivalence_between(FIVE, values, 0.5) is None
    assert mean_tests.paired_t({0: 1.0, 1: 2.0}, {1: 1.0, 2: 5.0}) is None
    assert mean_tests.paired_equivalence({0: 1.0, 1: 2.0}, {1: 1.0, 2: 5.0}, 0.5) is None


def test_t_and_prediction_intervals_are_the_formulas() -> None:
    half = T4_975 * math.sqrt(0.5)
    assert seed_statistics.t_interval(FIVE) == pytest.approx((92 - half, 92 + half), abs=1e-6)
    half = T4_975 * math.sqrt(3)  # s · √(1 + 1/5) = √(2.5 · 1.2)
    of_one_more = seed_statistics.prediction_interval(FIVE)
    assert of_one_more == pytest.approx((92 - half, 92 + half), abs=1e-5)


def test_prediction_intervals_hold_the_next_run_as_often_as_they_say() -> None:
    draws = np.random.default_rng(0).normal(90, 0.3, (2000, 6))
    held = 0
    for *values, following in draws.tolist():
        low, high = seed_statistics.prediction_interval(values)
        held += low <= following <= high
    # The standard error of a proportion of 0.95 over 2,000 is 0.005.
    assert held / 2000 == pytest.approx(0.95, abs=0.02)


def test_bootstrap_interval_repeats_and_ignores_the_order() -> None:
    low, high = seed_statistics.bootstrap_interval(FIVE)
    assert (low, high) == seed_statistics.bootstrap_interval(FIVE[::-1])
    uneven = np.random.default_rng(2).normal(92, 1, 12).tolist()
    assert seed_statistics.bootstrap_interval(uneven) == seed_statistics.bootstrap_interval(
        uneven[::-1]
    )
    assert 90 <= low < 92 < high <= 94
    # Large samples: the bootstrap, the t-interval and the truth agree.
    many = np.random.default_rng(0).normal(50, 2, 400).tolist()
    of_many, t = seed_statistics.bootstrap_interval(many), seed_statistics.t_interval(many)
    assert of_many == pytest.approx(t, abs=0.02)


def test_bootstrap_interval_is_bias_corrected() -> None:
    # Of skewed values BCa reaches further to the side of the tail than the percentiles do.
    skewed = [0.0, 0.1, 0.1, 0.2, 0.2, 0.3, 0.4, 3.0]
    low, high = seed_statistics.bootstrap_interval(skewed)
    generator = np.random.default_rng(1)
    means = generator.choice(skewed, (20_000, len(skewed))).mean(axis=1)
    percentiles = np.percentile(means, [2.5, 97.5])
    assert low > percentiles[0] and high > percentiles[1] + 0.1


def test_one_sample_t_by_hand() -> None:
    # t = (92 − 90) / √0.5 = 2.828427; with 4 degrees of freedom P(|T| > t) has a closed form:
    # 1 − (3/2) x (1 − x² / 3) with x = t / √(4 + t²) = √(2/3).
    x = math.sqrt(2 / 3)
    found = mean_tests.one_sample_t(FIVE, 90)
    assert found.statistic == pytest.approx(math.sqrt(8))
    assert found.p == pytest.approx(1 - 1.5 * x * (1 - x**2 / 3))
    assert (found.difference, found.df, found.n, found.other_n) == (2, 4, 5, None)
    assert found.low == pytest.approx(2 - T4_975 * math.sqrt(0.5), abs=1e-6)
    assert found.high == pytest.approx(2 + T4_975 * math.sqrt(0.5), abs=1e-6)
    assert "exact" in found.assumption and "normally" in found.assumption


def test_welch_between_is_that_of_students_sleep_data() -> None:
    found = mean_tests.welch_between(SLEEP_1, SLEEP_2)
    assert found.statistic == pytest.approx(-1.8608, abs=5e-5)
    assert found.df == pytest.approx(17.776, abs=5e-4)
    assert found.p == pytest.approx(0.07939, abs=5e-6)
    assert found.low == pytest.approx(-3.3654832, abs=5e-8)
    assert found.high == pytest.approx(0.2054832, abs=5e-8)
    assert (found.n, found.other_n) == (10, 10)


def test_welch_from_mean_and_sd_is_that_from_values() -> None:
    found = mean_tests.welch(SLEEP_1, np.mean(SLEEP_2), np.std(SLEEP_2, ddof=1), 10)
    whole = mean_tests.welch_between(SLEEP_1, SLEEP_2)
    for field in ("difference", "statistic", "df", "p", "low", "high", "n", "other_n"):
        assert getattr(found, field) == pytest.approx(getattr(whole, field))


def test_welch_for_an_unknown_number_of_runs() -> None:
    for n in mean_tests.UNKNOWN_COUNTS:
        test = mean_tests.welch(FIVE, 93.0, 0.06, n)
        assert test.statistic == pytest.approx(-1 / math.sqrt(0.5 + 0.06**2 / n))


def test_paired_t_is_that_of_students_sleep_data() -> None:
    first, second = dict(enumerate(SLEEP_1)), dict(reversed(list(enumerate(SLEEP_2))))
    first[77], second[78] = 1e6, -1e6  # seeds that only one side has
    found = mean_tests.paired_t(first, second)
    assert found.statistic == pytest.approx(-4.0621, abs=5e-5)
    assert found.p == pytest.approx(0.002833, abs=5e-7)
    assert found.low == pytest.approx(-2.4598858, abs=5e-8)
    assert found.high == pytest.approx(-0.7001142, abs=5e-8)
    assert (found.n, found.df, found.difference) == (10, 9, pytest.approx(-1.58))


def check_equivalence(
    found: mean_tests.Equivalence, difference: float, margin: float, standard_error: float
) -> None:
    """The larger of the two one-sided p-values, by definition."""
    t = scipy.stats.t(found.df)
    lower, upper = ((difference + side) / standard_error for side in (margin, -margin))
    assert found.p == pytest.approx(max(t.sf(lower), t.cdf(upper)))


@pytest.mark.parametrize("margin", [0.5, 1.5, 2.6, 2.7, 5.0])
def test_equivalence_is_two_one_sided_tests(margin: float) -> None:
    check_equivalence(mean_tests.equivalence(FIVE, 91.0, margin), 1.0, margin, math.sqrt(0.5))
    sd_1, sd_2 = np.std(SLEEP_1, ddof=1), np.std(SLEEP_2, ddof=1)
    standard_error = math.hypot(sd_1, sd_2) / math.sqrt(10)
    differences = np.subtract(SLEEP_1, SLEEP_2)
    between = mean_tests.welch_equivalence_between(SLEEP_1, SLEEP_2, margin)
    check_equivalence(between, differences.mean(), margin, standard_error)
    assert between.df == pytest.approx(17.776, abs=5e-4)
    paired = mean_tests.paired_equivalence(
        dict(enumerate(SLEEP_1)), dict(enumerate(SLEEP_2)), margin
    )
    standard_error = np.std(differences, ddof=1) / math.sqrt(10)
    check_equivalence(paired, differences.mean(), margin, standard_error)


def test_equivalence_turns_where_the_printed_t_says() -> None:
    # Difference 1, 90 % interval 1 ± 2.131847 · √0.5, whose end is 2.507444.
    assert mean_tests.equivalence(FIVE, 91.0, 2.5074).p > 0.05
    assert mean_tests.equivalence(FIVE, 91.0, 2.5075).p < 0.05


@pytest.mark.parametrize("values", [[92.35] * 3, [92.35, 92.35 + 1e-13, 92.35 - 1e-13]])
def test_equal_values_have_results_and_no_warnings(values: list[float]) -> None:
    assert seed_statistics.summary(values).sd == 0
    for interval in (
        seed_statistics.t_interval(values),
        seed_statistics.bootstrap_interval(values),
        seed_statistics.prediction_interval(values),
    ):
        assert interval == pytest.approx((92.35, 92.35))
    by_seed, same = dict(enumerate(values)), dict.fromkeys(range(3), 92.35)
    for same_test in (
        mean_tests.one_sample_t(values, 92.35),
        mean_tests.welch(values, 92.35, 0.0, 5),
        mean_tests.welch_between(values, [92.35] * 4),
        mean_tests.paired_t(by_seed, same),
    ):
        assert (same_test.p, same_test.difference, same_test.statistic) == (1.0, 0.0, None)
    for other_test in (
        mean_tests.one_sample_t(values, 92.0),
        mean_tests.welch(values, 92.0, 0.0, 5),
        mean_tests.welch_between(values, [92.0] * 4),
        mean_tests.paired_t(by_seed, dict.fromkeys(range(3), 92.0)),
    ):
        assert (other_test.p, other_test.statistic) == (0.0, None)
        assert (other_test.low, other_test.high) == pytest.approx((0.35, 0.35))
    for margin, is_equivalent in ((0.5, True), (0.3, False)):
        for found in (
            mean_tests.equivalence(values, 92.0, margin),
            mean_tests.welch_equivalence_between(values, [92.0] * 4, margin),
            mean_tests.paired_equivalence(by_seed, dict.fromkeys(range(3), 92.0), margin),
        ):
            assert found.p == float(not is_equivalent)
    assert mean_tests.equivalence(values, 93.0, 0.3).p == 1.0


def test_welch_with_one_side_of_equal_values_has_the_other_sides_freedom() -> None:
    assert mean_tests.welch(FIVE, 93.0, 0.0, 7).df == pytest.approx(4)
    assert mean_tests.welch([93.0] * 7, 92.0, 1.0, 3).df == pytest.approx(2)
    assert mean_tests.welch_between([92.35] * 3, FIVE).df == pytest.approx(4)
    assert mean_tests.welch_equivalence_between([92.35] * 3, FIVE, 0.5).df == pytest.approx(4)
    assert mean_tests.welch([1e-8, 3e-8, 2e-8], 0.0, 1e-8, 3).df == pytest.approx(4)


def test_holm_by_hand() -> None:
    # Sorted .01 .02 .03 .04: times 4, 3, 2, 1, then never falling: .04 .06 .06 .06.
    assert holm.holm([0.04, None, 0.01, 0.03, 0.02]) == [
        pytest.approx(0.06),
        None,
        pytest.approx(0.04),
        pytest.approx(0.06),
        pytest.approx(0.06),
    ]
    assert holm.holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm.holm([None]) == [None]
    assert holm.holm([]) == []
    with pytest.raises(ValueError, match="not all in"):
        holm.holm([1.2])


def test_results_are_plain_numbers_ready_for_json() -> None:
    values = np.array(FIVE, np.float32)
    pairs = dict(enumerate(values)), dict(enumerate(values + 1))
    pairs[1][0] += 1
    for interval in (
        seed_statistics.t_interval(values),
        seed_statistics.bootstrap_interval(values),
        seed_statistics.prediction_interval(values),
    ):
        assert [type(end) for end in interval] == [float, float]
    for found in (
        seed_statistics.summary(values),
        mean_tests.one_sample_t(values, 91),
        mean_tests.welch(values, 91, 0.2, 5),
        mean_tests.welch_between(values, values + 1),
        mean_tests.paired_t(*pairs),
        mean_tests.equivalence(values, 91, 0.5),
        mean_tests.welch_equivalence_between(values, values + 1, 0.5),
        mean_tests.paired_equivalence(*pairs, 0.5),
    ):
        content = dataclasses.asdict(found)
        assert json.loads(json.dumps(content, allow_nan=False)) == content
        assert {type(value) for value in content.values()} <= {str, int, float, bool, type(None)}
        with pytest.raises(dataclasses.FrozenInstanceError):
            found.n = 3


def test_impossible_values_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        seed_statistics.summary([92.0, math.nan])
    with pytest.raises(ValueError, match="finite"):
        mean_tests.one_sample_t(FIVE, math.inf)
    with pytest.raises(ValueError, match="margin"):
        mean_tests.equivalence(FIVE, 92, 0)
    with pytest.raises(ValueError, match="at least two runs"):
        mean_tests.welch(FIVE, 92, 0.1, 1)
    with pytest.raises(ValueError, match="at least two runs"):
        mean_tests.welch(FIVE, 92, -0.1, 5)
