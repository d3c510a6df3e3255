"""A file of weights as the model of a config."""

import itertools
import json
import os
from collections.abc import Mapping
from typing import Any

import ml_collections
from flax import traverse_util

from fpliif_jax import systems
from fpliif_jax.data import renamed_labels, sides
from fpliif_jax.data_builders import BUILDERS, class_names, prepare
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.fields import config_fields, field_checks
from fpliif_jax.fields.config_fields import Role
from fpliif_jax.interop.file_formats import read_file, sha256
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.run_folder.run_config import flatten_config, json_config
from fpliif_jax.systems import saved_config
from fpliif_jax.systems.state_dict import InteropError, shape_of, shown_name

# Of the model of a file that brings its settings along. The paper's FP-LIIF has 55 layers and 256² images, STN-iCNN
# canvases of 1024². Tracing takes time in proportion to the square of the layers, and memory is the side's square.
_MOST_LAYERS = 256
_LARGEST_SIDE = 2_048


def read_weights(
    path: str | os.PathLike[str], config: ml_collections.ConfigDict
) -> InferenceCheckpoint:
    """The model in a file of weights, for evaluation and prediction.

    Args:
      path: of a `.safetensors`, `.pth`, `.pt` or `.pth.tar` file, with FP-LIIF in the exchange format or all
        networks of STN-iCNN's authors.
      config: of the run; its model must be the one in the file (of the authors' files model.variant='official').

    Raises:
      InteropError: the file cannot be read, holds other entries, or says itself that its model is another.
      CheckpointError: the networks are not those of the config.
    """
    path = expanded(path)
    content, metadata = read_file(path)
    try:
        variables = systems.of(config).exchange.from_torch(content)
    except InteropError as error:
        raise InteropError(f"{path}: {error}{_other_system(content, config)}") from error
    _check_settings_of_weights(path, systems.of(config).exchange.settings_of(variables), config)
    checkpoint.check_same_arrays(variables, systems.variable_shapes(config), path)
    _check_same_function(path, metadata, config)
    if metadata is None:
        _check_theta_form(path, config)
    note = f"weights of {path} (sha256 {sha256(path)[:16]}…)"
    names = _class_names(path, metadata, config)
    whose_left = class_names.whose_left(names)
    return InferenceCheckpoint(config, variables, names, 0, None, note, whose_left)


