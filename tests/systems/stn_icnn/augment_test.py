"""STN-iCNN's augmentation: what is drawn, against PyTorch on the unpadded picture, and its noise."""

import functools
import json
from collections.abc import Callable

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest
from needs_torch import torch

from fpliif_jax.data.canvas import canvas_window
from fpliif_jax.nn.warp import Geometry, example_key
from fpliif_jax.systems.stn_icnn import augment as augment_icnn
from fpliif_jax.systems.stn_icnn.augment import NOISE, ROTATION, SCALE, SHIFT

CLASSES = 9
NEUTRAL = {"rotation_degrees": 0.0, "shift": 0.0, "scale": (1.0, 1.0), "noise_sd": 0.0}


def augment_config(**changes: object) -> ml_collections.ConfigDict:
    config = {
        "enabled": True,
        "copies": 5,
        "rotation_degrees": 15.0,
        "shift": 0.2,
        "scale": (0.2, 1.2),
        "noise_sd": 0.1,
        "noise_on_black": False,
    }
    return ml_collections.ConfigDict({**config, **changes})


def canvas(size: tuple[int, int], side: int = 32, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A picture of noise, without black pixels or background, on a canvas."""
    rng = np.random.default_rng(seed)
    image, labels = np.zeros((side, side, 3), np.float32), np.zeros((side, side), np.int32)
    window = canvas_window(side, size)
    image[window] = rng.uniform(0.1, 1, (*size, 3))
    labels[window] = rng.integers(1, CLASSES, size)
    return image, labels


@functools.cache
def compiled(config_json: str) -> Callable[..., tuple[jax.Array, jax.Array]]:
    config = ml_collections.ConfigDict(json.loads(config_json))
    return jax.jit(lambda *arrays: augment_icnn.augment_batch(*arrays, config))


def run(
    config: ml_collections.ConfigDict,
    examples: list[tuple[np.ndarray, np.ndarray]],
    sizes: list[tuple[int, int]],
    ids: list[int],
    copies: list[int],
    epoch: int = 0,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    images, labels = (jnp.asarray(np.stack(part)) for part in zip(*examples, strict=True))
    count = len(ids)
    batch = {"seed": [seed] * count, "epoch": [epoch] * count, "example_ids": ids}
    batch |= {"copy": copies, "image_sizes": sizes}
    batch = {name: jnp.asarray(values, jnp.int32) for name, values in batch.items()}
    result = compiled(config.to_json())(batch, images, labels)
    return np.asarray(result[0]), np.asarray(result[1])


def sample(
    config: ml_collections.ConfigDict, copy: int, count: int, size: tuple[int, int] = (20, 30)
) -> tuple[Geometry, np.ndarray]:
    keys = jax.vmap(lambda i: example_key(0, 0, i))(jnp.arange(count))
    draw = jax.vmap(
        lambda key: augment_icnn.sample_parameters(
            key, jnp.int32(copy), jnp.asarray(size, jnp.int32), config
        )
    )
    geometry, done = draw(keys)
    return Geometry(*(np.asarray(values, float) for values in geometry)), np.asarray(done)


def test_copy_0_is_the_input_bit_for_bit() -> None:
    sizes = [(32, 32), (21, 32), (32, 7)]
    examples = [canvas(size) for size in sizes]
    images, labels = run(augment_config(), examples, sizes, [0, 1, 2], [0] * 3)
    for image, label_map, example in zip(images, labels, examples, strict=True):
        assert image.tobytes() == example[0].tobytes()
        assert label_map.tobytes() == example[1].tobytes()


def test_disabled_gives_back_the_input() -> None:
    example = canvas((20, 30))
    images, labels = run(augment_config(enabled=False), [example], [(20, 30)], [3], [4])
    np.testing.assert_array_equal(images[0], example[0])
    np.testing.assert_array_equal(labels[0], example[1])


@pytest.mark.parametrize("copy", range(5))
def test_a_copy_has_as_many_operations_each_choice_as_likely(copy: int) -> None:
    count = 3000
    geometry, done = sample(augment_config(), copy, count)
    assert (done.sum(axis=1) == copy).all()
    chosen, counts = np.unique(done, axis=0, return_counts=True)
    choices = len(chosen)
    assert choices == [1, 4, 6, 4, 1][copy]
    # Five standard deviations of a binomial count.
    assert np.abs(counts - count / choices).max() <= 5 * np.sqrt(count / choices)
    # What is not chosen is not done; what is chosen is, but with probability 0.
    np.testing.assert_array_equal(geometry.rotation != 0, done[:, ROTATION])
    np.testing.assert_array_equal(geometry.scale != 1, done[:, SCALE])
    for offset in (geometry.offset_y, geometry.offset_x):
        np.testing.assert_array_equal(offset != 0, done[:, SHIFT])
    assert not geometry.shear.any() and not geometry.flip.any()


@pytest.mark.parametrize("operation", range(4))
def test_pixels_change_as_often_as_the_operation_is_chosen(operation: int) -> None:
    field = {ROTATION: "rotation_degrees", SHIFT: "shift", SCALE: "scale", NOISE: "noise_sd"}
    kept = {name: value for name, value in NEUTRAL.items() if name != field[operation]}
    config, size, count = augment_config(**kept), (16, 16), 160
    if operation == ROTATION:
        config.rotation_degrees = 90.0
    for copy in range(1, 5):
        example = canvas(size, side=16)
        images, labels = run(
            config, [example] * count, [size] * count, list(range(count)), [copy] * count
        )
        changed = (images != example[0]).any(axis=(1, 2, 3))
        # Four standard deviations of a share of 160; the seed is fixed.
        share = copy / 4
        assert abs(changed.mean() - share) <= 4 * np.sqrt(share * (1 - share) / count) + 1e-9
        moved = (labels != example[1]).any(axis=(1, 2))
        if operation == NOISE:
            assert not moved.any()
        else:  # a turn or a shift of less than half a pixel moves no label
            assert not (moved & ~changed).any() and moved.sum() > 0.8 * changed.sum()


def test_parameters_are_uniform_over_their_ranges() -> None:
    height, width = 20, 30
    drawn, _ = sample(augment_config(), 4, 2000, (height, width))
    columns = {
        "rotation": (np.rad2deg(drawn.rotation), -15, 15),
        "down": (drawn.offset_y / height, -0.2, 0.2),
        "right": (drawn.offset_x / width, -0.2, 0.2),
        "scale": (drawn.scale, 0.2, 1.2),
    }
    for name, (values, low, high) in columns.items():
        span = high - low
        assert values.min() >= low - 1e-5 * span and values.max() <= high + 1e-5 * span, name
        # Five standard errors of the mean of 2,000 uniform draws: 5 · span / √12 / √2000.
        assert abs(values.mean() - (low + high) / 2) < 0.033 * span, name
        assert abs(values.std() - span / np.sqrt(12)) < 0.02 * span, name
    table = np.array([values for values, _, _ in columns.values()])
    # 5 / √2000: no two parameters share their randomness.
    assert np.abs(np.corrcoef(table) - np.eye(4)).max() < 0.11


def test_what_is_done_does_not_depend_on_how_far() -> None:
    drawn, done = sample(augment_config(), 2, 2000, (20, 30))
    columns = {
        "rotation": (np.rad2deg(drawn.rotation), -15, 15, ROTATION),
        "down": (drawn.offset_y / 20, -0.2, 0.2, SHIFT),
        "right": (drawn.offset_x / 30, -0.2, 0.2, SHIFT),
        "scale": (drawn.scale, 0.2, 1.2, SCALE),
    }
    for name, (values, low, high, operation) in columns.items():
        chosen = values[done[:, operation]]
        # Five standard errors of the mean of some 1,000 uniform draws.
        tolerance = 5 * (high - low) / np.sqrt(12 * len(chosen))
        assert len(chosen) > 800 and abs(chosen.mean() - (low + high) / 2) < tolerance, name


@pytest.mark.parametrize(
    ("degrees", "scale", "shift", "size"),
    [
        (12.0, 1.0, (0.0, 0.0), (32, 48)),
        (0.0, 0.37, (0.0, 0.0), (48, 20)),
        (0.0, 1.0, (-4.71, 6.13), (40, 30)),
        (-15.0, 1.2, (5.3, -8.6), (26, 48)),
        (9.0, 0.6, (-9.1, 3.7), (48, 48)),
    ],
)
def test_the_warp_is_that_of_the_unpadded_picture(
    degrees: float,
    scale: float,
    shift: tuple[float, float],
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even margins, so that picture and canvas have one centre. `shift` is (down, right)."""
    radians, side = np.deg2rad(degrees), 48
    offset = (-shift[0], -shift[1])
    geometry = Geometry(*(jnp.float32(v) for v in (radians, 0.0, scale, *offset, 0.0)))
    done = jnp.array([True, True, True, False])
    monkeypatch.setattr(augment_icnn, "sample_parameters", lambda *_: (geometry, done))
    image, labels = canvas(size, side)
    new_image, new_labels = augment_icnn.augment(
        example_key(0, 0, 0),
        jnp.int32(3),
        jnp.asarray(image),
        jnp.asarray(labels),
        jnp.asarray(size, jnp.int32),
        augment_config(),
    )
    # torchvision's RandomAffine: turn (clockwise) and scale about the centre, then shift.
    cos, sin = scale * np.cos(radians), scale * np.sin(radians)
    forward = np.array([[cos, -sin, shift[1]], [sin, cos, shift[0]], [0, 0, 1]])
    height, width = size
    to_unit = np.diag([2 / width, 2 / height, 1])
    theta = to_unit @ np.linalg.inv(forward) @ np.linalg.inv(to_unit)
    grid = torch.nn.functional.affine_grid(
        torch.from_numpy(theta[None, :2]), [1, 1, height, width], align_corners=False
    )
    window = canvas_window(side, size)

    def expected(source: np.ndarray, mode: str) -> np.ndarray:
        planar = torch.from_numpy(np.moveaxis(source[window], -1, 0).astype(np.float64))[None]
        sampled = torch.nn.functional.grid_sample(planar, grid, mode, align_corners=False)
        whole = np.zeros((side, side, source.shape[-1]))
        whole[window] = np.moveaxis(sampled[0].numpy(), 0, -1)
        return whole

    # Source positions are exact to .002 pixels, neighbouring pixels differ by at most 1, in y and x.
    np.testing.assert_allclose(new_image, expected(image, "bilinear"), atol=0.004)
    differing = np.asarray(new_labels) != expected(labels[..., None], "nearest")[..., 0]
    assert differing.mean() < 0.008  # where a position is within .002 of two pixels' border


@pytest.mark.parametrize("size", [(32, 15), (8, 32), (31, 31), (13, 20)])
def test_nothing_leaves_the_picture(size: tuple[int, int]) -> None:
    window = canvas_window(32, size)
    examples = [canvas(size)] * 24
    config = augment_config(scale=(1.1, 1.2), noise_on_black=True)
    images, labels = run(config, examples, [size] * 24, list(range(24)), [2, 3, 4] * 8)
    outside = np.ones((32, 32), bool)
    outside[window] = False
    assert not images[:, outside].any() and not labels[:, outside].any()
    # Content gets to every border of the rectangle, so it is not cut shorter either.
    present = (labels[(slice(None), *window)] > 0).any(axis=0)
    assert present[[0, -1]].any(axis=1).all() and present[:, [0, -1]].any(axis=0).all()


def test_noise_is_gaussian_and_only_where_the_picture_is() -> None:
    size, window = (40, 24), canvas_window(40, (40, 24))
    image, labels = np.zeros((40, 40, 3), np.float32), np.zeros((40, 40), np.int32)
    image[window] = 0.5
    image[4:12, 12:20] = 0
    image[4:12, 20:24] = (0, 0.5, 0)  # not black
    kept = {name: value for name, value in NEUTRAL.items() if name != "noise_sd"}
    for on_black in (False, True):
        config = augment_config(**kept, noise_on_black=on_black)
        images, _ = run(config, [(image, labels)] * 2, [size] * 2, [0, 1], [4, 4])
        noise = images - image
        picture = np.zeros((40, 40), bool)
        picture[window] = True
        black = (image == 0).all(axis=-1)
        noisy = (noise != 0).any(axis=-1)
        assert not noisy[:, ~picture].any()
        assert noisy[:, picture & ~black].all()
        assert noisy[:, picture & black].any() == on_black
        flat = noise[:, 12:, 8:32]
        # 2 · 28 · 24 · 3 draws: five standard errors of mean and standard deviation.
        assert abs(flat.mean()) < 5 * 0.1 / np.sqrt(flat.size)
        assert abs(flat.std() - 0.1) < 5 * 0.1 / np.sqrt(2 * flat.size)
        assert abs((np.abs(flat) < 0.1).mean() - 0.6827) < 5 * 0.466 / np.sqrt(flat.size)
        # Channels and examples have their own noise: 5 / √(28 · 24).
        channels = np.moveaxis(flat, -1, 1).reshape(6, -1)
        assert np.abs(np.corrcoef(channels) - np.eye(6)).max() < 0.2
    strong = augment_config(**kept, noise_sd=2.0)
    noisy = run(strong, [(image, labels)], [size], [0], [4])[0]
    assert noisy.min() == 0 and noisy.max() == 1


@pytest.mark.slow
def test_an_example_does_not_depend_on_its_batch() -> None:
    """Labels are computed in integers and must agree exactly; images may differ by rounding.

    An image passes some ten float32 operations of values up to 1: below 1e-5.
    """
    sizes = [(32, 32), (20, 32), (32, 11), (17, 30), (32, 32)]
    examples = [canvas(size, seed=i) for i, size in enumerate(sizes)]
    ids, copies = [11, 3, 40, 7, 29], [4, 1, 3, 2, 4]
    config = augment_config(scale=(0.6, 1.2))
    together = run(config, examples, sizes, ids, copies, epoch=4)
    for order in ([3, 0, 4, 2, 1], [2], [4], [1, 0]):

        def pick(values: list, order: list[int] = order) -> list:
            return [values[i] for i in order]

        some = run(config, pick(examples), pick(sizes), pick(ids), pick(copies), epoch=4)
        np.testing.assert_array_equal(some[1], together[1][order])
        np.testing.assert_allclose(some[0], together[0][order], atol=1e-5)


def test_seed_epoch_example_and_copy_each_change_the_result() -> None:
    example, size = canvas((32, 32)), (32, 32)
    config = augment_config()

    def one(example_id: int, copy: int, epoch: int, seed: int) -> np.ndarray:
        return run(config, [example], [size], [example_id], [copy], epoch, seed)[0][0]

    first = one(5, 4, 2, 1)
    np.testing.assert_array_equal(first, one(5, 4, 2, 1))
    for other in (one(6, 4, 2, 1), one(5, 4, 3, 1), one(5, 4, 2, 2), one(2, 4, 5, 1)):
        assert np.abs(first - other).mean() > 0.01


def test_copies_of_an_image_have_their_own_randomness() -> None:
    kept = {name: value for name, value in NEUTRAL.items() if name != "noise_sd"}
    config, size, count = augment_config(**kept), (16, 16), 12
    example = canvas(size, side=16)
    third, fourth = (
        run(config, [example] * count, [size] * count, list(range(count)), [copy] * count)[0]
        for copy in (3, 4)
    )
    noisy = (third != example[0]).any(axis=(1, 2, 3))
    assert noisy.sum() > 4
    assert ((third - fourth)[noisy] != 0).mean() > 0.9


def test_padding_rows_stay_black() -> None:
    black = np.zeros((16, 16, 3), np.float32), np.zeros((16, 16), np.int32)
    images, labels = run(augment_config(noise_on_black=True), [black], [(0, 0)], [-1], [4])
    assert not images.any() and not labels.any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"copies": 0}, r"augment\.copies is 0; it must be at least 1"),
        ({"copies": 6}, r"augment\.copies is 6; it must be at most 5"),
        ({"rotation_degrees": 181.0}, r"augment\.rotation_degrees is 181\.0"),
        ({"shift": -0.1}, r"augment\.shift is -0\.1"),
        ({"shift": 1.5}, r"augment\.shift is 1\.5"),
        ({"scale": (0.01, 1.0)}, r"augment\.scale is \(0\.01, 1\.0\)"),
        ({"scale": (1.2, 0.2)}, r"augment\.scale is \(1\.2, 0\.2\).*low ≤ high"),
        ({"noise_sd": -1.0}, r"augment\.noise_sd is -1\.0"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(augment_config(**changes), [canvas((8, 8), 8)], [(8, 8)], [0], [1])


@pytest.mark.parametrize(
    ("side", "changes", "fits"),
    [
        (1024, {}, True),
        (1024, {"scale": (0.05, 1.0)}, False),
        (512, {"scale": (0.05, 1.0)}, True),
        (512, {"scale": (0.05, 1.0), "shift": 1.0}, False),
        (16384, {"scale": (2.0, 3.0)}, False),  # without (c) the scale is 1
    ],
)
def test_canvases_too_large_for_the_warp_are_refused(
    side: int, changes: dict[str, object], fits: bool
) -> None:
    def trace() -> None:
        jax.eval_shape(
            lambda image, labels: augment_icnn.augment(
                example_key(0, 0, 0),
                jnp.int32(4),
                image,
                labels,
                jnp.array([side, side]),
                augment_config(**changes),
            ),
            jax.ShapeDtypeStruct((side, side, 3), jnp.float32),
            jax.ShapeDtypeStruct((side, side), jnp.int32),
        )

    if fits:
        trace()
    else:
        with pytest.raises(ValueError, match=r"too little for a canvas of"):
            trace()


def test_images_that_are_not_square_are_refused() -> None:
    image, labels = canvas((8, 8), 8)
    with pytest.raises(ValueError, match=r"\(8, 6, 3\)"):
        augment_icnn.augment(
            example_key(0, 0, 0),
            jnp.int32(1),
            jnp.asarray(image[:, :6]),
            jnp.asarray(labels[:, :6]),
            jnp.array([8, 6]),
            augment_config(),
        )
