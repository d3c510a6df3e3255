"""Why a verdict is what it is, in whole sentences with the numbers that it rests on."""

from typing import TYPE_CHECKING

from fpliif_jax.experiments.stats import number_text, seed_statistics
from fpliif_jax.experiments.stats.verdict_rule import FEWEST_EQUAL_RUNS, LEVEL, Verdict

if TYPE_CHECKING:
    from fpliif_jax.experiments.stats.verdicts import ComparedJudgement

_ENOUGH_RUNS = 5


def reason(judgement: "ComparedJudgement") -> str:
    """The reason of a verdict on runs that were compared, from all its other fields."""
    if judgement.by_published_n is None:
        sentences = [_facts(judgement)]
    else:
        smallest, first = next(iter(judgement.by_published_n.items()))
        sentences = [
            _of_unknown_n(judgement, judgement.by_published_n),
            f"For {smallest}: {_facts(first)}",
        ]
    sentences.append(_of_family(judgement))
    if judgement.word == Verdict.INCONCLUSIVE:
        sentences.append(_more_runs(judgement))
    if judgement.published_sd == 0:
        sentences.append("The published SD of 0 shows no spread: the value is taken for one run.")
    if judgement.n < _ENOUGH_RUNS:
        sentences.append(
            f"n = {judgement.n}: fewer than the five runs that a mean and its SD should rest on."
        )
    return " ".join(filter(None, sentences))


def not_judged(summary: seed_statistics.Summary, published: float) -> str:
    """The reason of a verdict on runs that do not show how much runs differ."""
    if summary.mean is None:
        return "There is no finished run."
    far = _far(summary.mean - published, published)
    if summary.n >= seed_statistics.FEWEST_RUNS:
        return (
            f"All {summary.n} runs have the value {_number(summary.mean)}, {far}: copies of one run, or "
            f"rounded values, do not show how much runs differ; with fewer than {FEWEST_EQUAL_RUNS} "
            "equal values nothing is decided."
        )
    if summary.n == 1:
        return f"There is one run alone, {far}: how much runs differ cannot be told from one."
    few = f"fewer than {seed_statistics.FEWEST_RUNS}"
    return f"The mean of {summary.n} runs is {far}: how much runs differ cannot be told from {few}."


def sentence(text: str) -> str:
    """A text as a sentence, with a capital and a full stop."""
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _facts(judgement: "ComparedJudgement") -> str:
    """What the intervals show, of a known number of published runs and outside any family."""
    if judgement.p_equivalence < LEVEL:
        return _reproduced(judgement)
    ours = f"Our mean is {_far(judgement.difference, judgement.published)}, and the"
    margin = f"the margin of ±{_number(judgement.margin)}"
    if not _is_beyond(judgement):
        level = "90" if abs(judgement.difference) < judgement.margin else "95"
        ends = getattr(judgement, f"low_{level}"), getattr(judgement, f"high_{level}")
        return f"{ours} {level} % interval of the difference, {_interval(*ends)}, reaches over {margin}."
    interval = _interval(judgement.low_95, judgement.high_95)
    beyond = f"{ours} 95 % interval of the difference, {interval}, lies wholly beyond {margin}"
    is_outside = judgement.p_new_run < LEVEL
    return f"{beyond}, {'and' if is_outside else 'but'} {_prediction(judgement, not is_outside)}."


def _is_beyond(judgement: "ComparedJudgement") -> bool:
    return judgement.low_95 > judgement.margin or judgement.high_95 < -judgement.margin


def _reproduced(judgement: "ComparedJudgement") -> str:
    within = (
        f"The 90 % interval of the difference, {_interval(judgement.low_90, judgement.high_90)}, lies inside the "
        f"margin of ±{_number(judgement.margin)}"
    )
    if judgement.published_sd:
        is_same = judgement.p >= LEVEL
        between = f"Welch's test {'finds no' if is_same else 'does find a'} difference between our "
        why = between + f"{_spread(judgement.mean, judgement.sd)} and the published "
        why += f"{_spread(judgement.published, judgement.published_sd)} (p {_p(judgement.p)})"
    else:
        is_same = judgement.p_new_run >= LEVEL
        why = _prediction(judgement, is_same)
    return f"{within}, {'and' if is_same else 'but'} {why}."


