"""FP-LIIF's augmentation: what is drawn, what becomes of an example; colours against colorsys."""

import colorsys
import functools
import json
from collections.abc import Callable

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest
from scipy import ndimage
from still_augmentation import STILL

from fpliif_jax.nn.warp import example_key
from fpliif_jax.systems.fp_liif import augment as augmentation
from fpliif_jax.systems.fp_liif import color_jitter

IGNORE = 255
CLASSES = 11
# LaPa's left and right brows and eyes.
FLIP = (0, 1, 3, 2, 5, 4, 6, 7, 8, 9, 10)


def augment_config(**changes: object) -> ml_collections.ConfigDict:
    config = {
        "enabled": True,
        "rotation_degrees": 30.0,
        "shear_degrees": (0.0, 20.0),
        "scale": (0.5, 3.0),
        "crop": "uniform",
        "fill": "background",
        "brightness": (0.5, 1.5),
        "contrast": (0.0, 2.0),
        "saturation": (0.5, 1.5),
        "hue": (-0.3, 0.3),
        "horizontal_flip": False,
    }
    return ml_collections.ConfigDict({**config, **changes})


NO_JITTER = {field: STILL[field] for field in ("brightness", "contrast", "saturation", "hue")}


def example(seed: int = 0, size: int = 32) -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(seed)
    image = rng.random((size, size, 3), dtype=np.float32)
    labels = rng.integers(0, CLASSES, (size, size), dtype=np.int32)
    return jnp.asarray(image), jnp.asarray(labels)


def batch(size: int, count: int) -> tuple[jax.Array, jax.Array]:
    images, labels = zip(*(example(i, size) for i in range(count)), strict=True)
    return jnp.stack(images), jnp.stack(labels)


@functools.cache
def compiled(config_json: str) -> Callable[..., tuple[jax.Array, jax.Array]]:
    config = ml_collections.ConfigDict(json.loads(config_json))
    options = {"ignore_label": IGNORE, "flip_classes": FLIP}
    return jax.jit(
        lambda *arrays: augmentation.augment_batch(*arrays, config, **options),
    )


