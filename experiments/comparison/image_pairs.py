"""Label maps of other systems beside runs, image by image: the same images drawn for both."""

from collections.abc import Sequence

from fpliif_jax.experiments.comparison.lines import Line, unique_label
from fpliif_jax.experiments.comparison.report_row import table_row
from fpliif_jax.experiments.comparison.scores import ScoreKey
from fpliif_jax.experiments.comparison.study_tables import Comparison, ReportTable
from fpliif_jax.experiments.runs.value_types import ELSEWHERE
from fpliif_jax.experiments.stats import image_bootstrap

TABLE = "images"
_MEASURE = ("mean_f1", "mean")
_NOTE = (
    "Differences are of the first run of each group: intervals are those of the paired bootstrap over images, and say "
    "nothing of other seeds. Where the true label maps of two groups differ in the pixels of any class, there is none."
)


def tables(lines: Sequence[Line]) -> list[ReportTable]:
    """A table of the mean F1 of all groups that were scored on the same images as one of another system; or none."""
    rows, comparisons = {}, []
    for index, first in enumerate(lines):
        for second in lines[index + 1 :]:
            if ELSEWHERE not in (first.measured.group.framework, second.measured.group.framework):
                continue
            for key, other in _shared(first, second):
                difference = _difference(first, second, key, other, lines)
                if difference is None:
                    continue
                comparisons.append(difference)
                for line, one in ((first, key), (second, other)):
                    rows[line.identifier, one] = table_row(
                        unique_label(line, lines),
                        one,
                        group=line.identifier,
                        margin=line.margin,
                        values=line.measured.scores[one].values,
                        images=line.measured.images(line.measured.scores[one]),
                    )
    if not comparisons:
        return []
    title = "The same images, labelled by several systems"
    return [ReportTable(TABLE, title, "F1, percent", list(rows.values()), comparisons, _NOTE)]


def _shared(first: Line, second: Line) -> list[tuple[ScoreKey, ScoreKey]]:
    """Mean F1 of both in the split that stands for each, by the same protocol, of the checkpoint that stands for it."""
    own, other = (
        {
            key.protocol: key
            for key in line.measured.scores
            if line.measured.main is not None
            and key.measure == _MEASURE
            and (key.split, key.checkpoint)
            == (line.measured.main.split, line.measured.main.checkpoint)
        }
        for line in (first, second)
    )
    return [
        (own[name], other[name])
        for name in own
        if name in other and own[name].split == other[name].split
    ]


def _difference(
    first: Line, second: Line, key: ScoreKey, other: ScoreKey, lines: Sequence[Line]
) -> Comparison | None:
    """The comparison by images; None where images, classes or true label maps are not the same."""
    own, others = first.measured.matrices(key), second.measured.matrices(other)
    if own is None or others is None or own.class_names != others.class_names:
        return None
    if set(own.example_ids) != set(others.example_ids):
        return None
    paired = image_bootstrap.paired_runs(own, others)
    if paired.difference is None or not paired.same_truth:
        return None
    return Comparison(
        a=f"{unique_label(first, lines)}, {key.protocol}",
        b=f"{unique_label(second, lines)}, {key.protocol}",
        metric=key.metric,
        class_name=key.class_name,
        difference=paired.difference,
        interval=paired.interval,
        test="paired bootstrap over images",
        n=paired.images,
        p=None,
        p_holm=None,
        equivalent_p=None,
        margin=first.margin,
        kind=TABLE,
    )
