"""The form of a row in the report's tables: every field is written down here, once."""

from collections.abc import Mapping
from typing import Any

from fpliif_jax.experiments.comparison.measured import described
from fpliif_jax.experiments.published import PublishedValue
from fpliif_jax.experiments.stats import image_bootstrap


def table_row(
    label: str,
    metric: str,
    class_name: str,
    *,
    group: str | None = None,
    system: str = "ours",
    split: str = "",
    checkpoint: str = "",
    row: str = "",
    published: dict[str, Any] | None = None,
    margin: float | None = None,
    values: Mapping[int, float] | None = None,
    images: image_bootstrap.ImageBootstrap | None = None,
    verdict: str | None = None,
    reason: str = "",
    rests_on_runs: bool = True,
) -> dict[str, Any]:
    """A row, ready for JSON.

    Args:
      label: what it is called.
      metric: 'mean_f1', 'f1', …, or what was counted or timed.
      class_name: 'mean', a class or a group.
      group: identifier of the group of runs in the report; None: of none.
      system: 'ours', or whose number it is.
      split, checkpoint, row: of the evaluation.
      published: of `as_published`.
      margin: of equivalence, in points.
      values: measured, by seed, in the table's unit; none where nothing was measured.
      images: how much the values owe to their images.
      verdict: on the published number.
      reason: of the verdict, or why there is none.
      rests_on_runs: whether a verdict needs runs that may be compared; False for what is counted or timed.
    """
    return {
        "group": group,
        "label": label,
        "system": system,
        "split": split,
        "checkpoint": checkpoint,
        "row": row,
        "metric": metric,
        "class": class_name,
        "published": published,
        "margin": margin,
        "against": None,
        **described(values or {}, images),
        "tests": [],
        "verdict": verdict,
        "reason": reason,
        "rests_on_runs": rests_on_runs,
    }


def as_published(
    value: PublishedValue,
    number: float,
    unit: str,
    sd: float | None = None,
    runs: int | None = None,
) -> dict[str, Any]:
    """A published number, ready for JSON.

    Args:
      value: as printed.
      number: it in the table's unit.
      unit: that it was printed in.
      sd: printed with it, in the table's unit.
      runs: that it is the mean of.
    """
    return {
        "value": number,
        "printed": value.printed,
        "decimals": value.decimals,
        "sd": sd,
        "n": runs,
        "source": value.source,
        "unit": unit,
    }