def run(
    config: ml_collections.ConfigDict,
    images: jax.Array,
    labels: jax.Array,
    ids: list[int],
    epoch: int = 0,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    augment = compiled(config.to_json())
    seeds, epochs = (jnp.full(len(ids), value, jnp.int32) for value in (seed, epoch))
    numbers = {"seed": seeds, "epoch": epochs, "example_ids": jnp.asarray(ids, jnp.int32)}
    result = augment(numbers, images, labels)
    return np.asarray(result[0]), np.asarray(result[1])


def test_neutral_parameters_give_back_the_input() -> None:
    images, labels = batch(33, 3)
    new_images, new_labels = run(augment_config(**STILL), images, labels, [0, 1, 2])
    np.testing.assert_array_equal(new_images, images)
    np.testing.assert_array_equal(new_labels, labels)


def test_disabled_gives_back_the_input() -> None:
    images, labels = batch(16, 2)
    new_images, new_labels = run(augment_config(enabled=False), images, labels, [0, 1])
    np.testing.assert_array_equal(new_images, images)
    np.testing.assert_array_equal(new_labels, labels)


def test_outside_is_black_and_background_or_ignored() -> None:
    image, labels = jnp.ones((4, 32, 32, 3)), jnp.full((4, 32, 32), 3, jnp.int32)
    changes = {**NO_JITTER, "scale": (0.5, 0.5)}
    for fill, fill_label in (("background", 0), ("ignore", IGNORE)):
        new_image, new_labels = run(
            augment_config(fill=fill, **changes), image, labels, [0, 1, 2, 3]
        )
        assert set(np.unique(new_labels)) == {3, fill_label}
        filled = new_labels == fill_label
        assert 0.6 < filled.mean() < 0.9
        outside = np.stack(
            [ndimage.binary_erosion(f, iterations=2, border_value=1) for f in filled]
        )
        assert (new_image[outside] == 0).all()


def test_flip_mirrors_and_swaps_left_and_right() -> None:
    images, labels = batch(16, 24)
    labels = labels.at[:, 0, 0].set(IGNORE)
    config = augment_config(**STILL, horizontal_flip=True)
    new_images, new_labels = run(config, images, labels, list(range(24)))
    swapped = np.arange(256)
    swapped[:CLASSES] = FLIP
    flipped = 0
    for image, label_map, new_image, new_map in zip(
        np.asarray(images), np.asarray(labels), new_images, new_labels, strict=True
    ):
        if np.array_equal(image, new_image):
            np.testing.assert_array_equal(new_map, label_map)
        else:
            flipped += 1
            np.testing.assert_array_equal(new_image, image[:, ::-1])
            np.testing.assert_array_equal(new_map, swapped[label_map[:, ::-1]])
    assert 4 <= flipped <= 20  # 24 fair coins: outside with probability 3e-4, and the seed is fixed


def test_an_example_does_not_depend_on_its_batch() -> None:
    """Labels are computed in integers and must agree exactly; images may differ by rounding.

    An image passes some 20 float32 operations of values up to 2, each exact to 6e-8 of them, and
    two blends that may double an error: below 1e-5.
    """
    config = augment_config()
    images, labels = batch(48, 5)
    ids = [11, 3, 40, 7, 29]
    together = run(config, images, labels, ids, epoch=4)
    order = np.array([3, 0, 4, 2, 1])
    reordered = run(config, images[order], labels[order], [ids[i] for i in order], epoch=4)
    np.testing.assert_array_equal(reordered[1], together[1][order])
    np.testing.assert_allclose(reordered[0], together[0][order], atol=1e-5)
    single = jax.jit(
        lambda key, image, label_map: augmentation.augment(
            key, image, label_map, config, ignore_label=IGNORE, flip_classes=FLIP
        )
    )
    for i, example_id in enumerate(ids):
        alone = run(config, images[i : i + 1], labels[i : i + 1], [example_id], epoch=4)
        unbatched = single(example_key(0, 4, example_id), images[i], labels[i])
        for image, label_map in ((alone[0][0], alone[1][0]), unbatched):
            np.testing.assert_array_equal(label_map, together[1][i])
            np.testing.assert_allclose(image, together[0][i], atol=1e-5)


def test_seed_epoch_and_example_each_change_the_result() -> None:
    image, labels = example(size=24)
    images, labels = jnp.stack([image] * 2), jnp.stack([labels] * 2)
    config = augment_config()
    first = run(config, images, labels, [5, 6], epoch=2, seed=1)
    again = run(config, images, labels, [5, 6], epoch=2, seed=1)
    np.testing.assert_array_equal(first[0], again[0])
    others = [
        first[0][1],
        run(config, images, labels, [5, 6], epoch=3, seed=1)[0][0],
        run(config, images, labels, [5, 6], epoch=2, seed=2)[0][0],
        run(config, images, labels, [2, 6], epoch=5, seed=1)[0][0],  # epoch and id exchanged
    ]
    for other in others:
        assert np.abs(first[0][0] - other).mean() > 0.01


def test_parameters_are_uniform_over_their_ranges() -> None:
    config = augment_config(horizontal_flip=True)
    keys = jax.vmap(lambda i: example_key(0, 0, i))(jnp.arange(2000))
    sample = jax.vmap(lambda key: augmentation.sample_parameters(key, 64, config))
    drawn, factors, orders = sample(keys)
    reach = jnp.abs(drawn.scale - 1) * 32  # how far the window can lie from the canvas's centre
    columns = {
        "rotation": (np.rad2deg(drawn.rotation), -30, 30),
        "shear": (np.rad2deg(drawn.shear), 0, 20),
        "scale": (drawn.scale, 0.5, 3),
        "offset_y": (drawn.offset_y / reach, -1, 1),
        "offset_x": (drawn.offset_x / reach, -1, 1),
        "brightness": (factors[:, 0], 0.5, 1.5),
        "contrast": (factors[:, 1], 0, 2),
        "saturation": (factors[:, 2], 0.5, 1.5),
        "hue": (factors[:, 3], -0.3, 0.3),
    }
    flip = np.asarray(drawn.flip, float)
    for name, (values, low, high) in columns.items():
        values = np.asarray(values, float)
        span = high - low
        tolerance = 1e-5 * span
        assert values.min() >= low - tolerance and values.max() <= high + tolerance, name
        # Five standard errors of the mean of 2,000 uniform draws: 5 · span / √12 / √2000.
        assert abs(values.mean() - (low + high) / 2) < 0.033 * span, name
        assert abs(values.std() - span / np.sqrt(12)) < 0.02 * span, name
    table = np.array([*(np.asarray(values, float) for values, _, _ in columns.values()), flip])
    # 5 / √2000: no two parameters share their randomness.
    assert np.abs(np.corrcoef(table) - np.eye(len(table))).max() < 0.11
    assert abs(flip.mean() - 0.5) < 0.056
    # Nor does the order of the jitter, whose own places depend on one another, with any of them.
    places = np.argsort(np.asarray(orders), axis=1).T
    assert np.abs(np.corrcoef(table, places)[: len(table), len(table) :]).max() < 0.11
    _, counts = np.unique(np.asarray(orders), axis=0, return_counts=True)
    assert len(counts) == 24 and counts.min() > 40 and counts.max() < 130  # 83 ± 9 each


def test_a_centred_window_has_no_offset_and_flip_is_off_by_default() -> None:
    config = augment_config(crop="centred")
    keys = jax.vmap(lambda i: example_key(0, 0, i))(jnp.arange(50))
    drawn, _, _ = jax.vmap(lambda key: augmentation.sample_parameters(key, 64, config))(keys)
    assert not np.any(drawn.offset_y) and not np.any(drawn.offset_x) and not np.any(drawn.flip)


def grey(image: np.ndarray) -> np.ndarray:
    return 0.2989 * image[0] + 0.587 * image[1] + 0.114 * image[2]


def expected_adjustment(image: np.ndarray, adjustment: int, factor: float) -> np.ndarray:
    """torchvision's formulas, in float64."""
    if adjustment == color_jitter.HUE:
        turned = np.empty_like(image)
        for y, x in np.ndindex(image.shape[1:]):
            hue, saturation, value = colorsys.rgb_to_hsv(*image[:, y, x])
            turned[:, y, x] = colorsys.hsv_to_rgb((hue + factor) % 1.0, saturation, value)
        return turned
    other = {
        color_jitter.BRIGHTNESS: 0.0,
        color_jitter.CONTRAST: grey(image).mean(),
        color_jitter.SATURATION: grey(image),
    }[adjustment]
    return np.clip(factor * image + (1 - factor) * other, 0, 1)


def coloured(size: int = 24) -> np.ndarray:
    """Planar: random colours, grey pixels, and colours with two or three equal channels."""
    image = np.random.default_rng(3).random((3, size, size), dtype=np.float32)
    image[:, 0] = image[:1, 0]
    image[1, 1] = image[0, 1]
    image[2, 2] = image[1, 2]
    image[2, 3] = image[0, 3]
    image[:, 4] = np.round(image[:, 4])
    return image


def jitter(image: np.ndarray, factors: list[float], order: list[int]) -> np.ndarray:
    return np.asarray(
        jax.jit(color_jitter.color_jitter)(
            jnp.asarray(image), jnp.asarray(factors, jnp.float32), jnp.asarray(order, jnp.int32)
        )
    )


@pytest.mark.parametrize(
    ("adjustment", "factor"),
    [
        (color_jitter.BRIGHTNESS, 0.5),
        (color_jitter.BRIGHTNESS, 1.5),
        (color_jitter.CONTRAST, 0.0),
        (color_jitter.CONTRAST, 2.0),
        (color_jitter.SATURATION, 0.5),
        (color_jitter.SATURATION, 1.5),
        (color_jitter.HUE, -0.3),
        (color_jitter.HUE, 0.3),
        (color_jitter.HUE, 0.5),
    ],
)
def test_each_adjustment_matches_its_formula(adjustment: int, factor: float) -> None:
    image = coloured()
    factors = [1.0, 1.0, 1.0, 0.0]
    factors[adjustment] = factor
    result = jitter(image, factors, [0, 1, 2, 3])
    expected = expected_adjustment(image.astype(np.float64), adjustment, factor)
    # A handful of float32 operations on values up to 6 (sixths of a turn).
    np.testing.assert_allclose(result, expected, atol=2e-6)
    assert np.abs(result - image).max() > 0.1


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]])
def test_adjustments_follow_the_order(order: list[int]) -> None:
    image = coloured()
    factors = [1.4, 1.7, 0.6, 0.2]
    expected = image.astype(np.float64)
    for adjustment in order:
        expected = expected_adjustment(expected, adjustment, factors[adjustment])
    np.testing.assert_allclose(jitter(image, factors, order), expected, atol=1e-5)


