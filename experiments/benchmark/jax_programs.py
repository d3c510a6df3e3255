"""FP-LIIF's forward pass, and training steps of both systems, in JAX, as programs to be timed. No data are needed."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from fpliif_jax import systems
from fpliif_jax.data.batches import blank_batch
from fpliif_jax.devices import parallel
from fpliif_jax.experiments.benchmark.timing import Program
from fpliif_jax.experiments.runs.benchmark_results import PlannedBytes
from fpliif_jax.nn.applied import Applied
from fpliif_jax.nn.variables import Variables
from fpliif_jax.systems import create_model
from fpliif_jax.systems.fp_liif.model import FPLIIF
from fpliif_jax.systems.stage import Stage
from fpliif_jax.systems.step_numbers import fixed_microbatch
from fpliif_jax.training import fitting
from fpliif_jax.training.optimizer import make_optimizer
from fpliif_jax.training.step import init_state, make_fitted_step

NAME = "JAX"


def with_fields(config: ConfigDict, **fields: Any) -> ConfigDict:
    """A copy with other values; double underscores stand for dots."""
    return fitting.with_numbers(
        config, {name.replace("__", "."): value for name, value in fields.items()}
    )


def with_dtype(config: ConfigDict, dtype: str) -> ConfigDict:
    """A copy whose activations are of that type."""
    return with_fields(config, dtype=dtype, model__dtype=dtype)


def random_images(config: ConfigDict, batch: int) -> np.ndarray:
    """Normalised images, float32 [batch, S, S, 3]."""
    side = config.data.image_size
    generator = np.random.default_rng(0)
    return generator.uniform(-1, 1, (batch, side, side, 3)).astype(np.float32)


def random_batch(
    config: ConfigDict, stage: Stage, batch_size: int, microbatch: int | None = None
) -> dict[str, np.ndarray]:
    """A batch as the loader makes it, of noise and blocks of labels: they do not change the work.

    It has as many rows as parts of `microbatch` images need; None: as the config has it.
    """
    if microbatch is None:
        microbatch = fixed_microbatch(stage.settings)
    count = parallel.local_rows(batch_size, microbatch)
    rows = count.stop - count.start
    side, label_side = config.data.image_size, stage.label_size
    generator = np.random.default_rng(0)
    blocks = generator.integers(0, config.model.num_classes, (rows, 8, 8), dtype=np.uint8)
    cells = np.arange(label_side) * 8 // label_side
    return blank_batch(rows, side, label_side) | {
        "images": generator.integers(0, 256, (rows, side, side, 3), dtype=np.uint8),
        "labels": blocks[:, cells][:, :, cells],
        "stop": np.zeros(rows, np.float32),
    }


def class_names(config: ConfigDict) -> tuple[str, ...]:
    """Made-up ones: only a horizontal flip would ask for the true ones."""
    return tuple(f"class {index}" for index in range(config.model.num_classes))


def logits_of(config: ConfigDict, output_size: int) -> Any:
    """The jitted function (variables, normalised images) -> logits, float32 [B, h, w, C]."""
    model, size = create_model(config.model), (output_size, output_size)
    return jax.jit(lambda variables, images: model.apply(variables, images, output_size=size))


def labels_of(config: ConfigDict, output_size: int) -> Any:
    """The jitted function (variables, normalised images) -> label maps, int32 [B, h, w]."""
    model = create_model(config.model)

    def labels(variables: Variables, images: jax.Array) -> jax.Array:
        logits = Applied(model, variables)(FPLIIF.__call__, images, (output_size, output_size))
        return jnp.argmax(logits, axis=-1).astype(jnp.int32)

    return jax.jit(labels)


def forward(config: ConfigDict, variables: Variables, output_size: int, batch: int) -> Program:
    """A forward pass from normalised images on the first device to label maps on it.

    Args:
      config: of FP-LIIF.
      variables: of the model, on the host.
      output_size: side of the label maps.
      batch: images in a call.
    """
    device = jax.local_devices()[0]
    variables = systems.of(config).network.inference_variables(config.model, variables)
    arguments = jax.device_put((variables, random_images(config, batch)), device)
    labels = labels_of(config, output_size)
    compile_seconds, planned = compile_ahead(labels, *arguments)
    return Program(
        start=lambda: labels(*arguments),
        wait=jax.block_until_ready,
        images=batch,
        compile_seconds=compile_seconds,
        planned_bytes=planned,
    )


def logits(
    config: ConfigDict, variables: Variables, images: np.ndarray, output_size: int
) -> np.ndarray:
    """Logits of normalised images [B, H, W, 3]: float32 [B, h, w, C]."""
    return np.asarray(logits_of(config, output_size)(variables, images))


def stages_of(config: ConfigDict) -> list[Stage]:
    """Stages that the training of config goes through."""
    model = create_model(config.model, axis_name=parallel.AXIS)
    return systems.of(config).training.make_stages(config, model, class_names(config))


def training_step(
    config: ConfigDict, variables: Variables, stage: Stage, steps_per_epoch: int = 1000
) -> Program:
    """The step of the training loop with the same batch again and again, augmentation included.

    It runs on all devices of this process; the batch is the stage's.

    Args:
      config: a whole experiment.
      variables: of the model, on the host.
      stage: of the experiment.
      steps_per_epoch: of the learning rate's schedule.
    """
    own = stage.settings
    optimizer = make_optimizer(own, stage.learning_rates, steps_per_epoch)
    state = parallel.replicate(init_state(variables, stage, optimizer))
    started = time.perf_counter()  # what 'auto' is may have to be compiled for
    step, microbatch, _ = make_fitted_step(config, class_names(config), stage, optimizer, state)
    batch = parallel.shard(random_batch(config, stage, own.batch_size, microbatch))
    _, planned = compile_ahead(step, state, batch)
    compile_seconds = time.perf_counter() - started

    def start() -> Any:
        nonlocal state
        state, metrics = step(state, batch)
        return metrics

    return Program(
        start=start,
        wait=parallel.unreplicate,  # as the loop does: the loss goes to the host
        images=parallel.rows_per_device(own.batch_size, microbatch),
        compile_seconds=compile_seconds,
        planned_bytes=planned,
    )


def compile_ahead(function: Any, *arguments: Any) -> tuple[float, PlannedBytes | None]:
    """Seconds of tracing and compiling, and the memory that is planned for a call.

    The function itself finds what was compiled here, and does not compile again.
    """
    started = time.perf_counter()
    compiled = function.lower(*arguments).compile()
    seconds, planned = time.perf_counter() - started, fitting.planned_bytes(compiled)
    return seconds, PlannedBytes(**planned) if planned else None
