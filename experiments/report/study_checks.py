"""What must hold before a study may be shown: above all, no verdict on what cannot be compared."""

from typing import Any

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.report.table_rows import has_values
from fpliif_jax.experiments.stats.verdict_rule import WORDS


class ReportError(UserError):
    """The report cannot be written; the message says why and what to do."""


def check_study(study: dict[str, Any]) -> None:
    """Refuses a study whose verdicts contradict its groups.

    Raises:
      ReportError: an unknown verdict or group, or a verdict on runs that cannot be compared or where there is
        nothing to compare.
    """
    comparable = {group["id"]: group["comparable"] for group in study["groups"]}
    for table in study["tables"]:
        for row in table["rows"]:
            where = f"table {table['id']!r}, row {row['label']!r}"
            verdict, group = row["verdict"], row["group"]
            if group is not None and group not in comparable:
                raise ReportError(f"{where} is about {group!r}, which is no group of the study")
            if verdict is None or verdict == "not comparable":
                continue
            if verdict not in WORDS:
                raise ReportError(f"{where} has the unknown verdict {verdict!r}")
            if verdict != "inconclusive" and (row["published"] is None or not has_values(row)):
                raise ReportError(f"{where} has a verdict ({verdict}) but nothing to compare")
            # What is counted or timed needs no runs; `study.costs` judges whether its model is the paper's.
            if group is None and not row["rests_on_runs"]:
                continue
            if row["system"] == "ours" and not comparable.get(group, False):
                raise ReportError(
                    f"{where} has the verdict {verdict!r}, but its runs cannot be compared with "
                    "published ones; this is an error in the analysis, and the report was not written"
                )
