"""The networks that config.train.init_from names, of another run or the package's, as a run can start from them."""

import sys
from collections.abc import Sequence

import jax
import ml_collections
import numpy as np
from absl import logging
from flax import traverse_util

from fpliif_jax import systems
from fpliif_jax.data_builders.class_names import same_parts
from fpliif_jax.data_builders.errors import SettingsError, one_line
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.nn.variables import Path, Variables, leaves_by_path
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint, load_for_inference
from fpliif_jax.run_folder.same_run import refuse_swapped_sides
from fpliif_jax.weights import shipped, shipped_model


def other_networks(
    config: ml_collections.ConfigDict, initial: Variables, class_names: Sequence[str]
) -> Variables:
    """The variables of the model whose networks config.train.init_from names.

    Where that has other classes, each class of this run has in the last layer what the other learnt of the same part
    (`class_names.same_parts`), or what it has initially. A line says which do.

    Args:
      config: of the run.
      initial: its variables, float32 arrays.
      class_names: of its data, by label id.

    Raises:
      CheckpointError: the other run has no such checkpoint, or it has other networks or other sides.
      WeightsError: there are no such weights, or their file is damaged.
    """
    other = _load(config)
    variables = other.variables
    if tuple(other.class_names) != tuple(class_names):
        parts = same_parts(class_names, other.class_names)
        _tell_of_other_classes(config, other.class_names, class_names, parts)
        variables = _with_classes(config, variables, initial, parts)
    _check(config, variables, initial)
    return variables


def check_start(config: ml_collections.ConfigDict, shapes: Variables) -> None:
    """Compares them with a run whose class names are not known yet; raises what `other_networks` raises.

    Args:
      config: of the run.
      shapes: of its variables.
    """
    other = _load(config)
    if len(other.class_names) == config.model.num_classes:
        _check(config, other.variables, shapes)
        return
    blank = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    all_new = [None] * config.model.num_classes
    _check(config, _with_classes(config, other.variables, blank, all_new), blank)


def _load(config: ml_collections.ConfigDict) -> InferenceCheckpoint:
    origin = config.train.init_from
    if origin.startswith(shipped.PREFIX):
        other = shipped_model.load(origin.removeprefix(shipped.PREFIX))
    else:
        which = config.train.get("init_checkpoint", "best")
        other = load_for_inference(expanded(origin), which)
    refuse_swapped_sides(other.sides_are_swapped, origin)
    return other


def _check(config: ml_collections.ConfigDict, variables: Variables, expected: Variables) -> None:
    checkpoint.check_same_arrays(
        variables, expected, config.train.init_from, "another config.train.init_from"
    )


def _with_classes(
    config: ml_collections.ConfigDict,
    variables: Variables,
    initial: Variables,
    parts: Sequence[int | None],
) -> Variables:
    """The variables with this run's classes: of each the part with that id, or what it has initially."""
    arrays, own = leaves_by_path(variables), leaves_by_path(initial)
    for name in _class_arrays(config, own) & arrays.keys():
        if arrays[name].shape[:-1] == own[name].shape[:-1]:
            joined = np.array(own[name])
            for index, part in enumerate(parts):
                if part is not None:
                    joined[..., index] = arrays[name][..., part]
            arrays[name] = joined
    return traverse_util.unflatten_dict(arrays)


def _class_arrays(config: ml_collections.ConfigDict, own: dict[Path, np.ndarray]) -> set[Path]:
    """Names of the arrays whose last axis is the classes: those of `own` that one class more would change."""
    more = config.copy_and_resolve_references()
    with more.unlocked():
        more.model.num_classes += 1
    try:
        shapes = leaves_by_path(systems.variable_shapes(more))
    except SettingsError:  # STN-iCNN has nine, in networks of their own
        return set()
    return {name for name, array in own.items() if array.shape != shapes[name].shape}


def _tell_of_other_classes(
    config: ml_collections.ConfigDict,
    then: Sequence[str],
    now: Sequence[str],
    parts: Sequence[int | None],
) -> None:
    """One line, which is a warning where nothing but the background is known there: what is a start then for?"""
    known = [name for name, part in zip(now, parts, strict=True) if part is not None]
    new = ", ".join(name for name in now if name not in known) or "nothing"
    origin = one_line(config.train.init_from)
    has = f"config.train.init_from={origin} has {len(then)} classes, this run's data {len(now)} others"
    if set(known) <= {"background"}:
        logging.warning(
            "%s, and none of them is known there by its name (%s): all begin anew in the last layer",
            *(has, ", ".join(then)),
        )
    else:
        print(
            f"{has}; each begins with what was learnt there of the same part, and anew what is not known there: {new}",
            file=sys.stderr,
        )
