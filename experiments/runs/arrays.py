"""What a run counted in every image, and the examples that it left for people: arrays of .npz files, checked."""

import contextlib
import dataclasses
from collections.abc import Iterator

import numpy as np

from fpliif_jax.data_builders.host.regular_files import MEBIBYTE
from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.runs.bounded_files import ArrayFile, ArrayForm, UnreadableError
from fpliif_jax.experiments.runs.evaluation import Evaluation, Matrices, Place
from fpliif_jax.experiments.runs.run import Run, RunError, printable
from fpliif_jax.systems.protocol import IGNORE_LABEL

MATRICES_LIMIT = 128 * MEBIBYTE  # of CelebAMask-HQ's 30,000 images 83
_EXAMPLES_LIMIT = 512 * MEBIBYTE
_TEXTS_LIMIT = 8 * MEBIBYTE  # of an array of ids or names
_MOST_IMAGES = 10**6
_SAME_SCORE = 1e-9
_EXAMPLES = "examples.npz"


@dataclasses.dataclass(frozen=True)
class Examples:
    """The examples of a run that people look at, from the worst to the best.

    Attributes:
      images: uint8 [K, H, W, 3].
      ids: K official ids.
      per_image_f1: float64 [K], fractions, by the first row.
      rank: int64 [K], 0 for the worst of the split.
      split_size: images in the split.
      split, checkpoint: what was predicted, and by which.
      rows: R names.
      truths, predictions: R arrays, uint8 [K, h, w]; truth may be 255 where nothing counts.
      class_names: C names, the background first.
    """

    images: np.ndarray
    ids: tuple[str, ...]
    per_image_f1: np.ndarray
    rank: np.ndarray
    split_size: int
    split: str
    checkpoint: str
    rows: tuple[str, ...]
    truths: tuple[np.ndarray, ...]
    predictions: tuple[np.ndarray, ...]
    class_names: tuple[str, ...]

    @property
    def place(self) -> Place:
        """Place of the evaluation that they are ranked by."""
        return (self.split, self.checkpoint, self.rows[0])


