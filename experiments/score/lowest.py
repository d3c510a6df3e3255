"""The images that score lowest: named, and looked at one by one for mistakes that most files do not have."""

from collections.abc import Callable, Sequence

import numpy as np

from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.score.suspicions import best_change

MOST_TRIED = 20  # images
_FAR = 10.0  # points of an image's own mean F1 below the median of all that make it worth a try
_CLOSED = 2 / 3  # of its distance to the median: what a change has to close, to make it right
_NAMED = 3  # images that are always named

Maps = tuple[np.ndarray, np.ndarray]  # truth and prediction of one size, uint8 [H, W]


def own_scores(matrices: np.ndarray) -> np.ndarray:
    """float64 [N]: each image's own mean F1 in percent, NaN where undefined, of its matrices, integer [N, C, C]."""
    return 100 * metrics.mean_f1(matrices)


def sentence(scores: np.ndarray, files: Sequence[str]) -> str:
    """Names the lowest ones; '' where no image has a score.

    Args:
      scores: float [N], as `own_scores` gives them.
      files: names of the N predictions.
    """
    lowest = _lowest_first(scores)[:_NAMED]
    if not lowest:
        return ""
    named = ", ".join(f"{files[one]} {scores[one]:.2f}" for one in lowest)
    return f"Lowest by the mean F1 of the image itself, native: {named}; median {np.nanmedian(scores):.2f}."


def changed_alone(
    scores: np.ndarray, maps_of: Callable[[int], Maps], names: tuple[str, ...]
) -> dict[int, str]:
    """Images far below the median that a change to their prediction makes right, and what they seem to be.

    Args:
      scores: float [N], as `own_scores` gives them.
      maps_of: reads an image's two label maps; called for at most 20 images, the lowest.
      names: C classes.
    """
    found = {}
    for one in _lowest_first(scores)[:MOST_TRIED]:
        below = np.nanmedian(scores) - scores[one]
        if below < _FAR:
            break
        change = best_change([maps_of(one)], names)
        if change is not None and change.after - change.before >= _CLOSED * below:
            found[one] = change.name
    return found


def warnings(found: dict[int, str], files: Sequence[str]) -> list[str]:
    """Warnings about what `changed_alone` found, at most one sentence.

    Args:
      found: by the image's index.
      files: names of the N predictions.
    """
    if not found:
        return []
    of_change: dict[str, list[str]] = {}
    for one, name in sorted(found.items()):
        of_change.setdefault(name, []).append(files[one])
    which = "; ".join(f"{', '.join(some)}: {name}" for name, some in of_change.items())
    return [
        f"single predictions, of the lowest, {MOST_TRIED} at most, that were tried one by one: {which}. "
        "Nothing was changed"
    ]


def _lowest_first(scores: np.ndarray) -> list[int]:
    order = np.argsort(scores, kind="stable")  # undefined ones last
    return order[: np.count_nonzero(~np.isnan(scores))].tolist()
