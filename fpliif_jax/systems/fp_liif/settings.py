"""FP-LIIF from its settings, and what its variables tell of them."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections

from fpliif_jax.devices import parallel
from fpliif_jax.fields import field_checks
from fpliif_jax.fields.setting_ranges import AUTO
from fpliif_jax.nn import layers
from fpliif_jax.nn.cast_weights import cast_convolutions
from fpliif_jax.nn.variables import Variables
from fpliif_jax.systems.fp_liif.decoder import LIIFDecoder
from fpliif_jax.systems.fp_liif.encoder import Encoder
from fpliif_jax.systems.fp_liif.model import FPLIIF
from fpliif_jax.systems.fp_liif.unet import UNetDecoder


def create(config: ml_collections.ConfigDict, axis_name: str | None = None) -> FPLIIF:
    """The FP-LIIF that `config.model` describes.

    The fields, with the paper's values, are in configs/fp_liif.py, what each may be in
    `fields.config_fields`, what it means in the docstrings of `Encoder` and `LIIFDecoder`. Older configs may lack
    `remat`. Parameters, coordinates, statistics of norms and logits are float32 whatever the dtype. Where
    `query_chunk` is 'auto', the model is for the devices of this process, or those of `parallel.compiling_for`.

    Args:
      config: `config.model`.
      axis_name: name of the mapped axis (`jax.pmap`) over whose devices batch norm is synchronised.

    Returns:
      A Linen module, see `FPLIIF.__call__`: `model.apply({'params': params}, images, (h, w))`
      gives logits; methods 'encode', 'decode' and 'query'.

    Raises:
      SettingsError: a field has a value that it may not have.
    """
    field_checks.check_section("model", config)
    dtype = jnp.dtype(config.dtype)
    normalisation = layers.normalisation(
        config.norm,
        epsilon=config.norm_epsilon,
        affine=config.norm_affine,
        dtype=dtype,
        axis_name=axis_name,
    )
    encoder = Encoder(
        features=config.features,
        group_blocks=tuple(config.group_blocks),
        initializer=config.initializer,
        dtype=dtype,
        normalisation=normalisation,
    )
    if config.decoder == "conv_unet":
        unet = UNetDecoder(
            num_classes=config.num_classes,
            latent_features=config.features,
            num_skips=len(config.group_blocks) - 1,
            initializer=config.initializer,
            dtype=dtype,
            normalisation=normalisation,
        )
        return FPLIIF(encoder, unet)
    liif = LIIFDecoder(
        num_classes=config.num_classes,
        latent_features=config.features,
        rcmlp_features=tuple(config.rcmlp_features) if config.rcmlp else (),
        mlp_features=tuple(config.mlp_features),
        unfold=config.unfold,
        global_feature=config.global_feature,
        ensemble=config.ensemble,
        sampling=config.sampling,
        position=config.position,
        initializer=config.initializer,
        queries=parallel.backend_and_memory() if config.query_chunk == AUTO else config.query_chunk,
        remat="remat" in config and config.remat,
        dtype=dtype,
    )
    return FPLIIF(encoder, liif)


def input_shapes(
    config: ml_collections.ConfigDict, image_size: int
) -> tuple[jax.ShapeDtypeStruct, ...]:
    """What the model that `config.model` describes is initialised with, for images of that side."""
    return (jax.ShapeDtypeStruct((1, image_size, image_size, 3), jnp.float32),)


def inference_variables(config: ml_collections.ConfigDict, variables: Variables) -> Variables:
    """The variables of the model that `config.model` describes, for calls without gradients.

    In bfloat16 the weights of convolutions are cast here rather than in every call; logits are the same bits.
    """
    dtype = jnp.dtype(config.dtype)
    if dtype == jnp.float32:
        return variables
    return {**variables, "params": cast_convolutions(variables["params"], dtype)}


def settings_of_weights(variables: Variables) -> dict[str, Any]:
    """The fields of `config.model` that names and shapes of a whole FP-LIIF's variables tell."""
    encoder, decoder = variables["params"]["encoder"], variables["params"]["decoder"]
    groups = itertools.takewhile(encoder.__contains__, map("groups_{}".format, itertools.count()))
    fields = {
        "features": encoder["head"]["kernel"].shape[-1],
        "group_blocks": tuple(
            sum(name.startswith("blocks_") for name in encoder[group]) for group in groups
        ),
    }
    if "mlp_0" not in decoder:
        return fields | {
            "decoder": "conv_unet",
            "num_classes": decoder["head"]["kernel"].shape[-1],
        }
    *mlp, num_classes = _dense_outputs(decoder, "mlp")
    fields |= {"decoder": "liif", "num_classes": num_classes, "mlp_features": tuple(mlp)}
    rcmlp = _dense_outputs(decoder, "rcmlp")
    return fields | ({"rcmlp": True, "rcmlp_features": rcmlp} if rcmlp else {"rcmlp": False})


def _dense_outputs(decoder: dict[str, Any], name: str) -> tuple[int, ...]:
    """Widths of the layers, which are numbered by twos."""
    layers = (f"{name}_{index}" for index in itertools.count(step=2))
    return tuple(
        decoder[layer]["kernel"].shape[-1]
        for layer in itertools.takewhile(decoder.__contains__, layers)
    )
