"""Tests of fpliif_jax.systems.stn_icnn.stages: what each stage of STN-iCNN trains, on how many devices."""

import functools
import types
from collections.abc import Callable
from typing import Any

import draws
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy import ndimage
from tiny_icnn_run import tiny_icnn_config

from fpliif_jax import systems
from fpliif_jax.data.batches import blank_batch
from fpliif_jax.data.facial_parts import PART_NAMES
from fpliif_jax.data_builders.class_names import FACIAL_PARTS
from fpliif_jax.devices import parallel
from fpliif_jax.fields import config_fields
from fpliif_jax.systems import create_model
from fpliif_jax.systems.stage import Stage
from fpliif_jax.systems.stn_icnn import settings as stn_icnn_settings
from fpliif_jax.systems.stn_icnn import stages as icnn_stages
from fpliif_jax.systems.stn_icnn import windows
from fpliif_jax.systems.stn_icnn.loss_of_parts import part_targets
from fpliif_jax.systems.stn_icnn.model import STNICNN
from fpliif_jax.training.step import init_variables, loss_and_gradients

NETWORKS = {
    "coarse": {"coarse"},
    "localisation": {"localisation"},
    "end_to_end": {"coarse", "localisation", "fine"},
}
WINDOWS_MOVE = 0.003  # of how far they move by the image as initialised: 16 pixels


def _batch(examples: int, rows: int) -> dict[str, np.ndarray]:
    """The same random examples, padded to `rows` (at most 8) as the loader does."""
    random = np.random.default_rng(0)
    side = 48
    labels = np.zeros((8, side, side), np.uint8)
    for label in range(1, 9):  # blocks where a face has its parts, jittered
        for index in range(8):
            y, x = (8 + 4 * label + random.integers(-2, 3), random.integers(8, 36))
            labels[index, y : y + 4, x : x + 7] = label
    # Smooth, as photographs are: the slopes of noise would multiply the rounding errors of θ.
    images = ndimage.gaussian_filter(random.random((8, side, side, 3)), (0, 3, 3, 0))
    images = (images - images.min()) / (images.max() - images.min())
    batch = blank_batch(rows, side, side) | {
        "images": (255 * images).astype(np.uint8)[:rows],
        "labels": labels[:rows],
    }
    for name in ("images", "labels", "image_sizes", "weights"):
        batch[name][examples:] = 0
    batch["example_ids"][examples:] = -1
    return batch


def _stage(config: ml_collections.ConfigDict, name: str, axis: str | None = None) -> Stage:
    config.train.stages = (name,)
    (stage,) = systems.of(config).training.make_stages(
        config, create_model(config.model, axis), FACIAL_PARTS
    )
    return stage


@pytest.fixture(scope="module")
def variables() -> dict[str, Any]:
    """As initialised, but with windows whose every row and column is about a quarter of a pixel from a border.

    Their rows are a pixel or half a pixel apart, and the images move them by some hundredths of one.
    """
    config = tiny_icnn_config()
    found = init_variables(create_model(config.model), config)
    theta = np.zeros((6, 2, 3), np.float32)
    for part, axis in np.ndindex(6, 2):
        apart = (1, 0.5)[(part + axis) % 2]  # pixels
        centre = 3.25 + 8 * part - 2 * axis  # the outer ones stick out
        theta[part, axis, axis] = (config.model.crop_size - 1) * apart / 47
        theta[part, axis, 2] = 2 * centre / 47 - 1
    dense = found["params"]["localisation"]["dense"]
    found["params"]["localisation"]["dense"] = {
        "bias": theta.reshape(-1),
        "kernel": WINDOWS_MOVE * dense["kernel"],
    }
    return found


Result = tuple[dict, dict, dict]  # losses, gradients, batch statistics


@pytest.fixture(scope="module")
def gradients(variables: dict[str, Any]) -> Callable[..., Result]:
    """Computes each case once: nearly all of the time goes into compiling."""
    computed: dict[tuple[str, int], Callable[[int], Result]] = {}

    def compute(name: str, devices: int = 1, draw: int = 0) -> Result:
        case = (name, devices)
        if case not in computed:
            computed[case] = _gradients(tiny_icnn_config(), name, variables, devices)
        return computed[case](draw)

    return compute


