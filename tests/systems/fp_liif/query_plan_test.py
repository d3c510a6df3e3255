"""How many queries are decoded at once where config.model.query_chunk is 'auto'."""

import itertools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from fpliif_jax import systems, weights
from fpliif_jax.configs import celebamask_hq_small, lapa, synthetic
from fpliif_jax.devices import parallel
from fpliif_jax.fields.setting_ranges import AUTO
from fpliif_jax.systems import create_model
from fpliif_jax.systems.fp_liif.query_plan import QueryPlan, plan_queries

GIB = 2**30


def settings(**changes: Any) -> ml_collections.ConfigDict:
    config = lapa.get_config().model
    config.update(changes)
    return config


@pytest.mark.parametrize(
    ("backend", "memory", "batch", "size", "is_training", "changes", "expected"),
    [
        # The default run and the small one, as their configs had it: the same bits.
        ("cpu", None, 8, 64, True, {"mlp_features": (48, 48, 48)}, (8192, False)),
        ("cpu", None, 16, 64, False, {"mlp_features": (48, 48, 48)}, (8192, False)),
        ("cpu", None, 8, 64, True, {"mlp_features": (64, 64, 64)}, (8192, False)),
        # 4 MiB an activation.
        ("cpu", None, 1, 256, False, {}, (4096, False)),
        ("cpu", None, 1, 64, True, {}, (4096, False)),
        ("cpu", None, 1, 64, True, {"remat": True}, (4096, True)),
        # A training step has no loop while it fits, by 32 KiB a query: 2 GiB an image of 256².
        ("gpu", 18 * GIB, 4, 256, True, {}, (4 * 256**2, False)),
        ("gpu", 18 * GIB, 8, 256, True, {}, (8 * 2**15, True)),
        ("gpu", 60 * GIB, 16, 256, True, {}, (16 * 256**2, False)),
        ("gpu", 60 * GIB, 32, 256, True, {}, (2**18, True)),
        ("gpu", 60 * GIB, 32, 256, True, {"dtype": "bfloat16"}, (32 * 256**2, False)),
        ("gpu", 60 * GIB, 64, 256, True, {"ensemble": "none"}, (64 * 256**2, False)),
        ("tpu", 14 * GIB, 4, 256, True, {}, (4 * 256**2, False)),
        ("gpu", None, 4, 256, True, {}, (4 * 256**2, False)),
        # Without a gradient, by the size of the output.
        ("gpu", 60 * GIB, 1, 64, False, {}, (64**2, False)),
        ("gpu", 60 * GIB, 1, 256, False, {}, (256**2, False)),
        ("gpu", 60 * GIB, 16, 256, False, {}, (2**18, False)),
        ("gpu", 60 * GIB, 1, 2048, False, {}, (2**18, False)),
        ("gpu", 4 * GIB, 1, 2048, False, {}, (2**17, False)),
    ],
)
def test_the_rule(
    backend: str,
    memory: int | None,
    batch: int,
    size: int,
    is_training: bool,
    changes: dict[str, Any],
    expected: tuple[int, bool],
) -> None:
    found = plan_queries(
        backend, memory, batch, (size, size), settings(**changes), is_training=is_training
    )
    assert found == QueryPlan(*expected)


@pytest.mark.parametrize("module", [synthetic, celebamask_hq_small])
def test_small_configs_leave_it_to_the_rule(module: Any) -> None:
    model = module.get_config().model
    assert model.query_chunk == AUTO
    assert plan_queries("cpu", None, 8, (64, 64), model, is_training=True).queries == 8192


def test_chunks_divide_the_rows_where_that_costs_little() -> None:
    """48 rows of 16 images: 10 rows fit into 8192 queries, and 5 chunks of these decode 2 for nothing."""
    model = settings(mlp_features=(48, 48, 48))
    for batch, size in itertools.product((1, 3, 16), (32, 48, 60, 64, 96, 127, 256, 384)):
        queries, _ = plan_queries("cpu", None, batch, (size, size), model, is_training=False)
        most = 8192 // (batch * size)
        rows = queries // (batch * size)
        assert queries % (batch * size) == 0
        assert 1 <= rows <= max(1, most)
        divisors = [n for n in range(1, size + 1) if size % n == 0 and most / 2 < n <= most]
        assert rows == (max(divisors) if divisors else max(1, min(most, size)))
    assert plan_queries("cpu", None, 16, (48, 48), model, is_training=False).queries == 8 * 48 * 16


def test_the_decoder_decodes_what_the_rule_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a device with memory a training step of 2²⁰ queries has no loop; without a gradient it has one."""
    config = settings(group_blocks=(1, 1, 1), mlp_features=(512, 512))
    for_a_cpu = create_model(config)
    images = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    variables = jax.eval_shape(for_a_cpu.init, jax.random.key(0), jnp.zeros((1, 16, 16, 3)))

    def has_loop(train: bool, model: nn.Module) -> bool:
        def logits(variables: Any, images: jax.Array) -> jax.Array:
            return model.apply(variables, images, (1024, 1024), train)

        lowered = jax.jit(logits).lower(variables, images)
        return "stablehlo.while" in lowered.as_text()

    assert has_loop(True, for_a_cpu)
    assert has_loop(False, for_a_cpu)
    monkeypatch.setattr(parallel, "backend_and_memory", lambda: ("gpu", 60 * GIB))
    assert not has_loop(True, create_model(config))
    assert has_loop(False, create_model(config))
    assert has_loop(True, for_a_cpu)  # a model is one function, wherever it is called
    monkeypatch.setattr(parallel, "backend_and_memory", lambda: ("gpu", 16 * GIB))
    assert has_loop(True, create_model(config))


def test_photos_are_decoded_as_suits_the_devices_that_a_program_is_traced_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`experiments.capacity` makes a labeller here, and compiles its programs for devices elsewhere."""
    trained = weights.load("drawn")
    assert trained.config.model.query_chunk == AUTO
    labeller = systems.of(trained.config).inference.make_labeller(trained)
    side = trained.config.data.image_size
    photo = labeller.network_input(np.zeros((side, side, 3), np.uint8))
    inputs = jax.tree.map(lambda leaf: leaf[None], photo)
    monkeypatch.setattr(parallel, "backend_and_memory", lambda: ("gpu", 60 * GIB))
    decode = labeller.lower(inputs, (256, 256))["decode"].as_text()
    assert "stablehlo.while" not in decode  # a CPU takes it in chunks
