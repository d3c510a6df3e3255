"""The examples of a run that people look at: examples.npz for reports, predictions.png for the eye.

They are chosen by per-image F1 alone: the worst three, the median three, the best three, and others evenly
spaced between the worst and the best. Nothing is picked by hand.
"""

import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fpliif_jax.data.resized_split import Split
from fpliif_jax.evaluation import metrics
from fpliif_jax.pictures.sheet import prediction_sheet
from fpliif_jax.run_folder.evaluation_files import EXAMPLES, SHEET
from fpliif_jax.run_folder.run_record import write_npz
from fpliif_jax.systems.protocol import Prediction, Protocol

NUM_OF_EACH = 3  # worst, median and best


class Ranking(NamedTuple):
    """The examples of a split by how well they were labelled.

    Attributes:
      order: int [N], positions from the worst to the best.
      scores: float64 [N], per-image F1 as a fraction, by position; 0 where it is undefined.
    """

    order: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, matrices: np.ndarray) -> "Ranking":
        """Ranks by the confusion matrices [N, C, C] of a protocol."""
        scores = np.nan_to_num(metrics.mean_f1(matrices))
        return cls(np.argsort(scores, kind="stable"), scores)


def evenly_spaced(total: int, count: int) -> np.ndarray:
    """Ranks from the worst (0) to the best (total − 1), both included: int [min(count, total)]."""
    return np.linspace(0, total - 1, min(count, total)).round().astype(int)


def worst_median_best(total: int) -> np.ndarray:
    """Ranks of the worst three, the median three and the best three, each once, ascending."""
    middle = max(0, (total - NUM_OF_EACH) // 2)
    ranks = np.arange(total)
    chosen = (ranks[:NUM_OF_EACH], ranks[middle : middle + NUM_OF_EACH], ranks[-NUM_OF_EACH:])
    return np.unique(np.concatenate(chosen))


class PicturedExamples(NamedTuple):
    """What examples.npz and predictions.png are made of.

    Attributes:
      arrays: of examples.npz.
      shown: int, positions in its examples of those in predictions.png.
    """

    arrays: dict[str, np.ndarray]
    shown: np.ndarray

    def write(self, workdir: pathlib.Path) -> None:
        """Writes examples.npz (every protocol) and predictions.png (the first) into a run's folder."""
        write_npz(workdir / EXAMPLES, **self.arrays)
        images, truths, predictions, ids, scores = (
            self.arrays[name][self.shown]
            for name in ("images", "truth_0", "prediction_0", "ids", "per_image_f1")
        )
        prediction_sheet(
            images,
            list(truths),
            list(predictions),
            self.arrays["class_names"].tolist(),
            workdir / SHEET,
            titles=[f"{name}  F1 {100 * f1:.1f}" for name, f1 in zip(ids, scores, strict=True)],
        )


def pictured_examples(
    predict: Callable[[dict[str, Any]], dict[str, Prediction]],
    split: Split,
    split_name: str,
    which: str,
    protocols: tuple[Protocol, ...],
    ranking: Ranking,
    class_names: tuple[str, ...],
    num_pictures: int,
) -> PicturedExamples:
    """Predicts the examples of a split that are pictured.

    examples.npz has images uint8 [K, S, S, 3], ids and per_image_f1 [K], rank int [K] (0 is the worst), rows
    [R], the protocols' keys, and for protocol i truth_i and prediction_i, uint8 [K, h, w]; split, checkpoint,
    split_size, class_names.

    Args:
      predict: each protocol's prediction by its key, of a batch of one image with 'images', 'image_sizes' and, for
        each size of label maps, 'labels_<size>'.
      split: with the label maps that the protocols need.
      split_name: its name.
      which: checkpoint's name.
      protocols: what is predicted by.
      ranking: of the split's examples by the first protocol.
      class_names: names by label id.
      num_pictures: examples in predictions.png.
    """
    total = len(split)
    shown = evenly_spaced(total, num_pictures)
    ranks = np.unique(np.concatenate([shown, worst_median_best(total)]))
    chosen = ranking.order[ranks]
    predictions: dict[str, list[np.ndarray]] = {protocol.key: [] for protocol in protocols}
    truths: dict[str, list[np.ndarray]] = {protocol.key: [] for protocol in protocols}
    for position in chosen:
        one = slice(position, position + 1)
        batch = {"images": split.images[one], "image_sizes": split.image_sizes[one]}
        batch |= {f"labels_{size}": labels[one] for size, labels in split.labels.items()}
        for name, predicted in predict(batch).items():
            predictions[name].append(np.asarray(predicted.labels[0], np.uint8))
            truths[name].append(np.asarray(predicted.truth[0], np.uint8))
    arrays = {
        "images": np.stack([split.images[position] for position in chosen]),
        "ids": np.array([split.ids[position] for position in chosen]),
        "per_image_f1": ranking.scores[chosen],
        "rank": ranks,
        "split_size": np.array(total),
        "split": np.array(split_name),
        "checkpoint": np.array(which),
        "rows": np.array([protocol.key for protocol in protocols]),
        "class_names": np.array(class_names),
    }
    for index, protocol in enumerate(protocols):
        arrays[f"truth_{index}"] = np.stack(truths[protocol.key])
        arrays[f"prediction_{index}"] = np.stack(predictions[protocol.key])
    return PicturedExamples(arrays, np.searchsorted(ranks, shown))
