"""Weights that are cast once give the bits of those that are cast in every call."""

import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np
import pytest
from tiny_run import tiny_config

from fpliif_jax import systems
from fpliif_jax.data.batches import blank_batch
from fpliif_jax.devices import parallel
from fpliif_jax.systems import create_model
from fpliif_jax.training.step import init_variables, loss_and_gradients

NAMES = tuple(f"class {index}" for index in range(11))


@pytest.mark.parametrize("norm_affine", [False, True])
def test_logits_of_cast_parameters_are_the_same_bits(norm_affine: bool) -> None:
    config = tiny_config()
    config.dtype, config.model.norm_affine = "bfloat16", norm_affine
    model = create_model(config.model)
    params = init_variables(model, config)["params"]
    cast = systems.of(config).network.inference_variables(config.model, {"params": params})[
        "params"
    ]
    dtypes = {leaf.dtype.name for leaf in jax.tree.leaves(cast["encoder"])}
    assert dtypes == ({"bfloat16", "float32"} if norm_affine else {"bfloat16"})
    assert {leaf.dtype.name for leaf in jax.tree.leaves(cast["decoder"])} == {"float32"}
    images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)
    logits = jax.jit(lambda params: model.apply({"params": params}, images))
    assert np.array_equal(logits(params), logits(cast))


@pytest.mark.parametrize("microbatch", [0, 2])
def test_gradients_are_the_same_bits_and_float32(tmp_path: pathlib.Path, microbatch: int) -> None:
    config = tiny_config(tmp_path, tmp_path)
    config.dtype = "bfloat16"
    model = create_model(config.model, axis_name=parallel.AXIS)
    (stage,) = systems.of(config).training.make_stages(config, model, NAMES)
    assert stage.cast is not None
    params = init_variables(model, config)["params"]
    batch = blank_batch(4, 32, 32)
    generator = np.random.default_rng(0)
    for name, most in (("images", 256), ("labels", 11)):
        batch[name] = generator.integers(0, most, batch[name].shape, dtype=np.uint8)

    def gradients(stage: Any) -> tuple[Any, Any]:
        step = jax.pmap(
            lambda batch: loss_and_gradients(stage, params, {}, batch, microbatch)[:2],
            axis_name=parallel.AXIS,
            devices=jax.devices()[:1],
        )
        return step(jax.tree.map(lambda leaf: leaf[None], batch))

    once = gradients(stage)
    in_every_call = gradients(dataclasses.replace(stage, cast=None))
    assert {leaf.dtype.name for leaf in jax.tree.leaves(once)} == {"float32"}
    assert jax.tree.all(jax.tree.map(np.array_equal, once, in_every_call))


def test_float32_is_left_alone(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path, tmp_path)
    (stage,) = systems.of(config).training.make_stages(config, create_model(config.model), NAMES)
    assert stage.cast is None
    variables = {"params": {"kernel": np.zeros((3, 3, 1, 1), np.float32)}}
    assert systems.of(config).network.inference_variables(config.model, variables) is variables