def _prediction(judgement: "ComparedJudgement", is_inside: bool) -> str:
    runs = (judgement.published_n or 1) if judgement.published_sd != 0 else 1
    more = "one more run" if runs == 1 else f"the mean of {runs} more runs"
    ends = f"[{_number(judgement.prediction_low)}, {_number(judgement.prediction_high)}]"
    where = "in" if is_inside else "outside"
    return f"the published {_number(judgement.published)} lies {where} the 95 % prediction interval of {more}, {ends}"


def _of_unknown_n(
    judgement: "ComparedJudgement", by_published_n: dict[int, "ComparedJudgement"]
) -> str:
    by_word: dict[str, list[str]] = {}
    for n, one in by_published_n.items():
        by_word.setdefault(one.word, []).append(str(n))
    if len(by_word) > 1:
        parts = [f"'{word}' for {_and(counts)}" for word, counts in by_word.items()]
        return (
            "The verdict depends on how many runs the published SD is of, which is not given: "
            f"{', '.join(parts)}."
        )
    ((word, counts),) = by_word.items()
    if word == Verdict.NOT_REPRODUCED and not judgement.p_not_reproduced < LEVEL:
        return (
            f"It would be '{word}' for {_and(counts)} published runs, but their number is not given, and the "
            f"mean of two such runs may be as far off (p {_p(judgement.p_not_reproduced)})."
        )
    return f"The verdict is the same for {_and(counts)} published runs; their number is not given."


def _of_family(judgement: "ComparedJudgement") -> str:
    p_family, size = judgement.p_family, judgement.family_size
    if p_family is None or size == 1 or not judgement.p_not_reproduced < LEVEL:
        return ""
    by_itself, together = _p(judgement.p_not_reproduced), _p(p_family)
    holm = f"p {together} by Holm's correction over the {size} classes of its row"
    if judgement.word == Verdict.NOT_REPRODUCED:
        return f"By itself p {by_itself}; {holm}."
    return (
        f"By itself this would be '{Verdict.NOT_REPRODUCED}' (p {by_itself}), but of several classes one is as far off "
        f"by chance sooner: {holm}."
    )


def _more_runs(judgement: "ComparedJudgement") -> str:
    for_margin, to_decide = judgement.more_runs_for_margin, judgement.more_runs_to_decide
    if judgement.is_limited_by_published:
        runs = judgement.published_n or 1
        what = "one published run is" if runs == 1 else f"the mean of {runs} published runs is"
        return f"No number of our runs would decide at this mean and SD: {what} itself not known well enough."
    if not _is_beyond(judgement):
        if for_margin is None:
            return "Up to 1,000 runs of ours would not bring its half width below the margin."
        if for_margin > 0:
            return (
                f"At this SD about {_runs(for_margin)} would bring its half width below the margin "
                "(an estimate)."
            )
    if to_decide is None:
        return "Up to 1,000 runs with this mean and SD would not decide."
    return f"If mean and SD stayed, about {_runs(to_decide)} would decide (an estimate)."


def _runs(count: int) -> str:
    return f"{count} more {'run' if count == 1 else 'runs'}"


def _far(difference: float, published: float) -> str:
    if not difference:
        return f"equal to the published {_number(published)}"
    side = "higher" if difference > 0 else "lower"
    return f"{_number(abs(difference))} points {side} than the published {_number(published)}"


def _number(value: float) -> str:
    """Two decimals, as in the papers' tables; more where these would say 0."""
    if value == 0 or abs(value) >= 0.005:
        return number_text.number(value)
    return f"{value:.1g}".replace("-", number_text.MINUS)


def _interval(low: float, high: float) -> str:
    """An interval whose ends have signs."""
    ends = (_number(end) if end <= 0 else f"+{_number(end)}" for end in (low, high))
    return f"[{', '.join(ends)}]"


def _spread(mean: float, sd: float) -> str:
    return f"{_number(mean)} ± {_number(sd)}"


def _p(p: float) -> str:
    return f"= {p:.3f}" if p >= 0.001 else "< 0.001"


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
