"""What was planned beside what was run: answers to the questions of a frozen plan, what is missing, what was added.

A question is judged on the planned runs alone, and once all of them are there: to look after each run and stop at a
welcome answer would find differences that are none. Everything else is shown without an answer.
"""

import dataclasses
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from fpliif_jax.commands import command_line
from fpliif_jax.experiments.comparison.lines import APART, Line, study_of
from fpliif_jax.experiments.comparison.planned_study import (
    Addition,
    Answer,
    AnsweredQuestion,
    Mark,
    PlannedStudy,
)
from fpliif_jax.experiments.comparison.study import ScoreKey
from fpliif_jax.experiments.plans.frozen_plan import FrozenPlan
from fpliif_jax.experiments.plans.name_list import shortened
from fpliif_jax.experiments.plans.study_file import Study
from fpliif_jax.experiments.plans.variant import Expectation, Question
from fpliif_jax.experiments.runs.run import Run
from fpliif_jax.experiments.stats import holm, mean_tests, power, seed_statistics
from fpliif_jax.run_folder.run_config import flatten_config
from fpliif_jax.systems.protocol import Protocol

ALPHA = 0.05
_MACHINE = (
    "devices",
    "backend",
    "processor",
    "cpu_count",
    "platform",
    "xla_flags",
    "process_count",
)


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
            f"{plan.title}: planned on {plan.date[:10]} (digest {plan.digest[:16]}), {plan.finished} of "
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
                f"{plan.title}: of other settings, code or machine than planned: {shortened(names)}."
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
        name: plan.last.differences(
            name, flatten_config(run.results["config"]), run.results.get("follows_seed")
        )
        for name, run in runs.items()
        if name in known
    }
    unlike = frozenset(name for name, found in differences.items() if found)
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
        marks=_marks(plan, runs, differences),
        questions=(questions := _questions(study, lines, unlike)),
        power=_power(questions),
    )


def _questions(
    study: Study, lines: Sequence[Line], unlike: frozenset[str]
) -> list[AnsweredQuestion]:
    """All questions with their answers; on runs of other settings than planned, `unlike`, nothing rests."""
    plan = study.plan
    planned_runs, all_runs = frozenset(plan.first.runs), frozenset(plan.last.runs)
    known: dict[str, list[tuple[Line, frozenset[str]]]] = {}
    for line in lines:
        names = frozenset(study.inside(run.name) for run in line.measured.runs.values()) - unlike
        if line.planned is not None and names:
            known.setdefault(line.planned.name, []).append((line, names))
    # Runs that cannot be pooled are lines of their own: the one with most of the planned runs stands for its variant.
    of_variant = {
        name: max(of_it, key=lambda one: len(one[1] & planned_runs))
        for name, of_it in known.items()
    }
    by_variant = {name: line for name, (line, _) in of_variant.items()}
    apart = frozenset(
        run
        for name, of_it in known.items()
        for _, names in of_it
        for run in names - of_variant[name][1]
    )
    labels = {variant.name: variant.label for variant in plan.last.table.variants}
    planned = [
        _compared(one, study, by_variant, labels, planned_runs, unlike, apart, "")
        for one in plan.first.questions
    ]
    # The p-value of a question that cannot be answered yet is none.
    own = [None if one.reason else one.p for one in planned]
    adjusted = holm.holm([1.0 if p is None else p for p in own])
    answered = [
        _answered(dataclasses.replace(one, p_holm=None if p is None else p_holm), len(planned))
        for one, p, p_holm in zip(planned, own, adjusted, strict=True)
    ]
    names = {one.name for one in plan.first.questions}
    dates = {name: version.moment.date for version, what in plan.added() for name in what.questions}
    later = [one for one in plan.last.questions if one.name not in names]
    exploratory = [
        _compared(one, study, by_variant, labels, all_runs, unlike, apart, dates.get(one.name, ""))
        for one in later
    ]
    if all_runs != planned_runs:  # what the runs that were added later say to what was planned
        more = [
            _compared(
                one, study, by_variant, labels, all_runs, unlike, apart, plan.last.moment.date
            )
            for one in plan.first.questions
        ]
        before = {one.name: one.pairs for one in planned}
        exploratory += [one for one in more if one.pairs > before[one.name]]
    return answered + [
        dataclasses.replace(one, reason="added later: shown, not judged") for one in exploratory
    ]


