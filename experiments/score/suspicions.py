"""What looks like a mistake: changes to the predictions that would make them better than any chance.

Each is tried on some of the images. Nothing is ever changed: a warning says what was tried and what it scored.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from fpliif_jax.data.resize import resize_label_map
from fpliif_jax.data_builders.class_names import has_sides, mirrored_classes
from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.score.counting import confusion_matrix
from fpliif_jax.experiments.score.exchanged import are_of_others

MOST_IMAGES = 16  # that changes are tried on
_GAIN = 2.0  # points of mean F1 that a change has to bring
_GAIN_OF_SHIFT = 1.0
_LARGEST_SHARE = 8  # no shift is larger than this part of a side
_LONGEST_TABLE = 6  # classes that a warning names

Maps = Sequence[tuple[np.ndarray, np.ndarray]]  # truth and prediction of one size, uint8 [H, W]


@dataclasses.dataclass(frozen=True)
class _Trial:
    """A change to the predictions.

    Attributes:
      name: what the predictions would be, if it makes them better.
      change: what it does to a prediction, uint8 [H, W].
      gain: what it has to bring, in points.
    """

    name: str
    change: Callable[[np.ndarray], np.ndarray]
    gain: float = _GAIN


@dataclasses.dataclass(frozen=True)
class Change:
    """A change that would make predictions better.

    Attributes:
      name: what they seem to be.
      before, after: their mean F1 without it and with it, in percent.
      maps: truth and prediction, undone, of one size, uint8 [H, W].
    """

    name: str
    before: float
    after: float
    maps: Maps


def suspicions(maps: Maps, names: tuple[str, ...]) -> list[str]:
    """Warnings, one a sentence, of what is wrong with the predictions by all appearance; at most one of each kind.

    Args:
      maps: of some images; truth may have the number of classes where nothing counts.
      names: C classes.
    """
    if not maps:
        return []
    total = _matrix(maps, len(names))
    warnings = _degenerate(total, names)
    if warnings:
        return warnings
    found = best_change(maps, names, [*_trials(maps, names), *_order_trials(total, names)])
    if found is None or are_of_others(found.maps):  # they are of other images: any change may fit
        return []
    count = f"{len(maps)} image{'s' if len(maps) > 1 else ''}"
    return [
        f"{found.name}: undone, the mean F1 of {count} would be {found.after:.2f} and not {found.before:.2f}. "
        "Nothing was changed"
    ]


def best_change(
    maps: Maps, names: tuple[str, ...], trials: Sequence[_Trial] | None = None
) -> Change | None:
    """The change to the predictions that makes them best, if one brings what it has to.

    Args:
      maps: as above, at least one.
      names: C classes.
      trials: what is tried; by default all but other orders of the classes, one of which fits any single image.
    """
    as_is = _percent(_matrix(maps, len(names)))
    best, best_score = None, as_is
    for trial in _trials(maps, names) if trials is None else trials:
        changed = [
            (truth, resize_label_map(trial.change(prediction), truth.shape, len(names), "nearest"))
            for truth, prediction in maps
        ]  # what is turned has its sides exchanged
        score = _percent(_matrix(changed, len(names)))
        if score >= as_is + trial.gain and score > best_score + 0.005:
            best, best_score = Change(trial.name, as_is, score, changed), score
    return best


def _trials(maps: Maps, names: tuple[str, ...]) -> Iterator[_Trial]:
    """Named mistakes first: the order of classes that fits best may be one of these."""
    count = len(names)
    swapped = np.array(mirrored_classes(names), np.uint8)
    if has_sides(names):
        yield _Trial("left and right classes seem to be exchanged", lambda p: swapped[p])
    yield _Trial("the pictures seem to be mirrored", lambda p: p[:, ::-1])
    if has_sides(names):
        yield _Trial(
            "the predictions seem to be of mirrored photos (picture mirrored, left and right exchanged)",
            lambda p: swapped[p[:, ::-1]],
        )
    yield _Trial("the pictures seem to be upside down", lambda p: p[::-1])
    yield _Trial("the pictures seem to be turned by 180°", lambda p: p[::-1, ::-1])
    yield _Trial("rows and columns seem to be exchanged", lambda p: p.T)
    yield _Trial("the pictures seem to be turned by 90° to the left", lambda p: np.rot90(p, -1))
    yield _Trial("the pictures seem to be turned by 90° to the right", lambda p: np.rot90(p))
    lower, higher = ((np.arange(count) + step) % count for step in (-1, 1))
    yield _Trial(
        "ids seem to be counted from 1 (each is one too high)", lambda p: lower.astype(np.uint8)[p]
    )
    yield _Trial(
        "ids seem to lack the background (each is one too low)",
        lambda p: higher.astype(np.uint8)[p],
    )
    down, right = best_shift(maps)
    if down or right:
        parts = [
            f"{abs(length)} pixel{'s' if abs(length) > 1 else ''} {way}"
            for length, way in (
                (down, "up" if down > 0 else "down"),
                (right, "to the left" if right > 0 else "to the right"),
            )
            if length
        ]
        yield _Trial(
            f"the predictions seem to be shifted by {' and '.join(parts)}",
            lambda p: _moved(p, down, right),
            _GAIN_OF_SHIFT,
        )


def _order_trials(total: np.ndarray, names: tuple[str, ...]) -> Iterator[_Trial]:
    order = _best_order(total)
    if order is not None:
        yield _Trial(
            f"classes seem to be in another order ({_described(order, names)}; "
            "give it as --prediction_classes)",
            lambda p: order[p],
        )


def best_shift(maps: Maps) -> tuple[int, int]:
    """How far predictions have to be moved, rows down and columns right, to agree with the truth in most pixels.

    Climbs from where they are, in ever smaller steps, up to an eighth of a side.
    """
    place, agreement = (0, 0), _agreement(maps, 0, 0)
    most = min(min(truth.shape) for truth, _ in maps) // _LARGEST_SHARE
    step = 1 << max(0, most.bit_length() - 1)
    while step:
        around = [
            (place[0] + step * down, place[1] + step * right)
            for down in (-1, 0, 1)
            for right in (-1, 0, 1)
        ]
        allowed = [one for one in around if max(map(abs, one)) <= most]
        better, new = max(((_agreement(maps, *one), one) for one in allowed), default=(0.0, place))
        if better > agreement:
            place, agreement = new, better
        else:
            step //= 2
    return place


def _agreement(maps: Maps, down: int, right: int) -> float:
    """Share of pixels that agree where a prediction moved so far still lies over its truth."""
    same = pixels = 0
    for truth, prediction in maps:
        height, width = truth.shape
        over = truth[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)]
        moved = prediction[
            max(0, -down) : height + min(0, -down), max(0, -right) : width + min(0, -right)
        ]
        same += np.count_nonzero(over == moved)
        pixels += over.size
    return same / pixels if pixels else 0.0


def _moved(prediction: np.ndarray, down: int, right: int) -> np.ndarray:
    """The prediction moved, its border repeated where nothing is known."""
    height, width = prediction.shape
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return prediction[rows[:, None], columns]


def _best_order(total: np.ndarray) -> np.ndarray | None:
    """uint8 [C], for each id the class that it agrees with best, no class twice; None if each is its own."""
    sizes = total.sum(axis=1)[:, None] + total.sum(axis=0)
    f1 = np.divide(2 * total, sizes, out=np.zeros(total.shape), where=sizes > 0)
    order = np.arange(len(total), dtype=np.uint8)
    classes, ids = set(range(len(total))), set(range(len(total)))
    for place in np.argsort(-f1, axis=None, kind="stable"):
        one, index = divmod(int(place), len(total))
        if f1[one, index] > 0 and one in classes and index in ids:
            order[index] = one
            classes.remove(one)
            ids.remove(index)
    return order if (order != np.arange(len(total))).any() else None


def _described(order: np.ndarray, names: tuple[str, ...]) -> str:
    other = [f"{index} is {names[one]}" for index, one in enumerate(order) if index != one]
    more = f" … and {len(other) - _LONGEST_TABLE} more" if len(other) > _LONGEST_TABLE else ""
    return ", ".join(other[:_LONGEST_TABLE]) + more


def _degenerate(total: np.ndarray, names: tuple[str, ...]) -> list[str]:
    if not (total - np.diag(np.diagonal(total))).any() and len(np.flatnonzero(total)) > 1:
        return ["the predictions looked at are the true label maps themselves, pixel by pixel"]
    for what, counts in (("predictions", total.sum(axis=0)), ("label maps", total.sum(axis=1))):
        used = np.flatnonzero(counts)
        if len(used) == 1:
            return [f"the {what} looked at have one class alone, {names[used[0]]}"]
    return []


def _matrix(maps: Maps, count: int) -> np.ndarray:
    """int64 [C, C], of all images."""
    matrices = (
        confusion_matrix(truth, prediction, count).astype(np.int64) for truth, prediction in maps
    )
    return sum(matrices, np.zeros((count, count), np.int64))


def _percent(matrix: np.ndarray) -> float:
    return 100 * float(np.nan_to_num(metrics.mean_f1(matrix)))