def _gradients(
    config: ml_collections.ConfigDict, name: str, variables: dict[str, Any], devices: int
) -> Callable[[int], Result]:
    """The function of the draw."""
    step, shards = _step_and_shards(config, name, devices)

    @functools.cache
    def of_draw(draw: int) -> Result:
        found = step(draws.variables_of_draw(variables, draw), shards)
        return jax.tree.map(lambda leaf: np.asarray(leaf)[0], found)

    return of_draw


def _step_and_shards(
    config: ml_collections.ConfigDict, name: str, devices: int
) -> tuple[Callable[..., Result], dict[str, np.ndarray]]:
    """The pmapped `loss_and_gradients` of (variables, shards), and its shards of five examples."""
    stage = _stage(config, name, parallel.AXIS)
    batch = _batch(5, 5 if devices == 1 else 8)
    shards = jax.tree.map(lambda leaf: leaf.reshape(devices, -1, *leaf.shape[1:]), batch)
    step = jax.pmap(
        lambda variables, batch: loss_and_gradients(
            stage, variables["params"], variables["batch_stats"], batch, microbatch=0
        ),
        axis_name=parallel.AXIS,
        in_axes=(None, 0),
        devices=jax.devices()[:devices],
    )
    return step, shards


def _prepared(stage: Stage, batch: dict[str, np.ndarray], name: str) -> jax.Array:
    """One of what the stage prepares; nothing else is compiled."""
    return jax.jit(lambda batch: stage.prepare(batch)[name])(batch)


@pytest.mark.slow
def test_the_windows_of_all_draws_stay_away_from_the_borders_of_pixels(
    variables: dict[str, Any],
) -> None:
    """Bilinear sampling has a kink at whole pixels, nearest neighbours jump half way between two."""
    config = tiny_icnn_config()
    model = create_model(config.model)
    resized = _prepared(_stage(config, "end_to_end"), _batch(5, 5), "resized")

    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def windows(variables: dict[str, Any]) -> jax.Array:
        def theta(model: STNICNN) -> jax.Array:
            return model.localise(model.label_coarsely(resized, train=True), 48, train=True)

        return model.apply(variables, method=theta, mutable=["batch_stats"])[0]

    for draw in draws.DRAWS:
        theta = np.asarray(windows(draws.variables_of_draw(variables, draw)))
        grid = np.linspace(-1, 1, config.model.crop_size)
        for axis in range(2):
            scale, shift = theta[..., axis, axis, None], theta[..., axis, 2, None]
            halves = (grid * scale + shift + 1) * 47  # in half pixels
            # Rounding of the parameters moves a row by 1e-6 pixels.
            assert np.abs(halves - np.round(halves)).min() / 2 > 0.1
        assert np.ptp(theta, axis=0).max() > 1e-4, "the windows do not depend on the image"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coarse", "localisation", "end_to_end"])
def test_one_and_four_devices_give_the_same_gradient(
    name: str, gradients: Callable[..., Result]
) -> None:
    # The four devices hold 2, 2, 1 and 0 examples; the last one has only padding.
    differences: dict[str, list[float]] = {network: [] for network in NETWORKS[name]}
    for draw in draws.DRAWS:
        alone, spread = gradients(name, draw=draw), gradients(name, devices=4, draw=draw)
        for found, wanted in ((spread[0], alone[0]), (spread[2], alone[2])):  # losses, statistics
            jax.tree.map(
                lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6),
                found,
                wanted,
            )
        for network in NETWORKS[name]:
            wanted, found = (ravel_pytree(result[1][network])[0] for result in (alone, spread))
            differences[network].append(
                float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
            )
    for network in NETWORKS[name]:
        print(name, network, " ".join(f"{number:.1e}" for number in differences[network]))
        # 4e-6 is what comes out, and 3e-3 where an activation or a maximum flips.
        draws.assert_all_but_jumps_agree(differences[network], rounding=5e-5, jump=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coarse", "localisation", "end_to_end"])
def test_only_the_networks_of_a_stage_have_gradients_and_new_statistics(
    name: str, variables: dict[str, Any], gradients: Callable[..., Result]
) -> None:
    _, found, batch_stats = gradients(name)
    assert set(found) == NETWORKS[name]
    for network in NETWORKS[name]:
        assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(found[network])) > 0
    assert _changed(variables["batch_stats"], batch_stats) == NETWORKS[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "field", "value", "trained"),
    [
        ("end_to_end", "train.end_to_end.fine_learning_rate", 0.0, {"coarse", "localisation"}),
        ("localisation", "train.frozen_batch_norm", "training", {"localisation"}),
    ],
    ids=["a rate of zero", "as in the authors' loop"],
)
def test_what_is_frozen(
    name: str, field: str, value: object, trained: set[str], variables: dict[str, Any]
) -> None:
    """A rate of zero freezes a network and its statistics, which go on changing in the authors' loop."""
    config = tiny_icnn_config()
    config.update_from_flattened_dict({field: value})
    step, shards = _step_and_shards(config, name, devices=1)
    assert set(jax.eval_shape(step, variables, shards)[1]) == trained
    stage, batch = _stage(config, name), _batch(5, 5)
    # Forwards alone, which is compiled in a third of the time.
    batch_stats = jax.jit(lambda given: stage.sums(given, stage.prepare(batch))[1])(variables)
    assert _changed(variables["batch_stats"], batch_stats) == {"coarse", "localisation"}


