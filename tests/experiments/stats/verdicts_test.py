"""Verdicts: the rules as properties, cases by hand, and reasons that can be read."""

import dataclasses
import json
import math
import re
import warnings

import numpy as np
import pytest
import scipy.stats

from fpliif_jax.experiments.stats import mean_tests
from fpliif_jax.experiments.stats.verdict_rule import Verdict
from fpliif_jax.experiments.stats.verdicts import Judgement, as_family, verdict


@pytest.fixture(autouse=True)
def warnings_are_errors() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def spread(mean: float, sd: float, n: int) -> list[float]:
    """n values of exactly this mean and SD."""
    raw = np.arange(n) - (n - 1) / 2
    return (mean + raw * sd / raw.std(ddof=1)).tolist()


# By hand for n = 5: t(4) is 2.1318 for 90 % and 2.7764 for 95 %; √5 = 2.2361, √1.2 = 1.0954.
# SD 0.2: 90 % half width 0.191, 95 % half width 0.248, prediction half width 0.608.
# SD 0.02: 0.019, 0.025, 0.061. SD 1: 0.953, 1.242, 3.041.
@pytest.mark.parametrize(
    ("mean", "sd", "word"),
    [
        (92.41, 0.2, "reproduced"),
        (92.70, 0.2, "reproduced"),  # 0.29 + 0.191 < 0.5, and 0.29 < 0.608
        (92.12, 0.2, "reproduced"),
        (92.73, 0.2, "inconclusive"),  # 0.32 + 0.191 > 0.5
        (93.15, 0.2, "inconclusive"),  # 0.74 − 0.248 < 0.5
        (93.17, 0.2, "not reproduced"),  # 0.76 − 0.248 > 0.5
        (91.65, 0.2, "not reproduced"),
        (92.46, 0.02, "reproduced"),  # 0.05 < 0.061
        (92.48, 0.02, "reproduced within margin"),  # 0.07 > 0.061
        (92.34, 0.02, "reproduced within margin"),
        (92.41, 1.0, "inconclusive"),
        (94.10, 1.0, "inconclusive"),
        (94.20, 1.0, "inconclusive"),  # 1.79 − 1.242 > 0.5, but 1.79 < 3.041
        (95.44, 1.0, "inconclusive"),  # 3.03 < 3.041
        (95.46, 1.0, "not reproduced"),  # 3.05 > 3.041
        (89.36, 1.0, "not reproduced"),
    ],
)
def test_five_runs_against_one_number(mean: float, sd: float, word: str) -> None:
    found = verdict(spread(mean, sd, 5), 92.41, 0.5)
    assert found.word == word
    assert (found.n, found.mean, found.sd) == (5, pytest.approx(mean), pytest.approx(sd))
    assert found.difference == pytest.approx(mean - 92.41)
    assert found.high_90 - found.difference == pytest.approx(2.1318 * sd / 2.2361, rel=1e-4)
    assert found.high_95 - found.difference == pytest.approx(2.7764 * sd / 2.2361, rel=1e-4)
    assert found.prediction_high - mean == pytest.approx(2.7764 * sd * 1.0954, rel=1e-4)


def random_cases() -> list[tuple[list[float], float, float, float | None, int | None]]:
    generator = np.random.default_rng(0)
    cases = []
    for _ in range(400):
        n, sd = int(generator.integers(2, 9)), float(generator.choice([0.02, 0.1, 0.4, 1.0]))
        published = float(generator.uniform(70, 95))
        shift = float(generator.normal(0, 0.8))
        values = generator.normal(published + shift, sd, n).tolist()
        other_sd = None if generator.random() < 0.5 else float(generator.choice([0.0, 0.06, 0.5]))
        other_n = None if other_sd is None else int(generator.integers(2, 12))
        cases.append((values, published, 0.5, other_sd, other_n))
    return cases


