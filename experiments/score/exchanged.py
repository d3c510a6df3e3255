"""Predictions that lie under the name of another image, or are of none: compared with all label maps, in small."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from fpliif_jax.data.resize import resize_label_map

SIDE = 24  # of the small label maps, in pixels
_SAMPLE = 64  # images that say how well anything fits anything
_MOST = 256  # predictions, those that fit worst, that are compared with all label maps
# Shares of the small label map's pixels. On predictions for 121 photographs of faces, three of them exchanged, 40 times
# over, these find 103 of 120; nothing is found in honest ones, nor in such that are turned, enlarged or far shifted.
_GAIN = 0.1  # by which another one has to fit better
_FITS = 0.75  # in which it has to agree
_NAMED = 3  # in a warning
# Images: where each of n fits nothing but its own label map, the own fit is n - 1 standard deviations above chance.
_FEWEST = 10
_CHANCE = 3.0  # standard deviations above it that predictions of the own images have to be
_NO_SD = 1e-9  # that rounding leaves of none
# Share of label maps that another one's prediction fits, from which shuffled names explain all. On label maps of 10 to
# 200 photographs it was .70 to 1 where names were shuffled and 0 to .5 where predictions were of other photographs.
_SHUFFLED = 0.6


@dataclasses.dataclass(frozen=True)
class Exchanged:
    """A prediction that fits the label map of another image.

    Attributes:
      prediction: index of the image under whose name it lies.
      truth: index of the image that it fits.
    """

    prediction: int
    truth: int


def small(labels: np.ndarray) -> np.ndarray:
    """uint8 [SIDE²] of a label map uint8 [H, W]: the pixels at the centres of a grid."""
    return resize_label_map(labels, (SIDE, SIDE), 256, "nearest").ravel()


def find_exchanged(truths: np.ndarray, predictions: np.ndarray) -> list[Exchanged]:
    """Predictions that another label map fits better by far, and that fit it no worse than its own prediction does.

    Faces in the middle fit one another, and an empty prediction fits whatever has much background. So what counts
    is how much better a pair fits than its prediction fits anything, and than anything fits its label map.

    Args:
      truths, predictions: uint8 [N, P], of the same images in the same order.

    Returns:
      In the order of the images; of at most 256 predictions, those that fit their own worst.
    """
    count = len(truths)
    sample = np.unique(np.linspace(0, count - 1, min(_SAMPLE, count), dtype=int))
    own = _agreement(truths, predictions)
    by_prediction = np.mean([_agreement(truths[one], predictions) for one in sample], axis=0)
    by_truth = np.mean([_agreement(truths, predictions[one]) for one in sample], axis=0)
    fits = own - by_prediction - by_truth
    exchanged = []
    for one in np.sort(np.argsort(fits, kind="stable")[:_MOST]):
        agreement = _agreement(truths, predictions[one])
        best = int(np.argmax(agreement - by_truth))
        gain = agreement[best] - by_prediction[one] - by_truth[best] - fits[one]
        if gain > _GAIN and agreement[best] >= max(own[best], _FITS):
            exchanged.append(Exchanged(int(one), best))
    return exchanged


def are_of_others(maps: Sequence[tuple[np.ndarray, np.ndarray]]) -> bool:
    """`fit_by_chance` of label maps and predictions, uint8 [H, W], of any sizes."""
    truths, predictions = zip(*maps, strict=True)
    return fit_by_chance(np.stack([*map(small, truths)]), np.stack([*map(small, predictions)]))


def fit_by_chance(truths: np.ndarray, predictions: np.ndarray) -> bool:
    """Whether predictions fit their own label maps no better than they would in any other order.

    The mean of an order taken at random, and its variance, are known (Hoeffding, Ann. Math. Stat. 22, 1951, theorem 2).
    Nothing is said of fewer than ten images, nor of predictions that are all the same.

    Args:
      truths, predictions: uint8 [N, P], of the same images in the same order; of more than 256, so many are looked at.
    """
    count = len(truths)
    if count < _FEWEST:
        return False
    looked_at = np.unique(np.linspace(0, count - 1, min(_MOST, count), dtype=int))
    fits = np.stack([_agreement(truths[looked_at], predictions[one]) for one in looked_at])
    centred = fits - fits.mean(0) - fits.mean(1)[:, None] + fits.mean()
    number = len(looked_at)
    sd = np.sqrt((centred**2).sum() / (number - 1)) / number
    own = np.diagonal(centred).mean()
    return bool(sd > _NO_SD and own < _CHANCE * sd)


def warnings(
    exchanged: Sequence[Exchanged], names: Sequence[tuple[str, str]], by_chance: bool
) -> list[str]:
    """Warnings about exchanged predictions, at most one sentence.

    Args:
      exchanged: as `find_exchanged` gives them.
      names: of all true label maps and their predictions.
      by_chance: of `fit_by_chance`.
    """
    fitted = len({one.truth for one in exchanged})
    if by_chance and fitted < _SHUFFLED * min(len(names), _MOST):
        return [
            "predictions fit their own label maps no better than those of other images, and no exchange of names "
            "among them explains it: they seem to belong to other images altogether, of another split, or hardly to "
            "depend on the image. Nothing was changed"
        ]
    if not exchanged:
        return []
    which = ", ".join(
        f"{names[one.prediction][1]} fits {names[one.truth][0]}" for one in exchanged[:_NAMED]
    )
    more = f" … and {len(exchanged) - _NAMED} more" if len(exchanged) > _NAMED else ""
    throughout = ", all names shuffled" if by_chance else ""
    return [
        f"predictions seem to lie under the names of other images{throughout}: {which}{more}, far better "
        "than their own label map. Nothing was changed"
    ]


def _agreement(truths: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """float64 [N], the share of pixels that agree; one of the two may be a single map [P]."""
    return np.count_nonzero(truths == predictions, axis=-1) / truths.shape[-1]
