"""Cross-entropy and edge-aware cross-entropy of FP-LIIF (§3.4, eq. 3; λ and τ in §4.2), in PyTorch.

    L = L_cce + λ · L_e_cce,   probabilities = softmax(logits / τ)

Both are sums divided by counts of pixels. The counts come from the whole batch, so that the losses of its parts
add up to that of the whole.
"""

import ml_collections
import torch
from torch import Tensor
from torch.nn import functional

from fpliif_jax.systems.protocol import IGNORE_LABEL


def edge_map(labels: Tensor, width: int) -> Tensor:
    """Pixels whose label differs from one of their 8 neighbours', dilated width − 1 times (Fig. 7).

    A pixel labelled `IGNORE_LABEL` is no edge, nor does it make one.

    Args:
      labels: integer [B, H, W].
      width: at least 1.

    Returns:
      bool [B, H, W].
    """
    labelled = labels != IGNORE_LABEL
    values = labels.float()
    unseen = torch.tensor(-torch.inf, device=labels.device)
    largest = functional.max_pool2d(torch.where(labelled, values, unseen), 3, 1, padding=1)
    smallest = -functional.max_pool2d(torch.where(labelled, -values, unseen), 3, 1, padding=1)
    edges = labelled & (largest != smallest)
    if width > 1:
        window = 2 * width - 1
        near = functional.max_pool2d(edges.float(), window, 1, padding=width - 1) > 0
        edges = labelled & near
    return edges


def pixel_counts(
    labels: Tensor, weights: Tensor, config: ml_collections.ConfigDict
) -> tuple[Tensor, Tensor]:
    """The numbers of pixels that the two terms of the loss are divided by.

    Args:
      labels: integer [B, H, W].
      weights: float32 [B], 0 for examples that do not count.
      config: `config.loss`.

    Returns:
      float32 scalars: the weighted number of labelled pixels, and that of edge pixels or, with edge_reduction
      'all_pixels', of labelled pixels again. 1 where there are none, for the term is 0 then.
    """
    pixels = _weighted_count(labels != IGNORE_LABEL, weights)
    if config.edge_reduction == "all_pixels":
        return pixels, pixels
    return pixels, _weighted_count(edge_map(labels, config.edge_width), weights)


def _weighted_count(mask: Tensor, weights: Tensor) -> Tensor:
    count = (mask.sum(dim=(1, 2)).float() * weights).sum()
    return torch.where(count > 0, count, 1.0)


def loss_terms(
    logits: Tensor,
    labels: Tensor,
    weights: Tensor,
    counts: tuple[Tensor, Tensor],
    config: ml_collections.ConfigDict,
) -> dict[str, Tensor]:
    """The loss of a batch, or of a part of it, and its two terms.

    Args:
      logits: [B, C, H, W], raw.
      labels: int64 [B, H, W] in [0, C), or `IGNORE_LABEL`.
      weights: float32 [B].
      counts: of `pixel_counts`, for the whole batch.
      config: `config.loss`.

    Returns:
      float32 scalars 'loss', 'cross_entropy' and 'edge_cross_entropy' (before λ), in nats.
    """
    scaled = logits.float()
    if config.temperature_mode == "divide":
        scaled = scaled / config.temperature
    elif config.temperature_mode == "multiply":
        scaled = scaled * config.temperature
    of_pixels = functional.cross_entropy(
        scaled, labels, ignore_index=IGNORE_LABEL, reduction="none"
    )
    of_pixels = of_pixels * weights[:, None, None]
    on_edges = of_pixels * edge_map(labels, config.edge_width)
    terms = {
        "cross_entropy": of_pixels.sum() / counts[0],
        "edge_cross_entropy": on_edges.sum() / counts[1],
    }
    return {
        "loss": terms["cross_entropy"] + config.edge_weight * terms["edge_cross_entropy"]
    } | terms