def test_the_rules_hold_whatever_the_numbers() -> None:
    seen = set()
    for values, published, margin, sd, n in random_cases():
        found = verdict(values, published, margin, sd, n)
        seen.add(found.word)
        if len(values) < 3:
            assert (found.word, found.was_tested) == ("inconclusive", False)
            continue
        inside = -margin < found.low_90 and found.high_90 < margin
        beyond = found.low_95 > margin or found.high_95 < -margin
        is_run = found.prediction_low <= published <= found.prediction_high
        if inside:
            same = found.p >= 0.05 if sd else is_run
            expected = "reproduced" if same else "reproduced within margin"
        else:
            expected = "not reproduced" if beyond and not is_run else "inconclusive"
        assert found.word == expected
        assert (found.p_not_reproduced < 0.05) == (expected == "not reproduced")
        # The intervals are those of the tests, made here from mean, SD and n alone; an SD of 0 is of one run.
        runs, own_df = n if sd else 1, len(values) - 1
        se_2 = np.var(values, ddof=1) / len(values)
        new = scipy.stats.t.interval(
            0.95, own_df, found.mean, math.sqrt(np.var(values, ddof=1) / runs + se_2)
        )
        assert (found.prediction_low, found.prediction_high) == pytest.approx(new, rel=1e-9)
        df = own_df
        if sd:
            df = (se_2 + sd**2 / n) ** 2 / (se_2**2 / own_df + (sd**2 / n) ** 2 / (n - 1))
            se_2 += sd**2 / n
        for level, low, high in (
            (0.90, found.low_90, found.high_90),
            (0.95, found.low_95, found.high_95),
        ):
            expected = scipy.stats.t.interval(level, df, found.difference, math.sqrt(se_2))
            assert (low, high) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert seen == set(Verdict) - {"not comparable"}


def test_the_numbers_of_the_verdict_are_those_of_the_tests() -> None:
    for values, published, margin, sd, n in random_cases()[:60]:
        found = verdict(values, published, margin, sd, n)
        if not found.was_tested:
            continue
        if sd:
            test = mean_tests.welch(values, published, sd, n)
            p_equivalence = _p_of_two_one_sided_welch_tests(values, published, margin, sd, n)
        else:
            test = mean_tests.one_sample_t(values, published)
            p_equivalence = mean_tests.equivalence(values, published, margin).p
        assert (found.p, found.p_equivalence) == pytest.approx((test.p, p_equivalence), rel=1e-9)
        assert (found.low_95, found.high_95) == pytest.approx((test.low, test.high), abs=1e-9)


def _p_of_two_one_sided_welch_tests(
    values: list[float], published: float, margin: float, sd: float, n: int
) -> float:
    mean, own_sd = np.mean(values), np.std(values, ddof=1)
    return max(
        scipy.stats.ttest_ind_from_stats(
            mean + shift, own_sd, len(values), published, sd, n, False, alternative
        ).pvalue
        for shift, alternative in ((margin, "greater"), (-margin, "less"))
    )


def test_a_verdict_does_not_depend_on_the_side_or_the_order() -> None:
    for values, published, margin, sd, n in random_cases()[:100]:
        found = verdict(values, published, margin, sd, n)
        mirrored = [2 * published - value for value in values]
        assert verdict(mirrored, published, margin, sd, n).word == found.word
        assert verdict(values[::-1], published, margin, sd, n).word == found.word


def test_a_wider_margin_never_takes_a_reproduction_away() -> None:
    for values, published, _, sd, n in random_cases()[:100]:
        words = [verdict(values, published, margin, sd, n).word for margin in (0.1, 0.5, 1, 3, 9)]
        ranks = [
            0 if word == "not reproduced" else 1 if word == "inconclusive" else 2 for word in words
        ]
        assert ranks == sorted(ranks)


def test_runs_that_are_not_comparable_get_no_other_word() -> None:
    found = verdict(spread(92.41, 0.1, 5), 92.41, 0.5, not_comparable="the test set is incomplete")
    assert (found.word, found.reason) == ("not comparable", "The test set is incomplete.")
    assert (found.n, found.mean) == (5, pytest.approx(92.41))
    # Nothing that could be drawn beside the published number.
    assert (found.difference, found.low_90, found.prediction_low, found.p) == (None,) * 4
    assert verdict([], 92.41, 0.5, not_comparable="other data.").reason == "Other data."


