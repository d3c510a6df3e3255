"""Is a published number reproduced? One of five words, and why.

Let d be the mean of our runs minus the published value, in F1 points. The margin is the difference that counts as none,
fixed in the config before the runs are made (config.study.equivalence_margin). In this order:

1. 'not comparable': the caller gives a reason (other data, another protocol, a set that is not complete).
2. 'inconclusive': there are fewer than two runs.
3. The 90 % interval of d lies inside (−margin, margin), which is what two one-sided tests at 5 % ask:
   'reproduced' if the published number is also what such runs give: it lies in the 95 % prediction interval of one more
   run; or, where the paper gives a mean and an SD, Welch's test finds no difference (p ≥ 0.05);
   'reproduced within margin' if not: there is a difference, too small to matter.
4. 'not reproduced': the 95 % interval of d lies outside [−margin, margin].
5. 'inconclusive': all else. The runs can neither show that d is within the margin nor that it is not.

The interval of d is that of a one-sample t-test; where the paper gives an SD over n runs, that of Welch. Where it gives
an SD but no n, the verdict is made for n = 3, 5 and 10: it is their common word, the weaker one where all are within
the margin, or else 'inconclusive'. Where it gives n but no SD, its value is taken for the mean of n runs with our SD:
rule 3 asks for the prediction interval of such a mean.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import scipy.stats

from experiments.stats import seed_statistics

WORDS = (
    "reproduced",
    "reproduced within margin",
    "not reproduced",
    "inconclusive",
    "not comparable",
)

_ENOUGH_RUNS = 5
_MOST_RUNS = 1_000


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A word, its reason, and the numbers that it rests on, in percent and F1 points.

    Attributes:
      word: one of WORDS.
      reason: whole sentences.
      n, mean, sd: of our runs; None where undefined.
      published, published_sd, published_n: as given.
      margin: as given.
      difference: mean − published; this and all below are None where there is nothing to compare.
      low_90, high_90, low_95, high_95: intervals of the difference.
      prediction_low, prediction_high: 95 % interval of one more run (or of the mean of published_n).
      p: two-sided, of Welch's test, or of the one-sample t-test.
      p_equivalence: of the two one-sided tests.
      more_runs_for_margin: if inconclusive, about how many further runs would bring the half width of the interval
        below the margin at this SD; 0 if it is below already, None if no number up to 1,000 would.
      more_runs_to_decide: about how many would decide if mean and SD stayed as they are; None likewise.
      by_published_n: the verdicts for each n that the published SD may be of; the numbers above are then those for the
        smallest n.
    """

    word: str
    reason: str
    n: int
    mean: float | None
    sd: float | None
    published: float
    published_sd: float | None
    published_n: int | None
    margin: float
    difference: float | None = None
    low_90: float | None = None
    high_90: float | None = None
    low_95: float | None = None
    high_95: float | None = None
    prediction_low: float | None = None
    prediction_high: float | None = None
    p: float | None = None
    p_equivalence: float | None = None
    more_runs_for_margin: int | None = None
    more_runs_to_decide: int | None = None
    by_published_n: dict[int, "Verdict"] | None = None


def verdict(
    values: Sequence[float],
    published: float,
    margin: float,
    published_sd: float | None = None,
    published_n: int | None = None,
    not_comparable: str | None = None,
) -> Verdict:
    """Compares runs with a published number by the rules above.

    Args:
      values: one a run, in percent.
      published: in percent.
      margin: in points, above 0.
      published_sd: SD of the published mean's runs.
      published_n: how many runs these were.
      not_comparable: why the numbers may not be compared.

    Raises:
      ValueError: a number is not finite or impossible.
    """
    found = seed_statistics.summary(values)
    if not (math.isfinite(published) and math.isfinite(margin) and margin > 0):
        raise ValueError(
            f"published {published} and margin {margin} must be finite, the margin > 0"
        )
    if published_sd is not None and not (math.isfinite(published_sd) and published_sd >= 0):
        raise ValueError(f"published SD is {published_sd}; it must be at least 0")
    if published_n is not None and published_n < (1 if published_sd is None else 2):
        raise ValueError(f"published_n is {published_n}; an SD is of at least two runs")
    given = (found.n, found.mean, found.sd, published, published_sd, published_n, margin)
    if not_comparable is not None:
        return Verdict("not comparable", _sentence(not_comparable), *given)
    if found.n < 2:
        return Verdict("inconclusive", _too_few(found, published), *given)
    if published_sd is not None and published_n is None:
        return _for_unknown_n(values, published, margin, published_sd)
    return _decide(values, found, published, margin, published_sd, published_n)