def _compared(
    question: Question,
    study: Study,
    lines: Mapping[str, Line],
    labels: Mapping[str, str],
    runs: frozenset[str],
    unlike: frozenset[str],
    apart: frozenset[str],
    added: str,
) -> AnsweredQuestion:
    """A question with its numbers, over some of the runs; not answered yet."""
    rows = (question.row, question.against_row or question.row)
    names = (question.variant, question.against)
    seeds = [
        {run.rpartition("/seed")[2] for run in runs if run.startswith(f"{name}/seed")}
        for name in names
    ]
    keys, values = [], []
    for name, row in zip(names, rows, strict=True):
        line = lines.get(name)
        key = None if line is None else _key(line, question, row)
        scores = line.measured.scores.get(key) if key is not None else None
        keys.append(key)
        values.append(
            {
                seed: value
                for seed, value in (scores.values if scores else {}).items()
                if study.inside(line.measured.runs[seed].name) in runs - unlike
            }
        )
    margins = [lines[name].margin for name in names if name in lines]
    margin = min(margins, default=0.5)
    test, equivalence = None, None
    pairs = len(values[0].keys() & values[1].keys())
    if pairs >= seed_statistics.FEWEST_RUNS:
        test = mean_tests.paired_t(*values)
        equivalence = mean_tests.paired_equivalence(*values, margin)
    is_about_equivalence = question.expects == Expectation.EQUIVALENT
    chosen = equivalence if is_about_equivalence else test
    sides = [
        ", ".join(filter(None, (labels.get(name, name), row and row.replace("->", " → "))))
        for name, row in zip(names, rows, strict=True)
    ]
    return AnsweredQuestion(
        name=question.name,
        text=question.text,
        a=sides[0],
        b=sides[1],
        expects=str(question.expects),
        added=added,
        pairs=pairs,
        planned_pairs=len(seeds[0] & seeds[1]),
        difference=None if test is None else test.difference,
        interval=None if test is None else (test.low, test.high),
        sd=power.sd_of_differences(*values),
        run_sd=(run_sd := power.pooled_sd(*values)),
        run_df=0 if run_sd is None else sum(map(len, values)) - 2,
        margin=margin,
        p=None if chosen is None else chosen.p,
        p_holm=None,
        answer=None,
        reason=_obstacle(
            question,
            names,
            lines,
            keys,
            pairs,
            len(seeds[0] & seeds[1]),
            {run.split("/")[0] for run in unlike & runs},
            {run.rpartition("/seed")[2] for run in apart & runs if run.split("/")[0] in names},
        ),
    )


def _obstacle(
    question: Question,
    names: Sequence[str],
    lines: Mapping[str, Line],
    keys: Sequence[ScoreKey | None],
    pairs: int,
    planned: int,
    unlike: Collection[str],
    apart: Collection[str],
) -> str:
    """Why a question cannot be judged; '' where it can.

    `unlike` are variants with runs of other settings; `apart` seeds of runs that the others cannot be pooled with.
    """
    for name, key in zip(names, keys, strict=True):
        if name not in lines:
            settings = " with the planned settings" if name in unlike else ""
            return f"no run of {name}{settings} is finished"
        if key is None:
            what = " ".join(filter(None, (question.metric, question.class_name, question.row)))
            return f"the runs of {name} have no score {what}"
    if keys[0].evaluation[:2] != keys[1].evaluation[:2]:
        return "the two are scored on other splits or checkpoints"
    # What is trained on may be what the question is about: only what is scored on must be the same.
    split = keys[0].evaluation[0]
    scored_on = {dict(lines[name].data.splits or ()).get(split) for name in names}
    if len(scored_on) > 1:
        return f"the two are scored on other label maps of {split}"
    if pairs < planned:
        other = " or of other settings" if not unlike.isdisjoint(names) else ""
        reasons = [f"missing{other}"] if planned - pairs > len(apart) else []
        reasons += [APART] if apart else []
        return f"{planned - pairs} of {planned} planned pairs of runs are {', or '.join(reasons)}"
    if planned < seed_statistics.FEWEST_RUNS:
        return f"{planned} planned pairs of runs are too few for a test"
    return ""


