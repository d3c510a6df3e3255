"""Makes rows of the report's tables."""

from collections.abc import Mapping

from fpliif_jax.experiments.comparison.measured import described, prediction_interval
from fpliif_jax.experiments.comparison.scores import ScoreKey
from fpliif_jax.experiments.comparison.study_tables import Published, ReportRow
from fpliif_jax.experiments.published import PublishedValue
from fpliif_jax.experiments.stats import image_bootstrap
from fpliif_jax.experiments.stats.verdict_rule import Verdict

SCORE_METRICS = ("f1", "mean_f1", "group_f1", "miou")
MAIN_CLASSES = ("mean", "overall")


def table_row(
    label: str,
    key: ScoreKey,
    *,
    group: str | None = None,
    system: str = "ours",
    published: Published | None = None,
    margin: float | None = None,
    values: Mapping[int, float] | None = None,
    images: image_bootstrap.ImageBootstrap | None = None,
    verdict: Verdict | None = None,
    reason: str = "",
    rests_on_runs: bool = True,
) -> ReportRow:
    """A row.

    Args:
      label: what it is called.
      key: of its score, or of what was counted or timed; '' where it is of no evaluation.
      group: identifier of the group of runs in the report; None: of none.
      system: 'ours', or whose number it is.
      published: of `as_published`.
      margin: of equivalence, in points.
      values: measured, by seed, in the table's unit; none where nothing was measured.
      images: how much the values owe to their images.
      verdict: on the published number.
      reason: of the verdict, or why there is none.
      rests_on_runs: whether a verdict needs runs that may be compared; False for what is counted or timed.
    """
    return ReportRow(
        group=group,
        label=label,
        system=system,
        key=key,
        published=published,
        margin=margin,
        against=None,
        statistics=described(values or {}, images),
        prediction_interval=prediction_interval(values or {}),
        tests=(),
        verdict=verdict,
        reason=reason,
        rests_on_runs=rests_on_runs,
    )


def of_no_evaluation(metric: str, class_name: str = "", protocol: str = "") -> ScoreKey:
    """The key of a number that was not scored here: printed, counted, timed, or measured elsewhere."""
    return ScoreKey("", "", protocol, metric, class_name)


def as_published(
    value: PublishedValue,
    number: float,
    unit: str,
    sd: float | None = None,
    runs: int | None = None,
) -> Published:
    """A published number.

    Args:
      value: as printed.
      number: it in the table's unit.
      unit: that it was printed in.
      sd: printed with it, in the table's unit.
      runs: that it is the mean of.
    """
    return Published(number, value.printed, value.decimals, sd, runs, value.source, unit)
