"""FP-LIIF and STN-iCNN, face parsing for reproducibility studies, in JAX and Flax."""

import pathlib

# An installed fpliif_jax holds configs, data_builders and experiments; in a checkout they lie beside it.
_CHECKOUT = pathlib.Path(__file__).parents[1]
if not (_CHECKOUT / "fpliif_jax" / "experiments").is_dir():
    __path__.append(str(_CHECKOUT))


def __getattr__(name: str) -> object:
    # Only where it is asked for: importing this package must not cost the imports of JAX and Flax.
    if name == "create_model":
        from fpliif_jax.systems import create_model

        return create_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
