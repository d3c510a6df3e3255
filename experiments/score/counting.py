"""Confusion matrices of one prediction under every protocol, counted on the host."""

import dataclasses

import numpy as np

from fpliif_jax.configs import stn_icnn_celebamask_hq, stn_icnn_helen
from fpliif_jax.data.canvas import canvas_size
from fpliif_jax.data.renamed_labels import class_table
from fpliif_jax.data.resize import resize_label_map
from fpliif_jax.data_builders.class_names import FACIAL_PARTS

NATIVE, CANVAS = "native", "canvas"
SIDES = (256, 512)
_CANVASES = {"helen": stn_icnn_helen, "celebamask_hq": stn_icnn_celebamask_hq}


@dataclasses.dataclass(frozen=True)
class Canvas:
    """How STN-iCNN frames the label maps of a set that its paper scores.

    Attributes:
      side: in pixels.
      method: by which larger ones are reduced.
      part_of: uint8 [C], the facial part of each class, 0 for none.
    """

    side: int
    method: str
    part_of: np.ndarray


def canvas_of(dataset: str, names: tuple[str, ...]) -> Canvas | None:
    """The canvas of STN-iCNN's config for a set; None where its paper does not score the set."""
    if dataset not in _CANVASES:
        return None
    data = _CANVASES[dataset].get_config().data
    parts = class_table("facial_parts", names)
    # pyrefly: ignore[bad-argument-type] - sets have other classes of their own
    return Canvas(data.image_size, data.label_resize, parts)


@dataclasses.dataclass(frozen=True)
class Counter:
    """Counts a prediction against its truth.

    Attributes:
      names: C classes, the background first.
      method: 'class_bicubic' or 'nearest': how label maps are brought to other sizes. A prediction that has not the
        size of its truth is always brought there by nearest neighbour.
      canvas: of STN-iCNN, where it is defined.
    """

    names: tuple[str, ...]
    method: str
    canvas: Canvas | None

    def class_names(self, protocol: str) -> tuple[str, ...]:
        """The classes that a protocol scores: on the canvas the facial parts."""
        return FACIAL_PARTS if protocol == CANVAS else self.names

    @property
    def protocols(self) -> tuple[str, ...]:
        """Their names: 'native', '256', '512', and 'canvas' where it is defined."""
        sizes = (NATIVE, *map(str, SIDES))
        return sizes if self.canvas is None else (*sizes, CANVAS)

    def count(self, truth: np.ndarray, prediction: np.ndarray) -> dict[str, np.ndarray]:
        """The confusion matrix of an image by each protocol.

        Args:
          truth: uint8 [H, W], ids below C; C does not count.
          prediction: uint8 [h, w], ids below C.

        Returns:
          int32 [C, C] by protocol, rows truth, columns prediction; of the canvas that of the facial parts.
        """
        of_size: dict[tuple[int, int], np.ndarray] = {}

        def at(size: tuple[int, int], method: str) -> np.ndarray:
            if size not in of_size:
                of_size[size] = self._at(truth, prediction, size, method)
            return of_size[size]

        matrices = {NATIVE: at(truth.shape, self.method)}
        matrices |= {str(side): at((side, side), self.method) for side in SIDES}
        if self.canvas is not None:
            size = canvas_size(truth.shape, self.canvas.side)
            if size != truth.shape:
                of_size[size] = self._at(truth, prediction, size, self.canvas.method)
            matrices[CANVAS] = _on_canvas(of_size[size], size, self.canvas)
        return matrices

    def _at(
        self, truth: np.ndarray, prediction: np.ndarray, size: tuple[int, int], method: str
    ) -> np.ndarray:
        # Alike, or a perfect prediction would not have a perfect score.
        own = method if truth.shape == prediction.shape else "nearest"
        ids = len(self.names) + 1  # and what does not count
        return confusion_matrix(
            resize_label_map(truth, size, ids, method),
            resize_label_map(prediction, size, ids, own),
            len(self.names),
        )


def confusion_matrix(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts as `metrics.confusion_matrices` does, for one image, without a device.

    Args:
      truth: uint8 [H, W], ids below `num_classes`, which itself does not count.
      prediction: uint8 [H, W], ids below `num_classes`.
      num_classes: C, at most 255.

    Returns:
      int32 [C, C], rows truth, columns prediction.
    """
    pairs = truth.astype(np.uint16) * np.uint16(num_classes) + prediction  # below 2**16
    counts = np.bincount(pairs.ravel(), minlength=(num_classes + 1) * num_classes)
    return counts.reshape(num_classes + 1, num_classes)[:num_classes].astype(np.int32)


def _on_canvas(matrix: np.ndarray, size: tuple[int, int], canvas: Canvas) -> np.ndarray:
    """Parts merged, and the padding around the picture as background in both: it is never laid out in memory."""
    member = np.eye(len(FACIAL_PARTS), dtype=np.int64)[canvas.part_of]
    merged = member.T @ matrix @ member
    merged[0, 0] += canvas.side**2 - size[0] * size[1]
    return merged.astype(np.int32)
