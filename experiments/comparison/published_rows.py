"""Published against measured: the rows of a table, their verdicts, and differences between its lines.

All scores are in percent points. What is not a score (parameters, operations, frames per second) keeps its unit.
"""

import dataclasses
import fractions
from collections.abc import Mapping, Sequence
from typing import Any

from fpliif_jax.experiments.comparison import deviations
from fpliif_jax.experiments.comparison.lines import Line
from fpliif_jax.experiments.comparison.measured import SeedScores, described, prediction_interval
from fpliif_jax.experiments.comparison.report_row import as_published, of_no_evaluation, table_row
from fpliif_jax.experiments.comparison.study import Comparison, ReportRow, ScoreKey, Test
from fpliif_jax.experiments.plans import scales
from fpliif_jax.experiments.plans.tables import TABLES
from fpliif_jax.experiments.plans.variant import Claim, Variant
from fpliif_jax.experiments.published import PublishedValue, published_values, select
from fpliif_jax.experiments.stats import holm, mean_tests, seed_statistics, verdicts
from fpliif_jax.experiments.stats.verdict_rule import Verdict
from fpliif_jax.systems.protocol import Protocol

_SCORE_METRICS = ("f1", "mean_f1", "group_f1", "miou")
_WHOLE_SYSTEMS = ("FP-LIIF", "STN-iCNN")
MAIN_CLASSES = ("mean", "overall")


def rows_of(line: Line, external: Sequence[PublishedValue] = ()) -> list[ReportRow]:
    """The rows of a line: one for each published number of its claims, or its main score alone.

    Args:
      line: of the table.
      external: numbers measured elsewhere; those about a claim follow its row, a row a system.
    """
    claims = line.variant.claims if line.variant else ()
    rows = []
    for claim in claims:
        for row in _judged_rows(claim, line):
            rows += [row, *_external_rows(row, claim, line, external)]
    if rows or line.measured.main is None:
        return rows
    main = line.measured.main
    return [_row(line, line.label, main.protocol, main.metric, main.class_name)]


def peers(lines: Sequence[Line]) -> list[ReportRow]:
    """What the same tables print for systems without a line here: means and overall scores, beside nothing of ours.

    Another system's number stands as the paper has it; a system that is built here has no finished run yet.
    """
    claims = [
        (claim, deviations.dataset_of(line.variant))
        for line in lines
        if line.variant
        for claim in line.variant.claims
    ]
    shown = {claim.system for claim, _ in claims}
    own = {claim.system for table in TABLES for one in table.variants for claim in one.claims}
    rows = []
    for value in published_values():
        is_beside = any(
            (claim.source, dataset) == (value.source, value.dataset) for claim, dataset in claims
        )
        if is_beside and value.system not in shown and value.class_name in MAIN_CLASSES:
            if value.metric not in _SCORE_METRICS:
                continue
            is_own = value.system in own
            rows.append(
                table_row(
                    value.system,
                    of_no_evaluation(value.metric, value.class_name, value.protocol),
                    system="ours" if is_own else value.system,
                    published=as_published(value, value.percent, value.unit),
                    reason=(
                        "no finished run of it here"
                        if is_own
                        else "another system, as the paper has it"
                    ),
                )
            )
    return rows


def claim_row(claim: Claim, line: Line) -> str:
    """The row of the line's evaluation that stands for the paper's, as results.json names it.

    At a quarter of the paper's image size, its '192->256' is '48to64'.
    """
    share = fractions.Fraction(line.config["data"]["image_size"], scales.PAPER_SIZE)
    try:
        return Protocol.parse(claim.row).scaled(share).key
    except ValueError:  # a protocol that is named
        return claim.row


def measured_elsewhere(
    external: Sequence[PublishedValue],
) -> dict[tuple[str, ...], dict[int, float]]:
    """External scores in percent by (system, dataset, protocol, class, metric), by seed.

    Values without a seed are numbered from −1 downwards: they are runs of unknown seed.
    """
    scores: dict[tuple[str, ...], dict[int, float]] = {}
    for value in external:
        if value.metric not in _SCORE_METRICS:
            continue
        key = (value.system, value.dataset, value.protocol, value.class_name, value.metric)
        runs = scores.setdefault(key, {})
        unknown = -1 - sum(seed < 0 for seed in runs)
        runs[unknown if value.seed is None else value.seed] = value.percent
    return scores


