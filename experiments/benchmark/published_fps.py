"""Frames per second of FP-LIIF's Table 6, on an A100, by output size."""

from fpliif_jax.experiments.published import published_values, select

SOURCE = "FP-LIIF Table 6"
DEVICE = "A100"


def paper_fps() -> dict[int, float]:
    """Side of the output -> images per second."""
    values = select(published_values(), system="FP-LIIF", metric="fps", source=SOURCE)
    return {int(value.protocol): value.value for value in values}
