"""The builders by name. Importing this module registers them with TFDS."""

from fpliif_jax.data_builders.celebamask_hq import celebamask_hq_dataset_builder as _celebamask_hq
from fpliif_jax.data_builders.helen import helen_dataset_builder as _helen
from fpliif_jax.data_builders.lapa import lapa_dataset_builder as _lapa
from fpliif_jax.data_builders.own_data import own_data_dataset_builder as _own_data

BUILDERS = {
    builder.name: builder
    for builder in (_lapa.Builder, _celebamask_hq.Builder, _helen.Builder, _own_data.Builder)
}