def compare(
    first: tuple[str, Mapping[int, float]],
    second: tuple[str, Mapping[int, float]],
    metric: str,
    class_name: str,
    margin: float,
    paired: bool,
    kind: str = "lines",
) -> Comparison | None:
    """A difference between two sets of runs; None with too few runs.

    Args:
      first: label, and percent by seed.
      second: what it is compared with.
      metric: of both.
      class_name: of both.
      margin: of equivalence, in points.
      paired: by the seeds that both have; else by Welch's test.
      kind: 'lines' of a table, 'elsewhere' (one of them was measured elsewhere) or 'frameworks'.
    """
    (label, ours), (other_label, others) = first, second
    if paired:
        test = mean_tests.paired_t(ours, others)
        equivalence = mean_tests.paired_equivalence(ours, others, margin)
    else:
        mine, theirs = list(ours.values()), list(others.values())
        test = mean_tests.welch_between(mine, theirs)
        equivalence = mean_tests.welch_equivalence_between(mine, theirs, margin)
    if test is None or test.n < seed_statistics.FEWEST_RUNS:
        return None
    return Comparison(
        a=label,
        b=other_label,
        metric=metric,
        class_name=class_name,
        difference=test.difference,
        interval=(test.low, test.high),
        test="paired t" if paired else "Welch t",
        n=test.n,
        p=test.p,
        p_holm=None,
        equivalent_p=None if equivalence is None else equivalence.p,
        margin=margin,
        kind=kind,
    )


def compare_lines(lines: Sequence[Line], baseline: Line) -> list[Comparison]:
    """Every line's main score against the baseline's, without Holm's p-values."""
    comparisons = []
    score = baseline.main_score
    for line in lines:
        own = line.main_score
        if line is baseline or own is None or score is None or own.key.measure != score.key.measure:
            continue
        comparisons.append(compare_scores((line.label, own), (baseline.label, score), line.margin))
    return [one for one in comparisons if one is not None]


def compare_scores(
    first: tuple[str, SeedScores],
    second: tuple[str, SeedScores],
    margin: float,
    kind: str = "lines",
) -> Comparison | None:
    """A difference between two groups in one score, as `compare`: paired where two seeds match, else by Welch."""
    (label, own), (other_label, other) = first, second
    paired = len(own.values.keys() & other.values.keys()) >= 2
    return compare(
        (label, own.values),
        (other_label, other.values),
        *own.key.measure,
        margin,
        paired,
        kind,
    )


def compare_external(rows: Sequence[ReportRow]) -> list[Comparison]:
    """Rows measured elsewhere against ours of the same number: Welch, and paired where two seeds match."""
    comparisons = []
    for row in rows:
        if row.system == "ours" or row.against is None:
            continue
        ours = rows[row.against]
        sides = [(side.label, side.statistics.values) for side in (ours, row)]
        same = {seed for seed in sides[0][1].keys() & sides[1][1].keys() if seed >= 0}
        for paired in (False, True):
            if paired and len(same) < 2:
                continue
            comparisons.append(compare(*sides, *row.key.measure, ours.margin, paired, "elsewhere"))
    return adjusted([one for one in comparisons if one is not None])