def load_matrices(run: Run, evaluation: Evaluation) -> Matrices:
    """The confusion matrices of one of run.evaluations: those that were kept with the run, or else read from the file.

    Raises:
      RunError: the file is missing or damaged, or its scores are not those of the evaluation.
    """
    if evaluation.place in run.matrices:
        return run.matrices[evaluation.place]
    file = evaluation.file
    count, num_classes = evaluation.images, len(evaluation.class_f1) + 1
    most = min(MATRICES_LIMIT // np.dtype(np.int64).itemsize, _MOST_IMAGES * num_classes**2)
    if count * num_classes**2 > most:
        raise RunError(
            f"{run.name}: results.json says that {file} has {count} images of {num_classes} classes: "
            "too many to be read"
        )
    forms = {
        "example_ids": ArrayForm("U", (count,), _TEXTS_LIMIT),
        "class_names": ArrayForm("U", (num_classes,), _TEXTS_LIMIT),
        "confusion_matrices": ArrayForm("iu", (count, num_classes, num_classes)),
    }
    try:
        with _telling_of(run):
            arrays = ArrayFile(run.path / file, run.path, MATRICES_LIMIT).read(forms)
            ids, class_names = (
                _texts(arrays[key], str(file), key) for key in ("example_ids", "class_names")
            )
    except FileNotFoundError:
        raise RunError(f"{run.name}: {file} is missing; evaluate the run again") from None

    def require(fits: bool, problem: str) -> None:
        if not fits:
            raise RunError(f"{run.name}: {file}: {problem}")

    counted = arrays["confusion_matrices"]
    # The largest sum over images that float64 holds exactly.
    most = min(2**40, 2**53 // max(1, len(ids)))
    is_count = not counted.size or (counted.min() >= 0 and counted.max() < most)
    require(bool(is_count), "confusion_matrices have values that are no counts")
    counted = counted.astype(np.int64)
    numbers = {**evaluation.means, "images": count}
    by_name = {"class_f1": evaluation.class_f1, "group_f1": evaluation.group_f1}
    different = "results.json has {} {}, these matrices {}: they are of different evaluations; evaluate the run again"
    for field, computed in metrics.scores(counted, class_names).items():
        if not isinstance(computed, dict):
            text = different.format(field, numbers[field], computed)
            # pyrefly: ignore[bad-argument-type] - what is not by name is a number
            require(same_score(numbers[field], computed), text)
            continue
        stated = by_name[field]
        what = {"class_f1": "classes", "group_f1": "groups"}[field]
        text = different.format(what, list(stated), list(computed))
        require(list(stated) == list(computed), text)
        for label in stated:
            text = different.format(f"F1 of {label}", stated[label], computed[label])
            require(same_score(stated[label], computed[label]), text)
    return Matrices(ids, counted, class_names)


def load_examples(run: Run) -> Examples | None:
    """Reads examples.npz; None where the run has none.

    Raises:
      RunError: the file is damaged, or its arrays do not fit together.
    """
    try:
        with _telling_of(run):
            examples = _read_examples(ArrayFile(run.path / _EXAMPLES, run.path, _EXAMPLES_LIMIT))
            _check_fits(examples)
    except FileNotFoundError:
        return None
    return _by_rank(examples)


def _read_examples(file: ArrayFile) -> Examples:
    """The arrays of that form; what is in them may be anything."""
    form = ArrayForm("U", (None,), _TEXTS_LIMIT)
    ids, rows, class_names = (
        _texts(array, _EXAMPLES, key, may_be_empty=False)
        for key, array in file.read(dict.fromkeys(("ids", "rows", "class_names"), form)).items()
    )
    count = len(ids)
    truths, predictions = (
        [f"{key}_{index}" for index in range(len(rows))] for key in ("truth", "prediction")
    )
    forms = {
        "images": ArrayForm("u", (count, None, None, 3)),
        "per_image_f1": ArrayForm("f", (count,)),
        "rank": ArrayForm("iu", (count,)),
        "split_size": ArrayForm("iu", ()),
        "split": ArrayForm("U", (), _TEXTS_LIMIT),
        "checkpoint": ArrayForm("U", (), _TEXTS_LIMIT),
    }
    labels = ArrayForm("u", (count, None, None))
    arrays = file.read(forms | dict.fromkeys((*truths, *predictions), labels))
    return Examples(
        images=arrays["images"],
        ids=ids,
        per_image_f1=arrays["per_image_f1"].astype(np.float64),
        rank=arrays["rank"].astype(np.int64),  # what is too large gets negative, which is no rank
        split_size=int(arrays["split_size"]),
        split=str(arrays["split"]),
        checkpoint=str(arrays["checkpoint"]),
        rows=rows,
        truths=tuple(arrays[key] for key in truths),
        predictions=tuple(arrays[key] for key in predictions),
        class_names=class_names,
    )


def _check_fits(examples: Examples) -> None:
    """Refuses values that are not what they stand for, and arrays that do not fit together."""
    images, f1, rank = examples.images, examples.per_image_f1, examples.rank
    _require(images.dtype == np.uint8, "images are not uint8")
    _require(images.size > 0, "images are empty")
    _require(((f1 >= 0) & (f1 <= 1)).all(), "per_image_f1 is not between 0 and 1")
    is_different = len(set(rank.tolist())) == len(rank)
    is_place = is_different and rank.min() >= 0 and rank.max() < examples.split_size
    _require(is_place, "rank is not a place in the split")
    for index, pair in enumerate(zip(examples.truths, examples.predictions, strict=True)):
        for key, array in zip(("truth", "prediction"), pair, strict=True):
            is_map = array.dtype == np.uint8 and array.shape == pair[0].shape and array.size > 0
            _require(is_map, f"{key}_{index} is not uint8 [K, h, w]")
            known = array < len(examples.class_names)
            if key == "truth":
                known |= array == IGNORE_LABEL
            _require(known.all(), f"{key}_{index} has classes without a name")


def _require(fits: bool | np.bool_, problem: str) -> None:
    if not fits:
        raise UnreadableError(f"{_EXAMPLES}: {problem}")


def _by_rank(examples: Examples) -> Examples:
    """Sorts from the worst to the best; as they are written they are so, and nothing is copied."""
    order = np.argsort(examples.rank)
    if (order == np.arange(len(order))).all():
        return examples
    return dataclasses.replace(
        examples,
        images=examples.images[order],
        ids=tuple(examples.ids[index] for index in order),
        per_image_f1=examples.per_image_f1[order],
        rank=examples.rank[order],
        truths=tuple(truth[order] for truth in examples.truths),
        predictions=tuple(prediction[order] for prediction in examples.predictions),
    )


def checked_matrices(run: Run) -> Iterator[tuple[Place, Matrices]]:
    """What each evaluation counted, one after the other: together they may be large.

    Refuses scores that do not follow from the matrices of the images, and examples that are of other images.

    Raises:
      RunError: names the file and what is wrong with it.
    """
    examples = load_examples(run)
    for evaluation in run.evaluations:
        matrices = load_matrices(run, evaluation)
        if examples is not None and evaluation.place == examples.place:
            _check_examples(run, examples, matrices)
        yield evaluation.place, matrices


def _check_examples(run: Run, examples: Examples, matrices: Matrices) -> None:
    index = {example: place for place, example in enumerate(matrices.example_ids)}
    fits = examples.split_size == len(index) and all(one in index for one in examples.ids)
    if not fits or examples.class_names != matrices.class_names:
        raise RunError(
            f"{run.name}: examples.npz: its images or classes are not those of the evaluation"
        )
    for example, f1 in zip(examples.ids, examples.per_image_f1, strict=True):
        computed = metrics.mean_f1(matrices.confusion_matrices[index[example]])
        if abs(f1 - np.nan_to_num(computed)) > _SAME_SCORE:
            raise RunError(
                f"{run.name}: examples.npz has per_image_f1 {f1} of {example!r}, its matrix {computed}"
            )


@contextlib.contextmanager
def _telling_of(run: Run) -> Iterator[None]:
    """Makes a RunError, which names the run, of what is wrong with a file of it."""
    try:
        yield
    except UnreadableError as error:
        raise RunError(printable(f"{run.name}: {error}")) from error


def _texts(array: np.ndarray, file: str, key: str, may_be_empty: bool = True) -> tuple[str, ...]:
    """The texts, each different, of a list of a run's file; half of a surrogate pair is no text."""
    if array.ndim == 1 and array.dtype.kind == "U" and (len(array) or may_be_empty):
        texts = tuple(array.tolist())
        is_utf8 = not any("\ud800" <= letter <= "\udfff" for text in texts for letter in text)
        if is_utf8 and len(set(texts)) == len(texts):
            return texts
    raise UnreadableError(f"{file}: {key} are not a list of different texts")


def same_score(recorded: float | None, computed: float | None) -> bool:
    """Whether two fractions, None where undefined, are the same but for rounding."""
    if recorded is None or computed is None:
        return recorded is computed
    return abs(recorded - computed) <= _SAME_SCORE