def config_of_file(path: str | os.PathLike[str]) -> ml_collections.ConfigDict:
    """The settings of the model in a file that `write_weights` wrote; places of data are the defaults'.

    So are the settings that change no more than time and memory.

    Args:
      path: of a `.safetensors` file.

    Raises:
      InteropError: the file cannot be read or holds no settings, such as no model has, or those of a model of more
        than 256 layers or for images of more than 2048².
    """
    path = expanded(path)
    content, metadata = read_file(path)
    if metadata is None:
        raise InteropError(
            f"{path} does not hold the settings of its model, as files that fpliif_jax.interop writes as .safetensors "
            "do: give the config that the weights were trained with"
        )
    try:
        saved = flatten_config(dict(json.loads(metadata)["config"]))
        config = saved_config.completed(
            traverse_util.unflatten_dict(
                {
                    field: value
                    for field, value in saved.items()
                    if not config_fields.has_role(field, Role.ROUNDING, Role.COST)
                },
                sep=".",
            )
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InteropError(
            f"{path}: its metadata cannot be read ({type(error).__name__}: {shown_name(str(error))})"
        ) from error
    fields = flatten_config(json_config(config))
    for problem in field_checks.problems(fields):
        raise InteropError(f"{path}: {problem}")
    _check_bounds(path, content, fields)
    return config


def _check_bounds(
    path: str | os.PathLike[str], content: Mapping[str, Any], fields: Mapping[str, Any]
) -> None:
    """Refuses what would take a machine's time or memory: the settings are the file's own, nobody chose them."""
    layers = sum(len(shape_of(value) or ()) >= 2 for value in content.values())
    if layers > _MOST_LAYERS:
        raise InteropError(
            f"{path} holds {layers} layers; a file that brings its own settings may have {_MOST_LAYERS}: "
            "give the config that the weights were trained with"
        )
    for field in config_fields.SIDES:
        if (side := fields.get(field)) and side > _LARGEST_SIDE:
            raise InteropError(
                f"{path}: config.{field} is {side}; in a file that brings its own settings it may be "
                f"{_LARGEST_SIDE}: give the config that the weights were trained with"
            )


def _check_settings_of_weights(
    path: str | os.PathLike[str], settings: Mapping[str, Any], config: ml_collections.ConfigDict
) -> None:
    """Compares what names and shapes tell with the config; how many there are first: a config may say a million."""
    for field, value in settings.items():
        asked = config.model.get(field, value)
        if asked != value:
            raise InteropError(
                f"{path} does not fit the config: config.model.{field} is {_shortened(asked)}, and the weights are of "
                f"{_shortened(value)}; use the config that they were trained with"
            )


def _shortened(value: Any) -> str:
    return shown_name(repr(value[:20] if isinstance(value, tuple) else value))


def _other_system(content: dict[str, Any], config: ml_collections.ConfigDict) -> str:
    """A hint, where the file is of the system that the config is not of."""
    for name in systems.names():
        if name != config.model.name:
            other = systems.of_name(name).exchange
            try:
                other.from_torch(content)
            except InteropError:
                continue
            return f". It holds weights of {name!r}: use a config of that model, as --config={other.config_name}"
    return ""


def _class_names(
    path: str | os.PathLike[str], metadata: str | None, config: ml_collections.ConfigDict
) -> tuple[str, ...]:
    names = BUILDERS[config.data.name].CLASS_NAMES
    if config.data.labels != renamed_labels.AS_THEY_ARE:
        names = renamed_labels.class_names_of(config.data.labels, names)
    elif not names:  # those of the set that the weights were trained on, or are to be evaluated on
        names = _names_in_file(metadata) or prepare.class_names(
            config.data.name, config.data.data_dir
        )
    if len(names) != config.model.get("num_classes", len(names)):
        raise InteropError(
            f"{path}: config.model.num_classes is {config.model.num_classes}; {config.data.name} "
            f"with labels {config.data.labels!r} has {len(names)} classes: set --config.data.name to "
            "the data that the weights were trained on"
        )
    own = _names_in_file(metadata)
    if own and own != names:
        pairs = itertools.zip_longest(own, names, fillvalue="none")
        then, now = next(pair for pair in pairs if pair[0] != pair[1])
        raise InteropError(
            f"{path} holds weights of other classes: {shown_name(then)} is there what is {now!r} in "
            f"{config.data.name}: set --config.data.name to the data that the weights were trained on"
        )
    return names


def _names_in_file(metadata: str | None) -> tuple[str, ...]:
    """The names of classes in the metadata of a file of ours; empty where it has none."""
    try:
        names = json.loads(metadata or "{}")["class_names"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()
    fits = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if fits else ()


def _check_same_function(
    path: str | os.PathLike[str], metadata: str | None, config: ml_collections.ConfigDict
) -> None:
    """Compares the settings in the metadata of a file of ours with those of the config."""
    if metadata is None:
        return
    try:
        content = json.loads(metadata)
        then = flatten_config(dict(content["config"]))
        names, whose_left = content.get("class_names", ()), content.get("whose_left")
        swapped = sides.are_swapped(content["config"], names, whose_left)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        kind = type(error).__name__
        raise InteropError(f"{path}: its metadata cannot be read ({kind})") from error
    if swapped:
        raise InteropError(sides.explanation(path))
    now = flatten_config(json_config(config))
    then = config_fields.with_earlier(then, now)
    for field in sorted(then.keys() & now.keys()):
        if not config_fields.decides_function(field) or then[field] == now[field]:
            continue
        raise InteropError(
            f"{path} holds weights of another model: config.{field} was {shown_name(repr(then[field]))} "
            f"and is now {now[field]!r}; give it the same value"
        )


def _check_theta_form(path: str | os.PathLike[str], config: ml_collections.ConfigDict) -> None:
    """The authors' localisation network gives θ for crops sampled with aligned corners alone."""
    form = config.model.get("theta_form")
    if form == "eq21_half_pixel":
        raise InteropError(
            f"{path} does not tell its settings, as the weights of STN-iCNN's authors, whose θ is that of aligned "
            f"corners, and config.model.theta_form is {form!r}: set it to 'align_corners'"
        )
