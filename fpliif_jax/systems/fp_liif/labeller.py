"""FP-LIIF as a function from photos to label maps and probabilities."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from fpliif_jax.data import resize
from fpliif_jax.devices import parallel
from fpliif_jax.fields import field_checks
from fpliif_jax.fields.setting_ranges import AUTO
from fpliif_jax.nn.variables import Variables
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems import labeller
from fpliif_jax.systems.fp_liif import query_plan, settings
from fpliif_jax.systems.fp_liif.inputs import network_images
from fpliif_jax.systems.fp_liif.losses import apply_temperature
from fpliif_jax.systems.fp_liif.model import FPLIIF

# Sizes that get a program of their own, in a process; compiling one takes about as long as three faces.
MOST_SIZES = 8
_SMALLEST_PIECE = 1024
_UNET_QUERIES = 2**18  # of one piece: each runs the whole U-Net, and a query costs next to nothing


class FPLIIFLabeller:
    """FP-LIIF sees the photo resized to a square and answers at any size.

    Attributes:
      class_names: names by label id.
    """

    def __init__(self, trained: InferenceCheckpoint) -> None:
        self._config = trained.config
        self.class_names = trained.class_names
        self._note = trained.note
        variables = settings.inference_variables(self._config.model, trained.variables)
        self._variables = jax.device_put(variables)
        field_checks.check_section("model", self._config.model)  # now, and not at the first photo
        self._encode = jax.jit(self._latent)
        self._decode = jax.jit(self._labels_of_grid, static_argnums=2)
        self._label_queries = jax.jit(self._labels_of_queries)
        self._weigh_queries = jax.jit(self._probabilities_of_queries)
        self._sizes: set[tuple[int, int]] = set()  # those with a program of their own

    def network_input(self, photo: np.ndarray) -> labeller.Inputs:
        """What the network is fed of a photo, uint8 [H, W, 3]; to be stacked with others'."""
        side = self._config.data.image_size
        return {"images": resize.resize_image(photo, (side, side), self._config.data.bicubic)}

    def plan(self, size: tuple[int, int] | None, batch_size: int) -> tuple[labeller.Label, int]:
        """As `Labeller.plan`."""
        in_pieces = self._config.model.decoder == "liif"
        if size is None:
            return (self.label_in_pieces if in_pieces else self.label), 1
        bytes_of_one = math.prod(size) * len(self.class_names) * 4
        if in_pieces and bytes_of_one > labeller.LOGITS_BYTES:
            return self.label_in_pieces, 1
        return self.label, labeller.photos_at_once(bytes_of_one, batch_size)

    def label(self, inputs: labeller.Inputs, size: tuple[int, int]) -> np.ndarray:
        """Label maps of one size.

        What it needs is compiled once for each batch size and size, up to `MOST_SIZES` sizes; further ones are made
        in pieces, for which nothing is compiled: equal but for ties within rounding.

        Args:
          inputs: stacked, B of them.
          size: (height, width).

        Returns:
          uint8 [B, height, width].
        """
        size = (int(size[0]), int(size[1]))
        if size not in self._sizes and len(self._sizes) >= MOST_SIZES:
            return self.label_in_pieces(inputs, size)
        self._sizes.add(size)
        with jax.default_matmul_precision(self._config.matmul_precision):
            latent = self._encode(self._variables, inputs["images"])
            labels = np.asarray(self._decode(self._variables, latent, size))
        return labeller.checked(labels, self._note)

    def lower(
        self, inputs: labeller.Inputs, size: tuple[int, int]
    ) -> dict[str, jax.stages.Lowered]:
        """As `Labeller.lower`: 'encode', then 'decode'."""
        with jax.default_matmul_precision(self._config.matmul_precision):
            encode = self._encode.lower(self._variables, inputs["images"])
            latent = jax.tree.map(
                lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), encode.out_info
            )
            return {"encode": encode, "decode": self._decode.lower(self._variables, latent, size)}

    def label_in_pieces(self, inputs: labeller.Inputs, size: tuple[int, int]) -> np.ndarray:
        """The same as `label`, compiled once for all sizes and with bounded memory.

        The centres of the pixels are decoded as query coordinates, in pieces of
        config.model.query_chunk, or of what it says where it is 'auto'.

        Args:
          inputs: stacked, B of them.
          size: (height, width).

        Returns:
          uint8 [B, height, width].
        """
        pieces = [piece for _, piece in self._pieces(self._label_queries, inputs, size)]
        labels = labeller.checked(np.concatenate(jax.device_get(pieces), axis=1), self._note)
        return labels[:, : math.prod(size)].reshape(-1, *size)

    def probabilities(self, inputs: labeller.Inputs, size: tuple[int, int]) -> np.ndarray:
        """As `Labeller.probabilities`: the softmax of the logits at the temperature of the training loss (§4.2).

        Made in pieces, as by `label_in_pieces`; a program is compiled for all sizes, and a few for small ones.
        """
        count = math.prod(size)
        whole = np.empty((len(inputs["images"]), len(self.class_names), count), np.float32)
        for start, piece in self._pieces(self._weigh_queries, inputs, size, is_cut=True):
            whole[:, :, start : start + piece.shape[2]] = np.asarray(piece)[:, :, : count - start]
        return whole.reshape(*whole.shape[:2], *size)

    def _pieces(
        self,
        decode: Callable[..., jax.Array],
        inputs: labeller.Inputs,
        size: tuple[int, int],
        is_cut: bool = False,
    ) -> Iterator[tuple[int, jax.Array]]:
        """The index of the first pixel of each piece, row by row, and what `decode` makes of the piece's queries.

        With `is_cut` a piece is halved while it has room for all pixels, down to `_SMALLEST_PIECE`.
        """
        height, width = size
        batch = len(inputs["images"])
        chunk = self._config.model.query_chunk
        if self._config.model.decoder != "liif":
            chunk = _UNET_QUERIES
        elif chunk == AUTO:
            chunk = query_plan.most_queries(*parallel.backend_and_memory(), self._config.model)
        chunk = max(1, chunk // batch)
        while is_cut and chunk // 2 >= max(height * width, _SMALLEST_PIECE):
            chunk //= 2
        with jax.default_matmul_precision(self._config.matmul_precision):
            latent = self._encode(self._variables, inputs["images"])
            for start in range(0, height * width, chunk):
                # Past the end the last row is asked for again: every piece has the same shape.
                pixels = np.arange(start, start + chunk)
                y = (np.minimum(pixels // width, height - 1) + 0.5) / height * 2 - 1
                x = (pixels % width + 0.5) / width * 2 - 1
                coordinates = np.stack([y, x], axis=-1).astype(np.float32)[None]
                coordinates = np.broadcast_to(coordinates, (batch, chunk, 2))
                yield start, decode(self._variables, latent, coordinates)

    def _model(self) -> FPLIIF:
        """Made where a program is traced, for the devices that it is traced for."""
        return settings.create(self._config.model)

    def _latent(self, variables: Variables, inputs: jax.Array) -> Any:
        images = network_images(inputs, self._config.data.input_scaling)
        return self._model().apply(variables, images, method="encode")

    def _labels_of_grid(
        self,
        variables: Variables,
        latent: Any,
        size: tuple[int, int],
    ) -> jax.Array:
        logits = self._model().apply(variables, latent, size, method="decode")
        return labeller.labels_of(logits)

    def _labels_of_queries(
        self,
        variables: Variables,
        latent: Any,
        coordinates: jax.Array,
    ) -> jax.Array:
        logits = self._model().apply(variables, latent, coordinates, method="decode_queries")
        return labeller.labels_of(logits)

    def _probabilities_of_queries(
        self,
        variables: Variables,
        latent: Any,
        coordinates: jax.Array,
    ) -> jax.Array:
        """float32 [B, C, Q]."""
        logits = self._model().apply(variables, latent, coordinates, method="decode_queries")
        scaled = apply_temperature(logits, self._config.loss)
        return jax.nn.softmax(scaled, axis=-1).swapaxes(1, 2)
