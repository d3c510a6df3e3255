"""Metrics against matrices worked out by hand and against counting pixels in plain Python."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from class_lists import CELEBAMASK_HQ, LAPA

from fpliif_jax.evaluation import metrics

# Worked out by hand below: truth 10, 8, 4 pixels; predicted 9, 9, 4.
HAND_MADE = np.array([[8, 2, 0], [1, 6, 1], [0, 1, 3]])


def random_pair(seed: int, shape: tuple[int, ...], classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, shape)
    predictions = np.where(rng.random(shape) < 0.7, labels, rng.integers(0, classes, shape))
    return labels, predictions


def counted_f1(truth: np.ndarray, guess: np.ndarray, group: set[int]) -> float:
    """F1 of "the pixel belongs to the group", pixel by pixel."""
    pairs = [(t in group, g in group) for t, g in zip(truth.flat, guess.flat, strict=True)]
    true_positive = pairs.count((True, True))
    wrong = pairs.count((True, False)) + pairs.count((False, True))
    return 2 * true_positive / (2 * true_positive + wrong)


def matrices_of(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    return np.asarray(
        metrics.confusion_matrices(jnp.asarray(labels), jnp.asarray(predictions), classes)
    )


@pytest.mark.parametrize("shape", [(3, 7, 5), (2, 130, 131), (1, 1, 1)])
def test_every_pixel_is_counted_once(shape: tuple[int, ...]) -> None:
    labels, predictions = random_pair(0, shape, 6)
    expected = np.zeros((shape[0], 6, 6), int)
    for image, (truth, guess) in enumerate(zip(labels, predictions, strict=True)):
        for t, g in zip(truth.flat, guess.flat, strict=True):
            expected[image, t, g] += 1
    count = jax.jit(metrics.confusion_matrices, static_argnums=2)
    result = count(jnp.asarray(labels, jnp.uint8), jnp.asarray(predictions, jnp.int32), 6)
    assert result.dtype == jnp.int32
    np.testing.assert_array_equal(result, expected)


def test_ignored_pixels_are_not_counted() -> None:
    labels = np.array([[[0, 1, 255], [1, 255, 2]]])
    predictions = np.array([[[0, 2, 1], [1, 0, 2]]])
    expected = [[[1, 0, 0], [0, 1, 1], [0, 0, 1]]]
    np.testing.assert_array_equal(matrices_of(labels, predictions, 3), expected)
    # An ignore label that is also a class id.
    result = metrics.confusion_matrices(jnp.asarray(labels), jnp.asarray(predictions), 3, 1)
    np.testing.assert_array_equal(result, [[[1, 0, 0], [0, 0, 0], [0, 0, 1]]])


def test_counts_beyond_the_integers_of_float32_are_exact() -> None:
    side = 4100  # 16,810,000 pixels, more than 2**24 = 16,777,216
    labels = jnp.ones((1, side, side), jnp.uint8).at[0, 0, :3].set(0)
    assert side * side - 3 > 2**24
    result = metrics.confusion_matrices(labels, jnp.ones_like(labels), 2)
    np.testing.assert_array_equal(result, [[[0, 3], [0, side * side - 3]]])


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        metrics.confusion_matrices(jnp.zeros((1, 4, 4), int), jnp.zeros((1, 4, 5), int), 3)


def test_hand_made_matrix() -> None:
    np.testing.assert_allclose(metrics.class_f1(HAND_MADE), [16 / 19, 12 / 17, 6 / 8])
    np.testing.assert_allclose(metrics.class_iou(HAND_MADE), [8 / 11, 6 / 11, 3 / 5])
    assert metrics.mean_f1(HAND_MADE) == pytest.approx((12 / 17 + 6 / 8) / 2)
    assert metrics.mean_iou(HAND_MADE) == pytest.approx((6 / 11 + 3 / 5) / 2)
    with_background = metrics.mean_iou(HAND_MADE, with_background=True)
    assert with_background == pytest.approx((8 / 11 + 6 / 11 + 3 / 5) / 3)
    # {1, 2} as one: 11 inside, truth 12, predicted 13. Apart, 9 are right.
    assert metrics.group_f1(HAND_MADE, (1, 2)) == pytest.approx(2 * 11 / (12 + 13))
    assert metrics.merged_group_f1(HAND_MADE, [(1,), (2,)]) == pytest.approx(2 * 9 / (12 + 13))


def test_confusion_inside_a_group_counts_as_correct() -> None:
    """Left and right eye swapped everywhere: eyes are perfect, each eye has F1 0."""
    matrix = np.zeros((1, 11, 11), int)
    matrix[0, 4, 5] = matrix[0, 5, 4] = 50
    matrix[0, 0, 0] = 1000
    result = metrics.scores(matrix, LAPA)
    assert result["group_f1"]["eyes"] == 1.0
    assert result["class_f1"]["left_eye"] == result["class_f1"]["right_eye"] == 0.0
    assert result["group_f1"]["overall"] == result["group_f1"]["overall_merged"] == 1.0


def test_merged_overall_is_the_stricter_one() -> None:
    """A brow taken for an eye is inside 'overall' but between two parts."""
    matrix = np.zeros((1, 11, 11), int)
    matrix[0, 2, 2], matrix[0, 2, 4], matrix[0, 4, 4] = 6, 4, 10
    groups = metrics.scores(matrix, LAPA)["group_f1"]
    assert groups["overall"] == 1.0
    assert groups["overall_merged"] == pytest.approx(2 * 16 / (20 + 20))


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (
            LAPA,
            {
                "eyes": {"left_eye", "right_eye"},
                "brows": {"left_brow", "right_brow"},
                "mouth": {"upper_lip", "inner_mouth", "lower_lip"},
            },
        ),
        (
            CELEBAMASK_HQ,
            {
                "eyes": {"l_eye", "r_eye"},
                "brows": {"l_brow", "r_brow"},
                "mouth": {"mouth", "u_lip", "l_lip"},
            },
        ),
    ],
)
def test_scores_match_counting_pixels(names: tuple[str, ...], groups: dict[str, set[str]]) -> None:
    labels, predictions = random_pair(1, (4, 30, 30), len(names))
    result = metrics.scores(matrices_of(labels, predictions, len(names)), names)

    class_f1 = {n: counted_f1(labels, predictions, {c}) for c, n in enumerate(names) if c > 0}
    assert result["class_f1"] == pytest.approx(class_f1, rel=1e-12)
    assert result["mean_f1"] == pytest.approx(np.mean(list(class_f1.values())), rel=1e-12)
    iou = [
        ((labels == c) & (predictions == c)).sum() / ((labels == c) | (predictions == c)).sum()
        for c in range(len(names))
    ]
    assert result["miou"] == pytest.approx(np.mean(iou[1:]), rel=1e-12)
    assert result["miou_with_background"] == pytest.approx(np.mean(iou), rel=1e-12)

    def members(members_of: set[str]) -> set[int]:
        return {names.index(name) for name in members_of}

    for group, parts in groups.items():
        expected = counted_f1(labels, predictions, members(parts))
        assert result["group_f1"][group] == pytest.approx(expected, rel=1e-12)
    everything = set().union(*groups.values(), {"nose"})
    expected = counted_f1(labels, predictions, members(everything))
    assert result["group_f1"]["overall"] == pytest.approx(expected, rel=1e-12)
    # Relabel every part to one class, then pool over the parts.
    true_positive = either = 0
    for parts in [*groups.values(), {"nose"}]:
        truth, guess = (np.isin(x, list(members(parts))) for x in (labels, predictions))
        true_positive += (truth & guess).sum()
        either += truth.sum() + guess.sum()
    assert result["group_f1"]["overall_merged"] == pytest.approx(2 * true_positive / either)

    per_image = []
    for truth, guess in zip(labels, predictions, strict=True):
        present = (set(truth.flat) | set(guess.flat)) - {0}
        per_image.append(np.mean([counted_f1(truth, guess, {c}) for c in present]))
    assert result["per_image_mean_f1"] == pytest.approx(np.mean(per_image), rel=1e-12)
    assert result["images"] == 4


def test_absent_classes_are_none_and_left_out() -> None:
    names = ("background", "skin", "nose", "hair")
    first, second = np.zeros((2, 4, 4), int)
    first[0, 0], first[1, 1], first[1, 0] = 10, 4, 2  # skin F1 8/10
    second[0, 0], second[0, 2] = 12, 4  # nose predicted, never true: F1 0
    result = metrics.scores(np.stack([first, second]), names)
    assert result["class_f1"] == {"skin": pytest.approx(0.8), "nose": 0.0, "hair": None}
    assert result["mean_f1"] == pytest.approx(0.4)
    assert result["miou"] == pytest.approx((4 / 6 + 0) / 2)
    assert result["per_image_mean_f1"] == pytest.approx((0.8 + 0.0) / 2)
    assert result["group_f1"] == {}


def test_images_without_any_class_are_left_out_of_the_mean_over_images() -> None:
    only_background = np.zeros((3, 3), int)
    only_background[0, 0] = 22
    result = metrics.scores(np.stack([HAND_MADE, only_background]), ("background", "a", "b"))
    assert result["per_image_mean_f1"] == pytest.approx(metrics.mean_f1(HAND_MADE))
    assert result["images"] == 2


@pytest.mark.parametrize("count", [0, 2])
def test_nothing_to_score_is_none_in_json(count: int) -> None:
    result = metrics.scores(np.zeros((count, 11, 11), np.int32), LAPA)
    written = json.loads(json.dumps(result, allow_nan=False))
    assert written["images"] == count
    assert written["mean_f1"] is written["miou"] is written["per_image_mean_f1"] is None
    assert written["miou_with_background"] is written["group_f1"]["eyes"] is None
    assert set(written["class_f1"]) == set(LAPA[1:])
    assert set(written["class_f1"].values()) == {None}


def test_sums_over_many_large_images_do_not_overflow() -> None:
    matrices = np.zeros((3, 2, 2), np.int32)
    matrices[:, 1, 1] = 2**30
    matrices[:, 1, 0] = 2**30
    result = metrics.scores(matrices, ("background", "skin"))
    assert result["class_f1"]["skin"] == pytest.approx(2 / 3)
    assert math.isclose(result["miou"], 0.5)


def test_matrices_must_fit_the_class_names() -> None:
    with pytest.raises(ValueError, match="do not fit 3 class names"):
        metrics.scores(np.zeros((1, 4, 4), int), ("background", "a", "b"))


@pytest.mark.parametrize("classes", [2, 3, 11, 19])
def test_many_matrices_have_the_bits_of_each_alone(classes: int) -> None:
    """Also where classes are undefined, here each in every third image: means are over what is left, in its order."""
    random = np.random.default_rng(classes)
    matrices = random.integers(0, 1000, (5, 40, classes, classes))
    absent = random.random((5, 40, classes)) < 1 / 3
    absent[0, :2] = True  # without any class
    matrices[np.broadcast_to(absent[..., None] | absent[..., None, :], matrices.shape)] = 0
    group = list(range(1, classes, 2))
    parts = [[index] for index in group]
    found = {
        "mean_f1": metrics.mean_f1(matrices),
        "of_some": metrics.mean_f1_of(matrices, group),
        "miou": metrics.mean_iou(matrices, with_background=True),
        "group": metrics.group_f1(matrices, group),
        "merged": metrics.merged_group_f1(matrices, parts),
    }
    of_images = metrics.per_image_mean_f1(matrices[1])
    assert of_images == np.mean([one for one in found["mean_f1"][1] if not np.isnan(one)])
    for place in np.ndindex(5, 40):
        matrix = matrices[place]
        rows, columns, right = matrix.sum(axis=1), matrix.sum(axis=0), matrix.diagonal()
        f1 = [
            2 * r / (a + b) if a + b else None for r, a, b in zip(right, rows, columns, strict=True)
        ]
        iou = [
            r / (a + b - r) if a + b else None for r, a, b in zip(right, rows, columns, strict=True)
        ]
        either = rows[group].sum() + columns[group].sum()
        inside = matrix[np.ix_(group, group)].sum()
        expected = {
            "mean_f1": _mean(f1[1:]),
            "of_some": _mean([f1[index] for index in group]),
            "miou": _mean(iou),
            "group": 2 * inside / either if either else np.nan,
            "merged": 2 * right[group].sum() / either if either else np.nan,
        }
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name][place], value)
        assert isinstance(metrics.mean_f1(matrix), float)
        np.testing.assert_array_equal(metrics.mean_f1(matrix), expected["mean_f1"])
        np.testing.assert_array_equal(metrics.group_f1(matrix, group), expected["group"])


def _mean(values: list[float | None]) -> float:
    defined = [value for value in values if value is not None]
    return float(np.array(defined).mean()) if defined else np.nan
