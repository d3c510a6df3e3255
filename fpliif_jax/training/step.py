"""One step of training: from a batch to new parameters, on every device, in as many parts as its memory wants."""

import functools
import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from fpliif_jax import systems
from fpliif_jax.commands.memory import is_out_of_memory
from fpliif_jax.data.batches import blank_batch
from fpliif_jax.devices import parallel
from fpliif_jax.nn.cast_weights import with_gradients_of
from fpliif_jax.nn.variables import Variables
from fpliif_jax.systems import create_model
from fpliif_jax.systems.stage import Stage
from fpliif_jax.systems.step_numbers import StepNumbers
from fpliif_jax.training import fitting

State = dict[str, Any]  # 'params', 'batch_stats', 'opt_state'
Step = Callable[[State, dict[str, Any]], tuple[State, dict[str, jax.Array]]]


def init_variables(model: nn.Module, config: ml_collections.ConfigDict) -> Variables:
    """Fresh parameters from config.seeds.initialisation, as NumPy arrays: {'params'[, 'batch_stats']}."""
    shapes = systems.of(config).network.input_shapes(config.model, config.data.image_size)
    # Not under jit: compiling the generators of a hundred arrays at once takes longer.
    variables = model.lazy_init(jax.random.key(config.seeds.initialisation), *shapes)
    return jax.tree.map(np.asarray, dict(variables))


def init_state(
    variables: Variables, stage: Stage, optimizer: optax.GradientTransformation
) -> State:
    """The state before the first step of a stage, as NumPy arrays."""
    state = {
        "params": variables["params"],
        "batch_stats": variables.get("batch_stats", {}),
        "opt_state": optimizer.init(_trained(stage, variables["params"])),
    }
    return jax.tree.map(np.asarray, state)


def _trained(stage: Stage, params: dict[str, Any]) -> dict[str, Any]:
    return {network: tree for network, tree in params.items() if stage.is_trained(network)}


def loss_and_gradients(
    stage: Stage, params: Any, batch_stats: Any, batch: dict[str, jax.Array], microbatch: int
) -> tuple[dict[str, jax.Array], Any, Any]:
    """The loss of the global batch and its exact gradients; inside `parallel.pmap` only.

    Normalisers are summed over devices before anything is divided by them, so the result does not
    depend on how examples are spread over devices and microbatches.

    Args:
      stage: what is trained.
      params: parameters; the gradient is with respect to those that the stage trains.
      batch_stats: running statistics of batch norm, or {}.
      batch: this device's rows.
      microbatch: rows worked on at once; 0 for all.

    Returns:
      ({'loss', its parts}, gradients, new batch_stats), the same on every device.
    """
    inputs = stage.prepare(batch)
    normalisers = parallel.psum(stage.normalisers(inputs))

    trained = _trained(stage, params)
    cast = trained if stage.cast is None else stage.cast(trained)

    def device_loss(trained: Any, rows: dict[str, jax.Array]) -> tuple[jax.Array, Any]:
        if stage.cast is not None:
            trained = with_gradients_of(trained, cast)
        variables = {"params": {**params, **trained}}
        if batch_stats:
            variables["batch_stats"] = batch_stats
        sums, new_batch_stats = stage.sums(variables, rows)
        loss, parts = stage.total(sums, normalisers)
        return loss, ({"loss": loss, **parts}, new_batch_stats)

    gradient = jax.grad(device_loss, has_aux=True)
    count = len(batch["weights"])
    if microbatch and microbatch < count:
        chunks = jax.tree.map(
            lambda leaf: leaf.reshape(count // microbatch, microbatch, *leaf.shape[1:]), inputs
        )

        first = jax.tree.map(lambda leaf: leaf[0], chunks)
        shapes = jax.eval_shape(lambda: gradient(trained, first))
        zeros = jax.tree.map(
            lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), (shapes[0], shapes[1][0])
        )
        # One vector: a kernel to add to it, where every array would have its own.
        totals, unflattened = ravel_pytree(zeros)

        def accumulate(totals: jax.Array, rows: dict[str, jax.Array]) -> tuple[jax.Array, None]:
            gradients, (values, _) = gradient(trained, rows)
            return totals + ravel_pytree((gradients, values))[0], None

        totals, _ = jax.lax.scan(accumulate, totals, chunks)
        gradients, values = unflattened(totals)
        new_batch_stats = batch_stats
    else:
        gradients, (values, new_batch_stats) = gradient(trained, inputs)
    return parallel.psum(values), parallel.psum(gradients), new_batch_stats


