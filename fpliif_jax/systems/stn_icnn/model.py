"""STN-iCNN (§2.1, Fig. 1): coarse iCNN, spatial transformer, one fine iCNN for each kind of part."""

from collections.abc import Collection, Sequence
from typing import TypedDict

import flax.linen as nn
import jax
import jax.numpy as jnp

from fpliif_jax.data.facial_parts import PART_LABELS, PART_NAMES
from fpliif_jax.systems.stn_icnn import grid_transformer, part_centres, theta_forms
from fpliif_jax.systems.stn_icnn.icnn import ICNN
from fpliif_jax.systems.stn_icnn.localization import LocalizationNet

Array = jax.Array

# The network of each part, and whether the part is mirrored into and out of it.
_NETWORK_OF_PART = (
    ("brows", False),
    ("brows", True),
    ("eyes", False),
    ("eyes", True),
    ("nose", False),
    ("mouth", False),
)


class FineNets(nn.Module):
    """The K_i (eq. 4): one network for both brows, one for both eyes, one for the nose, one for the mouth.

    The second of a pair is mirrored into and out of the network that it shares.

    Attributes:
      brows, eyes, nose, mouth: the networks; the mouth's has four labels, the others two.
    """

    brows: ICNN
    eyes: ICNN
    nose: ICNN
    mouth: ICNN

    def __call__(
        self, parts: Sequence[Array], train: bool = False, example_weights: Array | None = None
    ) -> tuple[Array, ...]:
        """Labels crops.

        Args:
          parts: six of float32 [B, p, p, 3] in [0, 1]; only parts that share a network need one p.
          train: use and update the statistics of the batch, of each part by itself.
          example_weights: float32 [B], or [B, 6] to leave out parts of some examples.

        Returns:
          six of float32 [B, p, p, 2], the mouth's [B, p, p, 4].
        """
        logits = []
        for part, (network, mirrored) in enumerate(_NETWORK_OF_PART):
            images, weights = parts[part], example_weights
            if weights is not None and weights.ndim == 2:
                weights = weights[:, part]
            if mirrored:
                images = images[:, :, ::-1]
            part_logits = getattr(self, network)(images, train, weights)
            logits.append(part_logits[:, :, ::-1] if mirrored else part_logits)
        return tuple(logits)


class Outputs(TypedDict):
    """Outputs of an STN-iCNN for B faces; all float32.

    Attributes:
      coarse_logits: [B, s, s, 9].
      theta: [B, 6, 2, 3].
      parts: six of [B, p, p, 3].
      part_logits: six of [B, p, p, 2], the mouth's [B, p, p, 4].
      label_probabilities: [B, S, S, 9], see `grid_transformer.map_back`.
    """

    coarse_logits: Array
    theta: Array
    parts: tuple[Array, ...]
    part_logits: tuple[Array, ...]
    label_probabilities: Array


