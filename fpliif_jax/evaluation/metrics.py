"""Confusion matrices on the device, and the F1 and IoU scores they give on the host.

H is a confusion matrix, [C, C], rows the truth, columns the prediction. H_c· is a row sum, H_·c a
column sum. Class 0 is the background. All scores are fractions in [0, 1], computed in float64. A
class that occurs neither in the truth nor in the prediction has no score: NaN in the arrays here,
None in `scores`, and left out of every mean. Accuracy on a test set comes from the matrix summed
over all its images (the paper's §4.3: class F1, mean F1 and mIoU, background left out). Means and
groups are of one matrix [C, C], where they are a NumPy float, or of many at once, [..., C, C].
"""

import math
from collections.abc import Sequence
from typing import TypedDict

import jax
import jax.numpy as jnp
import numpy as np

# Pixels counted in one matrix product; float32 counts exactly up to 2**24, and fewer take less
# memory (B · chunk · C · 8 bytes).
_CHUNK = 2**14

# Parts of a face under the names of the label maps: LaPa and Helen, then CelebAMask-HQ.
_PARTS = (
    {
        "brows": ("left_brow", "right_brow"),
        "eyes": ("left_eye", "right_eye"),
        "nose": ("nose",),
        "mouth": ("upper_lip", "inner_mouth", "lower_lip"),
    },
    {
        "brows": ("l_brow", "r_brow"),
        "eyes": ("l_eye", "r_eye"),
        "nose": ("nose",),
        "mouth": ("u_lip", "mouth", "l_lip"),
    },
)


