"""STN-iCNN from its settings, with the two presets in which the paper and the authors' code differ."""

import jax
import jax.numpy as jnp
import ml_collections

from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.fields import field_checks
from fpliif_jax.systems.stn_icnn.icnn import ICNN
from fpliif_jax.systems.stn_icnn.localization import LocalizationNet
from fpliif_jax.systems.stn_icnn.model import STNICNN, FineNets, fine_labels, part_sizes

VARIANTS = {
    # What the paper says; where it is silent, what the authors' code does.
    "paper": {
        "kernel_size": 3,
        "last_kernel_size": 3,
        "input_activation": "relu",
        "interlink_convs": 1,
        "integration_activation": "relu",
        "head_activation": "relu",
        "head_norms": 2,
        "localisation": "vgg9",
        "coarse_alignment": "half_pixel",
        "absent_part": "skip",
    },
    # The code with which the authors' published weights were made.
    "official": {
        "kernel_size": 5,
        "last_kernel_size": 9,
        "input_activation": "tanh",
        "interlink_convs": 2,
        "integration_activation": "tanh",
        "head_activation": "tanh",
        "head_norms": 1,
        "localisation": "resnet18",
        "coarse_alignment": "corners",
        "absent_part": "image_centre",
    },
}


def resolve(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """`config.model` with the variant's value in every field that is None.

    Fields (paper, then official, where they differ; None stands for these):

    - name='stn_icnn', variant='paper' | 'official'
    - num_classes=9: background, two brows, two eyes, nose, upper lip, inner mouth, lower lip
    - cropper='stn' | 'centroid' (the baseline: windows around the coarse mask's centroids)
    - coarse_size=128: side of the coarse network's input; coarse_from='image' (§2.5.1: the image
      itself, squeezed) | 'canvas' (with its padding); coarse_alignment='half_pixel', 'corners': of the bilinear
      resizing
    - crop_size=81: side of the crops; mouth_crop_size=None: of the mouth's, None for the same
    - theta_form='align_corners' | 'eq21_half_pixel' | 'eq21', see `theta_forms.theta_of_centres`
    - floor_centroids=True: whole pixels as centres of true windows; absent_part='skip', 'image_centre': a
      part that an image lacks has no true window and does not count, or it is sought in the middle
    - row_features=(8, 16, 24, 32), interlinked_layers=3, kernel_size=3, 5, last_kernel_size=3, 9, pool_size=3 | 2,
      input_activation='relu', 'tanh', interlink_convs=1, 2, integration_activation='relu', 'tanh',
      head_activation='relu', 'tanh', head_norms=2, 1: see `ICNN`
    - localisation='vgg9', 'resnet18' | 'conv15', localisation_features=(64, 128, 256, 512): see
      `LocalizationNet`
    - initializer='pytorch' | 'lecun_normal', norm_epsilon=1e-5
    - dtype='float32' | 'bfloat16': of the activations. Parameters, statistics of norms, θ, crops and
      logits are float32 always.

    Raises:
      SettingsError: a field has a value that it may not have.
    """
    field_checks.check_section("model", config)
    resolved = config.copy_and_resolve_references()
    with resolved.unlocked():
        for field, value in VARIANTS[config.variant].items():
            if resolved[field] is None:
                resolved[field] = value
        if resolved.get("mouth_crop_size") is None:  # older runs have no such field
            resolved.mouth_crop_size = resolved.crop_size
    if resolved.num_classes != 9:
        raise SettingsError(
            f"config.model.num_classes is {resolved.num_classes}; STN-iCNN has 9 (config.data.labels='facial_parts')"
        )
    # Pooling by two leaves out an odd last pixel, pooling by three does not.
    needed = 2 ** (len(resolved.row_features) - 1) if resolved.pool_size == 2 else 1
    for field in ("crop_size", "mouth_crop_size", "coarse_size"):
        if resolved[field] < needed:
            raise SettingsError(
                f"config.model.{field} is {resolved[field]}; the {len(resolved.row_features)} rows of "
                f"config.model.row_features need at least {needed} with config.model.pool_size=2"
            )
    return resolved


def create(config: ml_collections.ConfigDict, axis_name: str | None = None) -> STNICNN:
    """The STN-iCNN that `config.model` describes, see `resolve`."""
    config = resolve(config)
    dtype = jnp.dtype(config.dtype)

    def icnn(num_labels: int) -> ICNN:
        return ICNN(
            num_labels=num_labels,
            row_features=tuple(config.row_features),
            interlinked_layers=config.interlinked_layers,
            kernel_size=config.kernel_size,
            last_kernel_size=config.last_kernel_size,
            pool_size=config.pool_size,
            input_activation=config.input_activation,
            interlink_convs=config.interlink_convs,
            integration_activation=config.integration_activation,
            head_activation=config.head_activation,
            head_norms=config.head_norms,
            initializer=config.initializer,
            epsilon=config.norm_epsilon,
            dtype=dtype,
            axis_name=axis_name,
        )

    localisation = None
    if config.cropper == "stn":
        localisation = LocalizationNet(
            kind=config.localisation,
            vgg9_features=tuple(config.localisation_features),
            initializer=config.initializer,
            epsilon=config.norm_epsilon,
            dtype=dtype,
            axis_name=axis_name,
        )
    labels = fine_labels()
    return STNICNN(
        coarse=icnn(config.num_classes),
        localisation=localisation,
        fine=FineNets(
            brows=icnn(labels["brows"]),
            eyes=icnn(labels["eyes"]),
            nose=icnn(labels["nose"]),
            mouth=icnn(labels["mouth"]),
        ),
        crop_sizes=part_sizes(config.crop_size, config.mouth_crop_size),
        theta_form=config.theta_form,
        coarse_alignment=config.coarse_alignment,
    )


def input_shapes(
    config: ml_collections.ConfigDict, canvas_size: int
) -> tuple[jax.ShapeDtypeStruct, ...]:
    """What the model that `config.model` describes is initialised with, for a canvas of that side."""
    return tuple(
        jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
        for size in (config.coarse_size, canvas_size)
    )
