"""The questions of a frozen plan with their answers.

A question is judged on the planned runs alone, and once all of them are there: to look after each run and stop at a
welcome answer would find differences that are none. Everything else is shown without an answer.
"""

import dataclasses
from collections.abc import Mapping, Sequence, Set

from fpliif_jax.experiments.comparison.lines import APART, Line
from fpliif_jax.experiments.comparison.planned_study import Answer, AnsweredQuestion
from fpliif_jax.experiments.comparison.scores import ScoreKey
from fpliif_jax.experiments.plans.frozen_plan import FrozenPlan
from fpliif_jax.experiments.plans.study_file import Study
from fpliif_jax.experiments.plans.variant import Expectation, Question
from fpliif_jax.experiments.stats import holm, mean_tests, power, seed_statistics
from fpliif_jax.systems.protocol import Protocol

ALPHA = 0.05


def answered_questions(
    study: Study, plan: FrozenPlan, lines: Sequence[Line], unlike: frozenset[str]
) -> list[AnsweredQuestion]:
    """All questions with their answers; on runs of other settings than planned, `unlike`, nothing rests."""
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
        keys.append(key)
        values.append(
            {
                seed: value
                for seed, value in line.measured.scores[key].values.items()
                if study.inside(line.measured.runs[seed].name) in runs - unlike
            }
            if line is not None and key is not None
            else {}
        )
    margins = [lines[name].margin for name in names if name in lines]
    margin = min(margins, default=0.5)
    test, equivalence = None, None
    own, others = values
    pairs = len(own.keys() & others.keys())
    if pairs >= seed_statistics.FEWEST_RUNS:
        test = mean_tests.paired_t(own, others)
        equivalence = mean_tests.paired_equivalence(own, others, margin)
    is_about_equivalence = question.expects == Expectation.EQUIVALENT
    chosen = equivalence if is_about_equivalence else test
    sides = [
        ", ".join(filter(None, (labels.get(name, name), Protocol.of_key(row).title)))
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
        sd=power.sd_of_differences(own, others),
        run_sd=(run_sd := power.pooled_sd(own, others)),
        run_df=0 if run_sd is None else len(own) + len(others) - 2,
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
    unlike: Set[str],
    apart: Set[str],
) -> str:
    """Why a question cannot be judged; '' where it can.

    `unlike` are variants with runs of other settings; `apart` seeds of runs that the others cannot be pooled with.
    """
    there = [key for key in keys if key is not None]
    for name, key in zip(names, keys, strict=True):
        if name not in lines:
            settings = " with the planned settings" if name in unlike else ""
            return f"no run of {name}{settings} is finished"
        if key is None:
            what = " ".join(filter(None, (question.metric, question.class_name, question.row)))
            return f"the runs of {name} have no score {what}"
    if there[0].evaluation[:2] != there[1].evaluation[:2]:
        return "the two are scored on other splits or checkpoints"
    # What is trained on may be what the question is about: only what is scored on must be the same.
    split = there[0].evaluation[0]
    scored_on = {dict(lines[name].data.splits or ()).get(split) for name in names}
    if len(scored_on) > 1:
        return f"the two are scored on other label maps of {split}"
    classes = [lines[name].class_names for name in names]
    if there[0].metric not in ("f1", "group_f1") and classes[0] != classes[1]:
        return "the two are scored in other classes"
    if pairs < planned:
        other = " or of other settings" if not unlike.isdisjoint(names) else ""
        reasons = [f"missing{other}"] if planned - pairs > len(apart) else []
        reasons += [APART] if apart else []
        return f"{planned - pairs} of {planned} planned pairs of runs are {', or '.join(reasons)}"
    if planned < seed_statistics.FEWEST_RUNS:
        return f"{planned} planned pairs of runs are too few for a test"
    return ""


def _answered(question: AnsweredQuestion, family: int) -> AnsweredQuestion:
    """The question with its answer, at a level of 5 % for all questions of the family together."""

    def with_answer(answer: Answer, reason: str) -> AnsweredQuestion:
        return dataclasses.replace(question, answer=answer, reason=reason)

    difference, interval = question.difference, question.interval
    if question.reason or question.p_holm is None or difference is None or interval is None:
        return with_answer(Answer.INCONCLUSIVE, question.reason or "there is no test")
    is_shown = question.p_holm < ALPHA
    if question.expects == Expectation.EQUIVALENT:
        if is_shown:
            return with_answer(Answer.AS_EXPECTED, "within the margin")
        level = (
            ALPHA / family
        )  # Bonferroni: the p-value in Holm's family is that of the other claim
        half_width = mean_tests.half_width_at(level, interval, question.pairs - 1)
        if abs(difference) - half_width > question.margin:
            shown = f"the whole {100 * (1 - level):.3g} % interval is beyond the margin"
            return with_answer(Answer.NOT_AS_EXPECTED, shown)
        return with_answer(Answer.INCONCLUSIVE, "not shown to be within the margin")
    if not is_shown:
        return with_answer(Answer.INCONCLUSIVE, "no difference stands out from the seeds' noise")
    direction = Expectation.HIGHER if difference > 0 else Expectation.LOWER
    within = " within the margin" if abs(difference) < question.margin else ""
    expected = question.expects in (direction, Expectation.DIFFERENT)
    answer = Answer.AS_EXPECTED if expected else Answer.NOT_AS_EXPECTED
    return with_answer(answer, f"{direction}{', though' + within if within else ''}")


def _key(line: Line, question: Question, row: str) -> ScoreKey | None:
    """The score that a question is about: in the split and checkpoint that stand for the line."""
    main = line.measured.main
    if main is None:
        return None
    metric = question.metric or main.metric
    class_name = question.class_name or main.class_name
    protocol = Protocol.of_key(row).key or main.protocol
    key = ScoreKey(main.split, main.checkpoint, protocol, metric, class_name)
    return key if key in line.measured.scores else None