class STNICNN(nn.Module):
    """The whole system, and the baseline whose cropper is fixed.

    Its networks are called 'coarse' (K), 'localisation' (L) and 'fine' (K_i): these are the keys of the
    parameters, and what `train` names.

    Attributes:
      coarse: K.
      localisation: L, or None: windows are then centred on the coarse mask's centroids, as in the
        baseline, and need no training.
      fine: the K_i.
      crop_sizes: side of each part's crop, in pixels.
      theta_form: how θ is made and read, see `theta_forms`.
      coarse_alignment: how K's input was sampled, 'half_pixel' or 'corners': the centroid cropper
        needs it to go back to the canvas.
    """

    coarse: ICNN
    localisation: LocalizationNet | None
    fine: FineNets
    crop_sizes: tuple[int, ...]
    theta_form: str
    coarse_alignment: str

    def __call__(
        self,
        resized: Array,
        canvas: Array,
        image_sizes: Array | None = None,
        train: bool | Collection[str] = False,
        example_weights: Array | None = None,
    ) -> Outputs:
        """Labels faces.

        Args:
          resized: float32 [B, s, s, 3] in [0, 1], the images squeezed to K's input size.
          canvas: float32 [B, S, S, 3] in [0, 1], the images unresized in the middle of zeros.
          image_sizes: int32 [B, 2], height and width of the images on the canvas; None where
            `resized` shows all of the canvas. Read by the centroid cropper only.
          train: names of the networks whose batch norms use and update the statistics of the
            batch, True for all.
          example_weights: float32 [B], 0 for padding.

        Returns:
          what each of the networks and the joining of the parts give.
        """
        coarse_logits = self.label_coarsely(resized, train, example_weights)
        theta = self.localise(coarse_logits, canvas.shape[1], image_sizes, train, example_weights)
        parts = self.crop(canvas, theta)
        part_logits = self.label_parts(parts, train, example_weights)
        return {
            "coarse_logits": coarse_logits,
            "theta": theta,
            "parts": parts,
            "part_logits": part_logits,
            "label_probabilities": self.join(part_logits, theta, canvas.shape[1]),
        }

    def label_coarsely(
        self,
        resized: Array,
        train: bool | Collection[str] = False,
        example_weights: Array | None = None,
    ) -> Array:
        """K: [B, s, s, 3] -> logits [B, s, s, 9] (eq. 1)."""
        return self.coarse(resized, _is_among("coarse", train), example_weights)

    def localise(
        self,
        coarse_logits: Array,
        side: int,
        image_sizes: Array | None = None,
        train: bool | Collection[str] = False,
        example_weights: Array | None = None,
    ) -> Array:
        """L, or the centroid cropper: coarse logits -> θ [B, 6, 2, 3] for a canvas of that side."""
        if self.localisation is None:
            return self.theta_of_mask(jnp.argmax(coarse_logits, -1), side, image_sizes)
        probabilities = jax.nn.softmax(coarse_logits, axis=-1)
        return self.localisation(probabilities, _is_among("localisation", train), example_weights)

    def theta_of_mask(self, mask: Array, side: int, image_sizes: Array | None = None) -> Array:
        """The baseline's cropper: windows around the centroids of a coarse mask.

        A part that the mask lacks is sought in the middle of the image. Centres are whole pixels, as
        the baseline crops by slicing.

        Args:
          mask: integer [B, s, s], labels 0 … 8.
          side: of the canvas.
          image_sizes: as for `__call__`.

        Returns:
          θ, float32 [B, 6, 2, 3].
        """
        batch, height, width = mask.shape
        if image_sizes is None:
            image_sizes = jnp.full((batch, 2), side, jnp.int32)
        sizes = image_sizes.astype(jnp.float32)[:, None]  # [B, 1, 2]
        centroids, present = part_centres.part_centroids(mask, floor=False)
        mask_sizes = jnp.array([[[height, width]]], jnp.float32)
        if self.coarse_alignment == "corners":
            centres = centroids * (sizes - 1) / (mask_sizes - 1)
        else:
            centres = (centroids + 0.5) * sizes / mask_sizes - 0.5
        centres = jnp.where(present[..., None], centres, (sizes - 1) / 2)
        offset = (side - image_sizes) // 2
        centres = jnp.floor(centres + 0.5) + offset.astype(jnp.float32)[:, None]
        return theta_forms.theta_of_centres(centres, self.crop_sizes, side, self.theta_form)

    def crop(self, canvas: Array, theta: Array) -> tuple[Array, ...]:
        """The grid transformer (eq. 3): -> six of [B, p, p, 3]."""
        return grid_transformer.crop_parts(
            grid_transformer.crop_images, canvas, theta, self.crop_sizes, self.theta_form
        )

    def label_parts(
        self,
        parts: Sequence[Array],
        train: bool | Collection[str] = False,
        example_weights: Array | None = None,
    ) -> tuple[Array, ...]:
        """The K_i, see `FineNets`: six of [B, p, p, 3] -> six of [B, p, p, 2 or 4]."""
        return self.fine(parts, _is_among("fine", train), example_weights)

    def join(self, part_logits: tuple[Array, ...], theta: Array, side: int) -> Array:
        """Softmax of each part and the inverse grid transformer (eq. 5): -> [B, S, S, 9]."""
        probabilities = tuple(jax.nn.softmax(logits, axis=-1) for logits in part_logits)
        return grid_transformer.map_back(probabilities, theta, side, self.theta_form)


def part_sizes(crop_size: int, mouth_crop_size: int) -> tuple[int, ...]:
    """Side of each part's crop."""
    return tuple(mouth_crop_size if name == "mouth" else crop_size for name in PART_NAMES)


def _is_among(network: str, train: bool | Collection[str]) -> bool:
    return train if isinstance(train, bool) else network in train


def fine_labels() -> dict[str, int]:
    """Logits of each fine network, its background included."""
    return {
        network: 1 + len(labels)
        for (network, _), labels in zip(_NETWORK_OF_PART, PART_LABELS, strict=True)
    }