def confusion_matrices(
    labels: jax.Array | np.ndarray,
    predictions: jax.Array | np.ndarray,
    num_classes: int,
    ignore_label: int = 255,
) -> jax.Array:
    """Counts the pairs of true and predicted class of each image, exactly.

    Args:
        labels: integer [B, H, W], the truth.
        predictions: integer [B, H, W].
        num_classes: C.
        ignore_label: truth that does not count. Nor does a pixel whose truth or prediction is not
            in [0, C).

    Returns:
        int32 [B, C, C], rows truth, columns prediction; on the device, usable under jit.
    """
    if labels.shape != predictions.shape:
        raise ValueError(
            f"labels {labels.shape} and predictions {predictions.shape} differ in shape"
        )
    batch = labels.shape[0]
    truth = jnp.where(labels == ignore_label, -1, labels.astype(jnp.int32)).reshape(batch, -1)
    guess = predictions.astype(jnp.int32).reshape(batch, -1)

    padding = -truth.shape[1] % _CHUNK

    def chunks(classes: jax.Array | np.ndarray) -> jax.Array:
        padded = jnp.pad(classes, ((0, 0), (0, padding)), constant_values=-1)
        return jnp.moveaxis(padded.reshape(batch, -1, _CHUNK), 1, 0)

    def count(total: jax.Array, pair: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        one_hot_truth, one_hot_guess = (jax.nn.one_hot(classes, num_classes) for classes in pair)
        counts = jnp.einsum(
            "bpt,bpg->btg", one_hot_truth, one_hot_guess, precision=jax.lax.Precision.HIGHEST
        )
        return total + counts.astype(jnp.int32), None

    zeros = jnp.zeros((batch, num_classes, num_classes), jnp.int32)
    return jax.lax.scan(count, zeros, (chunks(truth), chunks(guess)))[0]


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """numerator / denominator in float64, NaN where the denominator is 0."""
    # pyrefly: ignore[bad-assignment] - of an array, an array
    numerator, denominator = np.float64(numerator), np.float64(denominator)
    return np.divide(
        numerator, denominator, out=np.full_like(denominator, np.nan), where=denominator > 0
    )


def _mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is not NaN: [..., K] → [...]; NaN where nothing is left.

    Each has the bits of the mean of its own values alone: rows with as many of them are taken together, since zeros in
    between would change the order of a sum.
    """
    rows = values.reshape(math.prod(values.shape[:-1]), values.shape[-1])
    defined = ~np.isnan(rows)
    counts = defined.sum(axis=1)
    means = np.full(len(rows), np.nan)
    for count in np.unique(counts[counts > 0]):
        chosen = counts == count
        means[chosen] = rows[chosen][defined[chosen]].reshape(-1, count).mean(axis=1)
    return means.reshape(values.shape[:-1])[()]


def _sums(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Diagonal, row sums and column sums of integer [..., C, C], as int64 [..., C]."""
    matrices = np.asarray(matrices, np.int64)
    diagonal = np.diagonal(matrices, axis1=-2, axis2=-1)
    return diagonal, matrices.sum(axis=-1), matrices.sum(axis=-2)


def class_f1(matrices: np.ndarray) -> np.ndarray:
    """F1_c = 2 H_cc / (H_c· + H_·c): integer [..., C, C] → float64 [..., C], NaN if undefined."""
    diagonal, rows, columns = _sums(matrices)
    return _ratio(2 * diagonal, rows + columns)


def class_iou(matrices: np.ndarray) -> np.ndarray:
    """IoU_c = H_cc / (H_c· + H_·c − H_cc): integer [..., C, C] → float64 [..., C], NaN likewise."""
    diagonal, rows, columns = _sums(matrices)
    return _ratio(diagonal, rows + columns - diagonal)


def mean_f1(matrices: np.ndarray, with_background: bool = False) -> np.ndarray:
    """Mean of F1_c over the defined classes, c ≥ 1 or c ≥ 0: integer [..., C, C] → float64 [...]; NaN if none is."""
    return _mean_of_defined(class_f1(matrices)[..., 0 if with_background else 1 :])


def mean_f1_of(matrices: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """Mean of F1_c over the defined ones of these classes: integer [..., C, C] → float64 [...], NaN likewise."""
    return _mean_of_defined(class_f1(matrices)[..., list(classes)])


def mean_iou(matrices: np.ndarray, with_background: bool = False) -> np.ndarray:
    """Mean of IoU_c over the defined classes, c ≥ 1 or c ≥ 0: integer [..., C, C] → float64 [...], NaN likewise."""
    return _mean_of_defined(class_iou(matrices)[..., 0 if with_background else 1 :])


def group_f1(matrices: np.ndarray, group: Sequence[int]) -> np.ndarray:
    """F1 of a set of classes G taken as one: 2 ΣH[G, G] / (ΣH[G, :] + ΣH[:, G]).

    Confusion inside the group counts as correct. This is what papers report on Helen as eyes,
    brows, mouth and overall (FP-LIIF's Table 3). Integer [..., C, C] → float64 [...], NaN if no class of it occurs.
    """
    return merged_group_f1(matrices, [group])


def merged_group_f1(matrices: np.ndarray, parts: Sequence[Sequence[int]]) -> np.ndarray:
    """Pooled F1 of several parts, each merged into one class first.

    2 Σ_P ΣH[P, P] / Σ_P (ΣH[P, :] + ΣH[:, P]): confusion inside a part counts as correct, between
    parts as wrong. Stricter than `group_f1` of the union. Integer [..., C, C] → float64 [...], NaN if no class of the
    parts occurs.
    """
    matrices = np.asarray(matrices, np.int64)
    correct, either = np.zeros((2, *matrices.shape[:-2]), np.int64)
    for part in map(list, parts):
        rows = matrices[..., part, :]
        correct = correct + rows[..., part].sum(axis=(-2, -1))
        either = either + rows.sum(axis=(-2, -1)) + matrices[..., part].sum(axis=(-2, -1))
    return _ratio(2 * correct, either)[()]


def per_image_mean_f1(matrices: np.ndarray) -> np.ndarray:
    """Mean over images of the mean F1 of the classes c ≥ 1 defined in that image.

    Images without any such class are left out; NaN if all are. matrices: integer [N, C, C].
    """
    return _mean_of_defined(mean_f1(matrices))


def face_parts(class_names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The classes that make up brows, eyes, nose and mouth: the parts this label map has whole.

    Names as in LaPa and Helen (left_eye, upper_lip, …) or CelebAMask-HQ (l_eye, u_lip, …).
    """
    parts = {}
    for naming in _PARTS:
        for part, names in naming.items():
            if all(name in class_names for name in names):
                parts[part] = tuple(class_names.index(name) for name in names)
    return parts


def _group_scores(matrix: np.ndarray, class_names: Sequence[str]) -> dict[str, np.ndarray]:
    parts = face_parts(class_names)
    groups = {p: group_f1(matrix, parts[p]) for p in ("eyes", "brows", "mouth") if p in parts}
    if len(parts) == 4:
        groups["overall"] = group_f1(matrix, [c for part in parts.values() for c in part])
        groups["overall_merged"] = merged_group_f1(matrix, list(parts.values()))
    return groups


class Scores(TypedDict):
    """The scores of a split, ready for JSON: floats in [0, 1], None where undefined.

    Attributes:
        mean_f1, miou, miou_with_background: means over classes, of all images together.
        per_image_mean_f1: mean over images.
        class_f1: by class, without the background.
        group_f1: {eyes, brows, mouth, overall, overall_merged: those the label map allows}; overall is
            brows ∪ eyes ∪ nose ∪ mouth, without skin and hair.
        images: how many there are.
    """

    mean_f1: float | None
    class_f1: dict[str, float | None]
    miou: float | None
    miou_with_background: float | None
    group_f1: dict[str, float | None]
    per_image_mean_f1: float | None
    images: int


def scores(matrices: np.ndarray, class_names: Sequence[str]) -> Scores:
    """All scores of a split from the confusion matrices of its images.

    Args:
        matrices: integer [N, C, C], one an image, padding removed.
        class_names: C names, the background first.

    Raises:
        ValueError: the shapes do not fit together.
    """
    matrices = np.asarray(matrices)
    count = len(class_names)
    if matrices.ndim != 3 or matrices.shape[1:] != (count, count):
        raise ValueError(
            f"confusion matrices {matrices.shape} do not fit {count} class names: "
            f"expected [N, {count}, {count}]"
        )
    # int32 would overflow over a few thousand large images.
    matrix = matrices.sum(axis=0, dtype=np.int64)

    def defined(value: np.ndarray) -> float | None:
        return None if np.isnan(value) else float(value)

    class_scores = zip(class_names[1:], class_f1(matrix)[1:], strict=True)
    return {
        "mean_f1": defined(mean_f1(matrix)),
        "class_f1": {name: defined(value) for name, value in class_scores},
        "miou": defined(mean_iou(matrix)),
        "miou_with_background": defined(mean_iou(matrix, with_background=True)),
        "group_f1": {k: defined(v) for k, v in _group_scores(matrix, class_names).items()},
        "per_image_mean_f1": defined(per_image_mean_f1(matrices)),
        "images": len(matrices),
    }
