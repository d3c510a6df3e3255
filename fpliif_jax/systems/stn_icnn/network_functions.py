"""STN-iCNN as a function of a photo on its canvas."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from fpliif_jax.nn.applied import Applied
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems.network_function import NetworkFunction
from fpliif_jax.systems.pixels import to_unit_range
from fpliif_jax.systems.stn_icnn import framing, settings, theta_forms
from fpliif_jax.systems.stn_icnn.model import STNICNN
from fpliif_jax.systems.stn_icnn.windows import crop_sizes

Array = jax.Array


def make_network_functions(trained: InferenceCheckpoint) -> Mapping[str, NetworkFunction]:
    """The network in float32, whatever it was trained in.

    'model': canvas uint8 [S, S, 3] with a photo in its middle, image_size int32 [2], its height and width there
    -> probabilities float32 [S, S, C], windows float32 [6, 4], what `theta_forms.edges_of_theta` gives of the
    parts' windows, in shares of the canvas's side.
    """
    resolved = settings.resolve(trained.config.model)
    with resolved.unlocked():
        resolved.dtype = "float32"
    network = Applied(settings.create(resolved), trained.variables)
    side = trained.config.data.image_size

    def label(canvas: Array, image_size: Array) -> list[Array]:
        pixels = to_unit_range(canvas[None])
        resized, shown = framing.coarse_view(pixels, image_size[None], resolved)
        outputs = network(STNICNN.__call__, resized, pixels, shown)
        windows = theta_forms.edges_of_theta(
            outputs["theta"], crop_sizes(resolved), side, resolved.theta_form
        )
        return [jnp.squeeze(outputs["label_probabilities"], 0), jnp.squeeze(windows, 0) / side]

    rng = np.random.default_rng(0)
    shares = ((1, 1), (0.75, 1), (1, 0.6), (0.5, 0.5), (0.8, 0.9), (0.3, 0.7))
    examples = []
    for share in shares:
        size = np.maximum(np.array(share) * side, 1).astype(np.int32)
        top, left = (side - size) // 2
        canvas = np.zeros((side, side, 3), np.uint8)
        canvas[top : top + size[0], left : left + size[1]] = rng.integers(0, 256, (*size, 3))
        examples.append((canvas, size))
    inputs = {
        "canvas": jax.ShapeDtypeStruct((side, side, 3), jnp.uint8),
        "image_size": jax.ShapeDtypeStruct((2,), jnp.int32),
    }
    outputs = ("probabilities", "windows")
    return {"model": NetworkFunction(label, inputs, outputs, examples, takes_nearest=True)}
