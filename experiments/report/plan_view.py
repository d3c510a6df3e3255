"""What was planned as the pages show it: notes on a frozen plan, and its questions with their answers."""

import dataclasses
import datetime

from fpliif_jax.experiments.comparison.planned_study import Answer, AnsweredQuestion, PlannedStudy
from fpliif_jax.experiments.plans.name_list import shortened
from fpliif_jax.experiments.plans.variant import Expectation
from fpliif_jax.experiments.report import wording
from fpliif_jax.experiments.stats import number_text

_COMMIT_DIGITS = 12  # of 40


@dataclasses.dataclass(frozen=True)
class QuestionView:
    """A question with its numbers. Texts are not escaped.

    numbers are those of `PlanView.head`.
    """

    text: str
    sides: str
    expects: str
    answer: Answer | None
    reason: str
    numbers: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class PlanView:
    """A plan: what there is to say of it, what the numbers of its questions are, and these. Texts are not escaped."""

    title: str
    notes: tuple[str, ...]
    head: tuple[str, ...]
    questions: tuple[QuestionView, ...]


def plan_view(plan: PlannedStudy) -> PlanView:
    """A frozen plan: when it was made, how far it is, what was added, which runs stand out, and the answers."""
    place = f" in {plan.folder}" if plan.folder else ""
    notes = [
        f"Frozen on {_moment(plan.date)} at commit {_commit(plan.commit)}{place}; scale {plan.scale}, digest "
        f"{plan.digest}. {plan.finished} of {plan.planned} planned runs are finished. Questions are judged on the "
        "planned runs alone, once all of theirs are there; Holm's p is over all planned questions. Differences and "
        "SDs are in points.",
    ]
    if plan.age:
        notes.append(plan.age)
    if plan.data:
        notes.append(plan.data)
    if plan.missing:
        notes.append(f"Missing: {shortened(plan.missing)}.")
    notes += [
        f"Added later, on {_moment(one.date)} at commit {_commit(one.commit)} (digest {one.digest[:16]}), shown and "
        f"not judged: {one.what}."
        for one in plan.additions
    ]
    if plan.unplanned:
        notes.append(f"Run, but in no plan: {shortened(plan.unplanned)}.")
    for one in plan.marks:
        values = [one.value, one.planned]
        if one.field == "commit":
            values = [_commit(value) for value in values]
        notes.append(
            f"Not as planned: {one.field} is {values[0]}, not {values[1]}, in {shortened(one.runs)}."
        )
    head = ("Difference", "95 % interval", "SD", "Pairs", "p", "Holm’s p")
    return PlanView(
        plan.title, (*notes, *plan.power), head, tuple(map(_question_view, plan.questions))
    )


def _question_view(one: AnsweredQuestion) -> QuestionView:
    added = f" (added {one.added[:10]})" if one.added else ""
    is_about_margin = one.expects == Expectation.EQUIVALENT
    return QuestionView(
        text=f"{one.text}{added}",
        sides=f"{one.a} {number_text.MINUS} {one.b}",
        expects=f"{one.expects} (± {one.margin:g})" if is_about_margin else one.expects,
        answer=one.answer,
        reason=one.reason,
        numbers=(
            number_text.difference(one.difference),
            number_text.interval(one.interval, signed=True),
            number_text.number(one.sd),
            f"{one.pairs} of {one.planned_pairs}",
            number_text.p_value(one.p),
            number_text.p_value(one.p_holm),
        ),
    )


def _moment(date: str) -> str:
    """'2026-11-26, 21:03 UTC' of ISO 8601; what is none stays as it is."""
    try:
        moment = datetime.datetime.fromisoformat(date).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return date
    return f"{moment:%Y-%m-%d, %H:%M} UTC"


def _commit(commit: str | None) -> str:
    """Its first digits, and '+changes' where files differed from it."""
    digits, plus, changes = wording.plain(commit).partition("+")
    is_hash = len(digits) == 40 and digits.isalnum()
    return (digits[:_COMMIT_DIGITS] if is_hash else digits) + plus + changes