def test_below_three_runs_there_is_no_other_word() -> None:
    found = verdict([92.41], 92.41, 0.5)
    assert found.word == "inconclusive"
    assert "one run alone, equal to the published 92.41" in found.reason
    assert "0.41 points lower than" in verdict([92.0], 92.41, 0.5).reason
    assert verdict([], 92.41, 0.5).reason == "There is no finished run."
    assert verdict([92.41], 92.41, 0.5, published_sd=0.06).word == "inconclusive"
    # Two runs, however near to each other and to the published value, or however far from it.
    for values in ([92.40, 92.42], [85.0, 85.01], [93.0, 93.0]):
        for spread_of_paper in (None, 0.06):
            found = verdict(values, 92.41, 0.5, spread_of_paper)
            assert (found.word, found.was_tested) == ("inconclusive", False)
    assert found.reason == (
        "The mean of 2 runs is 0.59 points higher than the published 92.41: how much runs differ cannot be "
        "told from fewer than 3."
    )


def test_a_published_mean_with_sd_is_tested_by_welch() -> None:
    # Table 7 of FP-LIIF, LaPa: 92.35 ± 0.06. Ours 92.41 ± 0.06, both over 5: t = 0.06 / √(2 · 0.06² / 5) = √2.5 =
    # 1.581 with 8 degrees of freedom, below the printed 2.306: no difference.
    found = verdict(spread(92.41, 0.06, 5), 92.35, 0.5, 0.06, 5)
    assert found.word == "reproduced"
    # Ours 92.45: t = 0.1 / 0.03795 = 2.635 > 2.306: a difference, within the margin.
    found = verdict(spread(92.45, 0.06, 5), 92.35, 0.5, 0.06, 5)
    assert found.word == "reproduced within margin"
    # A single number would be in the prediction interval: 0.1 < 2.7764 · 0.06 · 1.0954.
    assert verdict(spread(92.45, 0.06, 5), 92.35, 0.5).word == "reproduced"


def test_a_mean_over_runs_without_sd_is_predicted_as_a_mean() -> None:
    # The prediction interval of one more run is ± 0.061, of a mean of ten ± 2.7764 · 0.02 · √(1/10 + 1/5) = 0.030.
    values = spread(90.04, 0.02, 5)
    assert verdict(values, 90.0, 0.5).word == "reproduced"
    assert verdict(values, 90.0, 0.5, published_n=10).word == "reproduced within margin"
    assert "mean of 10 more runs" in verdict(values, 90.0, 0.5, published_n=10).reason


def test_an_unknown_number_of_published_runs_is_tried_as_3_5_and_10() -> None:
    same = verdict(spread(92.36, 0.05, 5), 92.35, 0.5, published_sd=0.06)
    assert same.word == "reproduced"
    assert list(same.by_published_n) == [3, 5, 10]
    for n, found in same.by_published_n.items():
        assert found == verdict(spread(92.36, 0.05, 5), 92.35, 0.5, 0.06, n)
    assert same.published_n is None
    assert "3, 5 and 10 published runs" in same.reason
    # Three runs of SD 0.5 are too few to show equivalence, ten are enough.
    other = verdict(spread(92.36, 0.05, 5), 92.35, 0.5, published_sd=0.5)
    words = {n: found.word for n, found in other.by_published_n.items()}
    assert words == {3: "inconclusive", 5: "reproduced", 10: "reproduced"}
    assert other.word == "inconclusive"
    assert "'inconclusive' for 3, 'reproduced' for 5 and 10" in other.reason
    # The more runs the published mean is of, the surer a small difference is one.
    other = verdict(spread(92.43, 0.02, 5), 92.35, 0.5, published_sd=0.06)
    assert "'reproduced' for 3, 'reproduced within margin' for 5 and 10" in other.reason
    assert other.word == "reproduced within margin"