def test_joint_training_can_leave_the_statistics_of_k_and_l_as_they_are(
    variables: dict[str, Any],
) -> None:
    config = tiny_icnn_config()
    config.train.end_to_end.batch_norm = "fine"
    stage, batch = _stage(config, "end_to_end"), _batch(5, 5)
    assert all(rate > 0 for rate in stage.learning_rates.values())
    batch_stats = jax.jit(lambda given: stage.sums(given, stage.prepare(batch))[1])(variables)
    assert _changed(variables["batch_stats"], batch_stats) == {"fine"}


def _changed(before: dict, after: dict) -> set[str]:
    """Networks of which any statistics differ."""
    return {
        network
        for network, tree in before.items()
        if not jax.tree.all(jax.tree.map(np.array_equal, tree, after[network]))
    }


def test_true_windows_are_centred_on_the_parts() -> None:
    settings = stn_icnn_settings.resolve(tiny_icnn_config().model)
    labels = _batch(3, 3)["labels"].astype(np.int32)
    labels[1][labels[1] == 2] = 0
    labels[2][labels[2] == 7] = 0  # a closed mouth
    theta, present = windows.true_windows(jnp.asarray(labels), settings)
    np.testing.assert_array_equal(present, [[1] * 6, [1, 0, 1, 1, 1, 1], [1] * 6])
    for index in range(3):
        for part, own in enumerate([(1,), (2,), (3,), (4,), (5,), (6, 7, 8)]):
            own = [label for label in own if (labels[index] == label).any()]
            if own:
                found = ndimage.center_of_mass(np.ones((48, 48)), labels[index], own)
                centre = np.floor(np.mean(found, axis=0))
                shift = (np.asarray(theta)[index, part, ::-1, 2] + 1) / 2 * 47
                np.testing.assert_allclose(shift, centre, atol=1e-5)
    np.testing.assert_allclose(theta[..., 0, 0], 12 / 47, rtol=1e-6)
    with settings.unlocked():
        settings.absent_part = "image_centre"
    theta, present = windows.true_windows(jnp.asarray(labels), settings)
    assert present.all()
    assert float((theta[1, 1, 0, 2] + 1) / 2 * 47) == pytest.approx(23, abs=1e-5)


@pytest.mark.slow
def test_an_absent_part_is_no_target(variables: dict[str, Any]) -> None:
    """Whatever stands where a part is missing, stages 2 and 'fine' do not learn from it."""
    batch = _batch(2, 2)
    batch["labels"][batch["labels"] == 3] = 0
    for name in ("localisation", "fine"):
        stage = _stage(tiny_icnn_config(), name)
        weights = _prepared(stage, batch, "part_weights")
        np.testing.assert_array_equal(weights, [[1, 1, 0, 1, 1, 1]] * 2)

    def compute(variables: dict[str, Any], batch: dict[str, Any]) -> tuple:
        inputs = stage.prepare(batch)
        found, _ = stage.sums(variables, inputs)
        return found, *stage.total(found, stage.normalisers(inputs))

    found, loss, losses = jax.jit(compute)(variables, batch)
    assert float(found["eye1"]) == 0
    assert float(losses["eye1"]) == 0
    assert np.isfinite(loss)


