"""How many seeds the planned questions of a study need, by the spread that it has seen so far, in words."""

from collections.abc import Sequence

from fpliif_jax.commands import command_names
from fpliif_jax.experiments.comparison.planned_questions import ALPHA
from fpliif_jax.experiments.comparison.planned_study import AnsweredQuestion
from fpliif_jax.experiments.plans.name_list import shortened
from fpliif_jax.experiments.plans.variant import Expectation
from fpliif_jax.experiments.stats import power

_POWER = 0.8


def sentences_on_power(questions: Sequence[AnsweredQuestion]) -> list[str]:
    """The seeds for a difference of the margin, fewest and most of all planned questions, and what they rest on.

    None where no question has an SD yet. Questions of equivalence are left out, as their test is another.
    """
    asked = [one for one in questions if one.answer is not None]
    left_out = [one.name for one in asked if one.expects == Expectation.EQUIVALENT]
    level = ALPHA / max(1, len(asked))
    needed = [
        (_seeds(one.sd, one, level), one.sd, one)
        for one in asked
        if one.sd and one.name not in left_out
    ]
    if not needed:
        return []
    needed.sort(key=lambda item: item[0])
    (fewest, least_sd, first), (most, most_sd, last) = needed[0], needed[-1]
    seeds = f"{power.count_text(fewest)} seeds of each setting ({_about(first)})"
    how = _possible(least_sd, first, level)
    if last is not first:
        seeds = f"from {seeds} to {power.count_text(most)} ({_about(last)})"
        how += f"; {_possible(most_sd, last, level)}"
    command = command_names.command_name("experiments.power")
    needs = (
        f"To find a difference as large as the margin in {100 * _POWER:g} % of cases would take, by the spread seen so "
        f"far, {seeds}. For each question: {command} STUDY."
    )
    shared = f", {ALPHA:g} shared by {len(asked)} planned questions (Holm's first step)"
    rests = (
        f"Few pairs of runs tell an SD roughly, and so the seeds that a difference takes: {how}. The test is a "
        f"two-sided t-test paired by seed, at level {level:.2g}{shared if len(asked) > 1 else ''}."
    )
    if left_out:
        rests += f" Left out, as equivalence needs another test: {shortened(left_out)}."
    return [needs, rests]


def _seeds(sd: float, one: AnsweredQuestion, level: float) -> int:
    return power.runs_needed(sd, one.margin, _POWER, level)


def _about(one: AnsweredQuestion) -> str:
    return f"question {one.name}: margin {one.margin:g} points, {one.pairs} seeds so far"


def _possible(sd: float, one: AnsweredQuestion, level: float) -> str:
    """'SD 0.30 of the 5 differences in edges leaves 4 to 38 seeds possible'."""
    ends = power.sd_interval(sd, one.pairs - 1)
    low, high = (power.count_text(_seeds(end, one, level)) for end in ends)
    return f"SD {sd:.2f} of the {one.pairs} differences in {one.name} leaves {low} to {high} seeds possible"
