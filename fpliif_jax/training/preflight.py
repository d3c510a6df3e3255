"""Checks a config before anything long begins, and gives JAX the settings that are its own."""

import math
import os
import pathlib

import jax
import ml_collections
import numpy as np
from absl import logging

from fpliif_jax import systems
from fpliif_jax.commands import compilation_cache, freed_memory
from fpliif_jax.data import dataset, renamed_labels, resize
from fpliif_jax.data.batches import blank_batch
from fpliif_jax.data.dataset import Dataset
from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.fields import field_checks
from fpliif_jax.nn.variables import Variables
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.run_config import config_fingerprint, flatten_config, json_config
from fpliif_jax.systems import create_model, parse_protocols
from fpliif_jax.systems.stage import Stage
from fpliif_jax.systems.step_numbers import fixed_microbatch
from fpliif_jax.training.optimizer import make_optimizer
from fpliif_jax.training.other_networks import check_start
from fpliif_jax.weights import shipped


def check_settings(config: ml_collections.ConfigDict) -> None:
    """Tries every setting on shapes alone: nothing is computed.

    Raises:
      SettingsError: names the first missing or impossible setting.
    """
    check_fields(config)
    # Of all norms, batch norm alone keeps statistics.
    if fixed_microbatch(config.train) and "batch_stats" in systems.variable_shapes(config):
        raise SettingsError(
            "config.train.microbatch cannot be used with batch norm: batch statistics of a part "
            "of the batch are not those of the batch; set it to 0"
        )
    system = systems.of(config)
    system.scoring.make_predictor(create_model(config.model), config, parse_protocols(config))
    for field, kinds in (
        ("eval.checkpoints", config.eval.checkpoints),
        ("train.init_checkpoint", [config.train.get("init_checkpoint", "best")]),
    ):
        for kind in kinds:
            if not (isinstance(kind, str) and checkpoint.is_kind(kind)):
                raise SettingsError(
                    f"config.{field} is {kind!r}; it must be 'best', 'last' or 'after_STAGE'"
                )
    dataset.check_settings(config.data)
    if config.eval.labels is not None and config.eval.dataset is None:
        raise SettingsError(
            f"config.eval.labels is {config.eval.labels!r}, and config.eval.dataset names no set; the run's own "
            "has config.data.labels"
        )
    _check_framing(config)
    make_optimizer(config.train, 0.0, steps_per_epoch=1)
    _try_preprocessing(config.data)
    _try_training(config)


def check_fields(config: ml_collections.ConfigDict) -> None:
    """Refuses a config that lacks a field of its system, or has an impossible one.

    A field that is asked for late, as those of eval, would end a run that has trained for days.

    Raises:
      SettingsError: names the first such field.
    """
    fields = flatten_config(json_config(config))
    default = systems.of(config).default_config
    for field in sorted(flatten_config(json_config(default())).keys() - fields.keys()):
        raise SettingsError(
            f"the config lacks config.{field}; begin with one that has every field, config = "
            f"{default.__module__}.{default.__qualname__}(), and change its fields"
        )
    field_checks.check(fields)