def _decide(
    values: Sequence[float],
    found: seed_statistics.Summary,
    published: float,
    margin: float,
    published_sd: float | None,
    published_n: int | None,
) -> Verdict:
    if published_sd is None:
        test = seed_statistics.one_sample_t(values, published)
        tost = seed_statistics.equivalence(values, published, margin)
    else:
        test = seed_statistics.welch(values, published, published_sd, published_n)
        tost = seed_statistics.welch_equivalence(
            values, published, published_sd, published_n, margin
        )
    runs = published_n if published_sd is None and published_n else 1
    prediction = seed_statistics.prediction_interval(values, runs=runs)
    for_margin = to_decide = None
    if tost.is_equivalent:
        word, reason = _reproduced(found, test, tost, prediction, published, published_sd, runs)
    elif test.low > margin or test.high < -margin:
        word = "not reproduced"
        reason = (
            f"Our mean is {_points(abs(test.difference))} {_side(test.difference)} than the published "
            f"{_number(published)}, and the 95 % interval of the difference, "
            f"{_interval(test.low, test.high)}, lies wholly beyond the margin of ±{_number(margin)}."
        )
    else:
        word = "inconclusive"
        # The interval that the mean's side of the margin asks for, and the room it has there.
        is_inside = abs(test.difference) < margin
        level, low, high = (0.90, tost.low, tost.high) if is_inside else (0.95, test.low, test.high)
        room = abs(margin - abs(test.difference))
        to_decide = _more_runs(found, level, room, published_sd, published_n)
        for_margin = 0
        if (high - low) / 2 >= margin:
            for_margin = _more_runs(found, level, margin, published_sd, published_n)
        reason = _inconclusive(
            test.difference, published, margin, (level, low, high), for_margin, to_decide
        )
    if found.n < _ENOUGH_RUNS:
        reason += f" n = {found.n}: fewer than the five runs that a mean and its SD should rest on."
    return Verdict(
        word,
        reason,
        found.n,
        found.mean,
        found.sd,
        published,
        published_sd,
        published_n,
        margin,
        difference=test.difference,
        low_90=tost.low,
        high_90=tost.high,
        low_95=test.low,
        high_95=test.high,
        prediction_low=prediction.low,
        prediction_high=prediction.high,
        p=test.p,
        p_equivalence=tost.p,
        more_runs_for_margin=for_margin,
        more_runs_to_decide=to_decide,
    )


def _reproduced(
    found: seed_statistics.Summary,
    test: seed_statistics.TTest,
    tost: seed_statistics.Equivalence,
    prediction: seed_statistics.Interval,
    published: float,
    published_sd: float | None,
    runs: int,
) -> tuple[str, str]:
    within = (
        f"The 90 % interval of the difference, {_interval(tost.low, tost.high)}, lies inside the "
        f"margin of ±{_number(tost.margin)}"
    )
    if published_sd is not None:
        same = test.p >= 0.05
        between = f"Welch's test {'finds no' if same else 'does find a'} difference between our "
        why = between + f"{_spread(found.mean, found.sd)} and the published "
        why += f"{_spread(published, published_sd)} (p {_p(test.p)})"
    else:
        # By rounding alone a value may miss an interval of length 0.
        same = test.difference == 0 or prediction.low <= published <= prediction.high
        more = "one more run" if runs == 1 else f"the mean of {runs} more runs"
        ends = _ends(prediction.low, prediction.high)
        why = f"the published {_number(published)} lies {'in' if same else 'outside'} the 95 % "
        why += f"prediction interval of {more}, {ends}"
    word = "reproduced" if same else "reproduced within margin"
    return word, f"{within}, {'and' if same else 'but'} {why}."