def test_what_is_inconclusive_says_how_many_runs_are_needed() -> None:
    # SD 1, margin 0.5: t(n − 1, 95 %) / √n < 0.5 first for n = 13: 1.782 / 3.606 = 0.494; n = 12: 0.518.
    found = verdict(spread(92.41, 1.0, 5), 92.41, 0.5)
    assert found.more_runs_for_margin == found.more_runs_to_decide == 8
    assert (
        "At this SD about 8 more runs would bring its half width below the margin" in found.reason
    )
    # SD 0.5: the half width 2.132 · 0.5 / 2.236 = 0.477 is below the margin, but not below 0.5 − 0.1.
    found = verdict(spread(92.51, 0.5, 5), 92.41, 0.5)
    assert (found.word, found.more_runs_for_margin) == ("inconclusive", 0)
    assert found.more_runs_to_decide > 0
    # Beyond the margin with SD 0.2: the 95 % half width must be below 0.7 − 0.5: n = 7 has 2.447 · 0.2 / 2.646 = 0.185,
    # n = 6 has 2.571 · 0.2 / 2.449 = 0.2099.
    found = verdict(spread(93.11, 0.2, 5), 92.41, 0.5)
    assert (found.more_runs_for_margin, found.more_runs_to_decide) == (0, 2)
    assert "If mean and SD stayed, about 2 more runs would decide" in found.reason


def test_the_runs_that_are_said_to_decide_do_decide() -> None:
    checked = 0
    for values, published, margin, sd, n in random_cases():
        found = verdict(values, published, margin, sd, n)
        more = found.more_runs_to_decide
        if found.word != "inconclusive" or more is None or more > 500:
            continue
        checked += 1
        count = found.n + more
        decided = verdict(spread(found.mean, found.sd, count), published, margin, sd, n)
        before = verdict(spread(found.mean, found.sd, count - 1), published, margin, sd, n)
        assert (decided.word != "inconclusive", before.word) == (True, "inconclusive")
    assert checked > 30


def test_no_number_of_runs_narrows_what_the_published_runs_leave_wide() -> None:
    found = verdict(spread(92.41, 0.1, 5), 92.41, 0.5, published_sd=2.0, published_n=3)
    assert (found.word, found.more_runs_for_margin) == ("inconclusive", None)
    assert "Up to 1,000 runs of ours would not bring its half width below" in found.reason


@pytest.mark.parametrize("n", [3, 4])
@pytest.mark.parametrize("value", [92.41, 92.0, 93.0])
@pytest.mark.parametrize("spread_of_paper", [None, 0.0, 0.06])
def test_few_equal_values_decide_nothing(
    n: int, value: float, spread_of_paper: float | None
) -> None:
    found = verdict([value] * n, 92.41, 0.5, spread_of_paper)
    assert (found.word, found.was_tested) == ("inconclusive", False)
    assert f"All {n} runs have the value" in found.reason and "copies of one run" in found.reason


def test_five_equal_values_have_verdicts() -> None:
    assert verdict([92.41] * 5, 92.41, 0.5).word == "reproduced"
    assert verdict([92.0] * 5, 92.41, 0.5).word == "reproduced within margin"
    assert verdict([91.0] * 5, 92.41, 0.5).word == "not reproduced"
    at_the_margin = verdict([92.5] * 5, 92.0, 0.5)
    assert (at_the_margin.word, at_the_margin.more_runs_to_decide) == ("inconclusive", None)
    assert verdict([92.41] * 5, 92.41, 0.5, 0.0, 3).word == "reproduced"


def test_a_published_sd_of_0_is_no_spread() -> None:
    # Copies of one run, or rounded: as a run without SD, however many there were said to be.
    values = spread(94.2, 1.0, 5)
    alone = verdict(values, 92.41, 0.5)
    assert alone.word == "inconclusive"
    for count in (None, 2, 10):
        found = verdict(values, 92.41, 0.5, 0.0, count)
        assert (found.word, found.published_sd, found.by_published_n) == (alone.word, 0.0, None)
        assert (found.low_95, found.p_new_run) == (alone.low_95, alone.p_new_run)
        assert "The published SD of 0 shows no spread" in found.reason


