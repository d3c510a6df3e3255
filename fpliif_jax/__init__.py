"""FP-LIIF and STN-iCNN, face parsing for reproducibility studies, in JAX and Flax."""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - nothing below can be read by an earlier one, nor could this say so
    needed = "fpliif_jax needs Python 3.11 or newer, and this is %d.%d" % sys.version_info[:2]  # noqa: UP031
    if sys.argv[0] == "-m":  # what it is while a command is found
        sys.exit("error: %s: %s" % (needed, sys.executable))  # noqa: UP031
    raise ImportError(needed)

from typing import TYPE_CHECKING

from fpliif_jax.commands import first_imports, missing_packages, one_module
from fpliif_jax.commands.lazy_exports import lazy_exports

if first_imports.is_command():
    first_imports.end_at_ctrl_c()
    missing_packages.tell()
__version__ = "0.1.0"

# An installed fpliif_jax holds configs, data_builders and experiments; in a checkout they lie beside it.
_HERE = os.path.dirname(os.path.abspath(__file__))
IS_CHECKOUT = not os.path.isdir(os.path.join(_HERE, "experiments"))
if IS_CHECKOUT:
    sys.meta_path.insert(0, one_module.Finder(os.path.dirname(_HERE)))

_MODULES = {"FaceParser": "fpliif_jax.predict.face_parser", "create_model": "fpliif_jax.systems"}
if TYPE_CHECKING:
    from fpliif_jax.predict.face_parser import FaceParser
    from fpliif_jax.systems import create_model
else:
    __getattr__, __dir__ = lazy_exports(__name__, _MODULES)
__all__ = ["__version__", "FaceParser", "create_model"]