def _normalisers(stage: Stage, batch: dict[str, np.ndarray]) -> dict[str, jax.Array]:
    return jax.jit(lambda batch: stage.normalisers(stage.prepare(batch)))(batch)


def test_normalisers_count_what_is_there_and_no_padding() -> None:
    batch = _batch(3, 4)
    batch["labels"][1][batch["labels"][1] == 3] = 0  # the first eye
    parts = dict.fromkeys(PART_NAMES, 3 * 13**2)
    expected = {
        "coarse": {"pixels": 3 * 32**2},
        "localisation": {"entries": 17 * 6},  # of θ, for each part that is there
        "fine": parts | {"eye1": 2 * 13**2},
        "end_to_end": parts,  # the predicted windows are there whatever they show
    }
    for name, counts in expected.items():
        config = tiny_icnn_config()
        config.augment.enabled = False
        stage = _stage(config, name)
        found = _normalisers(stage, batch)
        assert {part: float(count) for part, count in found.items()} == counts, name
    # Where parts that are not there have windows, padding has none all the same.
    config = tiny_icnn_config()
    config.augment.enabled, config.model.absent_part = False, "image_centre"
    for name in ("localisation", "fine"):
        weights = _prepared(_stage(config, name), batch, "part_weights")
        np.testing.assert_array_equal(weights, [[1] * 6] * 3 + [[0] * 6])


@pytest.mark.parametrize(
    "labels_from", config_fields.FIELDS["train.end_to_end.labels_from"].rule.values
)
def test_the_truth_of_the_joint_training_is_what_these_windows_show(labels_from: str) -> None:
    """§2.1: the predicted ones. Logits that are right there and nowhere else have no loss."""
    config = tiny_icnn_config()
    settings = stn_icnn_settings.resolve(config.model)
    config.train.stages = ("end_to_end",)
    config.train.end_to_end.labels_from = labels_from
    config.augment.enabled = False

    @jax.jit
    def compute(
        batch: dict[str, jax.Array],
    ) -> tuple[tuple[jax.Array, ...], dict[str, jax.Array]]:
        labels = batch["labels"].astype(jnp.int32)
        true, _ = windows.true_windows(labels, settings)
        predicted = true.at[..., 2].add(2 * 3 / 47)  # three pixels beside
        shown = predicted if labels_from == "predicted_windows" else true
        targets = part_targets(labels, shown, settings)
        logits = tuple(20 * jax.nn.one_hot(target, 4) - 10 for target in targets)
        found = {"theta": predicted, "part_logits": logits}
        model = types.SimpleNamespace(apply=lambda *_, **__: (found, {"batch_stats": {}}))
        (stage,) = systems.of(config).training.make_stages(config, model, FACIAL_PARTS)
        return targets, stage.sums({}, stage.prepare(batch))[0]

    targets, sums = compute(_batch(2, 2))
    for name, target in zip(PART_NAMES, targets, strict=True):
        assert target.max() > 0, "the windows show nothing"
        assert sums[name] < 0.01 * target.size, name


def test_a_part_without_a_true_window_has_no_loss_where_its_labels_are_asked_for() -> None:
    config = tiny_icnn_config()
    config.train.end_to_end.labels_from = "true_windows"
    config.augment.enabled = False
    batch = _batch(2, 2)
    batch["labels"][0][batch["labels"][0] == 1] = 0  # the first brow
    weights = jax.jit(_stage(config, "end_to_end").prepare)(batch)["part_weights"]
    np.testing.assert_array_equal(weights, [[0, 1, 1, 1, 1, 1], [1] * 6])


def test_augmentation_depends_on_seed_epoch_example_and_copy() -> None:
    config = tiny_icnn_config()
    augmented = jax.jit(lambda batch: icnn_stages._augmented(config, batch))
    batch = _batch(1, 1)
    batch["copy"] += 2  # copy 0 is the image itself
    image, _ = augmented(batch)
    np.testing.assert_array_equal(image, augmented(batch)[0])
    for field in ("seed", "epoch", "example_ids", "copy"):
        other, _ = augmented(batch | {field: batch[field] + 1})
        assert not np.array_equal(image, other), field