def _inconclusive(
    difference: float,
    published: float,
    margin: float,
    interval: tuple[float, float, float],
    for_margin: int | None,
    to_decide: int | None,
) -> str:
    level, low, high = interval
    far = f"{_points(abs(difference))} {_side(difference)} than" if difference else "equal to"
    reason = (
        f"Our mean is {far} the published {_number(published)}, and the {100 * level:.0f} % interval of "
        f"the difference, {_interval(low, high)}, reaches over the margin of ±{_number(margin)}."
    )
    if for_margin is None:
        return f"{reason} Up to 1,000 runs of ours would not bring its half width below the margin."
    if for_margin > 0:
        return (
            f"{reason} At this SD about {_runs(for_margin)} would bring its half width below the "
            "margin (an estimate)."
        )
    if to_decide is None:
        return f"{reason} Up to 1,000 runs with this mean and SD would not decide."
    return f"{reason} If mean and SD stayed, about {_runs(to_decide)} would decide (an estimate)."


def _runs(count: int) -> str:
    return f"{count} more {'run' if count == 1 else 'runs'}"


def _more_runs(
    found: seed_statistics.Summary,
    level: float,
    room: float,
    published_sd: float | None,
    published_n: int | None,
) -> int | None:
    """Runs until the half width of the interval of the difference is below `room`; None above 1,000."""
    counts = np.arange(found.n + 1, _MOST_RUNS + 1)
    own = found.sd**2 / counts
    if published_sd is None:
        errors, df = np.sqrt(own), counts - 1
    else:
        other = published_sd**2 / published_n
        errors = np.sqrt(own + other)
        total = own**2 / (counts - 1) + other**2 / (published_n - 1)
        df = np.divide((own + other) ** 2, total, out=np.ones_like(own), where=total > 0)
    half_widths = errors * scipy.stats.t.ppf((1 + level) / 2, df)
    enough = np.flatnonzero(half_widths < room)
    return int(counts[enough[0]]) - found.n if enough.size else None


def _for_unknown_n(
    values: Sequence[float], published: float, margin: float, published_sd: float
) -> Verdict:
    each = {
        n: verdict(values, published, margin, published_sd, n)
        for n in seed_statistics.UNKNOWN_COUNTS
    }
    words = {n: found.word for n, found in each.items()}
    smallest, first = next(iter(each.items()))
    counts = _and([str(n) for n in words])
    if len(set(words.values())) == 1:
        word = first.word
        reason = f"The verdict is the same for {counts} published runs; their number is not given."
    else:
        # Within the margin for every n; only whether there is a difference at all depends on it.
        is_within = set(words.values()) <= {"reproduced", "reproduced within margin"}
        word = "reproduced within margin" if is_within else "inconclusive"
        by_word: dict[str, list[str]] = {}
        for n, one in words.items():
            by_word.setdefault(one, []).append(str(n))
        parts = [f"{one!r} for {_and(numbers)}" for one, numbers in by_word.items()]
        reason = (
            "The verdict depends on how many runs the published SD is of, which is not given: "
            f"{', '.join(parts)}."
        )
    reason += f" For {smallest}: {first.reason}"
    return dataclasses.replace(
        first, word=word, reason=reason, published_n=None, by_published_n=each
    )


def _too_few(found: seed_statistics.Summary, published: float) -> str:
    if found.n == 0:
        return "There is no finished run."
    difference = found.mean - published
    far = f"{_points(abs(difference))} {_side(difference)} than" if difference else "equal to"
    return (
        f"There is one run alone, {far} the published {_number(published)}: how much runs differ "
        "cannot be told from one."
    )


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _side(difference: float) -> str:
    return "higher" if difference > 0 else "lower"


def _number(value: float) -> str:
    """Two decimals, as in the papers' tables; more where these would say 0."""
    if value == 0 or abs(value) >= 0.005:
        return f"{value:.2f}".replace("-", "−")
    return f"{value:.1g}".replace("-", "−")


def _signed(value: float) -> str:
    return _number(value) if value <= 0 else f"+{_number(value)}"


def _points(value: float) -> str:
    return f"{_number(value)} points"


def _ends(low: float, high: float) -> str:
    return f"[{_number(low)}, {_number(high)}]"


def _interval(low: float, high: float) -> str:
    return f"[{_signed(low)}, {_signed(high)}]"


def _spread(mean: float, sd: float) -> str:
    return f"{_number(mean)} ± {_number(sd)}"


def _p(p: float) -> str:
    return f"= {p:.3f}" if p >= 0.001 else "< 0.001"


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
