"""FP-LIIF, face parsing with local implicit image functions, in JAX."""
