"""Tests of fpliif_jax.systems.fp_liif.stage."""

import jax
import numpy as np
import pytest
from class_lists import CELEBAMASK_HQ, LAPA
from tiny_run import tiny_config

from fpliif_jax import systems
from fpliif_jax.data_builders import BUILDERS
from fpliif_jax.data_builders.class_names import mirrored_classes
from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.systems import create_model
from fpliif_jax.training.step import init_variables


def test_mirrored_classes_swap_left_and_right_only() -> None:
    assert mirrored_classes(LAPA) == (0, 1, 3, 2, 5, 4, 6, 7, 8, 9, 10)
    # 'l_lip' is the lower lip: it has no 'r_lip' to swap with.
    found = mirrored_classes(CELEBAMASK_HQ)
    assert found == (0, 1, 2, 3, 5, 4, 7, 6, 9, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18)


@pytest.mark.parametrize("name", [name for name in BUILDERS if BUILDERS[name].CLASS_NAMES])
def test_mirroring_twice_is_nothing(name: str) -> None:
    names = tuple(BUILDERS[name].CLASS_NAMES)
    mirrored = mirrored_classes(names)
    assert [mirrored[index] for index in mirrored] == list(range(len(names)))


def _batch(count: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "images": random.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8),
        "labels": random.integers(0, 11, (count, 32, 32), dtype=np.uint8),
        "example_ids": np.arange(count, dtype=np.int32),
        "epoch": np.zeros(count, np.int32),
        "seed": np.zeros(count, np.int32),
        "weights": np.ones(count, np.float32),
    }


def test_without_augmentation_inputs_are_the_scaled_pixels() -> None:
    config = tiny_config()
    config.augment.enabled = False
    (stage,) = systems.of(config).training.make_stages(config, create_model(config.model), LAPA)
    batch = _batch(2)
    inputs = jax.jit(stage.prepare)(batch)
    np.testing.assert_allclose(inputs["images"], batch["images"] / 127.5 - 1, atol=1e-6)
    np.testing.assert_array_equal(inputs["labels"], batch["labels"])


def test_augmentation_changes_with_the_epoch_and_not_with_the_batch() -> None:
    config = tiny_config()
    (stage,) = systems.of(config).training.make_stages(config, create_model(config.model), LAPA)
    prepare = jax.jit(stage.prepare)
    batch = _batch(3)
    whole = prepare(batch)
    last = prepare(jax.tree.map(lambda leaf: leaf[2:], batch))
    np.testing.assert_array_equal(last["labels"][0], whole["labels"][2])
    later = prepare({**batch, "epoch": batch["epoch"] + 1})
    assert not np.array_equal(later["labels"], whole["labels"])


def test_sums_over_normalisers_are_the_loss_of_the_whole() -> None:
    config = tiny_config()
    model = create_model(config.model)
    (stage,) = systems.of(config).training.make_stages(config, model, LAPA)
    variables = init_variables(model, config)
    inputs = jax.jit(stage.prepare)(_batch(3))
    normalisers = stage.normalisers(inputs)

    @jax.jit
    def loss(inputs: dict[str, jax.Array]) -> jax.Array:
        return stage.total(stage.sums(variables, inputs)[0], normalisers)[0]

    whole, *parts = (
        loss(jax.tree.map(lambda leaf, rows=rows: leaf[rows], inputs))
        for rows in (slice(0, 3), slice(0, 1), slice(1, 3))
    )
    # float32 sums of 3,072 pixels in another order.
    assert float(sum(parts)) == pytest.approx(float(whole), rel=1e-5)


def test_unknown_stages_are_refused() -> None:
    config = tiny_config()
    config.train.stages = ("coarse",)
    with pytest.raises(ValueError, match="config.train.stages"):
        systems.of(config).training.make_stages(config, create_model(config.model), LAPA)


@pytest.mark.parametrize("names", [("parsing", "parsing"), ("coarse",), ()])
def test_no_other_stages_are_recorded_than_are_trained(names: tuple[str, ...]) -> None:
    config = tiny_config().copy_and_resolve_references()
    config.unlock()
    config.train.stages = names
    with pytest.raises(SettingsError, match="it must be"):
        systems.of(config).training.make_stages(config, create_model(config.model), LAPA)