def test_an_unknown_number_of_published_runs_may_be_two() -> None:
    # t(2) = 4.3027. The mean of three runs like ours is within 4.3027 · 0.3 · √(2/3) = 1.054 of our mean, that of two
    # within 4.3027 · 0.3 · √(5/6) = 1.178.
    values = spread(93.51, 0.3, 3)
    found = verdict(values, 92.41, 0.25, published_sd=0.01)
    assert {one.word for one in found.by_published_n.values()} == {"not reproduced"}
    assert found.word == "inconclusive"
    assert "the mean of two such runs may be as far off" in found.reason
    assert verdict(spread(93.61, 0.3, 3), 92.41, 0.25, published_sd=0.01).word == "not reproduced"


def family(*shifts: float) -> list[Judgement]:
    """Verdicts on five runs of SD 0.2, these points above the published values."""
    return [verdict(spread(90 + shift, 0.2, 5), 90.0, 0.5) for shift in shifts]


def test_classes_read_together_are_corrected_by_holm() -> None:
    # With 4 degrees of freedom the larger p is, at 0.8 points, that of the margin: t = 0.3 / (0.2 / √5) = 3.354,
    # p = 0.0285 (one more run: 3.651, 0.0217); at 1.6 points that of one more run: t = 1.6 / (0.2 · √1.2) = 7.303,
    # p = 0.00187.
    alone = family(0.8, 1.6, 0.0, 0.1)
    assert [one.word for one in alone] == ["not reproduced"] * 2 + ["reproduced"] * 2
    together = as_family(alone)
    assert [one.word for one in together] == ["inconclusive", "not reproduced"] + ["reproduced"] * 2
    assert [one.p_not_reproduced for one in together[:2]] == pytest.approx(
        [0.0285, 0.00187], rel=5e-3
    )
    assert [one.p_family for one in together] == pytest.approx(
        [3 * 0.0285, 4 * 0.00187, 1, 1], rel=5e-3
    )
    assert {one.family_size for one in together} == {4}
    assert (
        "By itself this would be 'not reproduced' (p = 0.028), but of several classes one is as far off by chance "
        "sooner: p = 0.085 by Holm's correction over the 4 classes of its row. If mean and SD stayed, about "
    ) in together[0].reason
    assert "By itself p = 0.002; p = 0.007 by Holm's correction" in together[1].reason
    assert together[2].reason == alone[2].reason
    # What is said to decide decides, whatever the others have.
    count = 5 + together[0].more_runs_to_decide
    decided = [verdict(spread(90.8, 0.2, count), 90.0, 0.5), *family(0.0, 0.1, 0.2)]
    assert as_family(decided)[0].word == "not reproduced"


def test_what_was_not_tested_is_not_of_the_family() -> None:
    alone = [*family(0.8), verdict([90.0], 95.0, 0.5), verdict([], 1.0, 0.5, not_comparable="so")]
    first, *others = as_family(alone)
    assert (first.word, first.family_size) == ("not reproduced", 1)
    assert first.p_family == first.p_not_reproduced
    assert first.reason == alone[0].reason
    assert others == alone[1:]


def test_an_unknown_number_of_published_runs_is_corrected_too() -> None:
    alone = [verdict(spread(91.0, 0.2, 5), 90.0, 0.5, published_sd=0.1), *family(*[0.0] * 17)]
    assert alone[0].word == "not reproduced"
    first = as_family(alone)[0]
    assert first.word == "inconclusive"
    assert first.p_family == pytest.approx(18 * alone[0].p_not_reproduced)
    assert first.by_published_n == alone[0].by_published_n
    assert "over the 18 classes of its row" in first.reason


