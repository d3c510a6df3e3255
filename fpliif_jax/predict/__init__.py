"""Label maps of photos, by a trained model: python -m fpliif_jax.predict."""
