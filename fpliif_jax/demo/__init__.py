"""A trained model as a page in the browser: python -m fpliif_jax.demo."""
