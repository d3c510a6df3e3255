"""The questions of a frozen plan with their answers.

A question is judged on the planned runs alone, and once all of them are there: to look after each run and stop at a
welcome answer would find differences that are none. Everything else is shown without an answer.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from fpliif_jax.experiments.comparison.lines import APART, Line
from fpliif_jax.experiments.comparison.planned_study import Answer, AnsweredQuestion
from fpliif_jax.experiments.comparison.scores import ScoreKey
from fpliif_jax.experiments.plans.frozen_plan import FrozenPlan
from fpliif_jax.experiments.plans.run_name import RunName
from fpliif_jax.experiments.plans.study_file import Study
from fpliif_jax.experiments.plans.variant import Expectation, Question
from fpliif_jax.experiments.stats import holm, mean_tests, power, seed_statistics
from fpliif_jax.systems.protocol import Protocol

ALPHA = 0.05


@dataclasses.dataclass(frozen=True)
class _PlannedRuns:
    """The finished runs of a study that questions are asked about.

    Attributes:
      study: that they are of.
      lines: by variant.
      labels: by variant, also of those without a run.
      unlike: names of runs of other settings than planned, on which nothing rests.
      apart: names of runs that cannot be pooled with those of their variant's line.
    """

    study: Study
    lines: Mapping[str, Line]
    labels: Mapping[str, str]
    unlike: frozenset[str]
    apart: frozenset[str]


@dataclasses.dataclass(frozen=True)
class _Side:
    """One of the two that a question compares.

    Attributes:
      variant: its name.
      label: of the variant and the protocol.
      line: its runs; None without any.
      key: of the score that is compared; None where the runs have no such score.
      values: by seed.
      seeds: of the planned runs.
    """

    variant: str
    label: str
    line: Line | None
    key: ScoreKey | None
    values: Mapping[int, float]
    seeds: frozenset[int]


def answered_questions(
    study: Study, plan: FrozenPlan, lines: Sequence[Line], unlike: frozenset[str]
) -> list[AnsweredQuestion]:
    """All questions with their answers; on runs of other settings than planned, `unlike`, nothing rests."""
    first, last = plan.first.runs, plan.last.runs
    there = _planned_runs(study, plan, lines, unlike)
    planned = [_compared(one, there, first) for one in plan.first.questions]
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
    exploratory = [_compared(one, there, last, dates.get(one.name, "")) for one in later]
    if last.keys() != first.keys():  # what the runs that were added later say to what was planned
        date = plan.last.moment.date
        more = [_compared(one, there, last, date) for one in plan.first.questions]
        before = {one.name: one.pairs for one in planned}
        exploratory += [one for one in more if one.pairs > before[one.name]]
    return answered + [
        dataclasses.replace(one, reason="added later: shown, not judged") for one in exploratory
    ]


def _planned_runs(
    study: Study, plan: FrozenPlan, lines: Sequence[Line], unlike: frozenset[str]
) -> _PlannedRuns:
    known: dict[str, list[tuple[Line, frozenset[str]]]] = {}
    for line in lines:
        names = frozenset(study.inside(run.name) for run in line.measured.runs.values()) - unlike
        if line.planned is not None and names:
            known.setdefault(line.planned.name, []).append((line, names))
    # Runs that cannot be pooled are lines of their own: the one with most of the planned runs stands for its variant.
    of_variant = {
        name: max(of_it, key=lambda one: len(one[1] & plan.first.runs.keys()))
        for name, of_it in known.items()
    }
    apart = frozenset(
        run
        for name, of_it in known.items()
        for _, names in of_it
        for run in names - of_variant[name][1]
    )
    labels = {variant.name: variant.label for variant in plan.last.table.variants}
    by_variant = {name: line for name, (line, _) in of_variant.items()}
    return _PlannedRuns(study, by_variant, labels, unlike, apart)


def _compared(
    question: Question, there: _PlannedRuns, runs: Mapping[str, RunName], added: str = ""
) -> AnsweredQuestion:
    """A question with its numbers, over some of the runs; not answered yet."""
    sides = (
        _side(question, question.variant, question.row, there, runs),
        _side(question, question.against, question.against_row or question.row, there, runs),
    )
    own, others = (side.values for side in sides)
    pairs = len(own.keys() & others.keys())
    margin = min((side.line.margin for side in sides if side.line is not None), default=0.5)
    test, equivalence = None, None
    if pairs >= seed_statistics.FEWEST_RUNS:
        test = mean_tests.paired_t(own, others)
        equivalence = mean_tests.paired_equivalence(own, others, margin)
    is_about_equivalence = question.expects == Expectation.EQUIVALENT
    chosen = equivalence if is_about_equivalence else test
    return AnsweredQuestion(
        name=question.name,
        text=question.text,
        a=sides[0].label,
        b=sides[1].label,
        expects=str(question.expects),
        added=added,
        pairs=pairs,
        planned_pairs=len(sides[0].seeds & sides[1].seeds),
        difference=None if test is None else test.difference,
        interval=None if test is None else (test.low, test.high),
        sd=power.sd_of_differences(own, others),
        run_sd=(run_sd := power.pooled_sd(own, others)),
        run_df=0 if run_sd is None else len(own) + len(others) - 2,
        margin=margin,
        p=None if chosen is None else chosen.p,
        p_holm=None,
        answer=None,
        reason=_obstacle(question, sides, there, runs),
    )


def _side(
    question: Question, variant: str, row: str, there: _PlannedRuns, runs: Mapping[str, RunName]
) -> _Side:
    line, label = there.lines.get(variant), there.labels.get(variant, variant)
    key, values = None if line is None else _key(line, question, row), {}
    if line is not None and key is not None:
        names = {seed: there.study.inside(run.name) for seed, run in line.measured.runs.items()}
        values = {
            seed: value
            for seed, value in line.measured.scores[key].values.items()
            if names[seed] in runs and names[seed] not in there.unlike
        }
    seeds = frozenset(run.seed for run in runs.values() if run.variant == variant)
    title = ", ".join(filter(None, (label, Protocol.of_key(row).title)))
    return _Side(variant, title, line, key, values, seeds)


def _obstacle(
    question: Question,
    sides: tuple[_Side, _Side],
    there: _PlannedRuns,
    runs: Mapping[str, RunName],
) -> str:
    """Why a question cannot be judged; '' where it can."""
    unlike = {runs[name].variant for name in there.unlike & runs.keys()}
    lines, keys = [], []
    for side in sides:
        if side.line is None:
            settings = " with the planned settings" if side.variant in unlike else ""
            return f"no run of {side.variant}{settings} is finished"
        if side.key is None:
            what = " ".join(filter(None, (question.metric, question.class_name, question.row)))
            return f"the runs of {side.variant} have no score {what}"
        lines.append(side.line)
        keys.append(side.key)
    if keys[0].evaluation[:2] != keys[1].evaluation[:2]:
        return "the two are scored on other splits or checkpoints"
    # What is trained on may be what the question is about: only what is scored on must be the same.
    split = keys[0].evaluation[0]
    if len({dict(line.data.splits or ()).get(split) for line in lines}) > 1:
        return f"the two are scored on other label maps of {split}"
    is_over_classes = keys[0].metric not in ("f1", "group_f1")
    if is_over_classes and lines[0].class_names != lines[1].class_names:
        return "the two are scored in other classes"
    planned = len(sides[0].seeds & sides[1].seeds)
    missing = planned - len(sides[0].values.keys() & sides[1].values.keys())
    if missing > 0:
        names = {side.variant for side in sides}
        apart = {
            runs[name].seed for name in there.apart & runs.keys() if runs[name].variant in names
        }
        reasons = []
        if missing > len(apart):
            reasons.append(
                "missing" if unlike.isdisjoint(names) else "missing or of other settings"
            )
        if apart:
            reasons.append(APART)
        return f"{missing} of {planned} planned pairs of runs are {', or '.join(reasons)}"
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
