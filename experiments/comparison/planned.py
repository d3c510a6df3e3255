"""What was planned beside what was run: answers to the questions of a frozen plan, what is missing, what was added."""

from collections.abc import Sequence

from fpliif_jax.commands import command_names
from fpliif_jax.experiments.comparison.data_notes import sets_note
from fpliif_jax.experiments.comparison.lines import Line, study_of
from fpliif_jax.experiments.comparison.plan_age import age_note
from fpliif_jax.experiments.comparison.planned_marks import marks_of
from fpliif_jax.experiments.comparison.planned_questions import ALPHA, answered_questions
from fpliif_jax.experiments.comparison.planned_study import (
    Addition,
    Answer,
    AnsweredQuestion,
    PlannedStudy,
)
from fpliif_jax.experiments.plans.name_list import shortened
from fpliif_jax.experiments.plans.study_file import Study
from fpliif_jax.experiments.plans.variant import Expectation
from fpliif_jax.experiments.stats import power


def planned_studies(lines: Sequence[Line], studies: Sequence[Study]) -> list[PlannedStudy]:
    """Every study whose plan was frozen."""
    return [
        _planned_study(study, [line for line in lines if study_of(line, studies) is study])
        for study in studies
        if study.plan is not None
    ]


def sentences(plans: Sequence[PlannedStudy], studies: Sequence[Study]) -> list[str]:
    """What the summary says of plans."""
    said = []
    for plan in plans:
        asked = [one for one in plan.questions if one.answer is not None]
        counts = {answer: sum(one.answer == answer for one in asked) for answer in Answer}
        answers = ", ".join(f"{number} {answer}" for answer, number in counts.items() if number)
        text = (
            f"{plan.title} (planned on {plan.date[:10]}, digest {plan.digest[:16]}): {plan.finished} of "
            f"{plan.planned} planned runs are finished"
        )
        if asked:
            text += f"; planned questions: {answers}"
        if plan.additions:
            text += f"; added later: {'; '.join(one.what for one in plan.additions)}"
        said.append(text + ".")
        if plan.marks:
            names = list(dict.fromkeys(run for mark in plan.marks for run in mark.runs))
            said.append(
                f"Of other settings, code or machine than planned ({plan.title}): {shortened(names)}."
            )
        said += plan.power
    said += [
        f"The frozen plan of {study.folder or 'the study'} cannot be read, and nothing is judged: {study.plan_problem}."
        for study in studies
        if study.plan_problem
    ]
    without = [study for study in studies if study.plan is None and not study.plan_problem]
    if without:
        said.append(
            "No plan was frozen before the first run"
            + (f" of {shortened([one.folder or '.' for one in without])}" if plans else "")
            + ": what was compared may have been chosen after the results were seen."
        )
    return said


def _planned_study(study: Study, lines: Sequence[Line]) -> PlannedStudy:
    plan = study.plan
    runs = {study.inside(run.name): run for line in lines for run in line.measured.runs.values()}
    known = set(plan.last.runs)
    differences = {
        name: plan.last.differences(name, run.results.config.flat, run.results.follows_seed)
        for name, run in runs.items()
        if name in known
    }
    unlike = frozenset(name for name, fields in differences.items() if fields)
    missing = [name for name in plan.first.runs if name not in runs]
    first = plan.first
    return PlannedStudy(
        folder=study.folder,
        name=first.table.name,
        title=first.table.title,
        scale=first.scale,
        digest=first.digest,
        date=first.moment.date,
        commit=first.moment.commit,
        planned=len(first.runs),
        finished=len(first.runs) - len(missing),
        missing=missing,
        additions=[
            Addition(str(what), version.moment.date, version.moment.commit, version.digest)
            for version, what in plan.added()
        ],
        unplanned=[name for name in runs if name not in known],
        marks=marks_of(plan, runs, differences),
        questions=(questions := answered_questions(study, lines, unlike)),
        power=_power(questions),
        data=sets_note(lines, lines),
        age=age_note(first, runs),
    )


def _power(questions: Sequence[AnsweredQuestion]) -> list[str]:
    """A line on how many pairs of runs a difference of the margin needs: least and most of all planned questions."""
    asked = [one for one in questions if one.answer is not None]
    # A t-test finds a difference; that there is none takes two one-sided tests, whose power is another.
    left_out = [one.name for one in asked if one.expects == Expectation.EQUIVALENT]
    known = [one for one in asked if one.sd and one.name not in left_out]
    if not known:
        return []
    level = ALPHA / len(asked)
    needed = [(power.runs_needed(one.sd, one.margin, 0.8, level), one) for one in known]
    needed.sort(key=lambda item: item[0])
    texts = [
        _needed_text(number, one, level) for number, one in dict.fromkeys((needed[0], needed[-1]))
    ]
    first_step = f" (Holm's first step of {len(asked)} planned questions)" if len(asked) > 1 else ""
    text = (
        f"A paired t-test at {level:.2g}{first_step} that finds a difference of the margin in 80 % of cases needs "
        f"{', up to '.join(texts)}"
    )
    if left_out:
        text += f"; left out, as equivalence needs another test: {shortened(left_out)}"
    return [f"{text}. For each question: {command_names.command_name('experiments.power')} STUDY."]


def _needed_text(number: int, one: AnsweredQuestion, level: float) -> str:
    """'7 runs of each in edges (margin 0.5 points, SD 0.30 of 5 pairs, which tell it no better than 4 to 38 runs)'."""
    low, high = (
        power.count_text(power.runs_needed(sd, one.margin, 0.8, level))
        for sd in power.sd_interval(one.sd, one.pairs - 1)
    )
    return (
        f"{power.count_text(number)} runs of each in {one.name} (margin {one.margin:g} points, SD {one.sd:.2f} of "
        f"{one.pairs} pairs, which tell it no better than {low} to {high} runs)"
    )
