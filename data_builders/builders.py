"""The builders by name. Importing this module registers them with TFDS."""

import importlib

from fpliif_jax.data_builders import NAMES
from fpliif_jax.data_builders.face_parsing_builder import FaceParsingBuilder

BUILDERS: dict[str, type[FaceParsingBuilder]] = {
    name: importlib.import_module(f"fpliif_jax.data_builders.{name}.{name}_dataset_builder").Builder
    for name in NAMES
}
