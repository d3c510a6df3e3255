"""Measures what bounds training: loader, training step and inference, each alone.

    python -m experiments.speed --config=configs/celebamask_hq_small.py --config.data.manual_dir=DOWNLOADS

Prints images per second: of the loader alone (batches from the memory-mapped cache, shuffled), of the
training step alone (the same batch again and again, augmentation included), and their ratio, which
should be at least 3; of inference from pixels on the device to label maps, for each row of
config.eval.rows and batch 1. The first call of each function, which compiles, is left out.
"""

import functools
import sys
import time
from collections.abc import Callable

import jax
import numpy as np
from absl import app, flags, logging
from ml_collections import ConfigDict

from data_builders.errors import DataError
from fpliif_jax import evaluate, input_pipeline, parallel, settings, stages, train
from fpliif_jax.models import create_model

_CONFIG = settings.define_config_flag()
_SECONDS = flags.DEFINE_float("seconds", 10.0, "How long each measurement lasts, at least.")


def main(argv: list[str]) -> None:
    """Measures and prints a table."""
    del argv
    logging.set_verbosity(logging.WARNING)
    config = _CONFIG.value
    try:
        settings.apply_to_jax(config)
        settings.check_settings(config)
        measure(config)
    except (DataError, settings.SettingsError) as error:
        sys.exit(f"error: {error}")


def measure(config: ConfigDict) -> None:
    """Prints images per second of loader, step and inference."""
    device = jax.devices()[0]
    print(f"{jax.device_count()} × {device.device_kind} ({device.platform})")
    dataset = input_pipeline.load_dataset(config.data)
    split = input_pipeline.load_split(dataset, "train", (config.data.image_size,))
    batch_size = config.train.batch_size
    rows = parallel.local_rows(batch_size, config.train.microbatch)
    per_epoch = input_pipeline.steps_per_epoch(len(split), batch_size)
    batches = input_pipeline.train_batches(
        split,
        label_size=config.data.image_size,
        batch_size=batch_size,
        rows=rows,
        seed=config.seed,
        first_step=0,
        last_step=1_000_000 * per_epoch,
    )
    batch = next(batches)
    loader = len(split) / per_epoch / seconds_a_call(lambda: next(batches))
    print(f"loader alone         {loader:10.1f} images/s")

    model = create_model(config.model, axis_name=parallel.AXIS)
    stage = stages.make_stages(config, model, dataset.metadata.class_names)[0]
    optimizer = train.make_optimizer(config.train, per_epoch)
    step = train.make_train_step(stage, optimizer, config.train.microbatch)
    variables = train.init_variables(model, config)
    shards = parallel.shard({**batch, "stop": np.zeros(len(batch["weights"]), np.float32)})
    replicated = parallel.replicate(train.init_state(variables, optimizer))

    def one_step() -> None:
        nonlocal replicated
        replicated, metrics = step(replicated, shards)
        parallel.unreplicate(metrics)

    trained = batch_size / seconds_a_call(one_step)
    print(f"training step alone  {trained:10.1f} images/s   loader / step: {loader / trained:.1f}")

    inference = create_model(config.model)
    size = config.data.image_size
    images = jax.device_put(np.zeros((1, size, size, 3), np.float32))
    on_device = jax.device_put(variables)
    for text in config.eval.rows:
        row = evaluate.parse_row(text)
        predict = jax.jit(
            lambda variables, images, row=row: evaluate.predict_labels(
                inference.apply(variables, images, output_size=(row.output_size, row.output_size)),
                (row.scored_at, row.scored_at),
                config.eval.upsampling,
            )
        )
        rate = 1 / seconds_a_call(functools.partial(_finish, predict, on_device, images))
        print(f"inference {text:>9}  {rate:10.1f} images/s")


def _finish(predict: Callable[..., jax.Array], *arguments: object) -> None:
    predict(*arguments).block_until_ready()


def seconds_a_call(function: Callable[[], object]) -> float:
    """Mean over calls in a row, for a prefetching loader too; the first is left out."""
    function()
    calls, started = 0, time.perf_counter()
    while time.perf_counter() - started < _SECONDS.value or calls < 3:
        function()
        calls += 1
    return (time.perf_counter() - started) / calls


if __name__ == "__main__":
    app.run(main, flags_parser=settings.parse_flags)
