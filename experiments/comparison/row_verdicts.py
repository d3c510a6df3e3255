"""Verdicts on the rows of a claim, and every test behind them."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from fpliif_jax.data_builders.errors import counted
from fpliif_jax.experiments.comparison.lines import Line
from fpliif_jax.experiments.comparison.report_row import MAIN_CLASSES
from fpliif_jax.experiments.comparison.study_tables import ReportRow, Test
from fpliif_jax.experiments.stats import mean_tests, verdicts


def judged(rows: Sequence[ReportRow], line: Line) -> list[ReportRow]:
    """The rows of one claim with verdicts: the main score by itself, its classes and groups as one family."""
    obstacles = _in_short(line.obstacles())
    made = [
        row
        if line.judged(row.statistics.values) or not row.statistics.values
        else dataclasses.replace(
            row, reason="added to the plan later, or of other settings: shown, not judged"
        )
        for row in rows
    ]
    for is_main in (True, False):
        places = [
            place
            for place, row in enumerate(rows)
            if line.judged(row.statistics.values)
            and (row.key.class_name in MAIN_CLASSES) == is_main
        ]
        alone = [_verdict(rows[place], line, obstacles) for place in places]
        judgements = alone if is_main else verdicts.as_family(alone)
        for place, judgement in zip(places, judgements, strict=True):
            made[place] = dataclasses.replace(
                rows[place],
                verdict=judgement.word,
                reason=judgement.reason,
                tests=_tests(rows[place], line, judgement),
            )
    return made


def _verdict(row: ReportRow, line: Line, obstacles: str | None) -> verdicts.Judgement:
    values, published = line.judged(row.statistics.values), row.published
    # pyrefly: ignore[missing-attribute] - the row of a claim has one
    mean, sd, n = published.value, published.sd, published.n
    return verdicts.verdict(values, mean, line.margin, sd, n, obstacles)


def _in_short(obstacles: Sequence[str]) -> str | None:
    """The first reason, and how many more the report has; None where there is none."""
    if not obstacles:
        return None
    more = len(obstacles) - 1
    return obstacles[0] + (f", and {counted(more, 'more reason')}" if more else "")


def _tests(row: ReportRow, line: Line, judgement: verdicts.Judgement) -> list[Test]:
    """Every test that the numbers allow; none where the runs were not compared."""
    if not judgement.was_tested:
        return []
    values, published = line.judged(row.statistics.values), judgement.published
    made: list[Any] = [
        mean_tests.one_sample_t(values, published),
        mean_tests.equivalence(values, published, judgement.margin),
    ]
    if judgement.published_sd:
        counts = (judgement.published_n,) if judgement.published_n else mean_tests.UNKNOWN_COUNTS
        made += [mean_tests.welch(values, published, judgement.published_sd, n) for n in counts]
    tests = [
        Test(
            name=test.method,
            statistic=getattr(test, "statistic", None),
            df=test.df,
            p=test.p,
            published_n=getattr(test, "other_n", None),
            assumes=getattr(test, "assumption", f"margin ±{judgement.margin:g} points"),
        )
        for test in made
    ]
    tests.append(
        Test(
            name="not reproduced: larger p of two tests",
            p=judgement.p_not_reproduced,
            published_n=judgement.published_n,
            assumes="one test: the mean of such runs is within the margin of the published value; the other: the "
            "published value is a further run like ours, or the mean of several",
        )
    )
    if judgement.family_size is not None:
        tests.append(
            Test(
                name="not reproduced: Holm's p over the row's classes",
                p=judgement.p_family,
                published_n=judgement.published_n,
                assumes=f"{judgement.family_size} classes and groups, however they depend on each other",
            )
        )
    return tests
