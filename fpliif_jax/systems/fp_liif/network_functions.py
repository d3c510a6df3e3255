"""FP-LIIF as functions of a photo and of the coordinates of rows and columns."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from fpliif_jax.nn import grid_sampling
from fpliif_jax.nn.applied import Applied
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems.fp_liif import settings
from fpliif_jax.systems.fp_liif.inputs import network_images
from fpliif_jax.systems.fp_liif.model import FPLIIF
from fpliif_jax.systems.network_function import NetworkFunction

Array = jax.Array
_EXAMPLE_SIZES = ((64, 64), (100, 37), (1, 1), (37, 128), (192, 160), (33, 257))


def make_network_functions(trained: InferenceCheckpoint) -> Mapping[str, NetworkFunction]:
    """The networks in float32, whatever they were trained in.

    - 'model': photo uint8 [S, S, 3], resized to the side S of the network's square, y float32 [h] and x float32 [w]
      in [-1, 1] -> logits float32 [h, w, C]
    - 'encoder': photo -> latent grid float32 [n, n, F], and 'skip_0' … of the U-Net
    - 'decoder': these, y, x -> logits
    """
    model_config = trained.config.model.copy_and_resolve_references()
    with model_config.unlocked():
        model_config.dtype = "float32"
    network = Applied(settings.create(model_config), trained.variables)
    side, scaling = trained.config.data.image_size, trained.config.data.input_scaling

    def encode(photo: Array) -> list[Array]:
        images = network_images(photo[None], scaling)
        latent = network(FPLIIF.encode, images)
        grids = (latent["latent_grid"], *latent.get("skips", ()))
        return [jnp.squeeze(grid, 0) for grid in grids]

    def decode(latent_grid: Array, *others: Array) -> list[Array]:
        *skips, y, x = others
        latent = {"latent_grid": latent_grid[None], "skips": tuple(skip[None] for skip in skips)}
        logits = network(FPLIIF.decode_on_axes, latent, y, x)
        return [jnp.squeeze(logits, 0)]

    photo = jax.ShapeDtypeStruct((side, side, 3), jnp.uint8)
    rows, columns = jax.export.symbolic_shape("h, w")
    axes = {
        "y": jax.ShapeDtypeStruct((rows,), jnp.float32),
        "x": jax.ShapeDtypeStruct((columns,), jnp.float32),
    }
    grids = jax.eval_shape(encode, photo)
    names = ("latent_grid", *(f"skip_{number}" for number in range(len(grids) - 1)))
    photos, coordinates = _examples(side)
    encoded = jax.jit(encode)(photos[0])
    return {
        "model": NetworkFunction(
            lambda photo, y, x: decode(*encode(photo), y, x),
            {"photo": photo, **axes},
            ("logits",),
            [(one, *pair) for one, pair in zip(photos, coordinates, strict=True)],
        ),
        "encoder": NetworkFunction(encode, {"photo": photo}, names, [(one,) for one in photos]),
        "decoder": NetworkFunction(
            decode,
            {**dict(zip(names, grids, strict=True)), **axes},
            ("logits",),
            [(*map(np.asarray, encoded), *pair) for pair in coordinates],
        ),
    }


def _examples(side: int) -> tuple[list[np.ndarray], list[tuple[np.ndarray, np.ndarray]]]:
    """A photo for each of the sizes, noise over a gradient, and the coordinates: one of them a crop."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 200, side)
    photos, coordinates = [], []
    for height, width in _EXAMPLE_SIZES:
        noise = rng.integers(0, 56, (side, side, 3))
        photos.append((ramp[:, None, None] * rng.uniform(size=3) + noise).astype(np.uint8))
        y, x = (grid_sampling.cell_centres(n).astype(np.float32) for n in (height, width))
        coordinates.append((y, x))
    y, x = coordinates[-1]
    coordinates[-1] = (y * np.float32(0.5), x * np.float32(0.3) + np.float32(0.2))
    return photos, coordinates
