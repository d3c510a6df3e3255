"""Is a published number reproduced? One of five words, and why; `verdict_rule` has the rule."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from fpliif_jax.experiments.stats import seed_statistics, verdict_reasons, verdict_rule
from fpliif_jax.experiments.stats.verdict_rule import LEVEL, Verdict

_MOST_RUNS = 1_000


@dataclasses.dataclass(frozen=True)
class Judgement:
    """A word, its reason, and the numbers that it rests on, in percent and F1 points.

    Attributes:
      word: the verdict.
      reason: whole sentences.
      n, mean, sd: of our runs; None where undefined.
      published, published_sd, published_n: the arguments of `verdict`.
      margin: likewise.
      difference: mean − published; this and all below are None where the runs are not compared.
      low_90, high_90, low_95, high_95: intervals of the difference.
      prediction_low, prediction_high: 95 % interval of one more run (or of the mean of published_n).
      p: two-sided, of Welch's test, or of the one-sample t-test.
      p_equivalence: of the two one-sided tests.
      p_new_run: two-sided, of "the published value is one more run like ours" (or the mean of published_n).
      p_not_reproduced: the larger p of both tests that 'not reproduced' asks for; where published_n is not known, of
        all its candidates.
      p_family: Holm's p_not_reproduced over the family, and
      family_size: how many numbers were tested in it; None for a number by itself.
      more_runs_for_margin: if inconclusive, about how many further runs would bring the half width of the interval
        below the margin at this SD; 0 if it is below already, None if no number up to 1,000 would.
      more_runs_to_decide: about how many would decide if mean and SD stayed as they are, whatever the rest of the
        family does; None likewise.
      is_limited_by_published: if inconclusive, whether no number of our runs would decide at this mean and SD, since
        one published run (or the mean of published_n) may be as far off.
      by_published_n: for each n that the published SD may be of, the verdict by itself; the numbers from difference to
        p_new_run are then those for the smallest n.
    """

    word: Verdict
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
    p_new_run: float | None = None
    p_not_reproduced: float | None = None
    p_family: float | None = None
    family_size: int | None = None
    more_runs_for_margin: int | None = None
    more_runs_to_decide: int | None = None
    is_limited_by_published: bool = False
    by_published_n: "dict[int, ComparedJudgement] | None" = None

    @property
    def was_tested(self) -> bool:
        """Whether the runs were compared with the published number at all."""
        return self.difference is not None


@dataclasses.dataclass(frozen=True)
class ComparedJudgement(Judgement):
    """A verdict on runs that were compared with the published number."""

    mean: float
    sd: float
    difference: float
    low_90: float
    high_90: float
    low_95: float
    high_95: float
    prediction_low: float
    prediction_high: float
    p: float
    p_equivalence: float
    p_new_run: float
    p_not_reproduced: float


def verdict(
    values: Sequence[float],
    published: float,
    margin: float,
    published_sd: float | None = None,
    published_n: int | None = None,
    not_comparable: str | None = None,
) -> Judgement:
    """Compares runs with a published number that is read by itself; see `as_family` for several.

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
    summary = seed_statistics.summary(values)
    if not (math.isfinite(published) and math.isfinite(margin) and margin > 0):
        raise ValueError(
            f"published {published} and margin {margin} must be finite, the margin > 0"
        )
    if published_sd is not None and not (math.isfinite(published_sd) and published_sd >= 0):
        raise ValueError(f"published SD is {published_sd}; it must be at least 0")
    if published_n is not None and published_n < (1 if published_sd is None else 2):
        raise ValueError(f"published_n is {published_n}; an SD is of at least two runs")
    ours, theirs = (summary.n, summary.mean, summary.sd), (published, published_sd, published_n)
    if not_comparable is not None:
        return Judgement(
            Verdict.NOT_COMPARABLE, verdict_reasons.sentence(not_comparable), *ours, *theirs, margin
        )
    n, mean, sd = ours
    if mean is None or sd is None or not verdict_rule.can_judge(n, sd):
        return Judgement(
            Verdict.INCONCLUSIVE,
            verdict_reasons.not_judged(summary, published),
            *ours,
            *theirs,
            margin,
        )
    decision = verdict_rule.decide(mean, sd, n, published, margin, published_sd, published_n)
    each = {
        of_n: _explained(
            ComparedJudgement(
                word=Verdict(str(evidence.word)),
                reason="",
                n=n,
                mean=mean,
                sd=sd,
                published=published,
                published_sd=published_sd,
                published_n=published_n if of_n is None else of_n,
                margin=margin,
                difference=float(evidence.difference),
                low_90=float(evidence.low_90),
                high_90=float(evidence.high_90),
                low_95=float(evidence.low_95),
                high_95=float(evidence.high_95),
                prediction_low=float(evidence.prediction_low),
                prediction_high=float(evidence.prediction_high),
                p=float(evidence.p),
                p_equivalence=float(evidence.p_equivalence),
                p_new_run=float(evidence.p_new_run),
                p_not_reproduced=float(evidence.p_not_reproduced),
            )
        )
        for of_n, evidence in decision.evidence.items()
    }
    first = next(iter(each.values()))
    if len(each) == 1:
        return first
    return _explained(
        dataclasses.replace(
            first,
            word=Verdict(str(decision.word)),
            published_n=None,
            p_not_reproduced=float(decision.p_not_reproduced),
            by_published_n={of_n: one for of_n, one in each.items() if of_n is not None},
        )
    )


