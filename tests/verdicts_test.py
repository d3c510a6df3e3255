"""Verdicts: the rules as properties, cases by hand, and reasons that can be read."""

import dataclasses
import json
import math
import re
import warnings

import numpy as np
import pytest
import scipy.stats

from experiments.stats import seed_statistics, verdicts
from experiments.stats.verdicts import verdict


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
        (94.20, 1.0, "not reproduced"),  # 1.79 − 1.242 > 0.5
        (94.10, 1.0, "inconclusive"),
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
        shift = float(generator.normal(0, 0.6))
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
        inside = -margin < found.low_90 and found.high_90 < margin
        beyond = found.low_95 > margin or found.high_95 < -margin
        if inside:
            same = found.prediction_low <= published <= found.prediction_high
            if sd is not None:
                same = found.p >= 0.05
            expected = "reproduced" if same else "reproduced within margin"
        else:
            expected = "not reproduced" if beyond else "inconclusive"
        assert found.word == expected
        # The intervals are those of the tests, made here from mean, SD and n alone.
        se_2 = np.var(values, ddof=1) / len(values)
        df = len(values) - 1
        if sd is not None:
            df = (se_2 + sd**2 / n) ** 2 / (
                se_2**2 / (len(values) - 1) + (sd**2 / n) ** 2 / (n - 1)
            )
            se_2 += sd**2 / n
        for level, low, high in (
            (0.90, found.low_90, found.high_90),
            (0.95, found.low_95, found.high_95),
        ):
            expected = scipy.stats.t.interval(level, df, found.difference, math.sqrt(se_2))
            assert (low, high) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert seen == set(verdicts.WORDS) - {"not comparable"}


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


def test_one_run_is_no_evidence() -> None:
    found = verdict([92.41], 92.41, 0.5)
    assert found.word == "inconclusive"
    assert "one run alone, equal to the published 92.41" in found.reason
    assert "0.41 points lower than" in verdict([92.0], 92.41, 0.5).reason
    assert verdict([], 92.41, 0.5).reason == "There is no finished run."
    assert verdict([92.41], 92.41, 0.5, published_sd=0.06).word == "inconclusive"


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
    assert checked > 50


def test_no_number_of_runs_narrows_what_the_published_runs_leave_wide() -> None:
    found = verdict(spread(92.41, 0.1, 5), 92.41, 0.5, published_sd=2.0, published_n=3)
    assert (found.word, found.more_runs_for_margin) == ("inconclusive", None)
    assert "Up to 1,000 runs of ours would not bring its half width below" in found.reason


def test_equal_values_have_verdicts() -> None:
    assert verdict([92.41] * 3, 92.41, 0.5).word == "reproduced"
    assert verdict([92.0] * 3, 92.41, 0.5).word == "reproduced within margin"
    assert verdict([91.0] * 3, 92.41, 0.5).word == "not reproduced"
    at_the_margin = verdict([92.5] * 3, 92.0, 0.5)
    assert (at_the_margin.word, at_the_margin.more_runs_to_decide) == ("inconclusive", None)
    assert verdict([92.41] * 3, 92.41, 0.5, 0.0, 3).word == "reproduced"


def test_few_runs_are_told() -> None:
    assert "n = 3: fewer than the five runs" in verdict([92.4, 92.5, 92.6], 92.41, 0.5).reason
    assert "fewer than" not in verdict(spread(92.4, 0.1, 5), 92.41, 0.5).reason


def test_reasons_are_whole_sentences_with_sensible_numbers() -> None:
    found = verdict(spread(91.1, 0.2, 5), 92.41, 0.5)
    assert found.reason == (
        "Our mean is 1.31 points lower than the published 92.41, and the 95 % interval of the "
        "difference, [−1.56, −1.06], lies wholly beyond the margin of ±0.50."
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
    assert len(set(verdicts.WORDS)) == 5
    assert seed_statistics.UNKNOWN_COUNTS == (3, 5, 10)


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