def check_start_from_run(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> None:
    """Refuses a new run that cannot start from the run that config.train.init_from names.

    The package's weights are tried by `check_settings`; a run may be made after a study's settings were tried.

    Args:
      config: of the run.
      workdir: its folder; a run that goes on there needs its start no more.

    Raises:
      CheckpointError: there is no such run, or it has other networks or other sides.
    """
    origin = config.train.init_from or ""
    is_run = origin and not origin.startswith(shipped.PREFIX)
    if is_run and checkpoint.saved_step(workdir, "last") is None:
        check_start(config, systems.variable_shapes(config))


def check_classes(config: ml_collections.ConfigDict, dataset: Dataset) -> None:
    """Refuses a model whose classes are not those of the data set.

    Raises:
      SettingsError: says how many classes the data set has, or which of the face's parts it lacks.
    """
    num_classes, names = config.model.num_classes, dataset.class_names
    renamed_labels.class_table(dataset.config.labels, dataset.metadata.class_names)
    if num_classes != len(names):
        raise SettingsError(
            f"config.model.num_classes is {num_classes}; {dataset.metadata.name} has {len(names)} classes: set "
            f"--config.model.num_classes={len(names)}"
        )


def check_scored_classes(trained: Dataset, scored: Dataset) -> None:
    """Refuses to score a model on a set whose ids mean other classes than it is trained on.

    Raises:
      SettingsError: names the first id whose classes differ.
    """
    for index, (then, now) in enumerate(zip(trained.class_names, scored.class_names, strict=True)):
        if then != now:
            raise SettingsError(
                f"class {index} of {trained.metadata.name} is {then!r}, of {scored.metadata.name} {now!r}: choose "
                "another config.eval.dataset, or config.eval.labels that make its classes the run's own"
            )


def apply_to_jax(config: ml_collections.ConfigDict) -> None:
    """Sets matrix precision, deterministic kernels and the folder of compiled functions; see also `freed_memory`.

    Call it before JAX sees its devices.

    Raises:
      SettingsError: see `check_fields`.
    """
    check_fields(config)
    compilation_cache.enable()
    freed_memory.give_back()
    if config.deterministic:
        flags = os.environ.get("XLA_FLAGS", "")
        if "xla_gpu_deterministic_ops" not in flags:
            os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
    if config.matmul_precision != "default":
        jax.config.update("jax_default_matmul_precision", config.matmul_precision)


def check_devices() -> None:
    """Refuses a JAX_PLATFORMS that names no device of this machine. Call it when the processes are joined.

    Raises:
      SettingsError: says so.
    """
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # the latter where JAX has no word for it
        reason = f" ({str(error).splitlines()[0]})" if str(error) else ""
        raise SettingsError(
            f"JAX finds no device for JAX_PLATFORMS={os.environ.get('JAX_PLATFORMS', '')}{reason}; "
            "unset it, or install JAX's build for that device"
        ) from error


def warn_of_dtype(config: ml_collections.ConfigDict) -> None:
    """Says in a line where bfloat16 makes nothing faster. Call it when the processes are joined."""
    if jax.default_backend() == "cpu" and config.model.dtype == "bfloat16":
        logging.warning(
            "config.model.dtype is 'bfloat16', which gains nothing on a CPU: XLA converts every convolution and "
            "matrix product to float32 there"
        )


# Half a unit in the last place of float32 numbers from 1/64 to 1/32, where typical weights lie: an Adam step is at most
# about the learning rate, and one that is smaller is lost in rounding.
_LOST_RATE = 2.0**-30


def warn_of_lost_rates(config: ml_collections.ConfigDict) -> None:
    """Says in a line where a schedule's last epochs change next to nothing, as the papers' does taken literally."""
    names = tuple(f"class {index}" for index in range(config.model.num_classes))
    for stage in systems.of(config).training.make_stages(config, create_model(config.model), names):
        settings, rate = stage.settings, max(jax.tree.leaves(stage.learning_rates))
        if settings.schedule != "step" or settings.decay_factor >= 1 or rate <= _LOST_RATE:
            continue
        decays = math.floor(math.log(_LOST_RATE / rate, settings.decay_factor)) + 1
        kept = decays * settings.decay_every_epochs
        if kept < settings.epochs:
            logging.warning(
                "stage %s: after %d of %d epochs the learning rate is below 1e-9, and most float32 weights no longer "
                "change. That is how the config's schedule reads (docs/audit.md); config.train.decay_every_epochs "
                "makes it slower, %s=%d leaves the rest out",
                *(stage.name, kept, settings.epochs, _field_of(config, stage, "epochs"), kept),
            )


def warn_of_empty_places(config: ml_collections.ConfigDict, stage: Stage, examples: int) -> None:
    """Says in a line where no batch of a stage is ever full, as with few photos of one's own.

    Args:
      config: of the run.
      stage: what is trained.
      examples: of an epoch, every copy of an image counted.
    """
    places = stage.settings.batch_size
    if examples < places:
        logging.warning(
            "stage %s: an epoch has %d images, and a batch has room for %d, which every step computes whether used or "
            "not: %s=%d is the same training but for rounding, and sooner done",
            *(stage.name, examples, places, _field_of(config, stage, "batch_size"), examples),
        )


def _field_of(config: ml_collections.ConfigDict, stage: Stage, name: str) -> str:
    """Where a stage's setting was made: for it alone, or for all stages."""
    own = config.train.get(stage.name)
    has_own = isinstance(own, ml_collections.ConfigDict) and own.get(name) is not None
    return f"config.train.{stage.name}.{name}" if has_own else f"config.train.{name}"


def _check_framing(config: ml_collections.ConfigDict) -> None:
    """Each system takes its images in its own way."""
    for field, value in systems.of(config).data.items():
        if config.data[field] != value:
            raise SettingsError(
                f"config.data.{field} is {config.data[field]!r}; config.model.name="
                f"{config.model.name!r} needs {value!r}"
            )


def _try_preprocessing(config: ml_collections.ConfigDict) -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    resize.resize_image(pixels, (1, 1), config.bicubic)
    resize.resize_label_map(
        pixels[..., 0], (1, 1), 2, method=config.label_resize, bicubic=config.bicubic
    )


# Tracing is not shown these fields, and 1 for those below, so that it cannot depend on them: plans of many runs differ
# in little else.
_UNTRACED = {
    "data": (
        *("name", "builder_config", "manual_dir", "data_dir", "cache_dir", "num_workers"),
        *("split", "split_fractions", "split_counts", "split_seed", "train_subset", "synthetic"),
    ),
    "": ("seed", "seeds", "eval", "study"),
}
_UNTRACED_NUMBERS = ("epochs", "batch_size")  # of config.train and of its stages
_traced: set[str] = set()  # fingerprints of the settings that were possible


def _try_training(config: ml_collections.ConfigDict) -> None:
    """Traces the loss of every stage on one example, once in a process for equal settings."""
    model = create_model(config.model)
    names = tuple(f"class {index}" for index in range(config.model.num_classes))
    for stage in systems.of(config).training.make_stages(config, model, names):
        parse_protocols(config, (stage.validation_protocol,))
    config = config.copy_and_resolve_references()
    with config.unlocked():
        for group, fields in _UNTRACED.items():
            settings = config[group] if group else config
            for field in fields:
                if field in settings:  # some are of one system alone
                    del settings[field]
        for settings in (config.train, *config.train.values()):
            for field in _UNTRACED_NUMBERS:
                if isinstance(settings, ml_collections.ConfigDict) and field in settings:
                    settings[field] = 1
    fingerprint = config_fingerprint(json_config(config))
    if fingerprint in _traced:
        return
    size = config.data.image_size
    batch = blank_batch(1, size, size)
    variables = systems.variable_shapes(config)
    if (config.train.init_from or "").startswith(shipped.PREFIX):  # a run may still be made
        check_start(config, variables)
    for stage in systems.of(config).training.make_stages(config, model, names):

        def loss(
            variables: Variables, batch: dict[str, jax.Array], stage: Stage = stage
        ) -> jax.Array:
            inputs = stage.prepare(batch)
            loss_sums, _ = stage.sums(variables, inputs)
            return stage.total(loss_sums, stage.normalisers(inputs))[0]

        jax.eval_shape(loss, variables, batch)
    _traced.add(fingerprint)
