"""Importing this package registers its builder with TFDS: then `tfds.builder("celebamask_hq")` finds it."""

# By a relative name: `tfds build` imports this folder on its own, and would register a second builder.
from .celebamask_hq_dataset_builder import Builder

__all__ = ["Builder"]