def test_more_runs_do_not_make_one_published_run_better_known() -> None:
    # 1.5 points at SD 1: beyond the margin and, with however many runs, within 1.96 SD of our mean.
    found = verdict(spread(91.5, 1.0, 20), 90.0, 0.5)
    assert (found.word, found.more_runs_to_decide) == ("inconclusive", None)
    assert found.is_limited_by_published
    assert (
        "No number of our runs would decide at this mean and SD: one published run is itself not known well enough."
    ) in found.reason
    assert verdict(spread(91.5, 1.0, 1000), 90.0, 0.5).word == "inconclusive"
    # Of a mean of ten runs 1.96 · 1 / √10 = 0.62 points are.
    found = verdict(spread(91.5, 1.0, 5), 90.0, 0.5, published_n=10)
    assert not found.is_limited_by_published and found.more_runs_to_decide > 0
    # 2.2 points are enough in the end, by itself; of 18 classes 1.96 becomes 2.99.
    found = verdict(spread(92.2, 1.0, 5), 90.0, 0.5)
    assert not found.is_limited_by_published and found.more_runs_to_decide > 0
    assert as_family([found, *family(*[0.0] * 17)])[0].is_limited_by_published


def test_few_runs_are_told() -> None:
    assert "n = 3: fewer than the five runs" in verdict([92.4, 92.5, 92.6], 92.41, 0.5).reason
    assert "fewer than" not in verdict(spread(92.4, 0.1, 5), 92.41, 0.5).reason


def test_reasons_are_whole_sentences_with_sensible_numbers() -> None:
    found = verdict(spread(91.1, 0.2, 5), 92.41, 0.5)
    assert found.reason == (
        "Our mean is 1.31 points lower than the published 92.41, and the 95 % interval of the "
        "difference, [−1.56, −1.06], lies wholly beyond the margin of ±0.50, and the published 92.41 lies "
        "outside the 95 % prediction interval of one more run, [90.49, 91.71]."
    )
    found = verdict(spread(94.2, 1.0, 5), 92.41, 0.5)
    assert found.reason == (
        "Our mean is 1.79 points higher than the published 92.41, and the 95 % interval of the difference, "
        "[+0.55, +3.03], lies wholly beyond the margin of ±0.50, but the published 92.41 lies in the 95 % "
        "prediction interval of one more run, [91.16, 97.24]. No number of our runs would decide at this mean and "
        "SD: one published run is itself not known well enough."
    )
    found = verdict(spread(92.5, 0.2, 5), 92.41, 0.5)
    assert found.reason == (
        "The 90 % interval of the difference, [−0.10, +0.28], lies inside the margin of ±0.50, and the "
        "published 92.41 lies in the 95 % prediction interval of one more run, [91.89, 93.11]."
    )
    for case in random_cases():
        reason = verdict(*case).reason
        assert re.fullmatch(r"[A-Z].*[.]", reason) and "  " not in reason and "{" not in reason
        assert not re.search(r"\.\d*[1-9]\d{3}|nan|inf\b|None", reason)


def test_verdicts_are_ready_for_json() -> None:
    found = verdict(np.float32(spread(92.41, 0.1, 5)), 92.35, 0.5, published_sd=0.06)
    content = json.loads(json.dumps(dataclasses.asdict(found), allow_nan=False))
    assert content["by_published_n"]["3"]["word"] == found.by_published_n[3].word


def test_the_words_are_the_five() -> None:
    assert len(set(Verdict)) == 5
    assert mean_tests.UNKNOWN_COUNTS == (3, 5, 10)


@pytest.mark.parametrize(
    "arguments",
    [
        ([92.0, math.nan], 92.0, 0.5),
        ([92.0, 93.0], math.nan, 0.5),
        ([92.0, 93.0], 92.0, 0.0),
        ([92.0, 93.0], 92.0, 0.5, -0.1),
        ([92.0, 93.0], 92.0, 0.5, 0.1, 1),
        ([92.0, 93.0], 92.0, 0.5, None, 0),
    ],
)
def test_impossible_numbers_are_refused(arguments: tuple) -> None:
    with pytest.raises(ValueError):
        verdict(*arguments)