def as_family(verdicts: Sequence[Judgement]) -> list[Judgement]:
    """The same verdicts, read together: 'not reproduced' is Holm's over all that were tested.

    For the classes of one row: at most 5 % of such families have any class 'not reproduced' by chance.
    """
    p = np.array([one.p_not_reproduced for one in verdicts], np.float64)  # None is NaN
    words, p_family = verdict_rule.as_family(np.array([one.word for one in verdicts]), p)
    size = int(np.count_nonzero(~np.isnan(p)))
    return [
        _explained(
            dataclasses.replace(
                one, word=Verdict(str(word)), p_family=float(adjusted), family_size=size
            )
        )
        if isinstance(one, ComparedJudgement)
        else one
        for one, word, adjusted in zip(verdicts, words, p_family, strict=True)
    ]


def _explained(judgement: ComparedJudgement) -> ComparedJudgement:
    """The verdict with its reason, and what more runs would do, which follow from the rest of it."""
    if judgement.word == Verdict.INCONCLUSIVE:
        judgement = _with_more_runs(judgement)
    return dataclasses.replace(judgement, reason=verdict_reasons.reason(judgement))


def _with_more_runs(judgement: ComparedJudgement) -> ComparedJudgement:
    counts = np.arange(judgement.n + 1, max(_MOST_RUNS, judgement.n + 1) + 1)
    decision = verdict_rule.decide(
        judgement.mean,
        judgement.sd,
        counts,
        judgement.published,
        judgement.margin,
        judgement.published_sd,
        judgement.published_n,
    )
    evidence = next(iter(decision.evidence.values()))
    # The interval that the mean's side of the margin asks for.
    is_inside = abs(judgement.difference) < judgement.margin
    level = "90" if is_inside else "95"

    def half_width(of: ComparedJudgement | verdict_rule.Evidence) -> float | np.ndarray:
        return (getattr(of, f"high_{level}") - getattr(of, f"low_{level}")) / 2

    for_margin = 0
    if half_width(judgement) >= judgement.margin:
        for_margin = _first(counts, np.less(half_width(evidence), judgement.margin), judgement.n)
    # Bonferroni's bound is enough for Holm, whatever the others of the family have.
    limit = LEVEL / (judgement.family_size or 1)
    is_decided = (decision.word != Verdict.INCONCLUSIVE) & (
        (decision.word != Verdict.NOT_REPRODUCED) | (decision.p_not_reproduced < limit)
    )
    return dataclasses.replace(
        judgement,
        more_runs_for_margin=for_margin,
        more_runs_to_decide=_first(counts, is_decided, judgement.n),
        is_limited_by_published=bool(
            not is_inside and not judgement.published_sd and evidence.p_new_run[-1] >= limit
        ),
    )


def _first(counts: np.ndarray, enough: np.ndarray, n: int) -> int | None:
    places = np.flatnonzero(enough)
    return int(counts[places[0]]) - n if places.size else None