def _answered(question: AnsweredQuestion, family: int) -> AnsweredQuestion:
    """With the answer that its numbers give at 5 % of all questions of the family together."""

    def with_answer(answer: Answer, reason: str) -> AnsweredQuestion:
        return dataclasses.replace(question, answer=answer, reason=reason)

    if question.reason or question.p_holm is None:
        return with_answer(Answer.INCONCLUSIVE, question.reason or "there is no test")
    is_shown = question.p_holm < ALPHA
    if question.expects == Expectation.EQUIVALENT:
        if is_shown:
            return with_answer(Answer.AS_EXPECTED, "within the margin")
        level = (
            ALPHA / family
        )  # Bonferroni: the p-value in Holm's family is that of the other claim
        half_width = mean_tests.half_width_at(level, question.interval, question.pairs - 1)
        if abs(question.difference) - half_width > question.margin:
            shown = f"the whole {100 * (1 - level):.3g} % interval is beyond the margin"
            return with_answer(Answer.NOT_AS_EXPECTED, shown)
        return with_answer(Answer.INCONCLUSIVE, "not shown to be within the margin")
    if not is_shown:
        return with_answer(Answer.INCONCLUSIVE, "no difference stands out from the seeds' noise")
    found = Expectation.HIGHER if question.difference > 0 else Expectation.LOWER
    within = " within the margin" if abs(question.difference) < question.margin else ""
    expected = question.expects in (found, Expectation.DIFFERENT)
    answer = Answer.AS_EXPECTED if expected else Answer.NOT_AS_EXPECTED
    return with_answer(answer, f"{found}{', though' + within if within else ''}")


def _key(line: Line, question: Question, row: str) -> ScoreKey | None:
    """The score that a question is about: in the split and checkpoint that stand for the line."""
    main = line.measured.main
    if main is None:
        return None
    metric = question.metric or main.metric
    class_name = question.class_name or main.class_name
    key = ScoreKey(main.split, main.checkpoint, _protocol_key(row, main), metric, class_name)
    return key if key in line.measured.scores else None


def _protocol_key(row: str, main: ScoreKey) -> str:
    """As results.json has it: '48to64' of '48->64'."""
    if not row:
        return main.protocol
    try:
        return Protocol.parse(row).key
    except ValueError:  # it is named
        return row


def _marks(
    plan: FrozenPlan,
    runs: Mapping[str, Run],
    differences: Mapping[str, Sequence[tuple[str, Any, Any]]],
) -> list[Mark]:
    """The runs of other settings, another commit or versions than the plan's, or another machine than its first run."""
    moment = plan.first.moment
    named: dict[tuple[str, str, str], list[str]] = {}
    for name, found in differences.items():
        for field, value, planned in found:
            key = (f"config.{field}", *_texts(field, value, planned))
            named.setdefault(key, []).append(runs[name].name)
    in_order = [runs[name] for name in plan.last.runs if name in runs and runs[name].environment]
    machine = {
        field: next((v for run in in_order if (v := run.environment.get(field)) is not None), None)
        for field in _MACHINE
    }
    for run in in_order:
        own = run.environment
        versions = own.get("versions") or {}
        values: list[tuple[str, Any, Any]] = [
            ("commit", own.get("git_commit"), moment.commit),
            ("python", own.get("python"), moment.python),
            *((name, versions.get(name), planned) for name, planned in moment.versions.items()),
            # What a run did not record tells nothing of its machine.
            *(
                (field, own[field], machine[field])
                for field in _MACHINE
                if own.get(field) is not None
            ),
        ]
        for field, value, planned in values:
            if value != planned:
                named.setdefault((field, *_texts(field, value, planned)), []).append(run.name)
    return [Mark(*key, names) for key, names in named.items()]


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
    return [f"{text}. For each question: {command_line.command_name('experiments.power')} STUDY."]


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


def _texts(field: str, *values: Any) -> list[str]:
    """Values of a field in words; of devices how many there are of each kind."""
    return [_text(value, field == "devices") for value in values]


def _text(value: Any, counts: bool) -> str:
    if isinstance(value, list) and counts:
        kinds = Counter(map(str, value)).items()
        return ", ".join(f"{count} × {kind}" if count > 1 else kind for kind, count in kinds)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "not recorded" if value is None else str(value)
