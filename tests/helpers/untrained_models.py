"""Tiny models with random weights, as prediction takes them; shared by its tests."""

import jax
import jax.numpy as jnp
import numpy as np

from fpliif_jax import systems
from fpliif_jax.configs import fp_liif, stn_icnn
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems import create_model

CLASS_NAMES = ("background", "skin", "nose", "hair", "hat")
PARTS = (
    "background", "left_brow", "right_brow", "left_eye", "right_eye", "nose", "upper_lip",
    "inner_mouth", "lower_lip",
)  # fmt: skip
CANVAS, COARSE = 48, 32


def fp_liif_checkpoint(**model_settings: object) -> InferenceCheckpoint:
    """An FP-LIIF for images of 32², with `CLASS_NAMES`; every pixel may get another class."""
    config = fp_liif.get_config()
    config.data.image_size = 32
    config.data.input_scaling = "imagenet"
    config.model.num_classes = len(CLASS_NAMES)
    config.model.features = 8
    config.model.group_blocks = (1, 1)
    config.model.rcmlp_features = (16, 8)
    config.model.mlp_features = (16, 16)
    config.model.query_chunk = 1000
    config.model.update(model_settings)
    model = create_model(config.model)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    # Wider than any initialiser, or else every pixel would get the same class.
    random = np.random.default_rng(2)
    variables = jax.tree.map(
        lambda leaf: random.normal(scale=0.3, size=leaf.shape).astype(leaf.dtype), shapes
    )
    return InferenceCheckpoint(config.lock(), variables, CLASS_NAMES, 7, "0" * 64)


def stn_icnn_checkpoint(**model_settings: object) -> InferenceCheckpoint:
    """An STN-iCNN on a canvas of side `CANVAS`."""
    config = stn_icnn.get_config()
    config.data.image_size = CANVAS
    config.model.update(coarse_size=COARSE, crop_size=9, row_features=(2, 2))
    config.model.interlinked_layers = 1
    config.model.localisation_features = (2, 2, 2, 2)
    config.model.update(model_settings)
    model = create_model(config.model)
    shapes = jax.eval_shape(
        model.init,
        jax.random.key(0),
        *systems.of(config).network.input_shapes(config.model, CANVAS),
    )
    # Not the initialisers' values: each pixel of a window would get the same label. Variances above 0.
    random = np.random.default_rng(5)
    variables = jax.tree.map(
        lambda leaf: np.abs(random.normal(scale=0.5, size=leaf.shape)).astype(np.float32), shapes
    )
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables["params"]):
        if path[-1].key == "kernel":
            leaf[:] = random.normal(scale=0.5, size=leaf.shape)
    # Windows of a third of the canvas in two rows of three, each moved by what the network sees.
    theta = np.zeros((6, 2, 3), np.float32)
    theta[:, 0, 0] = theta[:, 1, 1] = 0.31
    theta[:, 0, 2] = (-0.63, 0.02, 0.61) * 2
    theta[:, 1, 2] = (-0.35,) * 3 + (0.37,) * 3
    dense = variables["params"].get("localisation", {}).get("dense")
    if dense is not None:
        dense["bias"][:] = theta.ravel()
        dense["kernel"][:] = random.normal(scale=0.1, size=dense["kernel"].shape)
    return InferenceCheckpoint(config.lock(), variables, PARTS, 7, "0" * 64)
