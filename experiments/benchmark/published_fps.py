"""Frames per second of FP-LIIF's Table 6, on an A100, by output size."""

from fpliif_jax.experiments.published import published_values

SOURCE = "FP-LIIF Table 6"
DEVICE = "A100"


def paper_fps() -> dict[int, float]:
    """Side of the output -> images per second."""
    return {
        int(value.protocol): value.value
        for value in published_values()
        if (value.system, value.metric, value.source) == ("FP-LIIF", "fps", SOURCE)
    }
