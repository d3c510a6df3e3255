"""JAX beside PyTorch: groups that differ in their framework and in nothing else, compared seed by seed."""

import json
from collections.abc import Sequence

from fpliif_jax.data_builders.errors import counted
from fpliif_jax.evaluation.score_titles import score_title
from fpliif_jax.experiments.comparison import differences
from fpliif_jax.experiments.comparison.lines import Line, unique_label
from fpliif_jax.experiments.comparison.measured import SeedScores
from fpliif_jax.experiments.comparison.report_row import MAIN_CLASSES, table_row
from fpliif_jax.experiments.comparison.report_tables import split_by_class
from fpliif_jax.experiments.comparison.scores import ScoreKey
from fpliif_jax.experiments.comparison.study_tables import Comparison, ReportRow, ReportTable
from fpliif_jax.experiments.runs.value_types import FRAMEWORKS
from fpliif_jax.experiments.stats import number_text
from fpliif_jax.experiments.stats.seed_statistics import FEWEST_RUNS
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.config_fields import Role
from fpliif_jax.run_folder.run_config import flatten_config

TABLE = "frameworks"
_FIRST, _SECOND = FRAMEWORKS["jax"], FRAMEWORKS["pytorch"]
# What else may differ: it changes neither what is learnt nor any score that both have.
_FREE = (Role.COST, Role.PROTOCOL, Role.RECORD, Role.ROUNDING)


def tables(lines: Sequence[Line]) -> list[ReportTable]:
    """The table of all pairs of JAX and PyTorch, and that of their classes; none where there is no pair.

    A pair is compared in its main score and, in the same evaluation, in the F1 of each class: paired by seed. Holm's
    p-values are over the main scores of all pairs, and over all classes.
    """
    rows, comparisons = [], []
    for jax_line, torch_line in _pairs(lines):
        for key in _keys(jax_line, torch_line):
            ours, theirs = (
                (unique_label(line, lines), line.measured.scores[key])
                for line in (jax_line, torch_line)
            )
            rows += [_row(jax_line, *ours), _row(torch_line, *theirs)]
            comparisons.append(differences.compare_scores(ours, theirs, jax_line.margin, TABLE))
    if not rows:
        return []
    made = [one for one in comparisons if one is not None]
    families = [
        [one for one in made if (one.class_name in MAIN_CLASSES) == is_main]
        for is_main in (True, False)
    ]
    return split_by_class(
        ReportTable(
            TABLE,
            f"{_FIRST} and {_SECOND}, from the same config and data",
            "F1, percent",
            rows,
            [one for family in families for one in differences.adjusted(family)],
        )
    )


def sentences(lines: Sequence[Line], made: Sequence[ReportTable]) -> list[str]:
    """What the tables of `tables` say of the main scores, and why groups of one config are not compared."""
    texts = []
    for table in made:
        if table.identifier != TABLE:
            continue
        compared = {(one.a, one.b): one for one in table.comparisons}
        for first, second in zip(table.rows[::2], table.rows[1::2], strict=True):
            labels = (first.label, second.label)
            texts.append(_sentence(*labels, compared.get(labels)))
    return texts + _unpaired(lines)


def settings_count(lines: Sequence[Line]) -> int:
    """How many settings the lines are of, their framework left aside."""
    distinct: list[Line] = []
    for line in lines:
        if not any(_settings(line) == _settings(one) and _is_same(line, one) for one in distinct):
            distinct.append(line)
    return len(distinct)


def _pairs(lines: Sequence[Line]) -> list[tuple[Line, Line]]:
    """Lines of JAX and of PyTorch with the same config, data and number of parameters."""
    return [(first, second) for first, second in _same_settings(lines) if _is_same(first, second)]


def _same_settings(lines: Sequence[Line]) -> list[tuple[Line, Line]]:
    return [
        (first, second)
        for first in lines
        for second in lines
        if (first.framework, second.framework) == (_FIRST, _SECOND)
        and _settings(first) == _settings(second)
    ]


def _settings(line: Line) -> str:
    flat = flatten_config(line.measured.group.config)
    own = {
        field: value for field, value in flat.items() if not config_fields.has_role(field, *_FREE)
    }
    return json.dumps(config_fields.without_earlier(own), sort_keys=True)


def _is_same(first: Line, second: Line) -> bool:
    """Whether the data that were trained and evaluated on, and the number of parameters, are the same."""
    return first.data.fits(second.data) and _parameters(first) == _parameters(second)


def _parameters(line: Line) -> int | None:
    return line.measured.results.parameters


def _keys(first: Line, second: Line) -> list[ScoreKey]:
    """The main score and the classes beside it, of those that both have."""
    main = first.measured.main
    if main is None:
        return []
    classes = [
        key
        for key in first.measured.scores
        if key.evaluation == main.evaluation and key.metric == "f1"
    ]
    keys = [main, *classes]
    return [key for key in keys if key in second.measured.scores]


def _row(line: Line, label: str, score: SeedScores) -> ReportRow:
    if score.key.class_name not in MAIN_CLASSES:
        label = f"{label}: {score.key.class_name.replace('_', ' ')}"
    return table_row(
        label,
        score.key,
        group=line.identifier,
        margin=line.margin,
        values=score.values,
        images=line.measured.images(score),
    )


def _sentence(first: str, second: str, comparison: Comparison | None) -> str:
    if comparison is None:
        return (
            f"{first} and {second}: too few runs for a test of their difference; "
            f"{FEWEST_RUNS} of each are needed."
        )
    seeds = "On different seeds"
    if comparison.test == "paired t":
        seeds = f"On the same {comparison.n} seeds"
    elif comparison.common_seeds:
        seeds = f"Unpaired, with {counted(comparison.common_seeds, 'common seed')}"
    what = score_title(comparison.metric, comparison.class_name)
    difference = number_text.difference(comparison.difference)
    interval = number_text.interval(comparison.interval, signed=True)
    return (
        f"{seeds}, {first} and {second} differ by {difference} points of {what} "
        f"{interval} ({_FIRST} − {_SECOND}, 95 % interval): {_judged(comparison)}."
    )


def _judged(comparison: Comparison) -> str:
    low, high = comparison.interval  # pyrefly: ignore[not-iterable] - of runs there is one
    margin = f"the margin of {comparison.margin:g} points"
    differs = comparison.p_holm is not None and comparison.p_holm < 0.05
    equal = comparison.equivalent_p is not None and comparison.equivalent_p < 0.05
    if equal:
        return f"smaller than {margin}" + (", but beyond the seeds' noise" if differs else "")
    if min(abs(low), abs(high)) > comparison.margin and low * high > 0:
        return f"larger than {margin}"
    noise = "beyond the seeds' noise" if differs else "within the seeds' noise"
    return f"{noise}, and not shown to be smaller than {margin}"


def _unpaired(lines: Sequence[Line]) -> list[str]:
    """Reasons why lines of the same settings are not compared, a sentence each."""
    reasons = []
    for first, second in _same_settings(lines):
        names = f"{unique_label(first, lines)} and {unique_label(second, lines)}"
        ours, theirs = _parameters(first), _parameters(second)
        if not first.data.fits(second.data):
            reasons.append(f"{names} are not compared: their data are not the same.")
        elif ours != theirs:
            reasons.append(
                f"{names} are not compared: they have {ours:,} and {theirs:,} parameters."
            )
    return reasons