def adjusted(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The same with Holm's p-values over all of them."""
    p_values = holm.holm([one.p for one in comparisons])
    return [
        dataclasses.replace(one, p_holm=p) for one, p in zip(comparisons, p_values, strict=True)
    ]


def _of_claim(claim: Claim, variant: Variant) -> list[PublishedValue]:
    return select(
        published_values(),
        source=claim.source,
        system=claim.system,
        protocol=claim.protocol,
        dataset=deviations.dataset_of(variant),
    )


def _spread(claim: Claim, line: Line, value: PublishedValue) -> tuple[float | None, int | None]:
    """SD and number of runs that the paper gives with a number."""
    beside = _of_claim(claim, line.variant)
    of_sd = (f"{value.metric}_sd", value.class_name)
    sd = [v.percent for v in beside if (v.metric, v.class_name) == of_sd]
    runs = [int(v.value) for v in beside if v.metric == "count"]
    return (sd[0] if sd else None), (runs[0] if runs else None)


def _label(claim: Claim, line: Line, published: PublishedValue) -> str:
    label = claim.label or line.label
    if published.class_name in MAIN_CLASSES:
        return label
    return f"{label}: {published.class_name.replace('_', ' ')}"


def _judged_rows(claim: Claim, line: Line) -> list[ReportRow]:
    """A row for each published score of a claim."""
    rows = []
    for value in _of_claim(claim, line.variant):
        if value.metric in _SCORE_METRICS:
            label, name = _label(claim, line, value), claim_row(claim, line)
            row = _row(line, label, name, value.metric, value.class_name)
            spread = _spread(claim, line, value)
            published = as_published(value, value.percent, value.unit, *spread)
            rows.append(dataclasses.replace(row, published=published))
    return _judged(rows, line)


def _judged(rows: Sequence[ReportRow], line: Line) -> list[ReportRow]:
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
    return verdicts.verdict(
        values, published.value, line.margin, published.sd, published.n, obstacles
    )


def _row(line: Line, label: str, protocol: str, metric: str, class_name: str) -> ReportRow:
    """What was measured, before it is held against anything."""
    score, main = line.measured.find(protocol, metric, class_name), line.measured.main
    split, checkpoint = (main.split, main.checkpoint) if main else ("", "")
    return table_row(
        label,
        ScoreKey(split, checkpoint, protocol, metric, class_name),
        group=line.identifier,
        margin=line.margin,
        values=score.values if score else {},
        images=line.measured.images(score) if score else None,
        reason="" if score else f"the runs have no row {protocol} with this score",
    )


def _in_short(obstacles: Sequence[str]) -> str | None:
    """The first reason, and how many more the report has; None where there is none."""
    if not obstacles:
        return None
    more = len(obstacles) - 1
    return obstacles[0] + (f" (and {more} more reason{'s' if more > 1 else ''})" if more else "")


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


def _external_rows(
    ours: ReportRow, claim: Claim, line: Line, external: Sequence[PublishedValue]
) -> list[ReportRow]:
    dataset = line.measured.results["dataset"]["name"]
    protocols = {claim.protocol}
    if claim.protocol in ("", claim.row):  # it names no experiment but a row, ours or the paper's
        protocols |= {claim.row, ours.key.protocol, _as_published(ours.key.protocol)}
    rows = []
    for key, values in measured_elsewhere(external).items():
        system, where, protocol, class_name, metric = key
        if where != dataset or (metric, class_name) != ours.key.measure:
            continue
        if protocol not in protocols or not _is_about(system, claim):
            continue
        rows.append(
            dataclasses.replace(
                ours,
                group=None,
                label=f"{system}: {ours.label}",
                system=system,
                key=dataclasses.replace(ours.key, protocol=protocol),
                published=None,
                against=0,  # filled in by the table, which knows the places of its rows
                statistics=described(values),
                prediction_interval=prediction_interval(values),
                tests=(),
                # It stands beside ours: where ours is not held against the paper, neither is it.
                verdict=Verdict.NOT_COMPARABLE if ours.is_apart else None,
                reason="measured elsewhere, with settings that are not known here",
            )
        )
    return rows


def _as_published(key: str) -> str:
    """A protocol of results.json, '192to256', as the tables of published values have it: '192->256'."""
    try:
        return Protocol.parse(key).text
    except ValueError:  # it is named
        return key


def _is_about(system: str, claim: Claim) -> bool:
    """Whether a system measured elsewhere is the claim's: the longest published name in its own decides.

    'iCNN in PyTorch' is the baseline, 'STN-iCNN* in PyTorch' is trained apart; 'PyTorch port' is the whole system.
    """
    systems = {other.system for table in TABLES for v in table.variants for other in v.claims}
    named = max((name for name in systems if name in system), key=len, default=None)
    return claim.system == named or (named is None and claim.system in _WHOLE_SYSTEMS)
