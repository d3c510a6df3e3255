"""Trained models as functions from photos to label maps of any size."""

import contextlib
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fpliif_jax.data import preprocess
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.setting_ranges import AUTO
from fpliif_jax.systems import create_model, inference_variables
from fpliif_jax.systems.fp_liif import query_plan
from fpliif_jax.systems.stn_icnn import framing
from fpliif_jax.systems.stn_icnn import settings as stn_icnn_settings

Inputs = dict[str, np.ndarray]
Label = Callable[[Inputs, tuple[int, int]], np.ndarray]

LOGITS_BYTES = 2**30  # of one call; larger batches are cut down and larger outputs made in pieces


class FPLIIFLabeller:
    """FP-LIIF sees the photo resized to a square and answers at any size.

    Attributes:
      class_names: names by label id.
    """

    def __init__(self, trained: checkpoint.InferenceCheckpoint) -> None:
        self._config = trained.config
        self.class_names = trained.class_names
        variables = inference_variables(self._config.model, trained.variables)
        self._variables = jax.device_put(variables)
        self._model = create_model(self._config.model)
        self._encode = jax.jit(self._latent)
        self._decode = jax.jit(self._labels_of_grid, static_argnums=2)
        self._decode_queries = jax.jit(self._labels_of_queries)

    def network_input(self, photo: np.ndarray) -> Inputs:
        """What the network is fed of a photo, uint8 [H, W, 3]; to be stacked with others'."""
        side = self._config.data.image_size
        return {"images": preprocess.resize_image(photo, (side, side), self._config.data.bicubic)}

    def plan(self, size: tuple[int, int] | None, batch_size: int) -> tuple[Label, int]:
        """The method that suits an output size, and how many photos it should be given at once.

        Args:
          size: (height, width), or None where each photo has another.
          batch_size: the most photos at once.
        """
        in_pieces = self._config.model.decoder == "liif"
        if size is None:
            return (self.label_in_pieces if in_pieces else self.label), 1
        bytes_of_one = math.prod(size) * len(self.class_names) * 4
        if in_pieces and bytes_of_one > LOGITS_BYTES:
            return self.label_in_pieces, 1
        return self.label, max(min(batch_size, LOGITS_BYTES // bytes_of_one), 1)

    def label(self, inputs: Inputs, size: tuple[int, int]) -> np.ndarray:
        """Label maps of one size; what it needs is compiled once for each batch size and size.

        Args:
          inputs: stacked, B of them.
          size: (height, width).

        Returns:
          uint8 [B, height, width].
        """
        with _precision(self._config):
            latent = self._encode(self._variables, inputs["images"])
            return np.asarray(self._decode(self._variables, latent, size))

    def label_in_pieces(self, inputs: Inputs, size: tuple[int, int]) -> np.ndarray:
        """The same as `label`, compiled once for all sizes and with bounded memory.

        The centres of the pixels are decoded as query coordinates, in pieces of
        config.model.query_chunk, or of what it says where it is 'auto'.

        Args:
          inputs: of one photo.
          size: (height, width).

        Returns:
          uint8 [1, height, width].
        """
        height, width = size
        chunk = self._config.model.query_chunk
        if chunk == AUTO:
            chunk = query_plan.most_queries(*query_plan.this_device(), self._config.model)
        pieces = []
        with _precision(self._config):
            latent = self._encode(self._variables, inputs["images"])
            for start in range(0, height * width, chunk):
                # Past the end the last row is asked for again: every piece has the same shape.
                pixels = np.arange(start, start + chunk)
                y = (np.minimum(pixels // width, height - 1) + 0.5) / height * 2 - 1
                x = (pixels % width + 0.5) / width * 2 - 1
                coordinates = np.stack([y, x], axis=-1).astype(np.float32)[None]
                pieces.append(self._decode_queries(self._variables, latent, coordinates))
        labels = np.concatenate(jax.device_get(pieces), axis=1)
        return labels[:, : height * width].reshape(1, height, width)

    def _latent(self, variables: dict[str, Any], inputs: jax.Array) -> Any:
        images = inputs.astype(jnp.float32) / jnp.float32(255)
        images = preprocess.normalise(images, self._config.data.input_scaling)
        return self._model.apply(variables, images, method="encode")

    def _labels_of_grid(
        self,
        variables: dict[str, Any],
        latent: Any,
        size: tuple[int, int],
    ) -> jax.Array:
        logits = self._model.apply(variables, latent, size, method="decode")
        return jnp.argmax(logits, axis=-1).astype(jnp.uint8)

    def _labels_of_queries(
        self,
        variables: dict[str, Any],
        latent: Any,
        coordinates: jax.Array,
    ) -> jax.Array:
        logits = self._model.apply(variables, latent, coordinates, method="decode_queries")
        return jnp.argmax(logits, axis=-1).astype(jnp.uint8)


class STNICNNLabeller:
    """STN-iCNN sees the photo on its canvas, reduced if it is larger, and answers there.

    Attributes:
      class_names: names by label id.
    """

    def __init__(self, trained: checkpoint.InferenceCheckpoint) -> None:
        self._config = trained.config
        self.class_names = trained.class_names
        self._variables = jax.device_put(trained.variables)
        self._model = create_model(self._config.model)
        self._label_canvas = jax.jit(self._labels_of_canvas)

    def network_input(self, photo: np.ndarray) -> Inputs:
        """What the network is fed of a photo, uint8 [H, W, 3]; to be stacked with others'."""
        data = self._config.data
        canvas, size = preprocess.place_on_canvas(
            photo, data.image_size, data.bicubic, data.get("longest_side")
        )
        return {"images": canvas, "image_sizes": np.array(size, np.int32)}

    def plan(self, size: tuple[int, int] | None, batch_size: int) -> tuple[Label, int]:
        """As `FPLIIFLabeller.plan`; the work does not depend on the output size."""
        bytes_of_one = self._config.data.image_size**2 * len(self.class_names) * 4
        largest = max(min(batch_size, LOGITS_BYTES // bytes_of_one), 1)
        return self.label, 1 if size is None else largest

    def label(self, inputs: Inputs, size: tuple[int, int]) -> np.ndarray:
        """Label maps of one size.

        Where that is not the photo's size on the canvas, its label map is resized class by class
        (`preprocess.resize_label_map`).

        Args:
          inputs: stacked, B of them.
          size: (height, width).

        Returns:
          uint8 [B, height, width].
        """
        with _precision(self._config):
            canvases = np.asarray(self._label_canvas(self._variables, inputs))
        found = np.zeros((len(canvases), *size), np.uint8)
        for labels, canvas, extent in zip(found, canvases, inputs["image_sizes"], strict=True):
            if extent.all():  # not of the padding of a batch
                window = preprocess.canvas_window(len(canvas), tuple(map(int, extent)))
                labels[:] = preprocess.resize_label_map(
                    np.ascontiguousarray(canvas[window]),
                    size,
                    len(self.class_names),
                    bicubic=self._config.data.bicubic,
                )
        return found

    def _labels_of_canvas(self, variables: dict[str, Any], inputs: Inputs) -> jax.Array:
        settings = stn_icnn_settings.resolve(self._config.model)
        canvas = inputs["images"].astype(jnp.float32) / jnp.float32(255)
        resized, shown = framing.coarse_view(canvas, inputs["image_sizes"], settings)
        found = self._model.apply(variables, resized, canvas, shown)
        return jnp.argmax(found["label_probabilities"], axis=-1).astype(jnp.uint8)


def make_labeller(trained: checkpoint.InferenceCheckpoint) -> FPLIIFLabeller | STNICNNLabeller:
    """The labeller for a run's model."""
    is_stn_icnn = trained.config.model.name == "stn_icnn"
    return STNICNNLabeller(trained) if is_stn_icnn else FPLIIFLabeller(trained)


def _precision(config: Any) -> contextlib.AbstractContextManager[None]:
    return jax.default_matmul_precision(config.matmul_precision)
