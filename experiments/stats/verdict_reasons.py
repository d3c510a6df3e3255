"""Why a verdict is what it is, in whole sentences with the numbers that it rests on."""

from typing import TYPE_CHECKING

from fpliif_jax.experiments.stats import seed_statistics
from fpliif_jax.experiments.stats.verdict_rule import FEWEST_EQUAL_RUNS, LEVEL, Verdict

if TYPE_CHECKING:
    from fpliif_jax.experiments.stats.verdicts import Judgement

_ENOUGH_RUNS = 5


def reason(found: "Judgement") -> str:
    """Of runs that were compared; from all other fields."""
    if found.by_published_n is None:
        sentences = [_facts(found)]
    else:
        smallest, first = next(iter(found.by_published_n.items()))
        sentences = [_of_unknown_n(found), f"For {smallest}: {_facts(first)}"]
    sentences.append(_of_family(found))
    if found.word == Verdict.INCONCLUSIVE:
        sentences.append(_more_runs(found))
    if found.published_sd == 0:
        sentences.append("The published SD of 0 shows no spread: the value is taken for one run.")
    if found.n < _ENOUGH_RUNS:
        sentences.append(
            f"n = {found.n}: fewer than the five runs that a mean and its SD should rest on."
        )
    return " ".join(filter(None, sentences))


def not_judged(found: seed_statistics.Summary, published: float) -> str:
    """Of runs that do not show how much runs differ."""
    if found.n == 0:
        return "There is no finished run."
    far = _far(found.mean - published, published)
    if found.n >= seed_statistics.FEWEST_RUNS:
        return (
            f"All {found.n} runs have the value {_number(found.mean)}, {far}: copies of one run, or "
            f"rounded values, do not show how much runs differ; with fewer than {FEWEST_EQUAL_RUNS} "
            "equal values nothing is decided."
        )
    if found.n == 1:
        return f"There is one run alone, {far}: how much runs differ cannot be told from one."
    few = f"fewer than {seed_statistics.FEWEST_RUNS}"
    return f"The mean of {found.n} runs is {far}: how much runs differ cannot be told from {few}."


def sentence(text: str) -> str:
    """A text as a sentence, with a capital and a full stop."""
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _facts(found: "Judgement") -> str:
    """What the intervals show, of a known number of published runs and outside any family."""
    if found.p_equivalence < LEVEL:
        return _reproduced(found)
    ours = f"Our mean is {_far(found.difference, found.published)}, and the"
    margin = f"the margin of ±{_number(found.margin)}"
    if not _is_beyond(found):
        level = "90" if abs(found.difference) < found.margin else "95"
        ends = getattr(found, f"low_{level}"), getattr(found, f"high_{level}")
        return f"{ours} {level} % interval of the difference, {_interval(*ends)}, reaches over {margin}."
    interval = _interval(found.low_95, found.high_95)
    beyond = f"{ours} 95 % interval of the difference, {interval}, lies wholly beyond {margin}"
    is_outside = found.p_new_run < LEVEL
    return f"{beyond}, {'and' if is_outside else 'but'} {_prediction(found, not is_outside)}."


def _is_beyond(found: "Judgement") -> bool:
    return found.low_95 > found.margin or found.high_95 < -found.margin


def _reproduced(found: "Judgement") -> str:
    within = (
        f"The 90 % interval of the difference, {_interval(found.low_90, found.high_90)}, lies inside the "
        f"margin of ±{_number(found.margin)}"
    )
    if found.published_sd:
        is_same = found.p >= LEVEL
        between = f"Welch's test {'finds no' if is_same else 'does find a'} difference between our "
        why = between + f"{_spread(found.mean, found.sd)} and the published "
        why += f"{_spread(found.published, found.published_sd)} (p {_p(found.p)})"
    else:
        is_same = found.p_new_run >= LEVEL
        why = _prediction(found, is_same)
    return f"{within}, {'and' if is_same else 'but'} {why}."


def _prediction(found: "Judgement", is_inside: bool) -> str:
    runs = (found.published_n or 1) if found.published_sd != 0 else 1
    more = "one more run" if runs == 1 else f"the mean of {runs} more runs"
    ends = f"[{_number(found.prediction_low)}, {_number(found.prediction_high)}]"
    where = "in" if is_inside else "outside"
    return f"the published {_number(found.published)} lies {where} the 95 % prediction interval of {more}, {ends}"


def _of_unknown_n(found: "Judgement") -> str:
    by_word: dict[str, list[str]] = {}
    for n, one in found.by_published_n.items():
        by_word.setdefault(one.word, []).append(str(n))
    if len(by_word) > 1:
        parts = [f"'{word}' for {_and(counts)}" for word, counts in by_word.items()]
        return (
            "The verdict depends on how many runs the published SD is of, which is not given: "
            f"{', '.join(parts)}."
        )
    ((word, counts),) = by_word.items()
    if word == Verdict.NOT_REPRODUCED and not found.p_not_reproduced < LEVEL:
        return (
            f"It would be '{word}' for {_and(counts)} published runs, but their number is not given, and the "
            f"mean of two such runs may be as far off (p {_p(found.p_not_reproduced)})."
        )
    return f"The verdict is the same for {_and(counts)} published runs; their number is not given."


def _of_family(found: "Judgement") -> str:
    if found.family_size in (None, 1) or not found.p_not_reproduced < LEVEL:
        return ""
    by_itself, together = _p(found.p_not_reproduced), _p(found.p_family)
    holm = f"p {together} by Holm's correction over the {found.family_size} classes of its row"
    if found.word == Verdict.NOT_REPRODUCED:
        return f"By itself p {by_itself}; {holm}."
    return (
        f"By itself this would be '{Verdict.NOT_REPRODUCED}' (p {by_itself}), but of several classes one is as far off "
        f"by chance sooner: {holm}."
    )


def _more_runs(found: "Judgement") -> str:
    for_margin, to_decide = found.more_runs_for_margin, found.more_runs_to_decide
    if found.is_limited_by_published:
        runs = found.published_n or 1
        what = "one published run is" if runs == 1 else f"the mean of {runs} published runs is"
        return f"No number of our runs would decide at this mean and SD: {what} itself not known well enough."
    if not _is_beyond(found):
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
        return f"{value:.2f}".replace("-", "−")
    return f"{value:.1g}".replace("-", "−")


def _interval(low: float, high: float) -> str:
    """With signs."""
    ends = (_number(end) if end <= 0 else f"+{_number(end)}" for end in (low, high))
    return f"[{', '.join(ends)}]"


def _spread(mean: float, sd: float) -> str:
    return f"{_number(mean)} ± {_number(sd)}"


def _p(p: float) -> str:
    return f"= {p:.3f}" if p >= 0.001 else "< 0.001"


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
