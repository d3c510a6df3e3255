"""Measures what bounds training and inference: loader, training step, one image, each alone.

    python -m experiments.speed --config=configs/celebamask_hq_small.py --config.data.manual_dir=DOWNLOADS
    python -m experiments.speed --config=configs/stn_icnn_helen.py --config.data.manual_dir=DOWNLOADS

Prints images per second: of the loader alone (batches from the memory-mapped cache, shuffled), of the
training step of each stage alone (the same batch again and again, augmentation included), and their
ratio, which should be at least 3. The first call of each function, which compiles, is left out.

FP-LIIF: inference from pixels on the device to label maps, for each row of config.eval.rows and batch 1.

STN-iCNN: one face, from the photo (uint8 on the host) to its label map (uint8 on the host), as
`fpliif_jax.predict` does it, median in milliseconds; then its steps, each with its input on the device already.
All of the network is one jitted call, with no way back to the host in between; so its steps, which can
only be measured by calling them one by one, may add up to more than the whole. The baseline with the
centroid cropper comes after it. The paper (§3.1) has 80 ms for STN-iCNN and 86 ms for the baseline on
a GTX 1080 Ti. Weights are untrained: they do not change the work.
"""

import functools
import pathlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags, logging
from ml_collections import ConfigDict

from data_builders.errors import DataError
from fpliif_jax import (
    checkpoint,
    fp_liif_rows,
    framing,
    input_pipeline,
    labellers,
    parallel,
    preprocess,
    settings,
    stages,
    train,
)
from fpliif_jax.models import create_model, stn_icnn_settings
from fpliif_jax.run_record import write_json
from fpliif_jax.stage import Stage

_CONFIG = settings.define_config_flag()
_TRAINING = flags.DEFINE_bool("training", True, "Measure loader and training; --notraining: not.")
_OUTPUT = flags.DEFINE_string("output", None, "JSON file to write as well.")
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
    """Prints images per second of loader and steps, and what inference takes; writes --output."""
    device = jax.devices()[0]
    print(f"{jax.device_count()} × {device.device_kind} ({device.platform})")
    model = create_model(config.model, axis_name=parallel.AXIS)
    variables = train.init_variables(model, config)
    found: dict[str, Any] = {
        "config": checkpoint.json_config(config),
        "device": device.device_kind,
        "devices": jax.device_count(),
        "backend": device.platform,
    }
    if _TRAINING.value or config.model.name == "stn_icnn":
        dataset = input_pipeline.load_dataset(config.data)
        split = input_pipeline.load_split(dataset, "train", (config.data.image_size,))
    if _TRAINING.value:
        trained = stages.make_stages(config, model, dataset.class_names)
        found["training"] = measure_training(config, trained, split, variables)
    if config.model.name == "stn_icnn":
        size = tuple(map(int, split.image_sizes[0]))
        photo = np.asarray(split.images[0])[preprocess.canvas_window(config.data.image_size, size)]
        found["milliseconds"] = {
            cropper: measure_one_face(config, cropper, photo, dataset.class_names)
            for cropper in dict.fromkeys((config.model.cropper, "centroid"))
        }
    else:
        found["rows"] = measure_rows(config, variables)
    if _OUTPUT.value:
        write_json(pathlib.Path(_OUTPUT.value), found)


def measure_training(
    config: ConfigDict,
    trained: list[Stage],
    split: input_pipeline.Split,
    variables: dict[str, Any],
) -> dict[str, float]:
    """Images per second of the loader ('loader'), and of the step of each stage; printed as well."""
    rates: dict[str, float] = {}
    width = 21 if len(trained) == 1 else 28
    loader = None
    for stage in trained:
        per_epoch = input_pipeline.steps_per_epoch(
            len(split), stage.settings.batch_size, stage.copies
        )
        batches = _batches(config, split, stage, per_epoch)
        batch = next(batches)
        if loader is None:  # it is the same for all stages
            images = len(split) * stage.copies / per_epoch
            loader = images / seconds_a_call(lambda batches=batches: next(batches))
            rates["loader"] = loader
            print(f"{'loader alone':<{width}}{loader:10.1f} images/s")
        rate = images_per_second_of_step(stage, variables, batch, per_epoch)
        rates[stage.name] = rate
        name = "alone" if len(trained) == 1 else stage.name
        print(
            f"{f'training step {name}':<{width}}{rate:10.1f} images/s   "
            f"loader / step: {loader / rate:.1f}"
        )
    return rates


def images_per_second_of_step(
    stage: Stage, variables: dict[str, Any], batch: input_pipeline.Batch, steps_per_epoch: int
) -> float:
    """Training with one batch again and again."""
    own = stage.settings
    optimizer = train.make_optimizer(own, stage.learning_rates, steps_per_epoch)
    step = train.make_train_step(stage, optimizer, own.microbatch)
    shards = parallel.shard({**batch, "stop": np.zeros(len(batch["weights"]), np.float32)})
    replicated = parallel.replicate(train.init_state(variables, stage, optimizer))

    def one_step() -> None:
        nonlocal replicated
        replicated, metrics = step(replicated, shards)
        parallel.unreplicate(metrics)

    return own.batch_size / seconds_a_call(one_step)


