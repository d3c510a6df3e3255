"""STN-iCNN as a function from photos to label maps."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fpliif_jax.data import resize
from fpliif_jax.data.canvas import canvas_window, place_on_canvas
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems import labeller
from fpliif_jax.systems.pixels import to_unit_range
from fpliif_jax.systems.stn_icnn import framing, settings


class STNICNNLabeller:
    """STN-iCNN sees the photo on its canvas, reduced if it is larger, and answers there.

    Attributes:
      class_names: names by label id.
    """

    def __init__(self, trained: InferenceCheckpoint) -> None:
        self._config = trained.config
        self.class_names = trained.class_names
        self._variables = jax.device_put(trained.variables)
        self._model = settings.create(self._config.model)
        self._label_canvas = jax.jit(self._labels_of_canvas)

    def network_input(self, photo: np.ndarray) -> labeller.Inputs:
        """What the network is fed of a photo, uint8 [H, W, 3]; to be stacked with others'."""
        data = self._config.data
        canvas, size = place_on_canvas(
            photo, data.image_size, data.bicubic, data.get("longest_side")
        )
        return {"images": canvas, "image_sizes": np.array(size, np.int32)}

    def plan(self, size: tuple[int, int] | None, batch_size: int) -> tuple[labeller.Label, int]:
        """As `Labeller.plan`; the work does not depend on the output size."""
        bytes_of_one = self._config.data.image_size**2 * len(self.class_names) * 4
        largest = labeller.photos_at_once(bytes_of_one, batch_size)
        return self.label, 1 if size is None else largest

    def label(self, inputs: labeller.Inputs, size: tuple[int, int]) -> np.ndarray:
        """Label maps of one size.

        Where that is not the photo's size on the canvas, its label map is resized class by class
        (`resize.resize_label_map`).

        Args:
          inputs: stacked, B of them.
          size: (height, width).

        Returns:
          uint8 [B, height, width].
        """
        with jax.default_matmul_precision(self._config.matmul_precision):
            canvases = np.asarray(self._label_canvas(self._variables, inputs))
        label_maps = np.zeros((len(canvases), *size), np.uint8)
        for labels, canvas, extent in zip(label_maps, canvases, inputs["image_sizes"], strict=True):
            if extent.all():  # not of the padding of a batch
                window = canvas_window(len(canvas), tuple(map(int, extent)))
                labels[:] = resize.resize_label_map(
                    np.ascontiguousarray(canvas[window]),
                    size,
                    len(self.class_names),
                    bicubic=self._config.data.bicubic,
                )
        return label_maps

    def lower(
        self, inputs: labeller.Inputs, size: tuple[int, int]
    ) -> dict[str, jax.stages.Lowered]:
        """As `Labeller.lower`: the networks; labels of another size are resized on the CPU."""
        with jax.default_matmul_precision(self._config.matmul_precision):
            return {"label_canvas": self._label_canvas.lower(self._variables, inputs)}

    def _labels_of_canvas(self, variables: dict[str, Any], inputs: labeller.Inputs) -> jax.Array:
        canvas = to_unit_range(inputs["images"])
        resized, shown = framing.coarse_view(
            canvas, inputs["image_sizes"], settings.resolve(self._config.model)
        )
        outputs = self._model.apply(variables, resized, canvas, shown)
        return jnp.argmax(outputs["label_probabilities"], axis=-1).astype(jnp.uint8)
