"""A file of weights as the model of a config."""

import itertools
import json
import os
import pathlib
from typing import Any

import jax
import ml_collections

from fpliif_jax import systems
from fpliif_jax.data import sides
from fpliif_jax.data_builders import BUILDERS, class_names, prepare
from fpliif_jax.interop.file_formats import read_file, sha256
from fpliif_jax.run_folder import checkpoint, config_fields
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.run_folder.run_config import flatten_config, json_config
from fpliif_jax.systems import create_model, saved_config
from fpliif_jax.systems.state_dict import InteropError, shown_name


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
    model = create_model(config.model)
    content, metadata = read_file(path)
    try:
        variables = systems.of(config).from_torch(content)
    except InteropError as error:
        raise InteropError(f"{path}: {error}{_other_system(content, config)}") from error
    shapes = systems.of(config).input_shapes(config.model, config.data.image_size)
    expected = jax.eval_shape(model.init, jax.random.key(0), *shapes)
    checkpoint.check_same_arrays(variables, expected, pathlib.Path(path))
    _check_same_function(path, metadata, config)
    _check_theta_form(path, config)
    note = f"weights of {path} (sha256 {sha256(path)[:16]}…)"
    names = _class_names(path, metadata, config)
    whose_left = class_names.whose_left(names)
    return InferenceCheckpoint(config, variables, names, 0, None, note, whose_left)


def config_of_file(path: str | os.PathLike[str]) -> ml_collections.ConfigDict:
    """The settings of the model in a file that `write_weights` wrote; places of data are the defaults'.

    Args:
      path: of a `.safetensors` file.

    Raises:
      InteropError: the file cannot be read or holds no settings, or such as no model has.
    """
    _, metadata = read_file(path)
    if metadata is None:
        raise InteropError(
            f"{path} does not hold the settings of its model, as files that fpliif_jax.interop writes as .safetensors "
            "do: give the config that the weights were trained with"
        )
    try:
        config = saved_config.completed(json.loads(metadata)["config"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InteropError(
            f"{path}: its metadata cannot be read ({type(error).__name__}: {shown_name(str(error))})"
        ) from error
    for problem in config_fields.problems(flatten_config(json_config(config))):
        raise InteropError(f"{path}: {problem}")
    return config


def _other_system(content: dict[str, Any], config: ml_collections.ConfigDict) -> str:
    """A hint, where the file is of the system that the config is not of."""
    for name in systems.names():
        if name != config.model.name:
            other = systems.of_name(name)
            try:
                other.from_torch(content)
            except InteropError:
                continue
            return f". It holds weights of {name!r}: use a config of that model, as --config={other.config_for_weights}"
    return ""


def _class_names(
    path: str | os.PathLike[str], metadata: str | None, config: ml_collections.ConfigDict
) -> tuple[str, ...]:
    names = BUILDERS[config.data.name].CLASS_NAMES
    if config.data.labels == "facial_parts":
        names = class_names.FACIAL_PARTS
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
            f"{path} holds weights of STN-iCNN's authors, whose θ is that of aligned corners, and "
            f"config.model.theta_form is {form!r}: set it to 'align_corners'"
        )
