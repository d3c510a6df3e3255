"""FP-LIIF as a function from photos to label maps and probabilities."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fpliif_jax.data import resize
from fpliif_jax.devices import parallel
from fpliif_jax.fields import field_checks
from fpliif_jax.fields.setting_ranges import AUTO
from fpliif_jax.nn.applied import Applied
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
        self._label_looks = jax.jit(self._labels_of_looks)
        self._weigh_looks = jax.jit(self._probabilities_of_looks)
        self._sizes: set[tuple[int, int]] = set()  # those with a program of their own

    def network_input(self, photo: np.ndarray) -> labeller.Inputs:
        """What the network is fed of a photo, uint8 [H, W, 3]; to be stacked with others'."""
        side = self._config.data.image_size
        return {"images": resize.resize_image(photo, (side, side), self._config.data.bicubic)}

    def plan(self, size: tuple[int, int] | None, batch_size: int) -> tuple[labeller.Label, int]:
        """See `Labeller.plan`."""
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
        """See `Labeller.lower`: 'encode', then 'decode'."""
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
        latent = self._encoded(inputs["images"])
        return self._labels(self._pieces(self._label_queries, latent, size), size)

    def encode(self, inputs: labeller.Inputs) -> Any:
        """See `WindowLabeller.encode`: made by the program for one photo that the search for faces has compiled."""
        return self._encoded(inputs["images"][None])

    def label_looks(self, looks: Sequence[labeller.Look], size: tuple[int, int]) -> np.ndarray:
        """See `WindowLabeller.label_looks`.

        Made as by `label_in_pieces`: the probabilities are never there for more than a piece.
        """
        pieces = self._pieces_of_looks(self._label_looks, looks, size)
        return self._labels(pieces, size)[0]

    def probabilities(self, inputs: labeller.Inputs, size: tuple[int, int]) -> np.ndarray:
        """See `Labeller.probabilities`: the softmax of the logits at the temperature of the training loss (§4.2).

        Made in pieces, as by `label_in_pieces`; a program is compiled for all sizes, and a few for small ones.
        """
        latent = self._encoded(inputs["images"])
        pieces = self._pieces(self._weigh_queries, latent, size, is_cut=True)
        return self._probabilities(pieces, len(inputs["images"]), size)

    def probabilities_of_looks(
        self, looks: Sequence[labeller.Look], size: tuple[int, int]
    ) -> np.ndarray:
        """See `WindowLabeller.probabilities_of_looks`."""
        pieces = self._pieces_of_looks(self._weigh_looks, looks, size, is_cut=True)
        return self._probabilities(pieces, 1, size)[0]

    def _labels(self, pieces: Iterable[tuple[int, jax.Array]], size: tuple[int, int]) -> np.ndarray:
        of_pieces = jax.device_get([piece for _, piece in pieces])
        labels = labeller.checked(np.concatenate(of_pieces, axis=1), self._note)
        return labels[:, : math.prod(size)].reshape(-1, *size)

    def _probabilities(
        self, pieces: Iterable[tuple[int, jax.Array]], batch: int, size: tuple[int, int]
    ) -> np.ndarray:
        count = math.prod(size)
        whole = np.empty((batch, len(self.class_names), count), np.float32)
        for start, piece in pieces:
            whole[:, :, start : start + piece.shape[2]] = np.asarray(piece)[:, :, : count - start]
        return whole.reshape(*whole.shape[:2], *size)

    def _pieces_of_looks(
        self,
        decode: Callable[..., jax.Array],
        looks: Sequence[labeller.Look],
        size: tuple[int, int],
        is_cut: bool = False,
    ) -> Iterator[tuple[int, jax.Array]]:
        """Pieces of the looks together, as `_pieces` makes them of a batch of one."""
        latents = [look.latent for look in looks]
        latent = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *latents)
        weights = np.array([look.weight for look in looks], np.float32)
        decode = functools.partial(decode, weights / weights.sum())
        return self._pieces(
            decode, latent, size, is_cut, [(look.start, look.size) for look in looks]
        )

    def _encoded(self, images: np.ndarray) -> Any:
        with jax.default_matmul_precision(self._config.matmul_precision):
            return self._encode(self._variables, images)

    def _pieces(
        self,
        decode: Callable[..., jax.Array],
        latent: Any,
        size: tuple[int, int],
        is_cut: bool = False,
        shown: Sequence[tuple[tuple[int, int], tuple[int, int]]] = (),
    ) -> Iterator[tuple[int, jax.Array]]:
        """The index of the first pixel of each piece, row by row, and what `decode` makes of the piece's queries.

        With `is_cut` a piece is halved while it has room for all pixels, down to `_SMALLEST_PIECE`. `shown` has what
        each image of the latent shows, as `Look.start` and `Look.size`, where that is not what is asked for.
        """
        height, width = size
        batch = len(jax.tree.leaves(latent)[0])
        chunk = self._config.model.query_chunk
        if self._config.model.decoder != "liif":
            chunk = _UNET_QUERIES
        elif chunk == AUTO:
            chunk = query_plan.most_queries(*parallel.backend_and_memory(), self._config.model)
        chunk = max(1, chunk // batch)
        while is_cut and chunk // 2 >= max(height * width, _SMALLEST_PIECE):
            chunk //= 2
        with jax.default_matmul_precision(self._config.matmul_precision):
            for start in range(0, height * width, chunk):
                # Past the end the last row is asked for again: every piece has the same shape.
                pixels = np.arange(start, start + chunk)
                places = np.stack(
                    [np.minimum(pixels // width, height - 1), pixels % width], axis=-1
                )
                coordinates = np.stack(
                    [
                        (places - first + 0.5) / sides * 2 - 1
                        for first, sides in shown or [((0, 0), size)]
                    ]
                ).astype(np.float32)
                coordinates = np.broadcast_to(coordinates, (batch, chunk, 2))
                yield start, decode(self._variables, latent, coordinates)

    def _network(self, variables: Variables) -> Applied:
        """Made where a program is traced, for the devices that it is traced for."""
        return Applied(settings.create(self._config.model), variables)

    def _latent(self, variables: Variables, inputs: jax.Array) -> Any:
        images = network_images(inputs, self._config.data.input_scaling)
        return self._network(variables)(FPLIIF.encode, images)

    def _labels_of_grid(
        self,
        variables: Variables,
        latent: Any,
        size: tuple[int, int],
    ) -> jax.Array:
        logits = self._network(variables)(FPLIIF.decode, latent, size)
        return labeller.labels_of(logits)

    def _labels_of_queries(
        self,
        variables: Variables,
        latent: Any,
        coordinates: jax.Array,
    ) -> jax.Array:
        logits = self._network(variables)(FPLIIF.decode_queries, latent, coordinates)
        return labeller.labels_of(logits)

    def _probabilities_of_queries(
        self,
        variables: Variables,
        latent: Any,
        coordinates: jax.Array,
    ) -> jax.Array:
        """float32 [B, C, Q]."""
        logits = self._network(variables)(FPLIIF.decode_queries, latent, coordinates)
        scaled = apply_temperature(logits, self._config.loss)
        return jax.nn.softmax(scaled, axis=-1).swapaxes(1, 2)

    def _labels_of_looks(self, weights: jax.Array, *asked: Any) -> jax.Array:
        return labeller.labels_of(self._probabilities_of_looks(weights, *asked).swapaxes(1, 2))

    def _probabilities_of_looks(
        self, weights: jax.Array, variables: Variables, latent: Any, coordinates: jax.Array
    ) -> jax.Array:
        """float32 [1, C, Q]; weights [B], with sum 1."""
        logits = self._network(variables)(FPLIIF.decode_queries, latent, coordinates)
        # Classes first: along a last axis of so few, XLA's softmax takes a CPU longer than the decoder.
        scaled = jnp.moveaxis(apply_temperature(logits, self._config.loss), -1, 0)
        each = jax.nn.softmax(scaled, axis=0)
        return (each * weights[None, :, None]).sum(axis=1)[None]
