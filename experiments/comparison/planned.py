"""What was planned beside what was run: answers to the questions of a frozen plan, what is missing, what was added."""

from collections.abc import Sequence

from fpliif_jax.experiments.comparison.data_notes import sets_note
from fpliif_jax.experiments.comparison.lines import Line, study_of
from fpliif_jax.experiments.comparison.plan_age import age_note
from fpliif_jax.experiments.comparison.planned_marks import marks_of, sentence
from fpliif_jax.experiments.comparison.planned_power import sentences_on_power
from fpliif_jax.experiments.comparison.planned_questions import answered_questions
from fpliif_jax.experiments.comparison.planned_study import (
    Addition,
    Answer,
    PlannedStudy,
)
from fpliif_jax.experiments.plans.frozen_plan import FrozenPlan
from fpliif_jax.experiments.plans.name_list import shortened
from fpliif_jax.experiments.plans.study_file import Study


def planned_studies(lines: Sequence[Line], studies: Sequence[Study]) -> list[PlannedStudy]:
    """Every study whose plan was frozen."""
    return [
        _planned_study(
            study, study.plan, [line for line in lines if study_of(line, studies) is study]
        )
        for study in studies
        if study.plan is not None
    ]


def sentences(plans: Sequence[PlannedStudy], studies: Sequence[Study]) -> list[str]:
    """Sentences of the summary about plans."""
    summary = []
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
        summary.append(text + ".")
        summary += filter(None, [sentence(plan.marks, plan.title)])
        summary += plan.power[:1]
    summary += [
        f"The frozen plan of {study.folder or 'the study'} cannot be read, and nothing is judged: {study.plan_problem}."
        for study in studies
        if study.plan_problem
    ]
    without = [study for study in studies if study.plan is None and not study.plan_problem]
    if without:
        summary.append(
            "No plan was frozen before the first run"
            + (f" of {shortened([one.folder or '.' for one in without])}" if plans else "")
            + ": what was compared may have been chosen after the results were seen."
        )
    return summary


def _planned_study(study: Study, plan: FrozenPlan, lines: Sequence[Line]) -> PlannedStudy:
    runs = {study.inside(run.name): run for line in lines for run in line.measured.runs.values()}
    known = plan.last.runs
    differences = {
        name: plan.last.differences(known[name], run.results.config.flat, run.results.follows_seed)
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
        questions=(questions := answered_questions(study, plan, lines, unlike)),
        power=sentences_on_power(questions),
        data=sets_note(lines, lines),
        age=age_note(first, runs),
    )
