"""TFDS builders of the face parsing sets. Importing this package registers them with TFDS.

    from fpliif_jax import data_builders
    import tensorflow_datasets as tfds

    source = tfds.data_source("lapa", split="train")

Nothing here needs TensorFlow. `data_builders.prepare` makes the prepared sets from raw downloads.
"""

from fpliif_jax.data_builders.celebamask_hq import celebamask_hq_dataset_builder as _celebamask_hq
from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.helen import helen_dataset_builder as _helen
from fpliif_jax.data_builders.lapa import lapa_dataset_builder as _lapa
from fpliif_jax.data_builders.own_data import own_data_dataset_builder as _own_data

BUILDERS = {
    builder.name: builder
    for builder in (_lapa.Builder, _celebamask_hq.Builder, _helen.Builder, _own_data.Builder)
}

__all__ = ["BUILDERS", "DataError"]
