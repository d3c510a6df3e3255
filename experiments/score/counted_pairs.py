"""Reads all pairs of label maps and counts them: matrices, digests, and what is to be said of their files."""

import dataclasses
import functools
from collections import Counter as Tally
from collections.abc import Container, Sequence

import numpy as np
from tqdm import tqdm

from fpliif_jax.data.resize import resize_label_map
from fpliif_jax.data_builders.host.ordered_map import ordered_map
from fpliif_jax.data_builders.prepared.label_digests import label_map_digest
from fpliif_jax.experiments.score import exchanged, lowest
from fpliif_jax.experiments.score.class_tables import IdTable
from fpliif_jax.experiments.score.counting import NATIVE, Counter
from fpliif_jax.experiments.score.pairing import Pair
from fpliif_jax.experiments.score.reading import read_label_map
from fpliif_jax.experiments.score.suspicions import MOST_IMAGES, suspicions

Size = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class CountedImage:
    """Counts of one pair of label maps, and what else is kept of it.

    Attributes:
      matrices: int32 [C, C] by protocol.
      digest: of the true label map.
      sizes: height and width of truth and prediction.
      maps: both, uint8, at the size of the truth; of few images, to look for mistakes.
      small: both, uint8 [P], as `exchanged.small` makes them.
    """

    matrices: dict[str, np.ndarray]
    digest: str
    sizes: tuple[Size, Size]
    maps: tuple[np.ndarray, np.ndarray] | None
    small: tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Counted:
    """Counts of all pairs, and what a reader should know of them.

    Attributes:
      matrices: int32 [N, C, C] by protocol, in the order of the pairs.
      digests: of true label maps by id, in the same order.
      notes: on their sizes, and on what the true ones leave out.
      warnings: what looks like a mistake.
      lowest: a sentence that names the images that score lowest; '' if none has a score.
      largest_side: of the true label maps, in pixels.
    """

    matrices: dict[str, np.ndarray]
    digests: dict[str, str]
    notes: list[str]
    warnings: list[str]
    lowest: str
    largest_side: int


def count_pairs(
    pairs: Sequence[Pair], counter: Counter, truth_ids: IdTable, prediction_ids: IdTable
) -> Counted:
    """Reads and counts all pairs on all cores, under a bar.

    Raises:
      DataError: names the first file that cannot be used.
    """
    looked_at = set(
        np.linspace(0, len(pairs) - 1, min(MOST_IMAGES, len(pairs)), dtype=int).tolist()
    )
    one = functools.partial(
        _count_pair, counter=counter, truth_ids=truth_ids, prediction_ids=prediction_ids
    )
    numbered = ((pair, index in looked_at) for index, pair in enumerate(pairs))
    classes = {name: len(counter.class_names(name)) for name in counter.protocols}
    matrices = {name: np.zeros((len(pairs), n, n), np.int32) for name, n in classes.items()}
    digests, maps, sizes = {}, [], Tally()
    small = np.zeros((2, len(pairs), exchanged.SIDE**2), np.uint8)
    bar = tqdm(ordered_map(one, numbered), "scoring", len(pairs), leave=False, unit="image")
    for index, (pair, image) in enumerate(zip(pairs, bar, strict=True)):
        for name, matrix in image.matrices.items():
            matrices[name][index] = matrix
        digests[pair.id] = image.digest
        sizes[image.sizes] += 1
        small[:, index] = image.small
        if image.maps is not None:
            maps.append(image.maps)
    files = [pair.prediction.name for pair in pairs]
    own_scores = lowest.own_scores(matrices[NATIVE])
    warnings = suspicions(maps, counter.names)
    if not warnings:

        def maps_of(index: int) -> tuple[np.ndarray, np.ndarray]:
            return _same_size(*_read(pairs[index], counter.names, truth_ids, prediction_ids))

        by_chance = exchanged.fit_by_chance(small[0], small[1])
        # Predictions of other images have no mistakes of their own.
        alone = {} if by_chance else lowest.changed_alone(own_scores, maps_of, counter.names)
        warnings = [
            *lowest.warnings(alone, files),
            *_exchanged(pairs, small[0], small[1], alone, by_chance),
        ]
    return Counted(
        matrices,
        digests,
        [
            *_size_notes(sizes),
            *_content_notes(
                matrices[NATIVE].sum(axis=0, dtype=np.int64),
                sum(height * width * count for ((height, width), _), count in sizes.items()),
                counter.names,
            ),
        ],
        warnings,
        lowest.sentence(own_scores, files),
        max(max(truth) for truth, _ in sizes),
    )


