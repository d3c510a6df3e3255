"""Cross-entropy and edge-aware cross-entropy of FP-LIIF (§3.4, eq. 3; λ and τ in §4.2).

    L = L_cce + λ · L_e_cce,   probabilities = softmax(logits / τ)

L_cce is the mean of −log p[label] over all labelled pixels of the batch, L_e_cce the same over the
pixels on an edge of the ground-truth label map. Both are computed as un-normalised sums apart from
the counts they are divided by, so that a batch split over devices or microbatches has exactly the
loss and the gradient of the whole batch: sum the counts over all of it first, then

    loss_sums(part)  →  total_loss(sums of the part, counts of the whole)  →  add up over the parts.

The configuration is `config.loss`: temperature (τ), temperature_mode, edge_weight (λ), edge_width,
edge_reduction.
"""

import jax
import jax.numpy as jnp
import ml_collections

from fpliif_jax.fields import field_checks
from fpliif_jax.systems.protocol import IGNORE_LABEL


def _window_maximum(values: jax.Array, radius: int) -> jax.Array:
    """Maximum of the int32 [B, H, W] values within `radius` rows and columns; same shape."""
    window = (1, 2 * radius + 1, 2 * radius + 1)
    lowest = jnp.int32(jnp.iinfo(jnp.int32).min)
    return jax.lax.reduce_window(values, lowest, jax.lax.max, window, (1, 1, 1), "SAME")


def edge_map(labels: jax.Array, width: int) -> jax.Array:
    """Marks the pixels on an edge of a label map (Fig. 7).

    With width 1 a pixel is an edge if its label differs from the label of any of its 8 neighbours:
    both sides of a boundary are edges, the border of the image is none. Width k dilates this k − 1
    times with the 3×3 square. A pixel labelled `IGNORE_LABEL` is no edge, nor does it make one.

    Args:
        labels: integer [B, H, W].
        width: `config.loss.edge_width`.

    Returns:
        bool [B, H, W].

    Raises:
        SettingsError: the width is none that the field may have.
    """
    field_checks.check({"loss.edge_width": width})
    labels = labels.astype(jnp.int32)
    labelled = labels != IGNORE_LABEL
    unseen = jnp.int32(jnp.iinfo(jnp.int32).min)
    largest = _window_maximum(jnp.where(labelled, labels, unseen), 1)
    smallest = -_window_maximum(jnp.where(labelled, -labels, unseen), 1)
    edges = labelled & (largest != smallest)
    if width > 1:
        edges = labelled & (_window_maximum(edges.astype(jnp.int32), width - 1) > 0)
    return edges


def loss_normalisers(
    labels: jax.Array, example_weights: jax.Array, config: ml_collections.ConfigDict
) -> dict[str, jax.Array]:
    """Counts the pixels that the two terms of the loss are averaged over.

    Args:
        labels: integer [B, H, W], `IGNORE_LABEL` where there is none.
        example_weights: float [B], 0 for padding.
        config: `config.loss`.

    Returns:
        float32 scalars `pixels` and `edge_pixels`: the weighted numbers of labelled pixels and of
        edge pixels. They depend on labels and weights only, and add up over parts of a batch.
    """
    weights = example_weights.astype(jnp.float32)

    def weighted_count(mask: jax.Array) -> jax.Array:
        per_image = jnp.sum(mask, axis=(1, 2), dtype=jnp.int32)
        return jnp.sum(per_image.astype(jnp.float32) * weights)

    return {
        "pixels": weighted_count(labels != IGNORE_LABEL),
        "edge_pixels": weighted_count(edge_map(labels, config.edge_width)),
    }


def apply_temperature(logits: jax.Array, config: ml_collections.ConfigDict) -> jax.Array:
    """Logits [..., C] as the softmax of the loss takes them (§4.2); `config` is config.loss.

    Raises:
        SettingsError: a field of the configuration has a value that it may not have.
    """
    field_checks.check_section("loss", config)
    if config.temperature_mode == "divide":
        return logits / config.temperature
    if config.temperature_mode == "multiply":
        return logits * config.temperature
    return logits


def _pixel_cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """−log softmax(logits)[label]: float32 [B, H, W, C], int32 [B, H, W] → float32 [B, H, W]."""
    # A masked sum instead of a gather: it fuses, and its gradient is no scatter.
    classes = jax.lax.broadcasted_iota(jnp.int32, logits.shape, logits.ndim - 1)
    of_label = jnp.sum(jnp.where(classes == labels[..., None], logits, 0.0), axis=-1)
    return jax.nn.logsumexp(logits, axis=-1) - of_label


def loss_sums(
    logits: jax.Array,
    labels: jax.Array,
    example_weights: jax.Array,
    config: ml_collections.ConfigDict,
) -> dict[str, jax.Array]:
    """Sums the cross-entropy over all labelled pixels and over the edge pixels.

    Args:
        logits: floating [B, H, W, C], raw; converted to float32 before temperature and softmax.
        labels: integer [B, H, W] in [0, C), or `IGNORE_LABEL` for pixels that do not count.
        example_weights: float [B]; an example of weight 0 contributes exactly 0 to the sums and to
            the gradient with respect to the logits, whatever its logits are.
        config: `config.loss`.

    Returns:
        float32 scalars `cross_entropy` and `edge_cross_entropy`, in nats, not normalised.

    Raises:
        SettingsError: as `apply_temperature`.
    """
    labels = labels.astype(jnp.int32)
    weights = example_weights.astype(jnp.float32)
    # Masked before the softmax: 0 · NaN would still be NaN, in the gradient too.
    counted = (weights > 0)[:, None, None, None]
    scaled = apply_temperature(jnp.where(counted, logits.astype(jnp.float32), 0.0), config)
    cross_entropy = jnp.where(labels != IGNORE_LABEL, _pixel_cross_entropy(scaled, labels), 0.0)
    on_edges = jnp.where(edge_map(labels, config.edge_width), cross_entropy, 0.0)
    return {
        "cross_entropy": jnp.sum(jnp.sum(cross_entropy, axis=(1, 2)) * weights),
        "edge_cross_entropy": jnp.sum(jnp.sum(on_edges, axis=(1, 2)) * weights),
    }


def total_loss(
    sums: dict[str, jax.Array],
    normalisers: dict[str, jax.Array],
    config: ml_collections.ConfigDict,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """L = L_cce + λ · L_e_cce (eq. 3) from sums and counts.

    Args:
        sums: what `loss_sums` returned, for the whole batch or a part of it.
        normalisers: what `loss_normalisers` returned, summed over the *whole* batch.
        config: `config.loss`. With edge_reduction 'edge_pixels' the edge term is a mean over edge
            pixels, with 'all_pixels' the edge sum is divided by the number of all labelled pixels.

    Returns:
        The loss and its parts `cross_entropy` and `edge_cross_entropy` (before λ), float32 scalars.
        A term without pixels is 0, never NaN, and so is its gradient.

    Raises:
        SettingsError: as `apply_temperature`.
    """
    field_checks.check_section("loss", config)
    edge_count = "edge_pixels" if config.edge_reduction == "edge_pixels" else "pixels"

    def mean(total: jax.Array, count: jax.Array) -> jax.Array:
        return jnp.where(count > 0, total / jnp.where(count > 0, count, 1.0), 0.0)

    parts = {
        "cross_entropy": mean(sums["cross_entropy"], normalisers["pixels"]),
        "edge_cross_entropy": mean(sums["edge_cross_entropy"], normalisers[edge_count]),
    }
    return parts["cross_entropy"] + config.edge_weight * parts["edge_cross_entropy"], parts