def measure_rows(config: ConfigDict, variables: dict[str, Any]) -> list[dict[str, Any]]:
    """Images per second of FP-LIIF for each row and batch 1, with its sizes; printed as well."""
    rows = []
    inference = create_model(config.model)
    size = config.data.image_size
    images = jax.device_put(np.zeros((1, size, size, 3), np.float32))
    on_device = jax.device_put(variables)
    for text in config.eval.rows:
        output_size, scored_at = (value for _, value in fp_liif_rows.parse_row(text).facts)
        predict = jax.jit(
            lambda variables, images, output_size=output_size, scored_at=scored_at: (
                fp_liif_rows.predict_labels(
                    inference.apply(variables, images, output_size=(output_size, output_size)),
                    (scored_at, scored_at),
                    config.eval.upsampling,
                )
            )
        )
        rate = 1 / seconds_a_call(functools.partial(_finish, predict, on_device, images))
        print(f"inference {text:>9}  {rate:10.1f} images/s")
        rows.append({"output_size": output_size, "scored_at": scored_at, "images_per_second": rate})
    return rows


def measure_one_face(
    config: ConfigDict, cropper: str, photo: np.ndarray, class_names: tuple[str, ...]
) -> dict[str, float]:
    """Milliseconds of STN-iCNN for one photo, uint8 [H, W, 3], in all ('whole') and by step; printed as well."""
    config = config.copy_and_resolve_references()
    with config.unlocked():
        config.model.cropper = cropper
    model = create_model(config.model)
    variables = train.init_variables(model, config)
    labeller = labellers.STNICNNLabeller(
        checkpoint.InferenceCheckpoint(config, variables, class_names, 0, None)
    )

    def from_photo_to_label_map() -> None:
        inputs = {name: leaf[None] for name, leaf in labeller.network_input(photo).items()}
        labeller.label(inputs, photo.shape[:2])

    name = {"stn": "STN-iCNN", "centroid": "baseline"}[cropper]
    height, width = photo.shape[:2]
    side = config.data.image_size
    whole = median_milliseconds(from_photo_to_label_map)
    print(f"one face {name}: {whole:.1f} ms ({height} × {width} pixels on a canvas of {side}²)")

    own = stn_icnn_settings.resolve(config.model)
    on_device = jax.device_put(variables)
    inputs = labeller.network_input(photo)
    canvas = jax.device_put(inputs["images"][None].astype(np.float32) / np.float32(255))
    sizes = jax.device_put(inputs["image_sizes"][None])

    @jax.jit
    def locate(variables: dict[str, Any], canvas: jax.Array, sizes: jax.Array) -> jax.Array:
        resized, shown = framing.coarse_view(canvas, sizes, own)
        logits = model.apply(variables, resized, method="label_coarsely")
        return model.apply(variables, logits, side, shown, method="localise")

    @jax.jit
    def label_parts(
        variables: dict[str, Any], canvas: jax.Array, theta: jax.Array
    ) -> tuple[jax.Array, ...]:
        parts = model.apply(variables, canvas, theta, method="crop")
        return model.apply(variables, parts, method="label_parts")

    @jax.jit
    def join(
        variables: dict[str, Any], part_logits: tuple[jax.Array, ...], theta: jax.Array
    ) -> jax.Array:
        probabilities = model.apply(variables, part_logits, theta, side, method="join")
        return jnp.argmax(probabilities, axis=-1).astype(jnp.uint8)

    theta = locate(on_device, canvas, sizes)
    part_logits = label_parts(on_device, canvas, theta)
    milliseconds = {"whole": whole}
    for step, function, arguments in (
        ("coarse mask and windows", locate, (canvas, sizes)),
        ("crops and their labels", label_parts, (canvas, theta)),
        ("map-back", join, (part_logits, theta)),
    ):
        taken = median_milliseconds(functools.partial(_finish, function, on_device, *arguments))
        print(f"  {step:<24}{taken:8.1f} ms")
        milliseconds[step] = taken
    return milliseconds


def _batches(
    config: ConfigDict, split: input_pipeline.Split, stage: Stage, steps_per_epoch: int
) -> Iterator[input_pipeline.Batch]:
    own = stage.settings
    return input_pipeline.train_batches(
        split,
        label_size=stage.label_size,
        batch_size=own.batch_size,
        rows=parallel.local_rows(own.batch_size, own.microbatch),
        seed=config.seeds.data_order,
        first_step=0,
        last_step=1_000_000 * steps_per_epoch,
        copies=stage.copies,
    )


def _finish(function: Callable[..., Any], *arguments: object) -> None:
    jax.block_until_ready(function(*arguments))


def median_milliseconds(function: Callable[[], object]) -> float:
    """Of single calls, one after the other; the first is left out."""
    function()
    taken, started = [], time.perf_counter()
    while time.perf_counter() - started < _SECONDS.value or len(taken) < 5:
        before = time.perf_counter()
        function()
        taken.append(time.perf_counter() - before)
    return 1000 * statistics.median(taken)


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
