"""STN-iCNN as a function from photos to label maps and probabilities."""

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from fpliif_jax.data import resize
from fpliif_jax.data.canvas import canvas_window, place_on_canvas
from fpliif_jax.nn.applied import Applied
from fpliif_jax.nn.variables import Variables
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems import labeller
from fpliif_jax.systems.pixels import to_unit_range
from fpliif_jax.systems.stn_icnn import framing, settings, windows
from fpliif_jax.systems.stn_icnn.model import STNICNN


class STNICNNLabeller:
    """STN-iCNN sees the photo on its canvas, reduced if it is larger, and answers there.

    Attributes:
      class_names: names by label id.
    """

    def __init__(self, trained: InferenceCheckpoint) -> None:
        self._config = trained.config
        self.class_names = trained.class_names
        self._note = trained.note
        self._variables = jax.device_put(trained.variables)
        self._model = settings.create(self._config.model)
        self._label_canvas = jax.jit(self._labels_of_canvas)
        self._weigh_canvas = jax.jit(self._probabilities_of_canvas)

    def network_input(self, photo: np.ndarray) -> labeller.Inputs:
        """What the network is fed of a photo, uint8 [H, W, 3]; to be stacked with others'."""
        data = self._config.data
        canvas, size = place_on_canvas(
            photo, data.image_size, data.bicubic, data.get("longest_side")
        )
        return {"images": canvas, "image_sizes": np.array(size, np.int32)}

    def plan(self, size: tuple[int, int] | None, batch_size: int) -> tuple[labeller.Label, int]:
        """See `Labeller.plan`; the work does not depend on the output size."""
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
                height, width = map(int, extent)
                window = canvas_window(len(canvas), (height, width))
                labels[:] = resize.resize_label_map(
                    labeller.checked(np.ascontiguousarray(canvas[window]), self._note),
                    size,
                    len(self.class_names),
                    bicubic=self._config.data.bicubic,
                )
        return label_maps

    def probabilities(self, inputs: labeller.Inputs, size: tuple[int, int]) -> np.ndarray:
        """See `Labeller.probabilities`: the nine values of the inverse grid transformer (eq. 5) over their sum.

        Only where windows overlap is that sum not 1: it is the product of the background's probabilities in the
        windows, plus what each of these is short of 1, so at least 1. Where `size` is not the photo's size on the
        canvas, the map of each class is resized bilinearly, antialiased, which keeps the sum; `label` resizes
        labels, so at borders the likeliest class may be another.
        """
        with jax.default_matmul_precision(self._config.matmul_precision):
            canvases = np.asarray(self._weigh_canvas(self._variables, inputs))
        whole = np.zeros((*canvases.shape[:2], *size), np.float32)
        for maps, canvas, extent in zip(whole, canvases, inputs["image_sizes"], strict=True):
            if extent.all():  # not of the padding of a batch
                height, width = map(int, extent)
                window = canvas_window(canvas.shape[-1], (height, width))
                for resized, of_class in zip(maps, canvas[:, *window], strict=True):
                    picture = Image.fromarray(np.ascontiguousarray(of_class))
                    resized[:] = picture.resize(size[::-1], Image.Resampling.BILINEAR)
        return whole

    def lower(
        self, inputs: labeller.Inputs, size: tuple[int, int]
    ) -> dict[str, jax.stages.Lowered]:
        """See `Labeller.lower`: the networks; labels of another size are resized on the CPU."""
        with jax.default_matmul_precision(self._config.matmul_precision):
            return {"label_canvas": self._label_canvas.lower(self._variables, inputs)}

    def _labels_of_canvas(self, variables: Variables, inputs: dict[str, jax.Array]) -> jax.Array:
        """uint8 [B, side, side]."""
        return labeller.labels_of(self._values_of_canvas(variables, inputs))

    def _probabilities_of_canvas(
        self, variables: Variables, inputs: dict[str, jax.Array]
    ) -> jax.Array:
        """float32 [B, C, side, side]."""
        values = self._values_of_canvas(variables, inputs)
        return jnp.moveaxis(values / values.sum(axis=-1, keepdims=True), -1, 1)

    def _values_of_canvas(self, variables: Variables, inputs: dict[str, jax.Array]) -> jax.Array:
        canvas = to_unit_range(inputs["images"])
        resized, shown = framing.coarse_view(
            canvas, inputs["image_sizes"], settings.resolve(self._config.model)
        )
        outputs = Applied(self._model, variables)(STNICNN.__call__, resized, canvas, shown)
        are_numbers = windows.are_numbers(outputs["theta"], outputs["coarse_logits"])
        return jnp.where(are_numbers[:, None, None, None], outputs["label_probabilities"], jnp.nan)
