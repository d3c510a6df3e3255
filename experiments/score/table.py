"""All scores side by side: a line for each, a column for each protocol, and how far these are apart."""

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from typing import Any

from fpliif_jax.data_builders.class_names import CELEBAMASK_HQ_FACIAL_PARTS
from fpliif_jax.evaluation import metrics
from fpliif_jax.evaluation.score_titles import score_title
from fpliif_jax.experiments.runs.evaluation import Evaluation
from fpliif_jax.experiments.score import papers
from fpliif_jax.experiments.score.counting import CANVAS
from fpliif_jax.experiments.stats.number_text import number
from fpliif_jax.fields.json_types import JsonObject

_F1_OF_ALL = ("mean_f1", "mean_f1_with_background", "per_image_mean_f1")
_GROUPS_OF_ALL = ("overall", "overall_merged")
_COLUMNS = ("score", "metric", "class", "scored_at", "percent", "apart", "tables")


@dataclasses.dataclass(frozen=True)
class ScoreLine:
    """One score by all protocols that define it.

    Attributes:
      title: for the eye.
      metric, class_name: as in results.json; 'mean' where it is of all classes.
      percents: by protocol, None where undefined.
      uses: the published tables that have it.
    """

    title: str
    metric: str
    class_name: str
    percents: dict[str, float | None]
    uses: tuple[papers.Use, ...]

    @property
    def apart(self) -> float | None:
        """Largest less smallest; None of less than two."""
        defined = self.defined
        return max(defined) - min(defined) if len(defined) > 1 else None

    @property
    def defined(self) -> list[float]:
        """The values that there are."""
        return [percent for percent in self.percents.values() if percent is not None]


def score_lines(
    dataset: str,
    evaluations: Mapping[str, Evaluation],
    totals: Mapping[str, Any],
) -> list[ScoreLine]:
    """Means, then groups, then classes.

    On the canvas parts of the face alone are scored, under Helen's names: it has groups and parts, and no means.

    Args:
      dataset: name of the set.
      evaluations: by protocol.
      totals: int [C, C], confusion matrices of all images by protocol.
    """
    with_background = {
        name: metrics.mean_f1(total, with_background=True) for name, total in totals.items()
    }

    def line(metric: str, class_name: str, values: dict[str, Any]) -> ScoreLine:
        percents = {name: None if v is None else 100 * v for name, v in values.items()}
        title = f"F1 of {class_name}" if metric == "f1" else score_title(metric, class_name)
        uses = tuple(papers.uses(dataset, metric, class_name))
        return ScoreLine(title, metric, class_name, percents, uses)

    of_all = [name for name in evaluations if name != CANVAS]
    lines = []
    for metric in (*_F1_OF_ALL, "miou", "miou_with_background"):
        values = {
            name: evaluations[name].means.get(metric, with_background[name]) for name in of_all
        }
        lines.append(line(metric, "mean", values))
    first = evaluations[of_all[0]]
    for group in first.group_f1:
        values = {name: one.group_f1.get(group) for name, one in evaluations.items()}
        lines.append(line("group_f1", group, values))
    of_canvas = evaluations[CANVAS].class_f1 if CANVAS in evaluations else {}
    for name in first.class_f1:
        values = {protocol: evaluations[protocol].class_f1[name] for protocol in of_all}
        part = CELEBAMASK_HQ_FACIAL_PARTS.get(name, name)
        if part in of_canvas:
            values[CANVAS] = of_canvas[part]
        lines.append(line("f1", name, values))
    return lines


def text_table(lines: Sequence[ScoreLine], protocols: Sequence[str]) -> str:
    """What the command prints: percent, and last which table has the score at which size."""
    width = max(len(line.title) for line in lines) + 2
    head = "".join(f"{name:>8}" for name in protocols)
    rows = [f"{'':<{width}}{head}   apart  has it, scored at"]
    for line in lines:
        # Where the mean stands, there stand its classes.
        tables = "" if line.metric == "f1" else "; ".join(use.text for use in line.uses)
        values = "".join(f"{number(line.percents.get(name)):>8}" for name in protocols)
        rows.append(f"{line.title:<{width}}{values}{number(line.apart):>8}  {tables}".rstrip())
    return "\n".join(rows)


def spans(lines: Sequence[ScoreLine]) -> list[str]:
    """How far the protocols alone are apart, in sentences."""
    sentences = []
    sizes = [(line.apart, line.title) for line in lines if line.apart is not None]
    if sizes:
        apart, title = max(sizes, key=lambda pair: pair[0])
        sentences.append(f"One score, several sizes: at most {apart:.2f} points apart ({title}).")
    called_f1 = [
        (percent, f"{line.title}, {name}")
        for line in lines
        if line.metric in _F1_OF_ALL or line.class_name in _GROUPS_OF_ALL
        for name, percent in line.percents.items()
        if percent is not None
    ]
    if called_f1:
        (low, lowest), (high, highest) = min(called_f1), max(called_f1)
        sentences.append(
            f"All that is called the F1 of a system: {low:.2f} ({lowest}) to {high:.2f} ({highest}), "
            f"{high - low:.2f} points apart on the same label maps."
        )
    return sentences


def as_json(lines: Sequence[ScoreLine]) -> list[JsonObject]:
    """The lines, ready for JSON; in percent."""
    return [
        {
            "score": line.title,
            "metric": line.metric,
            "class": line.class_name,
            "percent": line.percents,
            "apart": line.apart,
            "tables": [use.text for use in line.uses],
        }
        for line in lines
    ]


def as_csv(lines: Sequence[ScoreLine]) -> str:
    """The same as CSV, a row for each score by each protocol."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for line in lines:
        tables = "; ".join(use.text for use in line.uses)
        for name, percent in line.percents.items():
            row = (line.title, line.metric, line.class_name, name, percent, line.apart, tables)
            writer.writerow("" if value is None else value for value in row)
    return text.getvalue()