def make_train_step(
    stage: Stage, optimizer: optax.GradientTransformation, microbatch: int
) -> jax.stages.Wrapped:
    """Builds the pmapped step: (replicated state, sharded batch) -> (new state, metrics).

    The batch has 'stop' [n] besides what the stage needs: not zero where a process was asked to
    stop. Its sum is among the metrics, so that all processes stop at the same step.
    """

    def step(state: State, batch: dict[str, jax.Array]) -> tuple[State, dict[str, jax.Array]]:
        batch = dict(batch)
        stop = parallel.psum(jnp.sum(batch.pop("stop")))
        values, gradients, batch_stats = loss_and_gradients(
            stage, state["params"], state["batch_stats"], batch, microbatch
        )
        trained = _trained(stage, state["params"])
        updates, opt_state = optimizer.update(gradients, state["opt_state"], trained)
        new_state = {
            # pyrefly: ignore[invalid-argument] - it has the structure of the metrics
            "params": {**state["params"], **optax.apply_updates(trained, updates)},
            "batch_stats": batch_stats,
            "opt_state": opt_state,
        }
        return new_state, {
            **values,
            "gradient_norm": optax.tree.norm(gradients),
            "stop": stop,
        }

    return parallel.pmap(step, donate_argnums=(0,))


class FittedStep(NamedTuple):
    """A step that fits into the memory.

    Attributes:
      step: of `make_train_step`.
      microbatch: of it: its batches are padded to a multiple.
      numbers: see `fitting`.
    """

    step: jax.stages.Wrapped
    microbatch: int
    numbers: StepNumbers


def make_fitted_step(
    config: ml_collections.ConfigDict,
    class_names: tuple[str, ...],
    stage: Stage,
    optimizer: optax.GradientTransformation,
    state: State,
    numbers: StepNumbers | None = None,
) -> FittedStep:
    """The step of a stage, with what the config leaves 'auto' chosen for this device.

    On GPUs and TPUs a choice may take a few compilations, of which the last one is the step's own.

    Args:
      config: the run's settings.
      class_names: names by label id.
      stage: one of the run's.
      optimizer: of the stage.
      state: replicated.
      numbers: what the run goes on with; None: they are chosen.
    """

    batch_size = stage.settings.batch_size

    @functools.cache
    def step_with(*fields: tuple[str, Any]) -> tuple[jax.stages.Wrapped, int]:
        own = fitting.with_numbers(config, dict(fields))
        stages = systems.of(own).training.make_stages(
            own, create_model(own.model, parallel.AXIS), class_names
        )
        (fitted,) = (one for one in stages if one.name == stage.name)
        # No more than there are: on more devices than it was chosen for, the rest would be padding.
        microbatch = min(fitted.settings.microbatch, parallel.rows_per_device(batch_size))
        return make_train_step(fitted, optimizer, microbatch), microbatch

    def planned(numbers: StepNumbers, estimate: int) -> float:
        step, microbatch = step_with(*numbers.items())
        rows = parallel.local_rows(batch_size, microbatch)
        batch = blank_batch(rows.stop - rows.start, config.data.image_size, stage.label_size)
        batch["stop"] = np.zeros(len(batch["weights"]), np.float32)
        try:
            compiled = step.lower(state, parallel.shard(batch)).compile()
            plan = fitting.planned_bytes(compiled)
            total = estimate if plan is None else plan["total"]
        except jax.errors.JaxRuntimeError as error:
            if not is_out_of_memory(error):
                raise
            total = None
        # What one process cannot do, none may choose.
        worst = parallel.largest(total)
        return math.inf if worst is None else worst

    if numbers is None:
        numbers, line = fitting.choose_for_devices(config, batch_size, planned)
        if line is not None and parallel.is_main_process():
            print(line, file=sys.stderr)
    step, microbatch = step_with(*numbers.items())
    return FittedStep(step, microbatch, numbers)
