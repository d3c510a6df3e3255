"""The camera among FP-LIIF's augmentations: its blur against SciPy, its low resolution against Pillow, its noise
against what is known of it; and that without it all is as it was before there was one."""

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from still_augmentation import STILL

from fpliif_jax.configs import fp_liif
from fpliif_jax.nn.warp import example_key
from fpliif_jax.systems.fp_liif import augment as augmentation
from fpliif_jax.systems.fp_liif import camera

SIZE = 40
OPTIONS = {"ignore_label": 255, "flip_classes": tuple(range(11))}
ALL = {
    "warmth": (0.1, 0.2),
    "blur": (0.01, 0.02),
    "low_resolution": (0.5, 0.6),
    "noise": (0.02, 0.03),
}


def settings(**changes: object) -> ml_collections.ConfigDict:
    config = fp_liif.get_config().augment
    config.update(changes)
    return config


def batch(count: int = 3) -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(0)
    images = rng.random((count, SIZE, SIZE, 3), dtype=np.float32)
    labels = rng.integers(0, 11, (count, SIZE, SIZE), dtype=np.int32)
    return jnp.asarray(images), jnp.asarray(labels)


def run(
    config: ml_collections.ConfigDict, images: jax.Array, labels: jax.Array, ids: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    seeds, epochs = (jnp.full(len(ids), value, jnp.int32) for value in (7, 3))
    numbers = {"seed": seeds, "epoch": epochs, "example_ids": jnp.asarray(ids, jnp.int32)}
    augment = jax.jit(lambda *arrays: augmentation.augment_batch(*arrays, config, **OPTIONS))
    new_images, new_labels = augment(numbers, images, labels)
    return np.asarray(new_images), np.asarray(new_labels)


def drawn(config: ml_collections.ConfigDict, count: int) -> camera.Camera:
    keys = jax.vmap(lambda i: example_key(0, 0, i))(jnp.arange(count))
    return jax.vmap(lambda key: camera.sample_camera(key, config))(keys)


@pytest.mark.parametrize("changes", [{}, ALL], ids=["no camera", "all of it"])
def test_the_other_augmentations_draw_what_they_drew_before_there_was_a_camera(
    changes: dict[str, object],
) -> None:
    """The numbers are those of the code before it, from the paper's ranges at 64²."""
    key = example_key(7, 3, 11)
    geometry, factors, order = augmentation.sample_parameters(key, 64, settings(**changes))
    before = [-0.24442390, 0.15501697, 1.66223097, 13.64808083, -18.50992394, 0.0]
    np.testing.assert_allclose(np.asarray(geometry), before, rtol=1e-6)
    before = [0.82109261, 1.66958189, 1.49436152, -0.02509847]
    np.testing.assert_allclose(factors, before, rtol=1e-6)
    assert order.tolist() == [2, 3, 0, 1]


def test_the_camera_comes_last_and_leaves_labels_alone() -> None:
    images, labels = batch()
    without_images, without_labels = run(settings(), images, labels, [4, 9, 2])
    new_images, new_labels = run(settings(**ALL), images, labels, [4, 9, 2])
    np.testing.assert_array_equal(new_labels, without_labels)
    for example, image, new in zip((4, 9, 2), without_images, new_images, strict=True):
        one = camera.sample_camera(example_key(7, 3, example), settings(**ALL))
        planes = camera.photograph(one, jnp.moveaxis(jnp.asarray(image), -1, 0), settings(**ALL))
        np.testing.assert_allclose(np.moveaxis(new, -1, 0), planes, atol=1e-5)
        assert np.abs(new - image).mean() > 0.02


def test_without_a_camera_its_code_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def unwanted(*_: object) -> None:
        raise AssertionError("the camera is off")

    images, labels = batch()
    earlier = settings()  # of a config from before there were the fields
    for field in (*camera.NEUTRAL, "low_resolution_chance"):
        del earlier[field]
    monkeypatch.setattr(camera, "sample_camera", unwanted)
    monkeypatch.setattr(camera, "photograph", unwanted)
    for one, other in zip(
        run(settings(), images, labels, [0, 1, 2]),
        run(earlier, images, labels, [0, 1, 2]),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_an_image_has_its_own_camera_whatever_its_batch() -> None:
    """As the other augmentations: up to rounding, of 2 · 40 products more."""
    images, labels = batch()
    config = settings(**ALL)
    together, _ = run(config, images, labels, [4, 9, 2])
    for place, example in enumerate((4, 9, 2)):
        alone, _ = run(config, images[place : place + 1], labels[place : place + 1], [example])
        np.testing.assert_allclose(alone[0], together[place], atol=1e-5)
    padded, _ = run(
        config, images[jnp.array([0, 1, 2, 0, 0])], labels[:1].repeat(5, 0), [4, 9, 2, 0, 0]
    )
    np.testing.assert_allclose(padded[:3], together, atol=1e-5)


@pytest.mark.parametrize("deviation", [0.3, 0.8, 2.5])
def test_blur_is_scipys(deviation: float) -> None:
    """Renormalised within the image: what SciPy makes of the image over what it makes of ones."""
    image = np.random.default_rng(1).random((SIZE, SIZE))
    options = {"sigma": deviation, "mode": "constant", "truncate": 12.0}
    expected = ndimage.gaussian_filter(image, **options)
    expected /= ndimage.gaussian_filter(np.ones_like(image), **options)
    along = np.asarray(camera.gaussian_matrix(jnp.float32(deviation), SIZE))
    np.testing.assert_allclose(along @ image @ along.T, expected, atol=1e-6)
    assert np.abs(expected - image).max() > 0.005


@pytest.mark.parametrize("pixels", [4, 10, 15, 23, 39])
def test_low_resolution_is_pillows(pixels: int) -> None:
    """Pillow has its weights in float64; here positions up to 40 are exact to 2e-6, on slopes up to 2."""
    image = np.random.default_rng(1).random((SIZE, SIZE), dtype=np.float32)
    small = Image.fromarray(image).resize((pixels, pixels), Image.Resampling.BILINEAR)
    expected = np.asarray(small.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    along = np.asarray(camera.low_resolution_matrix(jnp.float32(pixels / SIZE), SIZE))
    np.testing.assert_allclose(along @ image @ along.T, expected, atol=1e-5)
    assert np.abs(expected - image).max() > 0.05


def test_nothing_of_an_effect_is_the_image_bit_for_bit() -> None:
    for matrix in (
        camera.gaussian_matrix(jnp.float32(0.0), SIZE),
        camera.low_resolution_matrix(jnp.float32(1.0), SIZE),
    ):
        np.testing.assert_array_equal(matrix, np.eye(SIZE, dtype=np.float32))
    images, labels = batch()
    config = settings(**STILL, low_resolution=(0.3, 0.3), low_resolution_chance=0.0)
    np.testing.assert_array_equal(run(config, images, labels, [0, 1, 2])[0], images)


def test_noise_is_grey_gaussian_and_of_the_strength_that_was_drawn() -> None:
    config = settings(noise=(0.05, 0.05))
    image = jnp.full((3, 64, 64), 0.5, jnp.float32)
    one = camera.sample_camera(example_key(7, 3, 11), config)
    noise = np.asarray(camera.photograph(one, image, config), np.float64) - 0.5
    np.testing.assert_array_equal(noise[0], noise[2])
    grain = noise[0] / 0.05
    # Five standard errors of 4,096 values each: of the mean, of the deviation, of neighbours' correlation.
    assert abs(grain.mean()) < 5 / 64
    assert abs(grain.std() - 1) < 5 / 90
    assert abs((grain[:, 1:] * grain[:, :-1]).mean()) < 5 / 64
    assert abs((np.abs(grain) < 1).mean() - 0.6827) < 5 * 0.00728


def test_warmth_moves_red_against_blue() -> None:
    config = settings(**STILL, warmth=(0.1, 0.1))
    images = jnp.full((1, SIZE, SIZE, 3), 0.5, jnp.float32)
    new, _ = run(config, images, jnp.zeros((1, SIZE, SIZE), jnp.int32), [0])
    np.testing.assert_allclose(new[0, 5, 5], [0.55, 0.5, 0.45], rtol=1e-6)


def test_cameras_are_uniform_over_their_ranges_and_share_no_randomness() -> None:
    chance = 0.25
    config = settings(**ALL, low_resolution_chance=chance)
    cameras = drawn(config, 2000)
    is_low = np.asarray(cameras.resolution) < 1
    assert abs(is_low.mean() - chance) < 5 * np.sqrt(chance * (1 - chance) / 2000)
    everywhere = drawn(settings(**ALL), 2000)
    columns = dict(zip(ALL, (np.asarray(values) for values in everywhere[:4]), strict=True))
    for field, values in columns.items():
        low, high = ALL[field]
        span = high - low
        assert values.min() >= low - 1e-5 and values.max() <= high + 1e-5, field
        assert abs(values.mean() - (low + high) / 2) < 0.033 * span, field
        assert abs(values.std() - span / np.sqrt(12)) < 0.02 * span, field
    keys = jax.vmap(lambda i: example_key(0, 0, i))(jnp.arange(2000))
    geometry, factors, _ = jax.vmap(
        lambda key: augmentation.sample_parameters(key, 64, settings())
    )(keys)
    others = [geometry.rotation, geometry.shear, geometry.scale, *factors.T]
    table = np.array([*columns.values(), is_low, *map(np.asarray, others)], float)
    assert np.abs(np.corrcoef(table) - np.eye(len(table))).max() < 0.11


@pytest.mark.parametrize("field", camera.NEUTRAL)
def test_a_wrong_range_is_named(field: str) -> None:
    images, labels = batch(1)
    with pytest.raises(ValueError, match=rf"config\.augment\.{field} is \(2\.0, -2\.0\); it must"):
        run(settings(**{field: (2.0, -2.0)}), images, labels, [0])
