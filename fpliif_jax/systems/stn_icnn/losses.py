"""The losses of STN-iCNN (§2.4, §2.5.2): of segmentations (eq. 16) and of θ (eq. 19, 20).

Both are sums over examples; the caller divides by counts that are summed over the whole batch, so that
devices and padding change nothing.
"""

import jax
import jax.numpy as jnp

from fpliif_jax.fields import field_checks


def segmentation_sum(
    logits: jax.Array, labels: jax.Array, example_weights: jax.Array, kind: str
) -> jax.Array:
    """Sums a segmentation loss over pixels.

    Args:
      logits: floating [B, H, W, C].
      labels: int32 [B, H, W] in [0, C).
      example_weights: float32 [B]; an example of weight 0 adds exactly 0, and 0 to the gradient.
      kind: 'binary_cross_entropy', on the softmax p of the logits and t one-hot (eq. 16): the mean
        over channels of −t log p − (1 − t) log(1 − p); 'cross_entropy': −log p[label].

    Returns:
      float32 scalar, in nats.

    Raises:
      SettingsError: unknown kind.
    """
    field_checks.check({"loss.segmentation": kind})
    counted = (example_weights > 0)[:, None, None, None]
    logits = jnp.where(counted, logits.astype(jnp.float32), 0.0)
    is_label = jax.lax.broadcasted_iota(jnp.int32, logits.shape, 3) == labels[..., None]
    log_p = jax.nn.log_softmax(logits, axis=-1)
    if kind == "cross_entropy":
        pixels = -jnp.sum(jnp.where(is_label, log_p, 0.0), axis=-1)
    else:
        pixels = -jnp.mean(jnp.where(is_label, log_p, _log_of_rest(logits, log_p)), axis=-1)
    return jnp.sum(jnp.sum(pixels, axis=(1, 2)) * example_weights)


def _log_of_rest(logits: jax.Array, log_p: jax.Array) -> jax.Array:
    """log(1 − softmax(logits)), exact also where a probability rounds to 1.

    Only the largest probability can be above 1/2; for that one the others are summed instead.
    """
    largest = jnp.argmax(logits, axis=-1, keepdims=True)
    is_largest = jax.lax.broadcasted_iota(jnp.int32, logits.shape, 3) == largest
    others = jax.nn.logsumexp(jnp.where(is_largest, -jnp.inf, logits), axis=-1, keepdims=True)
    rest_of_largest = others - jax.nn.logsumexp(logits, axis=-1, keepdims=True)
    p_of_smaller = jnp.where(is_largest, 0.0, jnp.exp(log_p))
    return jnp.where(is_largest, rest_of_largest, jnp.log1p(-p_of_smaller))


def smooth_l1_sum(theta: jax.Array, target: jax.Array, weights: jax.Array) -> jax.Array:
    """Sums smooth L1 over the entries of θ (eq. 20).

    Args:
      theta: float32 [B, 6, 2, 3], predicted.
      target: float32 [B, 6, 2, 3].
      weights: float32 [B, 6]; 0 for padding and absent parts, whose targets may be anything finite.

    Returns:
      float32 scalar; eq. 19 divides it by the number of entries, six a part.
    """
    error = jnp.abs(theta - target)
    entries = jnp.where(error < 1, 0.5 * jnp.square(error), error - 0.5)
    return jnp.sum(jnp.sum(entries, axis=(2, 3)) * weights)


def mean(total: jax.Array, count: jax.Array) -> jax.Array:
    """total / count, and 0 where the count is 0."""
    return jnp.where(count > 0, total / jnp.where(count > 0, count, 1.0), 0.0)
