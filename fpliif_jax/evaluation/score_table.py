"""The evaluations of results.json as a person reads them: the score that the system's paper compares comes first."""

from collections.abc import Mapping
from typing import Any

from fpliif_jax import systems
from fpliif_jax.evaluation.score_titles import score_title
from fpliif_jax.systems.protocol import Protocol

_PER_IMAGE = "per_image_mean_f1"


def shown_scores(results: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, float | None]:
    """The scores of an evaluation that are shown, in order: the paper's, then mean F1 and mIoU.

    Args:
      results: the content of results.json.
      entry: of its 'evaluations'.

    Returns:
      {'overall F1': 0.91, 'mean F1': 0.85, 'mIoU': 0.75}, None where a score is not defined: what a published one is to
      be held against is the first.
    """
    metric, name = systems.of_name(results["model"]).paper.main_score(results["dataset"]["name"])
    main = {score_title(metric, name): entry[metric].get(name)} if metric == "group_f1" else {}
    return main | {score_title(other): entry[other] for other in ("mean_f1", "miou")}


def table(results: Mapping[str, Any]) -> str:
    """The evaluations of results.json as text, scores in percent as in the paper's tables."""
    lines: list[str] = []
    for entry in results["evaluations"]:
        scores = shown_scores(results, entry)
        scores |= {score_title(_PER_IMAGE): entry[_PER_IMAGE]}
        widths = {title: max(len(title) + 2, 8) for title in scores}
        if not lines:
            titles = "".join(f"{title:>{width}}" for title, width in widths.items())
            lines.append(f"{'split':<11}{'checkpoint':<19}{'row':>17}{titles}{'images':>8}")
        percents = "".join(
            f"{'–' if score is None else f'{100 * score:.2f}':>{widths[title]}}"
            for title, score in scores.items()
        )
        row = Protocol.of_key(entry["row"]).title
        lines.append(
            f"{entry['split']:<11}{entry['checkpoint']:<19}{row:>17}{percents}{entry['images']:>8}"
        )
    if results["dataset"]["drawn"]:
        lines.append("data: the faces are drawn")
    return "\n".join(lines + [f"note: {note}" for note in results["notes"]])