def test_each_stage_has_its_own_rates_and_is_chosen_by_its_own_score() -> None:
    config = tiny_icnn_config()
    config.train.stages = icnn_stages.STAGES
    rates = {"coarse": 0.1, "localisation": 0.2, "fine": 0.3}
    joint = {"coarse": 0.4, "localisation": 0.5, "fine": 0.6}
    for network, rate in rates.items():
        config.train[network].learning_rate = rate
        config.train.end_to_end[f"{network}_learning_rate"] = joint[network]
    found = systems.of(config).training.make_stages(
        config, create_model(config.model), FACIAL_PARTS
    )
    assert [stage.learning_rates for stage in found] == [{n: rates[n]} for n in rates] + [joint]
    score = systems.of(config).training.validation_score
    assert [(stage.validation_protocol, score(stage.name).name) for stage in found] == [
        ("coarse", "mean_f1"),
        ("coarse", "window_error"),
        ("true_windows", "mean_f1"),
        ("image", "mean_f1"),
    ]
    validated = {"mean_f1": 0.5, "window_error": {"mean": 2.0, "nose": 3.0}}
    assert [score(stage.name).quality(validated) for stage in found] == [0.5, -2.0, 0.5, 0.5]
    assert score("localisation").quality({"window_error": {"mean": None}}) is None
    assert [stage.fresh for stage in found] == [(), (), (), ("fine",)]
    config.train.end_to_end.fresh_fine = False
    assert _stage(config, "end_to_end").fresh == ()


def test_losses_of_parts_are_averaged_or_added() -> None:
    config = tiny_icnn_config()
    sums = {name: jnp.float32(value) for value, name in enumerate(PART_NAMES)}
    counts = {name: jnp.float32(2) for name in PART_NAMES}
    assert float(_stage(config, "fine").total(sums, counts)[0]) == pytest.approx(15 / 2 / 6)
    config.loss.part_reduction = "sum"
    assert float(_stage(config, "fine").total(sums, counts)[0]) == pytest.approx(15 / 2)


def test_epochs_and_batches_of_a_stage_are_its_own_or_the_runs() -> None:
    config = tiny_icnn_config()
    config.train.stages = icnn_stages.STAGES
    config.train.epochs = 7
    config.train.fine.epochs = 2
    config.train.end_to_end.batch_size = 3
    found = systems.of(config).training.make_stages(
        config, create_model(config.model), FACIAL_PARTS
    )
    assert [stage.settings.epochs for stage in found] == [7, 7, 2, 7]
    assert [stage.settings.batch_size for stage in found] == [8, 8, 8, 3]
    assert {stage.copies for stage in found} == {2}
    config.augment.enabled = False  # copies would be the same image again
    found = systems.of(config).training.make_stages(
        config, create_model(config.model), FACIAL_PARTS
    )
    assert {stage.copies for stage in found} == {1}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"train.stages": ("coarse", "refine")}, "config.train.stages"),
        ({"train.stages": ("coarse", "coarse")}, "config.train.stages"),
        ({"train.stages": ()}, "config.train.stages"),
        ({"model.cropper": "centroid"}, r"use \('coarse', 'fine'\)"),
        ({"loss.part_reduction": "max"}, "config.loss.part_reduction is 'max'"),
        ({"train.next_stage_from": "first"}, "config.train.next_stage_from is 'first'"),
        ({"train.frozen_batch_norm": "off"}, "config.train.frozen_batch_norm is 'off'"),
        ({"train.end_to_end.labels_from": "both"}, "config.train.end_to_end.labels_from is 'both'"),
        ({"train.end_to_end.batch_norm": "all"}, "config.train.end_to_end.batch_norm is 'all'"),
        ({"train.coarse.learning_rate": -1.0}, "must be above 0"),
        (
            {
                f"train.end_to_end.{network}_learning_rate": 0.0
                for network in icnn_stages.STAGES[:3]
            },
            "config.train.end_to_end: .*not all may be 0",
        ),
        ({"train.coarse.epochs": 0}, "config.train.coarse.epochs is 0"),
    ],
)
def test_impossible_stages_are_refused(fields: dict[str, object], message: str) -> None:
    config = tiny_icnn_config()
    config.update_from_flattened_dict(fields)
    with pytest.raises(ValueError, match=message):
        systems.of(config).training.make_stages(config, create_model(config.model), FACIAL_PARTS)
