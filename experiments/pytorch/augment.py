"""The paper's augmentations (§4.2) in PyTorch: flip, rotation, shear, scale and crop in one warp, then colours.

What is drawn is drawn by `fpliif_jax.systems.fp_liif.augment`, on the host, so that both frameworks make the same of
the same example; what becomes of the example is computed by PyTorch, from the formulas in `fpliif_jax.nn.warp`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import ml_collections
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fpliif_jax.experiments.pytorch.color_jitter import color_jitter
from fpliif_jax.nn.warp import Geometry, example_key
from fpliif_jax.systems.fp_liif.augment import sample_parameters
from fpliif_jax.systems.protocol import IGNORE_LABEL


class Draws(NamedTuple):
    """What is drawn for the examples of a batch, NumPy arrays.

    Attributes:
      geometry: of the warps, each field float32 [B].
      factors: float32 [B, 4], of the colours.
      orders: int32 [B, 4], in which the colours are adjusted.
    """

    geometry: Geometry
    factors: np.ndarray
    orders: np.ndarray


def make_sampler(
    seed: int, size: int, config: ml_collections.ConfigDict
) -> Callable[[np.ndarray, np.ndarray], Draws]:
    """Builds a function of (epochs [B], example ids [B]) that draws the augmentations.

    Args:
      seed: config.seeds.augmentation.
      size: side of the images.
      config: `config.augment`.
    """

    @jax.jit
    @jax.vmap
    def draw(epoch: jax.Array, example_id: jax.Array) -> tuple[Geometry, jax.Array, jax.Array]:
        return sample_parameters(example_key(seed, epoch, example_id), size, config)

    def sample(epochs: np.ndarray, example_ids: np.ndarray) -> Draws:
        return Draws(*jax.tree.map(np.array, draw(epochs, example_ids)))

    return sample


def augment(
    draws: Draws,
    images: Tensor,
    labels: Tensor,
    config: ml_collections.ConfigDict,
    flip_classes: tuple[int, ...],
) -> tuple[Tensor, Tensor]:
    """Augments a batch.

    Args:
      draws: for its examples.
      images: float32 [B, 3, S, S] in [0, 1].
      labels: int64 [B, S, S].
      config: `config.augment`.
      flip_classes: the class that each becomes in a mirror image; read if `config.horizontal_flip`.

    Returns:
      images and label maps of the same shapes and types.
    """
    if config.horizontal_flip:
        renamed = torch.arange(256, device=labels.device)
        renamed[: len(flip_classes)] = torch.tensor(flip_classes)
        flips = torch.from_numpy(draws.geometry.flip > 0).to(labels.device)
        labels = torch.where(flips[:, None, None], renamed[labels], labels)
    fill_label = IGNORE_LABEL if config.fill == "ignore" else 0
    images, labels = warp(draws.geometry, images, labels, fill_label)
    factors = torch.from_numpy(draws.factors).to(images.device)
    return color_jitter(images, factors, torch.from_numpy(draws.orders)), labels


def warp(
    geometry: Geometry, images: Tensor, labels: Tensor, fill_label: int
) -> tuple[Tensor, Tensor]:
    """Warps images bilinearly, black outside, and label maps by nearest neighbour.

    Args:
      geometry: each field [B].
      images: float32 [B, 3, S, S].
      labels: int64 [B, S, S].
      fill_label: the label of what comes from outside.

    Returns:
      images and label maps of the same shapes and types.
    """
    matrices = torch.from_numpy(_from_output_to_source(geometry, labels.shape[-1]))
    grid = functional.affine_grid(
        matrices.to(images.device), list(images.shape), align_corners=False
    )
    images = functional.grid_sample(images, grid, "bilinear", "zeros", align_corners=False)
    # One more than the label, so that 0 is what comes from outside.
    shifted = (labels + 1).float()[:, None]
    shifted = functional.grid_sample(shifted, grid, "nearest", "zeros", align_corners=False)
    warped = shifted[:, 0].round().long()
    return images, torch.where(warped > 0, warped - 1, fill_label)


def _from_output_to_source(geometry: Geometry, size: int) -> np.ndarray:
    """Matrices for `affine_grid`: float32 [B, 2, 3], output (x, y, 1) to source (x, y), both in half sides."""
    rotation, shear, scale, down, right, flip = (
        np.asarray(field, np.float64) for field in geometry
    )
    cos, sin, half = np.cos(rotation), np.sin(rotation), size / 2
    zoom = np.stack([cos, sin, -sin, cos], axis=-1).reshape(-1, 2, 2) / scale[:, None, None]
    turned = np.zeros((len(scale), 2, 3))
    turned[:, :, :2] = zoom
    turned[:, :, 2] = np.einsum("bij,bj->bi", zoom, np.stack([right, down], axis=-1)) / half
    turned[:, 0] += np.tan(shear)[:, None] * turned[:, 1]
    turned[:, 0] *= 1 - 2 * flip[:, None]
    return turned.astype(np.float32)
