"""FP-LIIF and STN-iCNN, face parsing for reproducibility studies, in JAX and Flax."""

import pathlib
from typing import TYPE_CHECKING

from fpliif_jax.commands.lazy_exports import lazy_exports

__version__ = "0.1.0"

# An installed fpliif_jax holds configs, data_builders and experiments; in a checkout they lie beside it. All code
# imports them as parts of fpliif_jax, so that each module is there once.
_CHECKOUT = pathlib.Path(__file__).parents[1]
IS_CHECKOUT = not (pathlib.Path(__file__).parent / "experiments").is_dir()
if IS_CHECKOUT:
    __path__.append(str(_CHECKOUT))

_MODULES = {"FaceParser": "fpliif_jax.predict.face_parser", "create_model": "fpliif_jax.systems"}
if TYPE_CHECKING:
    from fpliif_jax.predict.face_parser import FaceParser
    from fpliif_jax.systems import create_model
else:
    __getattr__, __dir__ = lazy_exports(__name__, _MODULES)
__all__ = ["__version__", "FaceParser", "create_model"]
