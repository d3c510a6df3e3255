"""θ, by which the grid transformer of STN-iCNN finds a window (§2.3): its three forms, from centres and back.

θ [B, N, 2, 3] = [s_x, 0, t_x; 0, s_y, t_y] (eq. 15) takes a position on the crop to one on the
canvas (eq. 14). Both run from −1 to 1: with the form 'align_corners' from the centre of the first pixel
to the centre of the last (PyTorch's `align_corners=True`), with 'eq21_half_pixel' from the outer edge of
the first to the outer edge of the last (`align_corners=False`). A θ means nothing without its form, so
whatever reads one needs it as well. The entries θ_01 and θ_10 are zero by eq. 15 and are not read.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from fpliif_jax.fields import field_checks

Array = jax.Array


def theta_of_centres(
    centres: Array, size: int | Sequence[int], side: int, form: str = "align_corners"
) -> Array:
    """θ of windows around these centres.

    Args:
      centres: float32 [B, N, 2], y and x on the canvas, in pixels, 0 at the centre of the first.
      size: side of the crops, in pixels; or that of each of the N.
      side: of the square canvas.
      form: 'align_corners', s = (size − 1)/(side − 1), t = −1 + 2c/(side − 1), as in the authors' code: an
        odd crop around a whole pixel is then a slice but for the rounding of positions. 'eq21_half_pixel', s =
        size/side, t = −1 + 2(c + ½)/side: eq. 21 where the pixel c is centred at c + ½ and θ is
        sampled likewise; an odd crop is then a slice bit for bit where the canvas is a power of 2, an even one
        is not, as Fig. 7 and 8 have it. 'eq21', s = size/side, t = −1 + 2c/side: the same formula with the
        centre of the first pixel at 0, sampled as 'align_corners': a slice is never its crop.

    Returns:
      float32 [B, N, 2, 3].
    """
    sizes = np.broadcast_to(size, centres.shape[1])
    centres = centres.astype(jnp.float32)
    if form == "align_corners":
        scale, shift = (sizes - 1) / (side - 1), rounded(2 * centres / (side - 1)) - 1
    else:
        first_pixel = 0.5 if _is_half_pixel(form) else 0.0
        scale, shift = sizes / side, rounded(2 * (centres + first_pixel) / side) - 1
    zeros = jnp.zeros_like(shift[..., 0])
    scales = jnp.broadcast_to(jnp.asarray(scale, jnp.float32), zeros.shape)
    first = jnp.stack([scales, zeros, shift[..., 1]], axis=-1)
    second = jnp.stack([zeros, scales, shift[..., 0]], axis=-1)
    return jnp.stack([first, second], axis=-2)


def centres_of_theta(theta: Array, side: int, form: str = "align_corners") -> Array:
    """Where windows have their centres: [B, N, 2, 3] -> float32 [B, N, 2], y and x, in pixels."""
    return pixels(theta[..., ::-1, 2], side, form)


def edges_of_theta(
    theta: Array, size: int | Sequence[int], side: int, form: str = "align_corners"
) -> Array:
    """What windows cover: the outer edges of their outermost pixels, as `map_back` has them.

    Args:
      theta: float32 [B, N, 2, 3].
      size: side of the crops, in pixels; or that of each of the N.
      side: of the square canvas.
      form: of θ.

    Returns:
      float32 [B, N, 4]: top, left, bottom and right, in pixels, 0 at the edge of the canvas.
    """
    scale, shift = (
        jnp.stack([theta[..., 1, 1], theta[..., 0, 0]], -1),
        jnp.stack([theta[..., 1, 2], theta[..., 0, 2]], -1),
    )
    if not _is_half_pixel(form):  # -1 and 1 are centres, half a pixel of the crop inside
        sizes = np.broadcast_to(size, theta.shape[1])
        scale = scale * jnp.asarray(sizes / np.maximum(sizes - 1, 1), jnp.float32)[None, :, None]
    edges = [pixels(shift + sign * jnp.abs(scale), side, form) + 0.5 for sign in (-1, 1)]
    return jnp.concatenate(edges, axis=-1)


def pixels_per_scale(side: int, form: str = "align_corners") -> int:
    """Pixels of a canvas's side from −1 to 1: a window with the scale s is s times as long."""
    return side if _is_half_pixel(form) else side - 1


def _is_half_pixel(form: str) -> bool:
    field_checks.check({"model.theta_form": form})
    return form == "eq21_half_pixel"


def grid(length: int, form: str) -> Array:
    """Where the centres of pixels lie in [−1, 1]: float32 [length]."""
    if _is_half_pixel(form):
        return jnp.asarray((2 * np.arange(length) + 1) / length - 1, jnp.float32)
    return jnp.asarray(np.linspace(-1, 1, length), jnp.float32)


def pixels(position: Array, length: int, form: str) -> Array:
    """Positions in [−1, 1] as pixels, 0 at the centre of the first of `length`."""
    if _is_half_pixel(form):
        return (rounded((position + 1) * length) - 1) / 2  # in PyTorch's order
    return (position + 1) / 2 * (length - 1)


def rounded(product: Array) -> Array:
    """A product that is rounded before anything is added to it: in between it is clipped, far beyond any position.

    XLA computes a position again wherever it is used. With a fused multiply-add in one place and not in another, a
    whole position falls just short of itself in one of the two: then the pixel and its weight are of different rows.
    """
    return jnp.clip(product, -1e30, 1e30)
