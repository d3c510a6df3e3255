"""FP-LIIF from its settings."""

from typing import Any

import jax
import jax.numpy as jnp
import ml_collections

from fpliif_jax import choices
from fpliif_jax.nn.cast_weights import cast_convolutions
from fpliif_jax.run_folder.setting_ranges import AUTO
from fpliif_jax.systems.fp_liif.model import FPLIIF

_CHOICES = {
    "norm": ("instance", "batch", "none"),
    "initializer": ("pytorch", "lecun_normal"),
    "decoder": ("liif", "conv_unet"),
    "ensemble": ("average", "area", "none"),
    "sampling": ("bilinear", "nearest"),
    "position": ("absolute", "relative"),
    "dtype": ("float32", "bfloat16"),
}


def create(config: ml_collections.ConfigDict, axis_name: str | None = None) -> FPLIIF:
    """The FP-LIIF that `config.model` describes.

    Fields, with the paper's values; where the paper leaves a choice open the value is the nearest
    reading of its text:

    - name='fp_liif'
    - num_classes=11
    - features=64: channels of the encoder and of the latent grid
    - group_blocks=(2, 6, 16): residual blocks of each group; strided convolutions between them
    - norm='instance' | 'batch' | 'none'; norm_affine=False, with learned scale and bias or not;
      norm_epsilon=1e-5
    - initializer='pytorch' | 'lecun_normal'
    - decoder='liif' | 'conv_unet'. The fields from here to `remat` mean nothing to the latter.
    - unfold, rcmlp, global_feature=True: parts of the decoder to leave out for ablations
    - rcmlp_features=(256, 64), mlp_features=(256, 256, 256, 256): widths
    - ensemble='average' | 'area' | 'none'
    - sampling='bilinear' | 'nearest'
    - position='absolute' | 'relative'
    - query_chunk='auto' or the most queries decoded at once, counted over all images of a call; it
      bounds the memory and leaves the result the same; 'auto' is the rule of `query_plan`
    - remat=False (may be missing): compute the activations of the decoder again for the gradient
      rather than keep them: less memory if there are several chunks, more time, the same result
    - dtype='float32' | 'bfloat16': of the activations. Parameters, coordinates, statistics of norms
      and logits are float32 always.

    Args:
      config: `config.model`.
      axis_name: name of the mapped axis (`jax.pmap`) over whose devices batch norm is synchronised.

    Returns:
      A Linen module, see `FPLIIF.__call__`: `model.apply({'params': params}, images, (h, w))`
      gives logits; methods 'encode', 'decode' and 'query'.

    Raises:
      ValueError: a field has a value that is none of its choices.
    """
    for field, allowed in _CHOICES.items():
        choices.check(f"model.{field}", config[field], allowed)
    for field in ("num_classes", "features", "query_chunk"):
        if config[field] != AUTO and config[field] < 1:
            raise ValueError(f"model.{field} is {config[field]}; it must be at least 1")
    for field in ("group_blocks", "rcmlp_features", "mlp_features"):
        if not config[field] or min(config[field]) < 1:
            raise ValueError(
                f"model.{field} is {tuple(config[field])}; it must be a list of numbers, each at "
                "least 1"
            )
    return FPLIIF(
        num_classes=config.num_classes,
        features=config.features,
        group_blocks=tuple(config.group_blocks),
        norm=config.norm,
        norm_affine=config.norm_affine,
        norm_epsilon=config.norm_epsilon,
        initializer=config.initializer,
        decoder_type=config.decoder,
        unfold=config.unfold,
        rcmlp=config.rcmlp,
        global_feature=config.global_feature,
        rcmlp_features=tuple(config.rcmlp_features),
        mlp_features=tuple(config.mlp_features),
        ensemble=config.ensemble,
        sampling=config.sampling,
        position=config.position,
        query_chunk=config.query_chunk,
        remat=config.get("remat", False),
        dtype=jnp.dtype(config.dtype),
        axis_name=axis_name,
    )


def input_shapes(
    config: ml_collections.ConfigDict, image_size: int
) -> tuple[jax.ShapeDtypeStruct, ...]:
    """What the model that `config.model` describes is initialised with, for images of that side."""
    return (jax.ShapeDtypeStruct((1, image_size, image_size, 3), jnp.float32),)


def inference_variables(
    config: ml_collections.ConfigDict, variables: dict[str, Any]
) -> dict[str, Any]:
    """The variables of the model that `config.model` describes, for calls without gradients.

    In bfloat16 the weights of convolutions are cast here rather than in every call; logits are the same bits.
    """
    dtype = jnp.dtype(config.dtype)
    if dtype == jnp.float32:
        return variables
    return {**variables, "params": cast_convolutions(variables["params"], dtype)}
