"""The networks that config.train.init_from names, of another run or the package's, as a run can start from them."""

from collections.abc import Sequence

import jax
import ml_collections
import numpy as np
from absl import logging
from flax import traverse_util

from fpliif_jax.data_builders.class_names import same_parts
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.nn.variables import Variables
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint, load_for_inference
from fpliif_jax.run_folder.same_run import refuse_swapped_sides
from fpliif_jax.weights import shipped, shipped_model


def other_networks(
    config: ml_collections.ConfigDict, initial: Variables, class_names: Sequence[str]
) -> Variables:
    """The variables of the model whose networks config.train.init_from names.

    Where that tells another number of classes apart, each class of this run has in the last layer what the other
    learnt of the same part (`class_names.same_parts`), or what it has initially. A line says which do.

    Args:
      config: of the run.
      initial: its variables, float32 arrays.
      class_names: of its data, by label id.

    Raises:
      CheckpointError: the other run has no such checkpoint, or it has other networks or other sides.
      WeightsError: there are no such weights, or their file is damaged.
    """
    other = _load(config)
    if len(other.class_names) == len(class_names):
        parts = None
        _warn_of_other_names(config, other.class_names, class_names)
    else:
        parts = same_parts(class_names, other.class_names)
        _warn_of_other_classes(config, other.class_names, class_names, parts)
    return _fitted(config, other, initial, parts)


def check_start(config: ml_collections.ConfigDict, shapes: Variables) -> None:
    """Compares them with a run whose class names are not known yet; raises what `other_networks` raises.

    Args:
      config: of the run.
      shapes: of its variables.
    """
    other, number = _load(config), config.model.num_classes
    blank = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    _fitted(config, other, blank, None if len(other.class_names) == number else [None] * number)


def _load(config: ml_collections.ConfigDict) -> InferenceCheckpoint:
    origin = config.train.init_from
    if origin.startswith(shipped.PREFIX):
        other = shipped_model.load(origin.removeprefix(shipped.PREFIX))
    else:
        which = config.train.get("init_checkpoint", "best")
        other = load_for_inference(expanded(origin), which)
    refuse_swapped_sides(other.sides_are_swapped, origin)
    return other


def _fitted(
    config: ml_collections.ConfigDict,
    other: InferenceCheckpoint,
    initial: Variables,
    parts: Sequence[int | None] | None,
) -> Variables:
    variables = other.variables
    if parts is not None:
        variables = _with_classes(variables, initial, parts, len(other.class_names))
    checkpoint.check_same_arrays(variables, initial, config.train.init_from)
    return variables


def _with_classes(
    variables: Variables, initial: Variables, parts: Sequence[int | None], number: int
) -> Variables:
    """Variables of `number` classes, with those of `parts` in every array whose last axis is the classes."""
    arrays, own = traverse_util.flatten_dict(variables), traverse_util.flatten_dict(initial)
    for name in arrays.keys() & own.keys():
        *rest, last = arrays[name].shape
        if last == number and own[name].shape == (*rest, len(parts)):
            joined = np.array(own[name])
            for index, part in enumerate(parts):
                if part is not None:
                    joined[..., index] = arrays[name][..., part]
            arrays[name] = joined
    return traverse_util.unflatten_dict(arrays)


def _warn_of_other_names(
    config: ml_collections.ConfigDict, then: Sequence[str], now: Sequence[str]
) -> None:
    differing = [pair for pair in zip(then, now, strict=True) if pair[0] != pair[1]]
    if differing:
        logging.warning(
            "%d classes of config.train.init_from=%s have other names in this run's data, such as %r, there %r: "
            "training starts from what was learnt of those",
            len(differing), config.train.init_from, differing[0][1], differing[0][0],
        )  # fmt: skip


def _warn_of_other_classes(
    config: ml_collections.ConfigDict,
    then: Sequence[str],
    now: Sequence[str],
    parts: Sequence[int | None],
) -> None:
    new = [name for name, part in zip(now, parts, strict=True) if part is None]
    logging.warning(
        "config.train.init_from=%s tells %d classes apart, this run's data %d; not known there, so begun anew: %s",
        config.train.init_from, len(then), len(now), ", ".join(new) or "none",
    )  # fmt: skip
