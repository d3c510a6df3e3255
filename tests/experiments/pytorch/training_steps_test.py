"""The training step in PyTorch beside that of JAX: losses, gradients and ten steps of Adam on the same batches."""

import functools
import json

import draws
import jax
import ml_collections
import numpy as np
import optax
import pytest
from differences import Differences
from needs_torch import torch
from tiny_run import tiny_config

from fpliif_jax import systems
from fpliif_jax.devices import parallel
from fpliif_jax.experiments.pytorch import loop, step
from fpliif_jax.interop import fpliif_to_torch
from fpliif_jax.systems import create_model
from fpliif_jax.systems.fp_liif import augment
from fpliif_jax.systems.protocol import IGNORE_LABEL
from fpliif_jax.training.optimizer import learning_rate_schedule, make_optimizer
from fpliif_jax.training.step import init_state, init_variables, make_train_step

CPU = torch.device("cpu")
CLASSES = tuple(f"class {index}" for index in range(11))
FLIP = tuple(range(11))


def faces(
    number: int, config: ml_collections.ConfigDict, padding: int = 0
) -> dict[str, np.ndarray]:
    """Four examples of blocks of colours and classes as the loader gives them, augmented and rounded to uint8;
    the last `padding` are padding."""
    random, size = np.random.default_rng(number), config.data.image_size
    labels = random.integers(0, 11, (4, 4, 4)).repeat(size // 4, 1).repeat(size // 4, 2)
    colours = random.random((11, 3), dtype=np.float32)
    images = 0.8 * colours[labels] + 0.2 * random.random((4, size, size, 3), dtype=np.float32)
    images, labels = augmented(config)(
        np.full(4, number), np.arange(4), images, labels.astype(np.int32)
    )
    batch = {
        "images": np.round(255 * np.asarray(images)).astype(np.uint8),
        "labels": np.asarray(labels).astype(np.uint8),
        "example_ids": np.arange(4, dtype=np.int32),
        "epoch": np.full(4, number, np.int32),
        "seed": np.zeros(4, np.int32),
        "weights": np.ones(4, np.float32),
    }
    for name, leaf in batch.items():
        leaf[4 - padding :] = -1 if name == "example_ids" else 0
    return batch


@functools.cache
def compiled(augment_json: str) -> jax.stages.Wrapped:
    settings = ml_collections.ConfigDict(json.loads(augment_json))
    return jax.jit(
        lambda epochs, ids, images, labels: augment.augment_batch(
            {"seed": 0 * ids, "epoch": epochs, "example_ids": ids}, images, labels, settings,
            ignore_label=IGNORE_LABEL, flip_classes=FLIP,
        )
    )  # fmt: skip


def augmented(config: ml_collections.ConfigDict) -> jax.stages.Wrapped:
    return compiled(config.augment.to_json())


@pytest.mark.parametrize("rates", [1e-3, {"coarse": 1e-3, "fine": 1e-2}], ids=["one", "by network"])
def test_adam_has_pytorchs_constants(rates: float | dict[str, float]) -> None:
    """Gradients down to 1e-10, where ε decides; of the parameters, 0 at first, float32 sums of ten updates."""
    settings = tiny_config().unlock().train
    settings.schedule = "constant"
    random = np.random.default_rng(0)
    sizes = 10.0 ** random.uniform(-10, 0, (2, 200)) * random.choice([-1, 1], (2, 200))
    gradients = (sizes * random.uniform(0.1, 1, (10, 2, 200))).astype(np.float32)
    networks = ("coarse", "fine")
    optimizer = make_optimizer(settings, rates, steps_per_epoch=4)
    params = {network: np.zeros(200, np.float32) for network in networks}
    state = optimizer.init(params)
    tensors = {network: torch.zeros(200, requires_grad=True) for network in networks}
    rate_of = rates if isinstance(rates, dict) else dict.fromkeys(networks, rates)
    adam = torch.optim.Adam([{"params": [tensors[name]], "lr": rate_of[name]} for name in networks])
    for gradient in gradients:
        for name, own in zip(networks, gradient, strict=True):
            tensors[name].grad = torch.from_numpy(own)
        adam.step()
        updates, state = optimizer.update(dict(zip(networks, gradient, strict=True)), state, params)
        params = optax.apply_updates(params, updates)
    for name in networks:
        np.testing.assert_allclose(params[name], tensors[name].detach(), rtol=1e-5)


@pytest.mark.slow
def test_ten_steps_of_adam_stay_together(found: Differences) -> None:
    """The batches are augmented beforehand, so that both sides train on the same pixels; the last is padded."""
    config = tiny_config().unlock()
    batches = [faces(number, config, padding=int(number == 4)) for number in range(5)]
    config.augment.enabled = False
    config.train.epochs, config.train.schedule, config.train.learning_rate = 5, "cosine", 1e-3
    model = create_model(config.model, axis_name=parallel.AXIS)
    (stage,) = systems.of(config).training.make_stages(config, model, CLASSES)
    optimizer = make_optimizer(config.train, stage.learning_rates, steps_per_epoch=4)
    variables = init_variables(model, config)
    state = parallel.replicate(init_state(variables, stage, optimizer))
    train_step = make_train_step(stage, optimizer, microbatch=0)

    theirs = loop.new_model(config).train()
    adam = step.make_optimizer(theirs, config.train)
    scheduler = step.make_scheduler(adam, config.train, steps_per_epoch=4)
    prepare = step.make_prepare(config, FLIP, CPU)
    differences, seen = [], []
    for batch in batches * 2:
        shards = parallel.shard({**batch, "stop": np.zeros(4, np.float32)})
        state, values = train_step(state, shards)
        values = {name: float(leaf) for name, leaf in parallel.unreplicate(values).items()}
        of_theirs = step.train_step(theirs, adam, scheduler, prepare(batch), config)
        assert of_theirs.keys() == values.keys() - {"stop"}
        seen.append(of_theirs["loss"])
        differences.append(abs(of_theirs["loss"] - values["loss"]))
        # Before a step makes the parameters differ only the sums are rounded differently.
        if len(differences) == 1:
            for name, value in of_theirs.items():
                assert value == pytest.approx(values[name], rel=1e-5), name
    found.note("losses of ten steps", max(differences))
    # Of losses of size 100, whose last bit is 8e-6.
    assert max(differences) <= 1e-3
    assert np.mean(seen[5:]) < np.mean(seen[:5]) - 0.1, "nothing was learnt"


def test_microbatches_and_padding_leave_the_gradient_as_it_is(found: Differences) -> None:
    config = tiny_config().unlock()
    batches = [faces(draw, config, padding=1) for draw in draws.DRAWS]
    config.augment.enabled = False
    prepare = step.make_prepare(config, FLIP, CPU)
    differences: dict[tuple[int, int], list[float]] = {(0, 4): [], (2, 4): [], (1, 4): []}
    for padded in batches:
        for microbatch, rows in ((0, 3), *differences):
            config.train.microbatch = microbatch
            model = loop.new_model(config)
            batch = {name: leaf[:rows] for name, leaf in padded.items()}
            values = step.loss_and_gradients(model, prepare(batch), config)
            values = {name: value.item() for name, value in values.items()}
            gradient = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
            if (microbatch, rows) == (0, 3):
                expected, wanted = values, gradient
                continue
            # float32 sums of some thousand pixels in another order.
            assert values == pytest.approx(expected, rel=1e-5)
            apart = (gradient - wanted).abs().max() / wanted.abs().max()
            differences[microbatch, rows].append(apart.item())
    for of_case in differences.values():
        found.note("microbatches and padding", max(of_case))
        draws.assert_all_but_jumps_agree(of_case, rounding=1e-5, jump=0.01)


def test_batch_norm_does_not_see_padding() -> None:
    """After one step the running statistics are those of JAX, which gives padding the weight 0."""
    config = tiny_config().unlock()
    config.model.norm = "batch"
    batch = faces(0, config, padding=1)
    config.augment.enabled = False
    model = create_model(config.model, axis_name=parallel.AXIS)
    (stage,) = systems.of(config).training.make_stages(config, model, CLASSES)
    optimizer = make_optimizer(config.train, stage.learning_rates, steps_per_epoch=4)
    variables = init_variables(model, config)
    state = parallel.replicate(init_state(variables, stage, optimizer))
    train_step = make_train_step(stage, optimizer, microbatch=0)
    state, _ = train_step(state, parallel.shard({**batch, "stop": np.zeros(4, np.float32)}))
    state = parallel.unreplicate(state)
    wanted = fpliif_to_torch({name: state[name] for name in ("params", "batch_stats")})

    theirs = loop.new_model(config).train()
    adam = step.make_optimizer(theirs, config.train)
    scheduler = step.make_scheduler(adam, config.train, steps_per_epoch=4)
    inputs = step.make_prepare(config, FLIP, CPU)(batch)
    step.train_step(theirs, adam, scheduler, inputs, config)
    for name, buffer in theirs.named_buffers():
        if "running" in name:
            np.testing.assert_allclose(buffer, wanted[name], rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("schedule", ["step", "cosine", "constant"])
def test_learning_rates_are_those_of_jax_by_step(schedule: str) -> None:
    settings = tiny_config().unlock().train
    settings.schedule, settings.epochs, settings.decay_every_epochs = schedule, 7, 2
    per_epoch, steps = 3, 21
    wanted = learning_rate_schedule(settings, settings.learning_rate, per_epoch)
    with jax.numpy_dtype_promotion(
        "standard"
    ):  # Optax's cosine is of a float and the number of a step
        wanted = np.array([wanted(jax.numpy.int32(number)) for number in range(steps)])

    def rates(first: int) -> list[float]:
        """By a scheduler that goes on from step `first`."""
        model = torch.nn.Linear(1, 1)
        adam = step.make_optimizer(model, settings)
        begun = step.make_scheduler(adam, settings, per_epoch)
        found = []
        for number in range(steps):
            if number == first:
                again = step.make_optimizer(model, settings)
                again.load_state_dict(adam.state_dict())
                adam, begun = again, step.make_scheduler(again, settings, per_epoch, number)
            found.append(adam.param_groups[0]["lr"])
            adam.step()
            begun.step()
        return found

    # JAX computes them in float32: relative to the first, for the cosine ends at 0.
    np.testing.assert_allclose(rates(0), wanted, rtol=0, atol=1e-6 * settings.learning_rate)
    assert rates(10) == rates(0)


def test_bfloat16_is_autocast_with_float32_parameters() -> None:
    config = tiny_config().unlock()
    batch = faces(0, config)
    config.dtype = "bfloat16"
    inputs = step.make_prepare(config, FLIP, CPU)(batch)
    model = loop.new_model(config)
    rounded = step.loss_and_gradients(model, inputs, config)["loss"]
    assert {parameter.grad.dtype for parameter in model.parameters()} == {torch.float32}
    config.dtype = "float32"
    exact = step.loss_and_gradients(model, inputs, config)["loss"]
    # bfloat16 has 8 bits: a logit of size 0.3 is off by 1e-3 or so, and the loss is 41 times such a term.
    assert 0 < abs(rounded - exact) < 0.5
