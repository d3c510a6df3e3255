"""A trained model as files for programs that do not have this package: python -m fpliif_jax.export."""