def _count_pair(
    numbered: tuple[Pair, bool], counter: Counter, truth_ids: IdTable, prediction_ids: IdTable
) -> CountedImage:
    pair, is_looked_at = numbered
    truth, prediction = _read(pair, counter.names, truth_ids, prediction_ids)
    return CountedImage(
        matrices=counter.count(truth, prediction),
        digest=label_map_digest(pair.id, truth),
        sizes=(truth.shape, prediction.shape),
        maps=_same_size(truth, prediction) if is_looked_at else None,
        small=(exchanged.small(truth), exchanged.small(prediction)),
    )


def _read(
    pair: Pair, names: tuple[str, ...], truth_ids: IdTable, prediction_ids: IdTable
) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction, each at its own size."""
    return (
        read_label_map(pair.truth, truth_ids, names, "--truth_classes"),
        read_label_map(pair.prediction, prediction_ids, names, "--prediction_classes"),
    )


def _same_size(truth: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both label maps at the size of the truth."""
    return truth, resize_label_map(prediction, truth.shape, 256, "nearest")


def _exchanged(
    pairs: Sequence[Pair],
    truths: np.ndarray,
    predictions: np.ndarray,
    explained: Container[int],
    by_chance: bool,
) -> list[str]:
    """A warning of predictions under wrong names, if there are any: mirrored ones fit others, too, so it comes last.

    Args:
      pairs: N.
      truths, predictions: uint8 [N, P].
      explained: indices of predictions that something else is the matter with.
      by_chance: whether predictions fit their own label maps no better than others.
    """
    names = [(pair.truth.name, pair.prediction.name) for pair in pairs]
    found = exchanged.find_exchanged(truths, predictions)
    found = [one for one in found if one.prediction not in explained]
    return exchanged.warnings(found, names, by_chance)


def _size_notes(sizes: "Tally[tuple[Size, Size]]") -> list[str]:
    """Predictions of another size than their truth, and those of another shape."""
    other = {pair: count for pair, count in sizes.items() if pair[0] != pair[1]}
    if not other:
        return []
    ((height, width), (own_height, own_width)), _ = max(other.items(), key=lambda item: item[1])
    total = sum(other.values())
    text = (
        f"{total:,} of {sum(sizes.values()):,} predictions have another size than their label map "
        f"(most, height x width: {own_height} x {own_width} for {height} x {width}); they are brought to the size "
        "that is scored by nearest neighbour"
    )
    # Half a pixel is what rounding does to a size that was scaled.
    squeezed = sum(
        count
        for ((h, w), (own_h, own_w)), count in other.items()
        if min(abs(own_h - h * own_w / w), abs(own_w - w * own_h / h)) > 0.5
    )
    if squeezed:
        text += f"; {squeezed:,} have another shape, too, and are taken for squeezed, not cropped"
    return [text]


def _content_notes(total: np.ndarray, pixels: int, names: tuple[str, ...]) -> list[str]:
    """Pixels that do not count, and classes without a pixel in any true label map.

    Args:
      total: int64 [C, C], of all images at their own size.
      pixels: of all true label maps.
      names: C classes.
    """
    notes = []
    left_out = pixels - int(total.sum())
    if left_out:
        share = 100 * left_out / pixels
        notes.append(
            f"{left_out:,} pixels of the label maps, {share:.2f} %, do not count: 255, or what --truth_classes ignores"
        )
    absent = [name for name, count in zip(names, total.sum(axis=1), strict=True) if not count]
    if absent:
        notes.append(f"no label map has a pixel of {', '.join(absent)}")
    return notes
