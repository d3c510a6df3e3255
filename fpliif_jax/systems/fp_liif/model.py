"""FP-LIIF: face parsing with a local implicit image function (Sarkar et al., arXiv:2303.15122).

An encoder makes a latent grid of an image, a decoder answers what class is at any coordinates of it (Fig. 2).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fpliif_jax.nn import grid_sampling
from fpliif_jax.systems.fp_liif.decoder import LIIFDecoder
from fpliif_jax.systems.fp_liif.encoder import Encoder, Latent
from fpliif_jax.systems.fp_liif.unet import UNetDecoder

Array = jax.Array


class FPLIIF(nn.Module):
    """Encoder and decoder: these names are the first keys of the parameters.

    Attributes:
      encoder: images to latent grids.
      decoder: latent grids to logits; the U-Net is that of an ablation (§5.1).
    """

    encoder: Encoder
    decoder: LIIFDecoder | UNetDecoder

    def __call__(
        self,
        images: Array,
        output_size: tuple[int, int] | None = None,
        train: bool = False,
        example_weights: Array | None = None,
    ) -> Array:
        """Raw logits (before any temperature) on a regular grid of any size.

        Args:
          images: [B, H, W, 3], normalised.
          output_size: (h, w); the size of the images by default.
          train: whether batch norm uses the statistics of the batch and updates 'batch_stats'.
          example_weights: float32 [B], the weights of the examples in the statistics of batch norm
            (0 for padding); None for ones.

        Returns:
          float32 [B, h, w, C].
        """
        latent = self.encode(images, train, example_weights)
        return self.decode(
            latent, output_size or grid_sampling.sides(images), train, example_weights
        )

    def encode(
        self, images: Array, train: bool = False, example_weights: Array | None = None
    ) -> Latent:
        """What the decoder needs of images [B, H, W, 3]: 'latent_grid' [B, H/4, W/4, features]
        (rounded up) and, for the U-Net, 'skips', the outputs of the groups before the last."""
        return self.decoder.select(self.encoder(images, train, example_weights))

    def decode(
        self,
        latent: Latent,
        output_size: tuple[int, int],
        train: bool = False,
        example_weights: Array | None = None,
    ) -> Array:
        """Logits, float32 [B, *output_size, C], from what `encode` returns."""
        height, width = output_size
        if height < 1 or width < 1:
            raise ValueError(f"output_size must be positive, not {tuple(output_size)}")
        return self.decoder(latent, (height, width), train, example_weights)

    def decode_on_axes(self, latent: Latent, y: Array, x: Array) -> Array:
        """Logits where rows y [h] and columns x [w] of coordinates cross, as `query` takes them.

        Whole images, crops and zooms are such grids; h and w may be symbolic, for `jax.export`.

        Returns:
          float32 [B, h, w, C], from what `encode` returns.
        """
        return self.decoder.on_axes(
            latent, jnp.asarray(y, jnp.float32), jnp.asarray(x, jnp.float32)
        )

    def query(
        self,
        images: Array,
        coordinates: Array,
        train: bool = False,
        example_weights: Array | None = None,
    ) -> Array:
        """Logits at arbitrary coordinates.

        Args:
          images: [B, H, W, 3], normalised.
          coordinates: [B, Q, 2], (y, x) in [-1, 1] between the borders of the image.
          train: as in `__call__`.
          example_weights: as in `__call__`.

        Returns:
          float32 [B, Q, C].
        """
        latent = self.encode(images, train, example_weights)
        return self.decode_queries(latent, coordinates, train, example_weights)

    def decode_queries(
        self,
        latent: Latent,
        coordinates: Array,
        train: bool = False,
        example_weights: Array | None = None,
    ) -> Array:
        """Logits at coordinates [B, Q, 2], float32 [B, Q, C], from what `encode` returns."""
        return self.decoder.query(latent, coordinates.astype(jnp.float32), train, example_weights)
