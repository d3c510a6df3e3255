"""TFDS builders of the face parsing sets. Importing BUILDERS registers them with TFDS.

    from fpliif_jax.data_builders import BUILDERS
    import tensorflow_datasets as tfds

    print(list(BUILDERS))
    source = tfds.data_source("lapa", split="train")

Nothing here needs TensorFlow. `data_builders.prepare` makes the prepared sets from raw downloads.
"""

from typing import TYPE_CHECKING

from fpliif_jax.commands.lazy_exports import lazy_exports
from fpliif_jax.commands.one_module import be_one_module
from fpliif_jax.data_builders.errors import DataError

# Each lies in <name>/<name>_dataset_builder.py, which is loaded with BUILDERS.
NAMES = ("lapa", "celebamask_hq", "helen", "own_data")

if TYPE_CHECKING:
    from fpliif_jax.data_builders.builders import BUILDERS
else:
    __getattr__, __dir__ = lazy_exports(__name__, {"BUILDERS": "fpliif_jax.data_builders.builders"})
__all__ = ["BUILDERS", "NAMES", "DataError"]

be_one_module(__name__)
