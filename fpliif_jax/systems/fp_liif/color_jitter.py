"""Brightness, contrast, saturation and hue of float images, on the device.

The semantics are those of torchvision's `ColorJitter` on tensors: the first three blend the image
with black, with its mean grey and with its grey version, and clip to [0, 1]; hue rotates the H of
HSV. Images are *planar* here, float32 [3, H, W] in [0, 1]: three contiguous planes vectorise well.
"""

import jax
import jax.numpy as jnp

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)

# ITU-R 601, with the digits of torchvision: they add up to .9999.
_LUMA = (0.2989, 0.587, 0.114)


def _luma(image: jax.Array) -> jax.Array:
    red, green, blue = image
    return _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue


def _blend(image: jax.Array, adjustment: jax.Array, factor: jax.Array) -> jax.Array:
    """factor · image + (1 − factor) · other, clipped; a factor of 1 changes nothing.

    Brightness blends with black, contrast with the mean of the grey image (one number), saturation
    with the grey image. adjustment: integer scalar; planar float32 [3, H, W] → the same.
    """
    grey = _luma(image)
    other = jnp.where(
        adjustment == CONTRAST, jnp.mean(grey), jnp.where(adjustment == SATURATION, grey, 0.0)
    )
    return jnp.clip(factor * image + (1.0 - factor) * other[None], 0.0, 1.0)


def adjust_hue(image: jax.Array, shift: jax.Array) -> jax.Array:
    """Rotates the hue by `shift` turns, in [−.5, .5]; planar float32 [3, H, W] → the same.

    Saturation and value of HSV stay. With the hue h in sixths of a turn, chroma c and value v, a
    channel is v − c · max(0, min(k, 4 − k, 1)), k = (n + h) mod 6, n = 5, 3, 1 for R, G, B: the
    same function as the usual table of six cases, without branches. A shift of 0 returns the image
    bit for bit.
    """
    red, green, blue = image
    value = jnp.maximum(jnp.maximum(red, green), blue)
    chroma = value - jnp.minimum(jnp.minimum(red, green), blue)
    divisor = jnp.where(chroma > 0, chroma, 1.0)
    # Ordered comparisons: `value == red` can fail for every channel where the compiler computes
    # the same expression twice and rounds it differently.
    hue = jnp.where(
        (red >= green) & (red >= blue),
        (green - blue) / divisor,
        jnp.where(green >= blue, 2.0 + (blue - red) / divisor, 4.0 + (red - green) / divisor),
    )
    hue = hue + 6.0 * shift

    def channel(offset: float) -> jax.Array:
        turned = hue + offset
        # Not the float remainder: on the CPU that is one library call a pixel.
        k = turned - 6.0 * jnp.floor(turned / 6.0)
        return value - chroma * jnp.clip(jnp.minimum(k, 4.0 - k), 0.0, 1.0)

    rotated = jnp.clip(jnp.stack([channel(5.0), channel(3.0), channel(1.0)]), 0.0, 1.0)
    return jnp.where(shift == 0.0, image, rotated)


def color_jitter(image: jax.Array, factors: jax.Array, order: jax.Array) -> jax.Array:
    """Applies the four adjustments in the order `order`.

    Args:
        image: planar float32 [3, H, W] in [0, 1].
        factors: float32 [4]: brightness, contrast and saturation factors (≥ 0, 1 is neutral) and
            the hue shift in turns (0 is neutral).
        order: integer [4], a permutation of `BRIGHTNESS`, `CONTRAST`, `SATURATION`, `HUE`; the
            adjustment named first comes first.

    Returns:
        float32 [3, H, W] in [0, 1].
    """

    # A loop, not four copies: unrolled, the compiler fuses the steps with each other and with what
    # made the image, computing it anew for every use (16 ms an image at 256² on a CPU, not 1).
    def step(image: jax.Array, adjustment: jax.Array) -> tuple[jax.Array, None]:
        factor = factors[adjustment]
        blended = _blend(image, adjustment, factor)
        return jnp.where(adjustment == HUE, adjust_hue(image, factor), blended), None

    return jax.lax.scan(step, image, order)[0]