def test_results_are_float32_images_within_range() -> None:
    images, labels = batch(40, 8)
    new_images, new_labels = run(augment_config(), images, labels, list(range(8)))
    assert new_images.dtype == np.float32 and new_labels.dtype == np.int32
    assert new_images.shape == images.shape and new_labels.shape == labels.shape
    assert new_images.min() >= 0.0 and new_images.max() <= 1.0
    assert np.abs(new_images - images).mean() > 0.05
    assert set(np.unique(new_labels)) <= set(range(CLASSES))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop": "corner"}, r"augment\.crop is 'corner'.*uniform, centred"),
        ({"fill": "white"}, r"augment\.fill is 'white'.*background, ignore"),
        ({"scale": (0.0, 1.0)}, r"augment\.scale is \(0\.0, 1\.0\)"),
        ({"scale": (2.0, 1.0)}, r"augment\.scale is \(2\.0, 1\.0\).*low ≤ high"),
        ({"hue": (-0.6, 0.1)}, r"augment\.hue is \(-0\.6, 0\.1\)"),
        ({"contrast": (-1.0, 1.0)}, r"augment\.contrast"),
        ({"contrast": (1.0, 1001.0)}, r"augment\.contrast.*at most 1000"),
        ({"rotation_degrees": -5.0}, r"augment\.rotation_degrees is -5\.0"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, object], message: str) -> None:
    images, labels = batch(8, 1)
    with pytest.raises(ValueError, match=message):
        run(augment_config(**changes), images, labels, [0])


def test_wrong_shapes_and_flips_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    key = example_key(0, 0, 0)
    image, labels = example(size=8)
    options = {"ignore_label": IGNORE, "flip_classes": FLIP}
    with pytest.raises(ValueError, match=r"\(8, 6, 3\)"):
        augmentation.augment(key, image[:, :6], labels[:, :6], augment_config(), **options)
    flipped = augment_config(horizontal_flip=True)
    with pytest.raises(ValueError, match="permutation"):
        augmentation.augment(
            key, image, labels, flipped, ignore_label=IGNORE, flip_classes=(0, 1, 1)
        )
    monkeypatch.setattr(augmentation, "_LARGEST_CANVAS", 15)
    with pytest.raises(ValueError, match=r"too little for images of 8²"):
        augmentation.augment(key, image, labels, augment_config(), **options)
