"""Models: images in, logits out. No loss, no input or output, no reading of files."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections

from fpliif_jax.nn.cast_weights import cast_convolutions
from fpliif_jax.systems.fp_liif import settings as fp_liif_settings
from fpliif_jax.systems.protocol import Protocol
from fpliif_jax.systems.stn_icnn import protocols as icnn_protocols
from fpliif_jax.systems.stn_icnn import settings as stn_icnn_settings


def create_model(config: ml_collections.ConfigDict, axis_name: str | None = None) -> nn.Module:
    """The model that `config.model` describes.

    Args:
      config: `config.model`; its fields are described in `fp_liif_settings` and `stn_icnn_settings`.
      axis_name: name of the mapped axis (`jax.pmap`) over whose devices batch norm is synchronised.

    Returns:
      A Linen module, `FPLIIF` for name='fp_liif', `STNICNN` for name='stn_icnn'.

    Raises:
      ValueError: a field has a value that is none of its choices.
    """
    systems = {"fp_liif": fp_liif_settings.create, "stn_icnn": stn_icnn_settings.create}
    if config.name not in systems:
        allowed = ", ".join(map(repr, systems))
        raise ValueError(f"model.name is {config.name!r}; it must be one of {allowed}")
    return systems[config.name](config, axis_name)


def inference_variables(
    config: ml_collections.ConfigDict, variables: dict[str, Any]
) -> dict[str, Any]:
    """The variables of the model that `config.model` describes, for calls without gradients.

    In bfloat16 FP-LIIF's weights of convolutions are cast here rather than in every call; logits are the same bits.
    """
    dtype = jnp.dtype(config.get("dtype", "float32"))
    if config.name != "fp_liif" or dtype == jnp.float32:
        return variables
    return {**variables, "params": cast_convolutions(variables["params"], dtype)}


def input_shapes(
    config: ml_collections.ConfigDict, image_size: int
) -> tuple[jax.ShapeDtypeStruct, ...]:
    """What the model that `config.model` describes is initialised with, for images of that side."""
    images = jax.ShapeDtypeStruct((1, image_size, image_size, 3), jnp.float32)
    if config.name != "stn_icnn":
        return (images,)
    size = config.coarse_size
    return jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32), images


def parse_protocols(
    config: ml_collections.ConfigDict, texts: Sequence[str] | None = None
) -> tuple[Protocol, ...]:
    """The protocols of config.eval.rows, or of these texts, each once.

    Raises:
      ValueError: one of them is none of the model's, or there are none.
    """
    texts = config.eval.rows if texts is None else texts
    if not texts:
        raise ValueError("config.eval.rows is empty; name at least one protocol")
    try:
        if config.model.name == "stn_icnn":
            parsed = [icnn_protocols.parse_protocol(text, config) for text in texts]
        else:
            parsed = [Protocol.parse(text) for text in texts]
    except ValueError as error:
        raise ValueError(f"config.eval.rows has {error}") from error
    return tuple(dict.fromkeys(parsed))
